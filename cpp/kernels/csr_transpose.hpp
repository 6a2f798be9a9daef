// Problem: CSR of the transpose; its rows come out sorted, since a stable sort by column keeps the
// order of the rows. Cost: O(nnz + n_cols) time; scratch of 8 nnz bytes for float32, 16 nnz for
// float64 or huge numbers of rows and columns. Layout: entries are parted by ranges of
// columns, row and column within the part in one word, then counted and placed inside the cache.
// Memory is what limits it, hence the word. With few columns no scratch is needed: entries go from
// the input to their places.
// Gustavson (1978), "Two fast algorithms for sparse matrices".
#pragma once

#include <cstdint>

#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

// indptr: n_cols + 1; indices, data: nnz.
template <class T>
void csr_transpose(const Run& run, const Csr<T>& x, std::int64_t* indptr, std::int32_t* indices,
                   T* data);

}  // namespace aimass
