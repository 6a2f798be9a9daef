// The k best other columns of every column of A under epilogue(A'A), exactly, A'A never stored.
//
// Every pair is summed once and offered to both lists. Of two popular columns, or a popular one and
// any other, a group of the popular ones takes the sums of all that follow in the rows that hold
// one of the group (gram_group.hpp); of two others the less popular takes those of all that come
// before it (gram_scan.hpp). Where rows and columns are dense enough a dense product does it
// instead (gram_dense.hpp). Groups and dense products are for plain dots; other sums go column by
// column. Candidates pass a vectorised test against both thresholds before anything else is done to
// them.
//
// Time: half the sum of squared row lengths, less what groups and the dense part save, plus a scan
// of the touched columns. Memory: one copy of A and its group lists (8 bytes an entry each in
// float32), 1.5 k candidates per column, 64 bytes per column and thread. The sums of a pair are
// computed by one thread in a fixed order and lists are filled under a total order, so the result
// does not depend on the number of threads.
//
// Gustavson, Two fast algorithms for sparse matrices, 1978; Bayardo, Ma, Srikant, Scaling up all
// pairs similarity search, 2007.
#pragma once

#include <cstdint>
#include <vector>

#include "csr.hpp"
#include "epilogue.hpp"
#include "parallel.hpp"

namespace aimass {

// Factors of rows and columns, multiplied in while the lists are built. Null: ones.
template <class T>
struct Scales {
  const T* row = nullptr;
  const T* col = nullptr;
};

// Neighbours of all columns: those of j are [indptr[j], indptr[j + 1]), best first.
template <class T>
struct GramTopK {
  std::vector<std::int64_t> indptr;
  std::vector<std::int32_t> indices;
  std::vector<T> scores;
};

template <class T>
GramTopK<T> gram_topk(const Csr<T>& a, const Scales<T>& scales, std::int64_t k,
                      const Epilogue<T>& e, const Run& run);

}  // namespace aimass
