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

// --- conjugate gradient: work holds r, p, -(the matrix) p, z, and a negative or gramian p ---

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

// out = -(gramian + ridge I) x.
template <class T>
void common(const AlsShared<T>& s, Index width, const T* x, T* negative, T* out) {
  for (Index v = 0; v < width / kLanes<T>; ++v) {
    at(negative, v) = -at(x, v);
    at(out, v) = -s.ridge * at(x, v);
  }
  combine(AlsEntries<T>{s.gramian, nullptr, width, nullptr, nullptr, s.n}, width, negative, out);
}

template <class T>
void begin(const AlsShared<T>& s, Index width, const T* x, T* work) {
  common(s, width, x, work + 4 * width, work);
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
T turn(const AlsShared<T>& s, Index width, T before, T* work) {
  const Index nv = width / kLanes<T>;
  T *r = work, *p = work + width, *minus_ap = work + 2 * width, *z = work + 3 * width;
  T* gp = work + 4 * width;
  if (s.inverse == nullptr) {
    z = r;
  } else {
    for (Index v = 0; v < nv; ++v) at(z, v) = V<T>{};
    combine(AlsEntries<T>{s.inverse, nullptr, width, nullptr, nullptr, s.n}, width, r, z);
  }
  const T now = dot(nv, r, z), along = before == 0 ? T(0) : now / before;
  for (Index v = 0; v < nv; ++v) {
    at(p, v) = before == 0 ? at(z, v) : at(z, v) + along * at(p, v);
  }
  if (!s.exact) {
    common(s, width, p, gp, minus_ap);
    return now;
  }
  for (Index v = 0; v < nv; ++v) {  // (gramian + shift I) z = r spares a product
    const V<T> gz = at(r, v) - s.shift * at(z, v);
    at(gp, v) = before == 0 ? gz : gz + along * at(gp, v);
    at(minus_ap, v) = -at(gp, v) - s.ridge * at(p, v);
  }
  return now;
}

template <class T>
bool move(const AlsShared<T>& s, Index width, T now, T* work, T* x) {
  const Index nv = width / kLanes<T>;
  T *r = work, *p = work + width, *minus_ap = work + 2 * width;
  const T curvature = -dot(nv, p, minus_ap);
  // NaN goes on and is found by the caller.
  if (curvature <= 0 || curvature / dot(nv, p, p) <= s.resolved) return false;
  const T length = now / curvature;
  for (Index v = 0; v < nv; ++v) {
    at(x, v) += length * at(p, v);
    at(r, v) += length * at(minus_ap, v);
  }
  return true;
}

template <class T>
constexpr AlsPasses<T> kKernels{scores<T>, combine<T>, begin<T>, residual<T>, turn<T>, move<T>};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(AlsPassesTable, als_passes_table) = {kKernels<float>, kKernels<double>};

}  // namespace aimass::simd
