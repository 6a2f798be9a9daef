// What is summed over the common entries of a pair, for the formulas of epilogue.hpp: a dot
// product, with the count of entries, or all moments up to the second.
#pragma once

#include "portable.hpp"

namespace aimass {

// The sums of one pair. add(x, y) takes one common entry: x of the row, y of the candidate.
template <class T>
struct Dot {
  using Value = T;
  T d;
  AIMASS_DEVICE void add(T x, T y) { d += x * y; }
  AIMASS_DEVICE bool touched() const { return d != T(0); }
  Dot swapped() const { return *this; }
};

template <class T>
struct DotCount {
  using Value = T;
  T d, n;
  AIMASS_DEVICE void add(T x, T y) {
    d += x * y;
    n += T(1);
  }
  AIMASS_DEVICE bool touched() const { return n != T(0); }
  DotCount swapped() const { return *this; }
};

template <class T>
struct alignas(8 * sizeof(T)) Moments {
  using Value = T;
  T n, sx, sy, sxy, sxx, syy, unused[2];
  AIMASS_DEVICE void add(T x, T y) {
    n += T(1);
    sx += x;
    sy += y;
    sxy += x * y;
    sxx += x * x;
    syy += y * y;
  }
  AIMASS_DEVICE bool touched() const { return n != T(0); }
  Moments swapped() const { return {n, sy, sx, sxy, syy, sxx, {}}; }
};

enum class Channels { dot, dot_count, moments };

}  // namespace aimass
