// Compiled once per ISA level with AIMASS_LEVEL defined; internal linkage but for the table, and
// nothing from the standard library: see table.hpp for the reason.
#include "linear_kernels.hpp"

#include "levels.hpp"
#include "vector.hpp"

namespace {

using namespace aimass::simd;
using Index = std::int64_t;

template <class T>
struct Simd {
  static constexpr Index lanes = kVector / static_cast<Index>(sizeof(T));
  typedef T V __attribute__((vector_size(kVector), aligned(alignof(T)), may_alias));
};
template <class T>
using V = typename Simd<T>::V;
template <class T>
constexpr Index kLanes = Simd<T>::lanes;

template <class T>
V<T>& at(T* p) {
  return *reinterpret_cast<V<T>*>(p);
}
template <class T>
const V<T>& at(const T* p) {
  return *reinterpret_cast<const V<T>*>(p);
}

// out += coefficient[0] * row[0] + ... for `count` rows, each element in this order.
template <Index count, class T>
void add_group(const T* const* row, const T* coefficient, Index n, T* out) {
  Index j = 0;
  for (; j + 2 * kLanes<T> <= n; j += 2 * kLanes<T>) {
    V<T> first = at(out + j), second = at(out + j + kLanes<T>);
    for (Index i = 0; i < count; ++i) {
      first += coefficient[i] * at(row[i] + j);
      second += coefficient[i] * at(row[i] + j + kLanes<T>);
    }
    at(out + j) = first;
    at(out + j + kLanes<T>) = second;
  }
  for (; j < n; ++j) {
    T sum = out[j];
    for (Index i = 0; i < count; ++i) sum += coefficient[i] * row[i][j];
    out[j] = sum;
  }
}

template <class T>
void add_rows(const T* base, Index stride, const std::int32_t* index, const T* coefficient,
              Index n_rows, Index n, T* out) {
  constexpr Index kGroup = 4;
  const T* row[kGroup];
  Index i = 0;
  for (; i + kGroup <= n_rows; i += kGroup) {
    for (Index g = 0; g < kGroup; ++g) row[g] = base + index[i + g] * stride;
    add_group<kGroup>(row, coefficient + i, n, out);
  }
  for (; i < n_rows; ++i) {
    row[0] = base + index[i] * stride;
    add_group<1>(row, coefficient + i, n, out);
  }
}

// The minimiser along coordinate i, where z is its gradient without its own part.
template <class T>
T minimiser(const Descent<T>& d, Index i, T z) {
  if (d.nonnegative) {
    const T excess = z - d.l1;
    return excess > 0 ? excess / d.curvature[i] : T(0);
  }
  if (z > d.l1) return (z - d.l1) / d.curvature[i];
  if (z < -d.l1) return (z + d.l1) / d.curvature[i];
  return T(0);
}

// Moves coordinate i by the rule; returns by how much, and raises the largest violation.
template <class T>
T move(const Descent<T>& d, Index i, T gradient, T& worst) {
  if (!(d.curvature[i] > 0)) return T(0);
  const T before = d.w[i];
  const T next = minimiser(d, i, gradient + d.own[i] * before);
  const T change = next - before;
  const T violation = (change < 0 ? -change : change) * d.curvature[i];
  if (violation > worst) worst = violation;
  if (!(violation > d.skip)) return T(0);
  d.w[i] = next;
  return change;
}

template <class T>
T dense_sweep(const DenseDescent<T>& s) {
  T worst = 0;
  for (Index i = 0; i < s.n; ++i) {
    const T change = move(s.common, i, s.gradient[i], worst);
    if (change == 0) continue;
    const T* row = s.gramian + i * s.width;
    for (Index j = 0; j < s.width; j += kLanes<T>) at(s.gradient + j) -= change * at(row + j);
  }
  return worst;
}

template <class T>
T gathered_dot(const std::int32_t* rows, const T* values, Index n, const T* residual) {
  T sum[4] = {};
  Index e = 0;
  for (; e + 4 <= n; e += 4)
    for (Index l = 0; l < 4; ++l) sum[l] += values[e + l] * residual[rows[e + l]];
  for (; e < n; ++e) sum[0] += values[e] * residual[rows[e]];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

template <class T>
T sparse_sweep(const SparseDescent<T>& s, const std::int32_t* list, Index n) {
  T worst = 0;
  for (Index c = 0; c < n; ++c) {
    const Index i = list[c];
    const std::int32_t* rows = s.rows + s.begin[i];
    const T* values = s.values + s.begin[i];
    const Index size = s.end[i] - s.begin[i];
    const T change = move(s.common, i, gathered_dot(rows, values, size, s.residual), worst);
    if (change == 0) continue;
    for (Index e = 0; e < size; ++e) s.residual[rows[e]] -= change * values[e];
  }
  return worst;
}

template <class T>
constexpr LinearKernels<T> kKernels{add_rows<T>, dense_sweep<T>, sparse_sweep<T>};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(LinearTable, linear_table) = {kKernels<float>, kKernels<double>};

}  // namespace aimass::simd
