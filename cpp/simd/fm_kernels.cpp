// Systems of the columns of a factorization machine. Compiled once per ISA level with AIMASS_LEVEL
// defined; internal linkage but for the table.
#include "fm_kernels.hpp"
#include "als_vectors.hpp"
#include "levels.hpp"

namespace {

constexpr Index kWide = kLanes<double>;  // numbers of a vector

void add(double x, const double* row_moments, const double* c, Index width, Index used,
         double* moments) {
  const Index nv = (used + kWide - 1) / kWide;
  const double square = x * x;
  const double *m = row_moments, *t = m + width * width;
  for (Index i = 0; i < used; ++i) {
    const double own = square * c[i], first = square * (m[i] + m[0] * c[i]);
    for (Index v = 0; v < nv; ++v) {
      at(moments + i * width, v) +=
          square * at(m + i * width, v) + own * at(m, v) + first * at(c, v);
    }
  }
  for (Index v = 0; v < nv; ++v) at(moments + width * width, v) += x * (at(t, v) + t[0] * at(c, v));
}

constexpr Index kVectorsAhead = 8;  // that a prefetch runs ahead

// Adds rows [row, row + n_rows) of the sums of o o', columns of nv vectors from `from` on.
template <Index n_rows, Index nv>
void add_rows_of_vectors(const FmVectors& s, Index from, Index row, Index width, double* moments) {
  V<double> sums[n_rows * nv];
#pragma GCC unroll 24
  for (Index i = 0; i < n_rows * nv; ++i) sums[i] = V<double>{};
  for (Index k = 0; k < s.n; ++k) {
    const double* o = s.base + s.indices[k] * s.stride;
    if (row == 0 && k + kVectorsAhead < s.n) {
      const double* next = s.base + s.indices[k + kVectorsAhead] * s.stride;
      for (Index v = 0; v < nv * kWide; v += 8) __builtin_prefetch(next + v);
    }
    // The vectors stay in registers, and one number at a time: 12 sums take the others.
    V<double> vectors[nv];
    for (Index v = 0; v < nv; ++v) vectors[v] = at(o, from + v);
    for (Index i = 0; i < n_rows; ++i) {
      const double number = o[row + i];
      for (Index v = 0; v < nv; ++v) sums[i * nv + v] += number * vectors[v];
    }
  }
#pragma GCC unroll 8
  for (Index i = 0; i < n_rows; ++i) {
#pragma GCC unroll 4
    for (Index v = 0; v < nv; ++v) at(moments + (row + i) * width, from + v) += sums[i * nv + v];
  }
}

// As many sums as registers hold beside the vectors: rows of nv vectors at once.
template <Index nv>
constexpr Index kRowsOfBand = [] {
  constexpr Index kSums = kVector == 64 ? 24 : 12;
  return kWide * nv <= kSums ? kWide : kWide * nv <= 2 * kSums ? kWide / 2 : Index{1};
}();

// Adds the rows whose diagonal is in vector `from`, with the nv vectors from there on.
template <Index nv>
void add_band(const FmVectors& s, Index from, Index width, double* moments) {
  constexpr Index kRows = kRowsOfBand<nv>;
  for (Index row = from * kWide; row < (from + 1) * kWide; row += kRows) {
    add_rows_of_vectors<kRows, nv>(s, from, row, width, moments);
  }
}

// Adds the last two bands in one pass, where registers hold their sums: rows of the diagonal vector
// `from` with two vectors, and the rows of the next one with one.
[[maybe_unused]] void add_last_bands(const FmVectors& s, Index from, Index width, double* moments) {
  V<double> upper[2 * kWide], lower[kWide];
#pragma GCC unroll 8
  for (Index i = 0; i < kWide; ++i) upper[2 * i] = upper[2 * i + 1] = lower[i] = V<double>{};
  const Index first = from * kWide, second = first + kWide;
  for (Index k = 0; k < s.n; ++k) {
    const double* o = s.base + s.indices[k] * s.stride;
    const V<double> left = at(o, from), right = at(o, from + 1);
    for (Index i = 0; i < kWide; ++i) {
      upper[2 * i] += o[first + i] * left;
      upper[2 * i + 1] += o[first + i] * right;
      lower[i] += o[second + i] * right;
    }
  }
#pragma GCC unroll 8
  for (Index i = 0; i < kWide; ++i) {
    at(moments + (first + i) * width, from) += upper[2 * i];
    at(moments + (first + i) * width, from + 1) += upper[2 * i + 1];
    at(moments + (second + i) * width, from + 1) += lower[i];
  }
}

// Adds the sums of o e, nv vectors from `from` on.
template <Index nv>
void add_errors(const FmVectors& s, Index from, const double* errors, double* sums) {
  V<double> even[nv] = {}, odd[nv] = {};
  Index k = 0;
  for (; k + 1 < s.n; k += 2) {
    const double *o = s.base + s.indices[k] * s.stride, *p = s.base + s.indices[k + 1] * s.stride;
    for (Index v = 0; v < nv; ++v) {
      even[v] += errors[k] * at(o, from + v);
      odd[v] += errors[k + 1] * at(p, from + v);
    }
  }
  if (k < s.n) {
    const double* o = s.base + s.indices[k] * s.stride;
    for (Index v = 0; v < nv; ++v) even[v] += errors[k] * at(o, from + v);
  }
  for (Index v = 0; v < nv; ++v) at(sums, from + v) += even[v] + odd[v];
}

void moments(const FmVectors& s, Index width, Index used, const double* errors, double* panel,
             double* moments) {
  const Index nv = (used + kWide - 1) / kWide;
  for (Index from = 0; from < nv;) {
    // Wide matrices: columns in steps of up to four vectors.
    const Index left = nv - from;
    if (left == 1) {
      add_band<1>(s, from, width, moments);
    } else if (left == 2) {
      if constexpr (kVector >= 32) {
        add_last_bands(s, from, width, moments);
        ++from;
      } else {
        add_band<2>(s, from, width, moments);
      }
    } else if (left == 3) {
      add_band<3>(s, from, width, moments);
    } else {
      add_band<4>(s, from, width, moments);
      for (Index column = from + 4; column < nv; ++column) {
        for (Index row = from * kWide; row < (from + 1) * kWide; ++row) {
          add_rows_of_vectors<1, 1>(s, column, row, width, moments);
        }
      }
    }
    ++from;
  }
  for (Index k = 0; k < s.n; ++k) panel[k] = errors[s.cases[k]];
  double* of_errors = moments + width * width;
  Index v = 0;
  for (; v + 3 <= nv; v += 3) add_errors<3>(s, v, panel, of_errors);
  if (nv - v == 2) add_errors<2>(s, v, panel, of_errors);
  if (nv - v == 1) add_errors<1>(s, v, panel, of_errors);
}

// The numbers of a group, and those at any address.
typedef double Four __attribute__((vector_size(32)));
typedef double FourAt __attribute__((vector_size(32), aligned(8), may_alias));
const FourAt& four_at(const double* p) { return *reinterpret_cast<const FourAt*>(p); }
FourAt& four_at(double* p) { return *reinterpret_cast<FourAt*>(p); }

// Lane i of `out` is lane i + kBy of v, in turn.
template <Index kBy>
void rotate(const Four& v, Four& out) {
  shuffle_to<kBy, (1 + kBy) % 4, (2 + kBy) % 4, (3 + kBy) % 4>(v, v, out);
}

// With m the sums of o, M those of o o' and n the number of cases, a row adds
// x^2 (M + c m' + m c' + n c c') to the sums of h h', and x (t + c t_0) to those of h e. The former
// are x^2 M + c g' + g c' for g = x^2 (m + n c / 2).
template <class T>
void group_sums(const FmEntries<T>& s, const double* v, double* sums) {
  const double* rows = s.rows;
  const std::int32_t* indices = s.indices;
  const T* values = s.x;
  const Four own = four_at(v);
  Four diagonal = {}, next = {}, opposite = {}, squares = {}, right = {}, left = {}, crossed = {},
       products = {};
  for (Index k = 0; k < s.n; ++k) {
    const double* r = rows + indices[k] * kGroupState;
    const double value = static_cast<double>(values[k]);
    const Four x = {value, value, value, value}, square = x * x;
    const Four c = four_at(r + kSums) - x * own;
    const Four g = square * (four_at(r + kFirst) + r[kHalfCount] * c);
    products += x * (four_at(r + kErrors) + r[kErrorSum] * c);
    diagonal += square * four_at(r + kDiagonal);
    next += square * four_at(r + kNext);
    opposite += square * four_at(r + kOpposite);
    Four c_next, g_next, g_opposite;
    rotate<1>(c, c_next);
    rotate<1>(g, g_next);
    rotate<2>(g, g_opposite);
    squares += c * g;
    right += c * g_next;
    left += c_next * g;
    crossed += c * g_opposite;
  }
  Four once, twice;
  shuffle_to<0, 1, 0, 1>(opposite, opposite, once);
  rotate<2>(crossed, twice);
  four_at(sums) = diagonal + (squares + squares);
  four_at(sums + 4) = next + (right + left);
  four_at(sums + 8) = once + (crossed + twice);
  four_at(sums + 12) = products;
}

// The product of a symmetric matrix, given by its diagonals from `matrix` on, and a vector in four
// rotations.
void add_product(const double* matrix, const Four* v, Four& out) {
  const Four diagonal = four_at(matrix), next = four_at(matrix + 4), opposite = four_at(matrix + 8);
  Four before, twice;
  rotate<3>(next, before);
  shuffle_to<0, 1, 0, 1>(opposite, opposite, twice);
  out += (diagonal * v[0] + next * v[1]) + (twice * v[2] + before * v[3]);
}

void rotations(const Four& v, Four* out) {
  out[0] = v;
  rotate<1>(v, out[1]);
  rotate<2>(v, out[2]);
  rotate<3>(v, out[3]);
}

template <class T>
void group_move(const FmEntries<T>& s, const double* v, const double* d, const double* f) {
  double* rows = s.rows;
  const std::int32_t* indices = s.indices;
  const T* values = s.x;
  const Four own = four_at(v), of_all = four_at(d), of_factors = four_at(f);
  Four change[4];
  rotations(of_all, change);
  for (Index k = 0; k < s.n; ++k) {
    double* r = rows + indices[k] * kGroupState;
    const double x = static_cast<double>(values[k]);
    const Four q = four_at(r + kSums), first = four_at(r + kFirst);
    // The errors of the row's cases change by -x d'o - x c'd. Both products with d:
    const Four own_change = (q - x * own) * change[0], of_cases = first * change[0];
    Four even, odd;
    shuffle_to<0, 4, 2, 6>(own_change, of_cases, even);
    shuffle_to<1, 5, 3, 7>(own_change, of_cases, odd);
    const Four pairs = even + odd;
    const double constant = pairs[0] + pairs[2];
    Four step = constant * first;
    add_product(r + kDiagonal, change, step);
    four_at(r + kErrors) -= x * step;
    four_at(r + kSums) = q + x * of_factors;
    r[kErrorSum] -= x * ((pairs[1] + pairs[3]) + 2 * constant * r[kHalfCount]);
  }
}

// Draws a group whose slots all hold coefficients. By the factorisation U'DU of the precision, with
// ones on the diagonal of U: m<i><j> becomes element j of D_i times row i of U, and u<i><j> is that
// of U. All numbers stay in registers.
bool draw_four(const FmGroup& s, const double* sums, double* change) {
  const Four v = four_at(s.coefficients);
  Four turned[4], right = four_at(sums + 12);
  rotations(v, turned);
  add_product(sums, turned, right);
  right = four_at(s.prior_precision) * four_at(s.prior_mean) + s.alpha * right;
  const Four diagonal = s.alpha * four_at(sums) + four_at(s.prior_precision);
  const Four next = s.alpha * four_at(sums + 4), opposite = s.alpha * four_at(sums + 8);
  const double m00 = diagonal[0], m01 = next[0], m02 = opposite[0], m03 = next[3];
  const double i0 = 1 / m00, u01 = m01 * i0, u02 = m02 * i0, u03 = m03 * i0;
  const double m11 = diagonal[1] - u01 * m01, m12 = next[1] - u01 * m02,
               m13 = opposite[1] - u01 * m03;
  const double i1 = 1 / m11, u12 = m12 * i1, u13 = m13 * i1;
  const double m22 = diagonal[2] - u02 * m02 - u12 * m12, m23 = next[2] - u02 * m03 - u12 * m13;
  const double i2 = 1 / m22, u23 = m23 * i2;
  const double m33 = diagonal[3] - u03 * m03 - u13 * m13 - u23 * m23, i3 = 1 / m33;
  const double b0 = right[0], b1 = right[1] - u01 * b0, b2 = right[2] - u02 * b0 - u12 * b1,
               b3 = right[3] - u03 * b0 - u13 * b1 - u23 * b2;
  Four drawn = Four{b0, b1, b2, b3} * Four{i0, i1, i2, i3};
  if (s.noise != nullptr) {
    drawn += four_at(s.noise) *
             Four{__builtin_sqrt(i0), __builtin_sqrt(i1), __builtin_sqrt(i2), __builtin_sqrt(i3)};
  }
  const double d3 = drawn[3], d2 = drawn[2] - u23 * d3, d1 = drawn[1] - u13 * d3 - u12 * d2,
               d0 = drawn[0] - u03 * d3 - u02 * d2 - u01 * d1;
  four_at(change) = Four{d0, d1, d2, d3} - v;
  const bool is_positive = (m00 > 0) & (m11 > 0) & (m22 > 0) & (m33 > 0);
  return is_positive & (0 * (d0 + d1 + d2 + d3) == 0);
}

bool group_draw(const FmGroup& s, const double* sums, double* change) {
  constexpr Index n = kFmGroup;
  if (s.first == 0 && s.last == n) return draw_four(s, sums, change);
  // A slot that holds nothing becomes a system of its own with the solution 0.
  double own_sums[kGroupSums], v[n], mean[n], precision[n], noise[n];
  for (Index i = 0; i < kGroupSums; ++i) own_sums[i] = sums[i];
  for (Index i = 0; i < n; ++i) {
    const bool is_used = i >= s.first && i < s.last;
    v[i] = is_used ? s.coefficients[i] : 0;
    mean[i] = is_used ? s.prior_mean[i] : 0;
    precision[i] = is_used ? s.prior_precision[i] : 1;
    noise[i] = is_used && s.noise != nullptr ? s.noise[i] : 0;
    if (is_used) continue;
    own_sums[i] = own_sums[n + i] = own_sums[n + (i + 3) % n] = 0;
    own_sums[2 * n + i] = own_sums[2 * n + (i + 2) % n] = own_sums[3 * n + i] = 0;
  }
  return draw_four({v, mean, precision, noise, s.alpha, 0, n, false}, own_sums, change);
}

template <class T>
bool group_column(const FmEntries<T>& s, const FmGroup& group) {
  double sums[kGroupSums], v[kFmGroup], change[kFmGroup], of_factors[kFmGroup];
  four_at(v) = four_at(group.coefficients);
  if (group.has_linear_slot) v[0] = 0;
  group_sums(s, v, sums);
  if (!group_draw(group, sums, change)) return false;
  four_at(of_factors) = four_at(change);
  if (group.has_linear_slot) of_factors[0] = 0;
  four_at(group.coefficients) += four_at(change);
  group_move(s, v, change, of_factors);
  return true;
}

void correct(const FmVectors& s, Index used, const double* u, double* errors) {
  const Index nv = (used + kWide - 1) / kWide;
  const double* rows[kGroup];
  double products[kGroup];
  for (Index k = 0; k < s.n; k += kGroup) {
    const Index n = s.n - k < kGroup ? s.n - k : kGroup;
    for (Index i = 0; i < kGroup; ++i) {
      rows[i] = s.base + s.indices[k + (i < n ? i : 0)] * s.stride;
    }
    dots<double>(rows, nv, u, products);
    for (Index i = 0; i < n; ++i) errors[s.cases[k + i]] -= products[i];
  }
}

// work = the matrix, change = the right-hand side.
void assemble(const FmSystem& s, double* work, double* change) {
  const Index w = s.width, nv = (s.last + kWide - 1) / kWide;
  for (Index v = 0; v < nv; ++v) {
    V<double> product = {};
    for (Index i = 0; i < s.last; ++i) {
      const V<double> row = at(s.moments + i * w, v);
      product += s.coefficients[i] * row;
      at(work + i * w, v) = s.alpha * row;
    }
    at(change, v) = at(s.prior_precision, v) * at(s.prior_mean, v) +
                    s.alpha * (at(s.moments + w * w, v) + product);
  }
  for (Index i = 0; i < s.last; ++i) work[i * w + i] += s.prior_precision[i];
  if (s.first > 0) {  // slot 0 holds nothing: a system of its own with the solution 0
    for (Index j = 1; j < w; ++j) work[j] = 0;
    work[0] = 1;
    change[0] = 0;
  }
}

// By the factorisation U'DU of the matrix, with ones on the diagonal of U: row i of `work` becomes
// D_i times row i of U.
bool draw(const FmSystem& s, double* work, double* change) {
  const Index w = s.width, nv = (s.last + kWide - 1) / kWide;
  assemble(s, work, change);
  double inverse[64];  // of D; 64 is the largest width
  for (Index i = 0; i < s.last; ++i) {
    const double* row = work + i * w;
    if (!(row[i] > 0)) return false;
    inverse[i] = 1 / row[i];
    for (Index j = i + 1; j < s.last; ++j) {
      const double f = row[j] * inverse[i];
      change[j] -= f * change[i];
      for (Index v = j / kWide; v < nv; ++v) at(work + j * w, v) -= f * at(row, v);
    }
  }
  for (Index i = 0; i < s.last; ++i) {
    change[i] *= inverse[i];
    if (s.noise != nullptr && i >= s.first) change[i] += s.noise[i] * __builtin_sqrt(inverse[i]);
  }
  double finite = 0;  // NaN where any solution is not finite
  for (Index i = s.last - 1; i >= 0; --i) {
    double sum = 0;
    for (Index j = i + 1; j < s.last; ++j) sum += work[i * w + j] * change[j];
    change[i] -= sum * inverse[i];
    finite += 0 * change[i];
  }
  for (Index i = s.first; i < s.last; ++i) change[i] -= s.coefficients[i];
  if (s.first > 0) change[0] = 0;
  for (Index i = s.last; i < w; ++i) change[i] = 0;
  return finite == 0;
}

template <class T>
void subtract(const T* x, const T* v, Index n, Index width, T* panel) {
  const Index nv = width / Simd<T>::lanes;
  for (Index k = 0; k < n; ++k) {
    const T square = x[k] * x[k];
    for (Index i = 0; i < nv; ++i) at(panel + k * width, i) -= square * at(v, i);
  }
}

template <class T>
void scale(const T* weight, const T* panel, Index n, Index width, T* out) {
  const Index nv = width / Simd<T>::lanes;
  for (Index k = 0; k < n; ++k) {
    for (Index i = 0; i < nv; ++i) at(out + k * width, i) = weight[k] * at(panel + k * width, i);
  }
}

template <class T>
constexpr FmPanels<T> kPanels{subtract<T>, scale<T>, group_sums<T>, group_move<T>, group_column<T>};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(FmTable, fm_table) = {
    kPanels<float>, kPanels<double>, {moments, correct, add, draw, group_draw}};

}  // namespace aimass::simd
