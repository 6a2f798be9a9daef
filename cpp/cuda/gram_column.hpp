// The k best other columns of one column of A under epilogue(A'A), by one block of threads: the
// body of the kernel gram_topk on a GPU.
//
// The rows that hold the column are taken one after another; the threads share the entries of a
// row, which belong to different columns, so that sums need no atomic operations and have one
// order: results are the same bits in every run. The scores of all columns then go through two
// radix selections, by score and, among equal ones of the last place, by column.
//
// Time: the sum of the squared lengths of the rows, over all columns, and 10 to 14 passes over
// n_cols scores a column. Memory of a block: n_cols sums and scores, k places.
#pragma once

#include <cstdint>

#include "../kernels/epilogue.hpp"
#include "select_best.hpp"

namespace aimass::cuda {

// A scaled matrix and its transpose, in the memory of the device.
template <class T>
struct GramProblem {
  std::int64_t n_cols = 0, k = 0;
  std::int64_t first = 0;  // offset of the first entry of both matrices
  const std::int64_t* row_begin = nullptr;
  const std::int32_t* row_column = nullptr;
  const T* row_value = nullptr;
  const std::int64_t* column_begin = nullptr;
  const std::int32_t* column_row = nullptr;
  const T* column_value = nullptr;
  Epilogue<T> epilogue;  // p and q in the memory of the device
};

// Memory of one block.
template <class T, class Sums>
struct GramScratch {
  Sums* sums;             // n_cols
  T* scores;              // n_cols
  std::int32_t* indices;  // k
  T* values;              // k
};

// Results of one column.
template <class T>
struct GramList {
  std::int32_t* indices;  // k
  T* scores;              // k
  std::int32_t* length;
};

template <class T, class Sums, class Block>
AIMASS_DEVICE void gram_scores(Block& block, const GramProblem<T>& a, std::int64_t column,
                               const GramScratch<T, Sums>& scratch) {
  block.each([&](int thread) {
    for (std::int64_t j = thread; j < a.n_cols; j += block.size()) scratch.sums[j] = Sums{};
  });
  for (std::int64_t e = a.column_begin[column]; e < a.column_begin[column + 1]; ++e) {
    const std::int64_t row = a.column_row[e - a.first];
    const T x = a.column_value[e - a.first];
    block.each([&](int thread) {
      for (std::int64_t o = a.row_begin[row] + thread; o < a.row_begin[row + 1]; o += block.size())
        scratch.sums[a.row_column[o - a.first]].add(x, a.row_value[o - a.first]);
    });
  }
  const T p = a.epilogue.p_of(column);
  block.each([&](int thread) {
    for (std::int64_t j = thread; j < a.n_cols; j += block.size())
      scratch.scores[j] = j == column
                              ? epilogue_detail::kNone<T>
                              : score_of(a.epilogue, p, a.epilogue.q_of(j), scratch.sums[j]);
  });
}

template <class T, class Sums, class Block>
AIMASS_DEVICE void gram_column(Block& block, const GramProblem<T>& a, std::int64_t column,
                               const GramScratch<T, Sums>& scratch, Selection& shared,
                               const GramList<T>& list) {
  gram_scores(block, a, column, scratch);
  const std::int64_t length = select_best(
      block, scratch.scores, [](std::int64_t j) { return static_cast<std::int32_t>(j); }, a.n_cols,
      a.k, shared, scratch.indices, scratch.values);
  put_in_order(block, scratch.indices, scratch.values, length, list.indices, list.scores);
  block.each([&](int thread) {
    if (thread == 0) *list.length = static_cast<std::int32_t>(length);
  });
}

}  // namespace aimass::cuda
