// Views of the one canonical CSR: indptr int64, indices int32, data T; bounds are checked by the
// caller (aimass_core._validation) once per matrix, so kernels index without checks.
#pragma once

#include <cstdint>

namespace aimass {

template <class T>
struct Csr {
  std::int64_t n_rows;
  std::int64_t n_cols;
  const std::int64_t* indptr;   // n_rows + 1
  const std::int32_t* indices;  // indptr[n_rows]
  const T* data;                // indptr[n_rows]

  std::int64_t nnz() const { return indptr[n_rows]; }
  std::int64_t begin(std::int64_t row) const { return indptr[row]; }
  std::int64_t end(std::int64_t row) const { return indptr[row + 1]; }
};

}  // namespace aimass
