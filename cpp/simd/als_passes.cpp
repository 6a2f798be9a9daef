// Passes over the entries of a row, and conjugate gradient by them.
// Compiled once per ISA level with AIMASS_LEVEL defined; internal linkage but for the tables.
#include "als_vectors.hpp"
#include "levels.hpp"

namespace {

template <class T>
void scores(const AlsEntries<T>& e, Index width, const T* x, bool add, T* out) {
  const T* y[kGroup];
  T s[kGroup];
  for (Index i = 0; i < e.n; i += kGroup) {
    const Index n = group_at(e, i, width, y);
    dots(y, width / kLanes<T>, x, s);
    for (Index j = 0; j < n; ++j) out[i + j] = add ? out[i + j] + s[j] : s[j];
  }
}

template <class T>
void combine(const AlsEntries<T>& e, Index width, const T* coefficient, T* out) {
  const T* y[kGroup];
  T c[kGroup];
  for (Index i = 0; i < e.n; i += kGroup) {
    const Index n = group_at(e, i, width, y);
    for (Index j = 0; j < kGroup; ++j) c[j] = j < n ? coefficient[i + j] : T(0);
    add_group(y, width / kLanes<T>, c, out);
  }
}

// --- conjugate gradient ---

template <class T>
T dot(Index nv, const T* a, const T* b) {
  V<T> even = {}, odd = {};
  Index v = 0;
  for (; v + 1 < nv; v += 2) {
    even += at(a, v) * at(b, v);
    odd += at(a, v + 1) * at(b, v + 1);
  }
  if (v < nv) even += at(a, v) * at(b, v);
  even += odd;
  T sum = 0;
  for (Index l = 0; l < kLanes<T>; ++l) sum += even[l];
  return sum;
}

template <class T>
void residual(const AlsEntries<T>& e, Index width, const T* x, bool targets, T* out,
              const AlsAhead<T>& ahead) {
  const Index nv = width / kLanes<T>;
  const T* y[kGroup];
  T s[kGroup];
  for (Index i = 0; i < e.n; i += kGroup) {
    const Index m = group_at(e, i, width, y);
    prefetch(ahead, i, i + kGroup, width);
    dots(y, nv, x, s);
    for (Index j = 0; j < kGroup; ++j) {
      if (j < m)
        s[j] = (targets ? e.target[i + j] : T(0)) - e.weight[i + j] * s[j];
      else
        s[j] = 0;
    }
    add_group(y, nv, s, out);
  }
}

template <class T>
T turn(const AlsConjugate<T>& row, Index width, T before, const AlsVectors<T>& w) {
  const Index nv = width / kLanes<T>;
  const T now = dot(nv, w.r, w.z), along = before == 0 ? T(0) : now / before;
  for (Index v = 0; v < nv; ++v) {
    at(w.p, v) = before == 0 ? at(w.z, v) : at(w.z, v) + along * at(w.p, v);
  }
  if (!row.exact) {
    for (Index v = 0; v < nv; ++v) at(w.minus_ap, v) = -row.ridge * at(w.p, v);
    return now;
  }
  for (Index v = 0; v < nv; ++v) {  // (gramian + shift I) z = r spares a product
    const V<T> gz = at(w.r, v) - row.shift * at(w.z, v);
    at(w.gp, v) = before == 0 ? gz : gz + along * at(w.gp, v);
    at(w.minus_ap, v) = -at(w.gp, v) - row.ridge * at(w.p, v);
  }
  return now;
}

template <class T>
bool move(const AlsConjugate<T>& row, Index width, T now, const AlsVectors<T>& w) {
  const Index nv = width / kLanes<T>;
  const T curvature = -dot(nv, w.p, w.minus_ap);
  // NaN goes on and is found by the caller.
  if (curvature <= 0 || curvature / dot(nv, w.p, w.p) <= row.resolved) return false;
  const T length = now / curvature;
  for (Index v = 0; v < nv; ++v) {
    at(w.x, v) += length * at(w.p, v);
    at(w.r, v) += length * at(w.minus_ap, v);
  }
  return true;
}

template <class T>
constexpr AlsPasses<T> kKernels{scores<T>, combine<T>, residual<T>, turn<T>, move<T>};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(AlsPassesTable, als_passes_table) = {kKernels<float>, kKernels<double>};

}  // namespace aimass::simd
