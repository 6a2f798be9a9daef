// The k best other columns of every column of A under epilogue(A'A), exactly, A'A never stored.
// Every pair (i, j), i before j in falling popularity, is summed once and offered to both lists:
// for column i the sums over all rows that hold i run over the rest of each row (gram_layout.hpp);
// where rows and columns are dense enough, a dense product does it (gram_dense.hpp, plain dots only).
// Candidates pass a vectorised test against both thresholds before anything else is done to them.
// Time: half the sum of squared row lengths, less what the dense part takes, plus a scan of the
// touched columns. Memory: two copies of A (8 bytes an entry in float32), about 1.5 k candidates per
// column, a row of sums per thread. Sums of a pair are computed by one thread in a fixed order and
// lists are filled under a total order, so the result does not depend on the number of threads.
// Gustavson, Two fast algorithms for sparse matrices, 1978; Bayardo, Ma, Srikant, Scaling up all
// pairs similarity search, 2007.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "epilogue.hpp"
#include "gram_dense.hpp"
#include "gram_layout.hpp"
#include "gram_scan.hpp"
#include "neighbor_lists.hpp"
#include "parallel.hpp"

namespace aimass {

namespace gram_topk_detail {

// First columns of the tasks: stripes where the dense part reaches, then blocks of falling cost.
template <class T>
std::vector<std::int64_t> tasks_of(const GramLayout<T>& a, std::int64_t dense_width) {
  constexpr std::int64_t kMaxColumns = 256;
  const std::int64_t entries = std::max<std::int64_t>(256, a.col_ptr.back() / 1024);
  std::vector<std::int64_t> first{0};
  while (first.back() < a.n_cols) {
    const std::int64_t begin = first.back();
    std::int64_t end = begin + kStripe;
    if (begin >= dense_width) {
      end = begin + 1;
      while (end < a.n_cols && end < begin + kMaxColumns &&
             a.col_ptr[static_cast<std::size_t>(end) + 1] - a.col_ptr[static_cast<std::size_t>(begin)] <= entries)
        ++end;
    }
    first.push_back(std::min(end, a.n_cols));
  }
  return first;
}

// sums[j] += x * y over the rows of column i and their entries beyond it (and beyond row_end).
template <bool kFlag, class T, class Sums>
void accumulate(const GramLayout<T>& a, const std::uint32_t* row_end, std::int64_t i, Sums* sums,
                std::uint8_t* flags, const Run& run) {
  const ColEntry<T>* entry = a.col.get() + a.col_ptr[static_cast<std::size_t>(i)];
  const ColEntry<T>* const last = a.col.get() + a.col_ptr[static_cast<std::size_t>(i) + 1];
  for (; entry != last; ++entry) {
    const RowEntry<T>* const row = a.row_begin(entry->row);
    const RowEntry<T>* const stop = a.row_begin(entry->row + std::int64_t{1});
    const T x = row[entry->pos].value;
    const std::uint32_t begin = row_end ? std::max(entry->pos + 1, row_end[entry->row]) : entry->pos + 1;
    for (const RowEntry<T>* other = row + begin; other < stop; ++other) {
      sums[other->col].add(x, other->value);
      if constexpr (kFlag) flags[other->col / simd::kScanBlock] = 1;
    }
    if ((entry - last) % 4096 == 0) run.poll();
  }
}

template <class T, class Sums>
GramTopK<T> run_columns(const Csr<T>& input, const Scales<T>& scales, std::int64_t k, const Epilogue<T>& e,
                        const Run& run) {
  constexpr bool kDot = std::is_same_v<Sums, Dot<T>>;
  const GramLayout<T> a = gram_layout(input, scales, run);
  DensePlan dense;
  if constexpr (kDot) dense = plan_dense(a, run);
  const std::uint32_t* const row_end = dense.width > 0 ? dense.row_end.data() : nullptr;
  NeighborLists<T> lists(a.n_cols, std::clamp<std::int64_t>(k, 1, std::max<std::int64_t>(1, a.n_cols - 1)),
                         e.threshold);
  const ScanShared<T> shared(a, e);
  double squares = 0;  // of the row lengths: a row that holds a random entry has squares / nnz entries
  for (std::int64_t r = 0; r < a.n_rows; ++r) {
    const auto length = static_cast<double>(a.row_begin(r + 1) - a.row_begin(r));
    squares += length * length;
  }
  const auto nnz = static_cast<double>(a.col_ptr.back());

  struct Scratch {
    ColumnScan<T, Sums> scan;
    DenseStripe<T> stripe;
  };
  std::vector<std::unique_ptr<Scratch>> scratches(static_cast<std::size_t>(run.n_threads()));
  const std::vector<std::int64_t> first = tasks_of(a, dense.width);
  parallel_for(run, static_cast<std::int64_t>(first.size()) - 1, [&](std::int64_t task, int thread) {
    auto& scratch = scratches[static_cast<std::size_t>(thread)];
    if (!scratch) scratch = std::make_unique<Scratch>(Scratch{ColumnScan<T, Sums>(shared, lists), {}});
    ColumnScan<T, Sums>& scan = scratch->scan;
    const std::int64_t i0 = first[static_cast<std::size_t>(task)], i1 = first[static_cast<std::size_t>(task) + 1];
    const bool has_dense = i0 < dense.width;
    if constexpr (kDot)
      if (has_dense) scratch->stripe.compute(a, dense, i0, i1, run);
    for (std::int64_t i = i0; i < i1; ++i) {
      run.poll();
      const auto n_entries = static_cast<double>(a.col_ptr[static_cast<std::size_t>(i) + 1] -
                                                 a.col_ptr[static_cast<std::size_t>(i)]);
      if (n_entries == 0) break;  // and so it is with all that follow
      const double rest = 1.0 - static_cast<double>(a.col_ptr[static_cast<std::size_t>(i) + 1]) / nnz;
      const double products = n_entries * rest * squares / nnz;  // expected
      const bool all = has_dense || products * 16 > static_cast<double>(a.n_cols - i);
      if constexpr (kDot)
        if (has_dense && i + 1 < dense.width)
          std::memcpy(static_cast<void*>(scan.sums() + i + 1), scratch->stripe.row(i) + (i + 1 - i0),
                      static_cast<std::size_t>(dense.width - i - 1) * sizeof(T));
      if (all) {
        accumulate<false>(a, row_end, i, scan.sums(), scan.flags(), run);
      } else {
        accumulate<true>(a, row_end, i, scan.sums(), scan.flags(), run);
      }
      scan.finish(i, all, products);
    }
  });
  return lists.join(a.col_of.data(), run);
}

}  // namespace gram_topk_detail

template <class T>
GramTopK<T> gram_topk(const Csr<T>& a, const Scales<T>& scales, std::int64_t k, const Epilogue<T>& e, const Run& run) {
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
