#include "csr_transpose.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "counting_sort.hpp"
#include "partition.hpp"

namespace aimass {

namespace csr_transpose_detail {

// Word: row | column within the part, the latter in plan.shift bits.
template <class Word, class T>
void transpose(const Run& run, const Csr<T>& x, Partition& plan, std::int64_t* indptr,
               std::int32_t* indices, T* data) {
  struct Entry {
    Word word;
    T value;
  };
  const auto low = (Word{1} << plan.shift) - 1;
  const Buffer<Entry> entries(x.nnz());
  place_parts(run, plan, [&](Range range, std::int64_t* cursor) {
    auto row = std::upper_bound(x.indptr, x.indptr + x.n_rows, range.begin) - x.indptr - 1;
    for (std::int64_t i = range.begin; i < range.end; ++row) {
      const Word high = static_cast<Word>(row) << plan.shift;
      for (const std::int64_t end = std::min(range.end, x.end(row)); i < end; ++i) {
        const std::int32_t col = x.indices[i];
        entries[cursor[col >> plan.shift]++] = {high | (static_cast<Word>(col) & low), x.data[i]};
      }
    }
  });
  std::vector<std::vector<std::int64_t>> cursors(static_cast<std::size_t>(run.n_threads()));
  indptr[0] = 0;
  parallel_for(run, plan.n_parts, [&](std::int64_t part, int thread) {
    const std::int64_t start = plan.start[static_cast<std::size_t>(part)];
    const std::int64_t end = plan.start[static_cast<std::size_t>(part) + 1];
    const std::int64_t first_col = part << plan.shift;
    const std::int64_t last_col = std::min(x.n_cols, first_col + (std::int64_t{1} << plan.shift));
    auto& cursor = cursors[static_cast<std::size_t>(thread)];
    cursor.assign(static_cast<std::size_t>(last_col - first_col), 0);
    for (std::int64_t i = start; i < end; ++i) {
      ++cursor[static_cast<std::size_t>(entries[i].word & low)];
    }
    start_positions(cursor.data(), last_col - first_col, start);
    for (std::int64_t i = start; i < end; ++i) {
      const Entry entry = entries[i];
      const std::int64_t to = cursor[static_cast<std::size_t>(entry.word & low)]++;
      indices[to] = static_cast<std::int32_t>(entry.word >> plan.shift);
      data[to] = entry.value;
    }
    std::copy(cursor.begin(), cursor.end(), indptr + first_col + 1);  // where the columns end
  });
}

// So many streams of writes are faster than writing every entry twice.
constexpr std::int64_t kFewColumns = 1 << 13;

// The same for few columns: a part is one column, so that every entry goes to its place at once.
template <class T>
void transpose_directly(const Run& run, const Csr<T>& x, std::int64_t* indptr,
                        std::int32_t* indices, T* data) {
  Partition plan = plan_parts(run, x.indices, x.nnz(), x.n_cols, /*shift=*/0);
  std::copy_n(plan.start.begin(), x.n_cols + 1, indptr);
  place_parts(run, plan, [&](Range range, std::int64_t* cursor) {
    auto row = std::upper_bound(x.indptr, x.indptr + x.n_rows, range.begin) - x.indptr - 1;
    for (std::int64_t i = range.begin; i < range.end; ++row) {
      for (const std::int64_t end = std::min(range.end, x.end(row)); i < end; ++i) {
        const std::int64_t to = cursor[x.indices[i]]++;
        indices[to] = static_cast<std::int32_t>(row);
        data[to] = x.data[i];
      }
    }
  });
}

}  // namespace csr_transpose_detail

template <class T>
void csr_transpose(const Run& run, const Csr<T>& x, std::int64_t* indptr, std::int32_t* indices,
                   T* data) {
  namespace d = csr_transpose_detail;
  check_bounds(run, x.indices, x.nnz(), x.n_cols, "indices");
  if (x.n_cols <= d::kFewColumns) {
    d::transpose_directly(run, x, indptr, indices, data);
    return;
  }
  Partition plan = plan_partition(run, x.indices, x.nnz(), x.n_cols);
  if (plan.shift + std::bit_width(static_cast<std::uint64_t>(x.n_rows)) <= 32) {
    d::transpose<std::uint32_t>(run, x, plan, indptr, indices, data);
  } else {
    d::transpose<std::uint64_t>(run, x, plan, indptr, indices, data);
  }
}

template void csr_transpose(const Run& run, const Csr<float>& x, std::int64_t* indptr,
                            std::int32_t* indices, float* data);
template void csr_transpose(const Run& run, const Csr<double>& x, std::int64_t* indptr,
                            std::int32_t* indices, double* data);

}  // namespace aimass
