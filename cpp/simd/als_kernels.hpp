// Micro-kernels of alternating least squares. As table.hpp: included by the files compiled with ISA
// flags, so no inline functions. Widths and strides are multiples of kAlsPad<T>, padding is zero.
#pragma once

#include <cstdint>

namespace aimass::simd {

template <class T>
constexpr std::int64_t kAlsPad = 64 / static_cast<std::int64_t>(sizeof(T));
constexpr std::int64_t kAlsPivots = 16;  // rows that one step of the factorisation eliminates

// The entries of one row of the matrix: entry i has the vector at base + indices[i] * stride.
template <class T>
struct AlsEntries {
  const T* base;
  const std::int32_t* indices;  // nullptr: 0, 1, 2, ...
  std::int64_t stride;
  const T* weight;
  const T* target;
  std::int64_t n;
};

// Vectors that will be needed after these: fetched into the second cache while there is work to do.
template <class T>
struct AlsAhead {
  const T* base;
  const std::int32_t* indices;
  std::int64_t stride;
  std::int64_t n;
};

// Conjugate gradient on a row's (gramian + ridge I + sum weight y y') x = sum target y + linear.
template <class T>
struct AlsConjugate {
  T ridge;
  T shift;     // the preconditioner is gramian + shift I
  T resolved;  // a curvature below it may be rounding alone
  bool exact;  // (gramian + shift I) z = r up to a small error
};

// Its vectors: the solution, the residual r, the direction p, minus the matrix times p, the
// preconditioned residual (r itself where there is no preconditioner), gramian times p.
template <class T>
struct AlsVectors {
  T *x, *r, *p, *minus_ap;
  const T* z;
  T* gp;
};

template <class T>
struct AlsSystems {
  // p[i] = vector of entry begin + i, q[i] = weight * p[i] (q may be nullptr), for n entries.
  void (*copy)(const AlsEntries<T>& entries, std::int64_t begin, std::int64_t n, std::int64_t width,
               T* p, T* q);
  // c += q' p for panels of n rows; c is width x width, whole tiles on and above its diagonal.
  void (*syrk)(std::int64_t n, const T* p, const T* q, std::int64_t width, T* c,
               const AlsAhead<T>& ahead);
  // Solves c x = b for the n x n part of c, of which the upper triangle is read; x holds b. Returns
  // -1, or the first pivot not above its floor. p and q: kAlsPivots x width, inverse: width. A call
  // eliminates the pivots [from, to), multiples of kAlsPivots; the one with to >= n ends it.
  std::int64_t (*solve)(std::int64_t from, std::int64_t to, std::int64_t n, std::int64_t width,
                        T* c, const T* floor, T* p, T* q, T* inverse, T* x);
  // n_steps of cyclic coordinate descent on the same with x >= 0; c becomes symmetric, b is lost.
  // With `resume` the steps go on from what the last call left in c, b and x.
  void (*descend)(std::int64_t n, std::int64_t width, T* c, T* b, std::int64_t n_steps, bool resume,
                  T* x);
};

template <class T>
struct AlsPasses {
  // scores[i] (+)= vector of entry i times x.
  void (*scores)(const AlsEntries<T>& entries, std::int64_t width, const T* x, bool add, T* scores);
  // out += sum of coefficient[i] * vector of entry i.
  void (*combine)(const AlsEntries<T>& entries, std::int64_t width, const T* coefficient, T* out);
  // out += sum of ((targets ? target : 0) - weight * y'x) y.
  void (*residual)(const AlsEntries<T>& entries, std::int64_t width, const T* x, bool targets,
                   T* out, const AlsAhead<T>& ahead);
  // A step of conjugate gradient: turn, what is missing of minus_ap, move.
  // Sets the next direction; `before` is what the last call returned, at first 0. Where the result
  // is not above 0, rounding is all that is left. Sets minus_ap to -ridge p, with `exact` to
  // -(gramian + ridge I) p.
  T (*turn)(const AlsConjugate<T>& row, std::int64_t width, T before, const AlsVectors<T>& vectors);
  // Goes along the direction; false, and nothing is done, where the matrix is singular in it.
  bool (*move)(const AlsConjugate<T>& row, std::int64_t width, T now, const AlsVectors<T>& vectors);
};

// A matrix in panels of kAlsPad<T> columns, each with its rows one after another.
template <class T>
struct AlsProducts {
  std::int64_t max_rows;
  // out += a m for at most max_rows rows of a and of out, `width` apart; m has n rows and n_panels
  // panels. A row of the result has the same bits whatever the other rows are.
  void (*multiply)(std::int64_t n_rows, const T* a, std::int64_t n, std::int64_t width, const T* m,
                   std::int64_t n_panels, T* out);
};

struct AlsSystemsTable {
  AlsSystems<float> f32;
  AlsSystems<double> f64;
};
struct AlsPassesTable {
  AlsPasses<float> f32;
  AlsPasses<double> f64;
};
struct AlsProductsTable {
  AlsProducts<float> f32;
  AlsProducts<double> f64;
};

// Those of the level in use.
template <class T>
const AlsSystems<T>& als_systems();
template <class T>
const AlsPasses<T>& als_passes();
template <class T>
const AlsProducts<T>& als_products();

}  // namespace aimass::simd
