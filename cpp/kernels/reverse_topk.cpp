#include "reverse_topk.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "../simd/score_kernels.hpp"
#include "score_items.hpp"
#include "topk.hpp"

namespace aimass {

namespace reverse_topk_detail {

template <class T>
void require_ranges(const AskedItems<T>& asked, const PackedUsers<T>& users) {
  double largest = 0;
  for (std::int64_t p = 0; p < users.n_panels; ++p)
    largest = std::max(largest, users.limits[3 * p + 2]);
  for (std::int64_t i = 0; i < asked.n; ++i) {
    const double length = norm_of(asked.factors + i * users.depth, users.depth);
    require_range<T>(i, length, largest, std::abs(static_cast<double>(asked.biases[i])));
  }
}

constexpr std::int64_t kPanels = 128;  // of a task
constexpr std::int64_t kItems = 256;   // whose lists of excluded users are held at once

// Up to 8 items against some panels: what passes is appended to the lists.
template <class T>
void scan(const AskedItems<T>& asked, const PackedUsers<T>& users, std::int64_t begin,
          std::int64_t n, std::int64_t panel, std::int64_t last, const RowSet* excluded,
          std::vector<Scored<T>>* lists, const Run& run) {
  constexpr std::int64_t kCols = simd::kPanelCols, kStride = kCols + simd::kScoreSlack;
  const std::int64_t depth = users.depth, size = tile_rows(n);
  const ScoreBound<T> bound(depth);
  std::vector<T> queries(static_cast<std::size_t>(depth * size));
  T scores[simd::kScoreRows * kStride], biases[simd::kScoreRows] = {};
  std::int32_t positions[simd::kScoreRows * kStride], counts[simd::kScoreRows] = {};
  T* out_scores[simd::kScoreRows];
  std::int32_t* out_positions[simd::kScoreRows];
  double lengths[simd::kScoreRows] = {}, offsets[simd::kScoreRows] = {};
  for (std::int64_t j = 0; j < size; ++j) {
    out_scores[j] = scores + j * kStride;
    out_positions[j] = positions + j * kStride;
    if (j >= n) continue;
    const T* factors = asked.factors + (begin + j) * depth;
    for (std::int64_t l = 0; l < depth; ++l)
      queries[static_cast<std::size_t>(l * size + j)] = factors[l];
    biases[j] = asked.biases[begin + j];
    lengths[j] = norm_of(factors, depth) * (1 + bound.relative);
    offsets[j] = bound(0, biases[j]);
  }
  for (; panel < last; ++panel) {
    if (panel % 16 == 0) run.poll();
    const double* limit = users.limits + 3 * panel;
    bool any = false;
    for (std::int64_t j = 0; j < n; ++j) {
      // |u| |v| + b < t for all u  <=>  |v| + b / |u| < t / |u|; nan compares false: not pruned.
      const double share = offsets[j] > 0 ? offsets[j] / limit[1] : offsets[j] / limit[2];
      any |= !(lengths[j] + share < limit[0] - std::abs(limit[0]) * 1e-12);
    }
    if (!any) continue;
    std::fill(counts, counts + size, 0);
    const simd::ScoreTile<T> tile{depth,
                                  queries.data(),
                                  users.panels + panel * depth * kCols,
                                  biases,
                                  users.thresholds + panel * kCols,
                                  static_cast<std::int32_t>(panel * kCols),
                                  out_scores,
                                  out_positions,
                                  counts};
    if (!simd::score_kernels<T>().over.of_rows[tile_place(n)](tile)) continue;
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int32_t i = 0; i < counts[j]; ++i) {
        const T score = out_scores[j][i];
        const std::int32_t position = out_positions[j][i];
        const bool is_in =
            score > users.thresholds[position] || asked.items[begin + j] <= users.ties[position];
        const std::int32_t user = users.order[position];
        if (is_in && !(excluded[j].given() && excluded[j].holds(user)))
          lists[j].push_back({score, user});
      }
    }
  }
}

}  // namespace reverse_topk_detail

template <class T>
ReverseTopK<T> reverse_topk(const AskedItems<T>& asked, const PackedUsers<T>& users,
                            const Run& run) {
  namespace d = reverse_topk_detail;
  Filter{asked.exclude, {}}.check(asked.n, users.n_users, run);
  d::require_ranges(asked, users);
  const std::int64_t n_parts = (users.n_panels + d::kPanels - 1) / d::kPanels;
  std::vector<std::vector<Scored<T>>> found(static_cast<std::size_t>(asked.n));
  std::vector<std::vector<Scored<T>>> lists(
      static_cast<std::size_t>(std::min(d::kItems, asked.n) * n_parts));
  std::vector<RowSet> excluded(static_cast<std::size_t>(d::kItems));
  for (std::int64_t first = 0; first < asked.n; first += d::kItems) {
    const std::int64_t n = std::min(d::kItems, asked.n - first);
    const std::int64_t n_groups = (n + simd::kScoreRows - 1) / simd::kScoreRows;
    for (auto& list : lists) list.clear();
    for (std::int64_t i = 0; i < n; ++i)
      excluded[static_cast<std::size_t>(i)].set(asked.exclude, users.n_users, first + i);
    // A group's lists lie part by part, so that a task's are side by side.
    parallel_for(run, n_groups * n_parts, [&](std::int64_t task, int) {
      const std::int64_t group = task / n_parts * simd::kScoreRows, part = task % n_parts;
      const std::int64_t size = std::min(simd::kScoreRows, n - group);
      d::scan(asked, users, first + group, size, part * d::kPanels,
              std::min(users.n_panels, (part + 1) * d::kPanels), excluded.data() + group,
              lists.data() + group * n_parts + part * size, run);
    });
    parallel_for(run, n, [&](std::int64_t i, int) {
      const std::int64_t group = i / simd::kScoreRows * simd::kScoreRows;
      const std::int64_t size = std::min(simd::kScoreRows, n - group);
      auto& all = found[static_cast<std::size_t>(first + i)];
      for (std::int64_t part = 0; part < n_parts; ++part) {
        const auto& list =
            lists[static_cast<std::size_t>(group * n_parts + part * size + i - group)];
        all.insert(all.end(), list.begin(), list.end());
      }
      std::vector<Scored<T>> scratch;
      sort_best(all.data(), static_cast<std::int64_t>(all.size()), scratch, &run);
    });
  }
  ReverseTopK<T> out;
  out.indptr.push_back(0);
  for (const auto& all : found)
    out.indptr.push_back(out.indptr.back() + static_cast<std::int64_t>(all.size()));
  out.users.reserve(static_cast<std::size_t>(out.indptr.back()));
  out.scores.reserve(static_cast<std::size_t>(out.indptr.back()));
  for (const auto& all : found) {
    for (const auto& hit : all) {
      out.users.push_back(hit.index);
      out.scores.push_back(hit.score);
    }
  }
  return out;
}

template ReverseTopK<float> reverse_topk(const AskedItems<float>& asked,
                                         const PackedUsers<float>& users, const Run& run);
template ReverseTopK<double> reverse_topk(const AskedItems<double>& asked,
                                          const PackedUsers<double>& users, const Run& run);

}  // namespace aimass
