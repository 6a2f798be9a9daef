#include "csr_check.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace aimass {

namespace csr_check_detail {

constexpr std::int64_t kBlock = 1 << 16;  // rows, or entries

template <class T>
inline bool is_finite(T value) {  // by its bits: no compiler flag can remove it
  if constexpr (std::is_same_v<T, float>) {
    return (std::bit_cast<std::uint32_t>(value) & 0x7f800000u) != 0x7f800000u;
  } else {
    return (std::bit_cast<std::uint64_t>(value) & 0x7ff0000000000000u) != 0x7ff0000000000000u;
  }
}

// What one block of rows or of entries says.
struct Part {
  CsrStatus::Code code = CsrStatus::ok;
  std::int64_t position = 0;
  std::int64_t descents = 0, repeats = 0;  // between neighbours
};

Part check_indptr(const std::int64_t* indptr, std::int64_t begin, std::int64_t end,
                  std::int64_t nnz) {
  for (std::int64_t row = begin; row < end; ++row)
    if (indptr[row + 1] < indptr[row] || indptr[row + 1] > nnz)
      return {CsrStatus::bad_indptr, row + 1};
  return {};
}

// Neighbours are counted across the borders of rows, too.
template <class T>
Part check_entries(const Csr<T>& x, std::int64_t begin, std::int64_t end) {
  const auto limit = static_cast<std::uint32_t>(x.n_cols);  // a negative index becomes a huge one
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
      if (static_cast<std::uint32_t>(x.indices[i]) >= limit) return {CsrStatus::bad_index, i};
      if (!is_finite(x.data[i])) return {CsrStatus::not_finite, i};
    }
  }
  return {CsrStatus::ok, 0, down, same};
}

// The neighbours that stand in different rows, which do not count.
template <class T>
Part across_rows(const Csr<T>& x, std::int64_t begin, std::int64_t end) {
  Part part;
  const std::int64_t nnz = x.nnz();
  for (std::int64_t row = std::max<std::int64_t>(begin, 1); row < end; ++row) {
    const std::int64_t i = x.begin(row);
    if (i == 0 || i == nnz || i == x.begin(row + 1)) continue;
    part.descents -= static_cast<std::int64_t>(x.indices[i] < x.indices[i - 1]);
    part.repeats -= static_cast<std::int64_t>(x.indices[i] == x.indices[i - 1]);
  }
  return part;
}

// The sum of check(begin, end) over the blocks of n, or the first bad block.
template <class Check>
Part over_blocks(const Run& run, std::int64_t n, const Check& check) {
  std::vector<Part> parts(static_cast<std::size_t>((n + kBlock - 1) / kBlock));
  parallel_for(run, static_cast<std::int64_t>(parts.size()), [&](std::int64_t block, int) {
    parts[static_cast<std::size_t>(block)] =
        check(block * kBlock, std::min(n, (block + 1) * kBlock));
  });
  Part sum;
  for (const Part& part : parts) {
    if (part.code != CsrStatus::ok) return part;
    sum.descents += part.descents;
    sum.repeats += part.repeats;
  }
  return sum;
}

}  // namespace csr_check_detail

template <class T>
CsrStatus csr_check(const Run& run, const Csr<T>& x, std::int64_t nnz) {
  namespace d = csr_check_detail;
  const auto fail = [](CsrStatus::Code code, std::int64_t position) {
    return CsrStatus{code, position, false, false};
  };
  if (x.indptr[0] != 0) return fail(CsrStatus::bad_indptr, 0);
  const d::Part rows = d::over_blocks(run, x.n_rows, [&](std::int64_t begin, std::int64_t end) {
    return d::check_indptr(x.indptr, begin, end, nnz);
  });
  if (rows.code != CsrStatus::ok) return fail(rows.code, rows.position);
  if (x.indptr[x.n_rows] != nnz) return fail(CsrStatus::bad_indptr, x.n_rows);
  const d::Part entries = d::over_blocks(run, nnz, [&](std::int64_t begin, std::int64_t end) {
    return d::check_entries(x, begin, end);
  });
  if (entries.code != CsrStatus::ok) return fail(entries.code, entries.position);
  const d::Part borders = d::over_blocks(run, x.n_rows, [&](std::int64_t begin, std::int64_t end) {
    return d::across_rows(x, begin, end);
  });
  CsrStatus status;
  status.is_sorted = entries.descents + borders.descents == 0;
  status.has_duplicates = entries.repeats + borders.repeats != 0;
  return status;
}

template CsrStatus csr_check(const Run& run, const Csr<float>& x, std::int64_t nnz);
template CsrStatus csr_check(const Run& run, const Csr<double>& x, std::int64_t nnz);

}  // namespace aimass
