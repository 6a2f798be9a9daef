// The k best other columns of every column of A under epilogue(A'A), exactly, A'A never stored.
// Every pair (i, j), i before j in falling popularity, is summed once and offered to both lists:
// for column i the sums over all rows that hold i run over the rest of each row (gram_layout.hpp);
// where rows and columns are dense enough, a dense product does it (gram_dense.hpp, plain dots
// only). Candidates pass a vectorised test against both thresholds before anything else is done to
// them. Time: half the sum of squared row lengths, less what the dense part takes, plus a scan of
// the touched columns. Memory: two copies of A (8 bytes an entry in float32), about 1.5 k
// candidates per column, a row of sums per thread. Sums of a pair are computed by one thread in a
// fixed order and lists are filled under a total order, so the result does not depend on the number
// of threads. Gustavson, Two fast algorithms for sparse matrices, 1978; Bayardo, Ma, Srikant,
// Scaling up all pairs similarity search, 2007.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "epilogue.hpp"
#include "gram_dense.hpp"
#include "gram_group.hpp"
#include "gram_layout.hpp"
#include "gram_scan.hpp"
#include "neighbor_lists.hpp"
#include "parallel.hpp"

namespace aimass {

namespace gram_topk_detail {

// First groups of the tasks: stripes where the dense part reaches, then blocks of falling cost.
template <class T>
std::vector<std::int64_t> tasks_of(const GramLayout<T>& a, std::int64_t dense_width) {
  const std::int64_t enough = std::max<std::int64_t>(256, a.nnz() / 1024);  // entries
  std::vector<std::int64_t> first{0};
  while (first.back() < a.n_groups()) {
    std::int64_t end = first.back() + 1;
    if (a.group_begin(first.back()) < dense_width) {
      end = a.group_of(std::min(a.n_cols, a.group_begin(first.back()) + kStripe));
    } else {
      const std::int64_t begin = a.group_ptr[static_cast<std::size_t>(first.back())];
      const std::int64_t last = std::min(a.n_groups(), end + 255);
      while (end < last && a.group_ptr[static_cast<std::size_t>(end) + 1] - begin <= enough) ++end;
    }
    first.push_back(end);
  }
  return first;
}

template <class T, class Sums>
GramTopK<T> run_columns(const Csr<T>& input, const Scales<T>& scales, std::int64_t k,
                        const Epilogue<T>& e, const Run& run) {
  constexpr bool kDot = std::is_same_v<Sums, Dot<T>>;
  const GramLayout<T> a = gram_layout(input, scales, kDot, run);
  DensePlan dense;
  if constexpr (kDot) dense = plan_dense(a, run);
  const std::uint32_t* const row_end = dense.width > 0 ? dense.row_end.data() : nullptr;
  NeighborLists<T> lists(a.n_cols,
                         std::clamp<std::int64_t>(k, 1, std::max<std::int64_t>(1, a.n_cols - 1)),
                         e.threshold);
  const ScanShared<T> shared(a, e, lists);

  struct Scratch {
    std::unique_ptr<ColumnScan<T, Sums>> column;
    std::unique_ptr<GroupScan<T>> group;
    DenseStripe<T> stripe;
  };
  std::vector<Scratch> scratches(static_cast<std::size_t>(run.n_threads()));
  const std::vector<std::int64_t> first = tasks_of(a, dense.width);
  parallel_for(
      run, static_cast<std::int64_t>(first.size()) - 1, [&](std::int64_t task, int thread) {
        Scratch& scratch = scratches[static_cast<std::size_t>(thread)];
        const std::int64_t g0 = first[static_cast<std::size_t>(task)],
                           g1 = first[static_cast<std::size_t>(task) + 1];
        const std::int64_t stripe = a.group_begin(g0);
        const bool has_dense = stripe < dense.width;
        if constexpr (kDot)
          if (has_dense) scratch.stripe.compute(a, dense, stripe, a.group_begin(g1), run);
        for (std::int64_t g = g0; g < g1; ++g) {
          run.poll();
          const std::int64_t i = a.group_begin(g);
          if constexpr (kDot) {
            if (i < a.grouped) {
              if (!scratch.group) scratch.group = std::make_unique<GroupScan<T>>(shared);
              if (has_dense) scratch.group->start_from(scratch.stripe, i, i - stripe, dense.width);
              scratch.group->accumulate(g, row_end, run);
              scratch.group->finish(g, run);
              continue;
            }
          }
          const std::int64_t n_entries = a.group_ptr[static_cast<std::size_t>(g) + 1] -
                                         a.group_ptr[static_cast<std::size_t>(g)];
          if (n_entries == 0) break;  // and so it is with all that follow
          if (!scratch.column) scratch.column = std::make_unique<ColumnScan<T, Sums>>(shared);
          ColumnScan<T, Sums>& scan = *scratch.column;
          // Expected products: a row that holds a random entry has squares / nnz entries.
          const double rest = 1.0 - static_cast<double>(i) / static_cast<double>(a.n_cols);
          const double products =
              static_cast<double>(n_entries) * rest * a.squares / static_cast<double>(a.nnz());
          const bool note = !has_dense && products * 8 < static_cast<double>(a.n_cols - i);
          if constexpr (kDot)
            for (std::int64_t j = i + 1; has_dense && j < dense.width; ++j)
              scan.sums()[j].d = scratch.stripe.row(j)[i - stripe];
          scan.accumulate(g, row_end, note, run);
          scan.finish(i, products);
        }
      });
  parallel_for(run, run.n_threads(), [&](std::int64_t thread, int) {
    Scratch& scratch = scratches[static_cast<std::size_t>(thread)];
    if (scratch.column) scratch.column->deliver();
    if (scratch.group) scratch.group->deliver();
    scratch = {};
  });
  return lists.join(a.col_of.data(), run);
}

}  // namespace gram_topk_detail

template <class T>
GramTopK<T> gram_topk(const Csr<T>& a, const Scales<T>& scales, std::int64_t k,
                      const Epilogue<T>& e, const Run& run) {
  namespace d = gram_topk_detail;
  switch (e.channels()) {
    case Channels::dot:
      return d::run_columns<T, Dot<T>>(a, scales, k, e, run);
    case Channels::dot_count:
      return d::run_columns<T, DotCount<T>>(a, scales, k, e, run);
    default:
      return d::run_columns<T, Moments<T>>(a, scales, k, e, run);
  }
}

}  // namespace aimass
