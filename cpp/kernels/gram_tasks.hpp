// The work of gram_topk and gram_matrix in pieces that threads take one after another.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "gram_dense.hpp"
#include "gram_layout.hpp"

namespace aimass {

namespace gram_topk_detail {

// Groups [begin, end) worked on by one thread; their columns make one dense stripe where dense.
struct Task {
  std::int64_t begin, end;
};

// Entries of the groups of a task, to which its time is about proportional.
template <class T>
std::int64_t n_entries(const GramLayout<T>& a, const Task& task) {
  return a.group_begin_entry(task.end) - a.group_begin_entry(task.begin);
}

// All by falling popularity, and so about by falling cost: groups of several columns, then single
// ones, which meet their best candidates early and turn the rest away.
template <class T>
std::vector<Task> tasks_of(const GramLayout<T>& a, std::int64_t dense_width) {
  std::vector<Task> tasks;
  const std::int64_t n_lanes = a.grouped / a.kLanes;
  for (std::int64_t g = 0; g < n_lanes; g = tasks.back().end)
    tasks.push_back(
        {g, std::min(n_lanes, g + (a.group_begin(g) < dense_width ? kStripe / a.kLanes : 1))});
  const std::int64_t enough = std::max<std::int64_t>(256, a.nnz() / 1024);  // entries
  for (std::int64_t g = n_lanes; g < a.n_groups(); g = tasks.back().end) {
    const bool dense = a.group_begin(g) < dense_width;
    const std::int64_t last = std::min(a.n_groups(), g + (dense ? kStripe : 256));
    std::int64_t end = dense ? last : g + 1;
    while (end < last && a.group_begin_entry(end + 1) - a.group_begin_entry(g) <= enough) ++end;
    tasks.push_back({g, end});
  }
  return tasks;
}

}  // namespace gram_topk_detail

}  // namespace aimass
