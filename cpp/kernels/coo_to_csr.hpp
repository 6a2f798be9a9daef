// Problem: triplets (row, col, value[, time]) in any order to a canonical CSR: rows sorted by
// column, duplicates merged by an explicit rule.
// Cost: O(n) time, about 2 reads and 2 writes of the triplets to memory; scratch of 8 n bytes for
// float32, 16 n for float64 or where row and column take over 32 bits, + 8 n with times. Layout:
// triplets are first parted by ranges of rows, stably, so that a part fits the L2 cache, row and
// column in one word; there they are sorted by (row, col, place in the input), again one word, and
// written out where they belong. The result is the same for any n_threads.
#pragma once

#include <cstdint>
#include <string>

#include "errors.hpp"
#include "parallel.hpp"

namespace aimass {

enum class Duplicates { sum, last, first, mean, max, min, count, error };

inline Duplicates duplicates_of(const std::string& name) {
  constexpr const char* names[] = {"sum", "last", "first", "mean", "max", "min", "count", "error"};
  for (int i = 0; i < 8; ++i) {
    if (name == names[i]) return static_cast<Duplicates>(i);
  }
  throw InvalidInput("duplicates must be one of 'sum', 'last', 'first', 'mean', 'max', 'min', " +
                     ("'count', 'error', got '" + name + "'"));
}

template <class T>
struct Coo {
  std::int64_t n, n_rows, n_cols;
  const std::int32_t* rows;
  const std::int32_t* cols;
  const T* data;
  const std::int64_t* times;  // or null
};

// indptr: n_rows + 1; the rest: room for n entries. Memory from the caller.
template <class T>
struct CsrOut {
  std::int64_t* indptr;
  std::int32_t* indices;
  T* data;
  std::int64_t* times;  // or null
};

// Returns the number of entries written.
template <class T>
std::int64_t coo_to_csr(const Run& run, const Coo<T>& x, Duplicates rule, const CsrOut<T>& out);

}  // namespace aimass
