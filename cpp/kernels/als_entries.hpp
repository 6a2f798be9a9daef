// The entries of rows as the micro-kernels of alternating least squares read them.
#pragma once

#include "als_problem.hpp"

namespace aimass {

namespace als_detail {

constexpr std::int64_t kPanelBytes = 640 << 10;  // of copied vectors, in the second cache

// Whether a row's solution is zero whatever its matrix.
template <class T>
bool has_no_target(const T* target, std::int64_t n, const T* linear, std::int64_t f) {
  const auto is_zero = [](T t) { return t == 0; };
  return std::all_of(target, target + n, is_zero) &&
         (linear == nullptr || std::all_of(linear, linear + f, is_zero));
}

// The linear term of a row, or nullptr.
template <class T>
const T* linear_of(const AlsProblem<T>& problem, std::int64_t row) {
  return problem.linear == nullptr ? nullptr : problem.linear + row * problem.n_factors;
}

// Calls body(first entry, those entries) with so few that Ctrl-C is heard between.
template <class T, class Body>
void in_parts(const Run& run, const simd::AlsEntries<T>& entries, std::int64_t width, Body&& body) {
  in_pieces(run, entries.n, 64, 2 * width, [&](std::int64_t from, std::int64_t to) {
    simd::AlsEntries<T> part = entries;
    if (part.indices == nullptr) {
      part.base += from * part.stride;
    } else {
      part.indices += from;
    }
    part.weight += from;
    part.target += from;
    part.n = to - from;
    body(from, part);
    return true;
  });
}

}  // namespace als_detail

}  // namespace aimass
