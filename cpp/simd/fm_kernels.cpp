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

constexpr Index kNext = 8;  // vectors that a prefetch runs ahead

// Adds rows [row, row + n_rows) of the sums of o o', columns of nv vectors from `from` on.
template <Index n_rows, Index nv>
void add_rows_of_vectors(const FmVectors& s, Index from, Index row, Index width, double* moments) {
  V<double> sums[n_rows * nv] = {};
  for (Index k = 0; k < s.n; ++k) {
    const double* o = s.base + s.indices[k] * s.stride;
    if (row == 0 && k + kNext < s.n) {
      const double* next = s.base + s.indices[k + kNext] * s.stride;
      for (Index v = 0; v < nv * kWide; v += 8) __builtin_prefetch(next + v);
    }
    for (Index v = 0; v < nv; ++v) {
      const V<double> vector = at(o, from + v);
      for (Index i = 0; i < n_rows; ++i) sums[i * nv + v] += o[row + i] * vector;
    }
  }
  for (Index i = 0; i < n_rows; ++i) {
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
  V<double> upper[2 * kWide] = {}, lower[kWide] = {};
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
  for (Index i = kWide; i < nv * kWide; ++i) {
    for (Index j = 0; j < i / kWide * kWide; ++j) moments[i * width + j] = moments[j * width + i];
  }
  for (Index k = 0; k < s.n; ++k) panel[k] = errors[s.cases[k]];
  double* of_errors = moments + width * width;
  Index v = 0;
  for (; v + 3 <= nv; v += 3) add_errors<3>(s, v, panel, of_errors);
  if (nv - v == 2) add_errors<2>(s, v, panel, of_errors);
  if (nv - v == 1) add_errors<1>(s, v, panel, of_errors);
}

// The numbers of a group, at any address.
typedef double Four __attribute__((vector_size(32), aligned(8), may_alias));
const Four& four_at(const double* p) { return *reinterpret_cast<const Four*>(p); }
Four& four_at(double* p) { return *reinterpret_cast<Four*>(p); }
double total(const Four& a) { return (a[0] + a[2]) + (a[1] + a[3]); }

// With m the sums of o, M those of o o' and n the number of cases, a row adds
// x^2 (M + c m' + m c' + n c c') to the sums of h h', and x (t + c t_0) to those of h e.
template <class T>
void group_sums(const FmEntries<T>& s, const double* v, double* sums) {
  const Four own = four_at(v);
  Four squares[kFmGroup] = {}, products = {};
  for (Index k = 0; k < s.n; ++k) {
    const double* r = s.rows + s.indices[k] * kGroupState;
    const double x = static_cast<double>(s.x[k]), square = x * x;
    const Four c = four_at(r + kSums) - x * own;
    const Four first = four_at(r + kFirst) + r[kCount] * c;
    for (Index i = 0; i < kFmGroup; ++i) {
      squares[i] +=
          square * (four_at(r + kMatrix + i * kFmGroup) + c[i] * first + r[kFirst + i] * c);
    }
    products += x * (four_at(r + kErrors) + r[kErrorSum] * c);
  }
  for (Index i = 0; i < kFmGroup; ++i) four_at(sums + i * kFmGroup) = squares[i];
  four_at(sums + kFmGroup * kFmGroup) = products;
}

template <class T>
void group_move(const FmEntries<T>& s, const double* v, const double* d, const double* f) {
  const Four own = four_at(v), change = four_at(d), of_factors = four_at(f);
  for (Index k = 0; k < s.n; ++k) {
    double* r = s.rows + s.indices[k] * kGroupState;
    const double x = static_cast<double>(s.x[k]);
    const Four q = four_at(r + kSums), first = four_at(r + kFirst);
    // The errors of the row's cases change by -x d'o - x c'd.
    const double constant = x * total((q - x * own) * change);
    Four step = constant * first;
    for (Index i = 0; i < kFmGroup; ++i) {
      step += (x * d[i]) * four_at(r + kMatrix + i * kFmGroup);
    }
    four_at(r + kErrors) -= step;
    four_at(r + kSums) = q + x * of_factors;
    r[kErrorSum] -= x * total(first * change) + constant * r[kCount];
    r[kConstant] += constant + x * (d[0] - f[0]);
  }
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
constexpr FmPanels<T> kPanels{subtract<T>, scale<T>, group_sums<T>, group_move<T>};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(FmTable, fm_table) = {
    kPanels<float>, kPanels<double>, {moments, correct, add, draw}};

}  // namespace aimass::simd
