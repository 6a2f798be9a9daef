// The k best columns of every row of S = epilogue(X Y) for sparse X (rows x inner), Y (inner x
// columns), S never stored (Gustavson, Two fast algorithms for sparse matrices, 1978).
// Time: one multiply-add per product x_ri * y_ic, then a scan of the touched columns.
// Memory per thread: one accumulator and one byte per column. Rows are independent, so the result
// does not depend on the number of threads.
#pragma once

#include <cstdint>

#include "csr.hpp"
#include "epilogue.hpp"
#include "parallel.hpp"

namespace aimass {

// Candidates to leave out. Null members: nothing.
struct Exclusion {
  const std::int64_t* indptr = nullptr;
  const std::int32_t* indices = nullptr;
  const std::uint8_t* allowed = nullptr;
};

template <class T>
void spgemm_topk(const Csr<T>& x, const Csr<T>& y, std::int64_t k, const Exclusion& exclusion,
                 const Epilogue<T>& e, std::int32_t* out_indices, T* out_scores, const Run& run);

}  // namespace aimass
