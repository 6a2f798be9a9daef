// Problem: is this triple a canonical CSR? Looks at every number once and is safe on any garbage.
// Cost: O(n_rows + nnz) time at memory speed, O(1) memory. The loops over blocks hold no branches,
// so they vectorise; only a block known to be bad is searched for the place. Blocks are shared out
// among the threads, and the first bad one counts.
#pragma once

#include <cstdint>

#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

struct CsrStatus {
  enum Code : int { ok = 0, bad_indptr = 1, bad_index = 2, not_finite = 3 };
  int code = ok;
  std::int64_t position = 0;  // in indptr (code 1), indices (2) or data (3)
  bool is_sorted = true;
  bool has_duplicates = false;  // equal neighbours: all duplicates if is_sorted
};

// nnz is the length of indices and data, which indptr has to agree with.
template <class T>
CsrStatus csr_check(const Run& run, const Csr<T>& x, std::int64_t nnz);

}  // namespace aimass
