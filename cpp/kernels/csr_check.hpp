// Problem: is this triple a canonical CSR? Looks at every number once and is safe on any garbage.
// Cost: O(n_rows + nnz) time at memory speed, O(1) memory. The loops over blocks hold no branches,
// so they vectorise; only a block known to be bad is searched for the place.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

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

template <class T>
inline bool is_finite(T value) {  // by its bits: no compiler flag can remove it
  if constexpr (std::is_same_v<T, float>) {
    return (std::bit_cast<std::uint32_t>(value) & 0x7f800000u) != 0x7f800000u;
  } else {
    return (std::bit_cast<std::uint64_t>(value) & 0x7ff0000000000000u) != 0x7ff0000000000000u;
  }
}

// nnz is the length of indices and data, which indptr has to agree with.
template <class T>
CsrStatus csr_check(const Run& run, const Csr<T>& x, std::int64_t nnz) {
  constexpr std::int64_t block_size = 1 << 16;
  CsrStatus status;
  auto fail = [&](CsrStatus::Code code, std::int64_t position) {
    return CsrStatus{code, position, false, false};
  };
  if (x.indptr[0] != 0) return fail(CsrStatus::bad_indptr, 0);
  for (std::int64_t row = 0; row < x.n_rows; ++row) {
    if (row % block_size == 0) run.poll();
    if (x.indptr[row + 1] < x.indptr[row] || x.indptr[row + 1] > nnz) {
      return fail(CsrStatus::bad_indptr, row + 1);
    }
  }
  if (x.indptr[x.n_rows] != nnz) return fail(CsrStatus::bad_indptr, x.n_rows);

  const auto limit = static_cast<std::uint32_t>(x.n_cols);  // a negative index becomes a huge one
  std::int64_t descents = 0, repeats = 0;  // over all neighbours, also across a row's border
  for (std::int64_t begin = 0; begin < nnz; begin += block_size) {
    run.poll();
    const std::int64_t end = std::min(nnz, begin + block_size);
    std::uint32_t outside = 0, infinite = 0, down = 0, same = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      outside |= static_cast<std::uint32_t>(static_cast<std::uint32_t>(x.indices[i]) >= limit);
      infinite |= static_cast<std::uint32_t>(!is_finite(x.data[i]));
    }
    for (std::int64_t i = std::max<std::int64_t>(begin, 1); i < end; ++i) {
      down += static_cast<std::uint32_t>(x.indices[i] < x.indices[i - 1]);
      same += static_cast<std::uint32_t>(x.indices[i] == x.indices[i - 1]);
    }
    if (outside != 0 || infinite != 0) {
      for (std::int64_t i = begin; i < end; ++i) {
        if (static_cast<std::uint32_t>(x.indices[i]) >= limit) {
          return fail(CsrStatus::bad_index, i);
        }
        if (!is_finite(x.data[i])) return fail(CsrStatus::not_finite, i);
      }
    }
    descents += down;
    repeats += same;
  }
  for (std::int64_t row = 1; row < x.n_rows; ++row) {  // neighbours of different rows don't count
    const std::int64_t i = x.begin(row);
    if (i == 0 || i == nnz || i == x.begin(row + 1)) continue;
    descents -= static_cast<std::int64_t>(x.indices[i] < x.indices[i - 1]);
    repeats -= static_cast<std::int64_t>(x.indices[i] == x.indices[i - 1]);
  }
  status.is_sorted = descents == 0;
  status.has_duplicates = repeats != 0;
  return status;
}

}  // namespace aimass
