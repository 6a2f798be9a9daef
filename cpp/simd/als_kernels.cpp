// Compiled once per ISA level with AIMASS_LEVEL defined; internal linkage but for the table,
// nothing from the standard library: see table.hpp for the reason.
#include "als_kernels.hpp"
#include "levels.hpp"

namespace {

using namespace aimass::simd;
using Index = std::int64_t;

#if defined(__AVX512F__)
constexpr Index kVector = 64, kTileRows = 8, kTileVectors = 3;
#elif defined(__AVX2__)
constexpr Index kVector = 32, kTileRows = 4, kTileVectors = 3;
#else
constexpr Index kVector = 16, kTileRows = 4, kTileVectors = 2;
#endif
constexpr Index kGroup = 8;   // entries handled at once where vectors are read once
constexpr Index kAhead = 16;  // entries that a prefetch runs ahead

template <class T>
struct Simd {
  static constexpr Index lanes = kVector / static_cast<Index>(sizeof(T));
  using Lane = T;
  typedef T V __attribute__((vector_size(kVector), aligned(alignof(T)), may_alias));
  typedef T Half __attribute__((vector_size(kVector / 2), aligned(alignof(T)), may_alias));
  typedef T Part __attribute__((vector_size(16), aligned(alignof(T)), may_alias));
};
template <class T>
using V = typename Simd<T>::V;

template <class T>
constexpr Index kLanes = Simd<T>::lanes;

template <class T>
V<T>& at(T* p, Index vector) {
  return *reinterpret_cast<V<T>*>(p + vector * kLanes<T>);
}
template <class T>
const V<T>& at(const T* p, Index vector) {
  return *reinterpret_cast<const V<T>*>(p + vector * kLanes<T>);
}

template <class T>
const T* vector_of(const AlsEntries<T>& e, Index i) {
  return e.base + (e.indices == nullptr ? i : e.indices[i]) * e.stride;
}

template <class T>
void prefetch(const AlsEntries<T>& e, Index i, Index width) {
  if (e.indices == nullptr || i >= e.n) return;
  const char* p = reinterpret_cast<const char*>(vector_of(e, i));
  const char* end = p + width * static_cast<Index>(sizeof(T));
  for (; p < end; p += 64) __builtin_prefetch(p);
}

template <class T>
void prefetch(const AlsAhead<T>& ahead, Index begin, Index end, Index width) {
  if (end > ahead.n) end = ahead.n;
  for (Index i = begin; i < end; ++i) {
    const char* p = reinterpret_cast<const char*>(ahead.base + ahead.indices[i] * ahead.stride);
    const char* last = p + width * static_cast<Index>(sizeof(T));
    for (; p < last; p += 64) __builtin_prefetch(p, 0, 2);
  }
}

template <class T>
void copy(const AlsEntries<T>& e, Index begin, Index n, Index width, T* p, T* q) {
  const Index nv = width / kLanes<T>;
  for (Index i = 0; i < n; ++i) {
    prefetch(e, begin + i + kAhead, width);
    const T* y = vector_of(e, begin + i);
    if (q == nullptr) {
      for (Index v = 0; v < nv; ++v) at(p, v) = at(y, v);
    } else {
      const T weight = e.weight[begin + i];
      for (Index v = 0; v < nv; ++v) {
        const V<T> x = at(y, v);
        at(p, v) = x;
        at(q, v) = weight * x;
      }
      q += width;
    }
    p += width;
  }
}

// --- c += q' p ---

// The accumulators of the whole tile live in registers.
template <class T, Index n_vectors>
void tile(Index n, const T* p, const T* q, Index width, T* c) {
  V<T> sum[kTileRows][n_vectors];
  for (Index r = 0; r < kTileRows; ++r)
    for (Index v = 0; v < n_vectors; ++v) sum[r][v] = at(c + r * width, v);
  for (Index i = 0; i < n; ++i) {
    V<T> b[n_vectors];
    for (Index v = 0; v < n_vectors; ++v) b[v] = at(p, v);
    for (Index r = 0; r < kTileRows; ++r)
      for (Index v = 0; v < n_vectors; ++v) sum[r][v] += q[r] * b[v];
    p += width;
    q += width;
  }
  for (Index r = 0; r < kTileRows; ++r)
    for (Index v = 0; v < n_vectors; ++v) at(c + r * width, v) = sum[r][v];
}

// The same for half a vector and n_vectors whole ones behind it.
template <class T, Index n_vectors>
void half_tile(Index n, const T* p, const T* q, Index width, T* c) {
  using Half = typename Simd<T>::Half;
  constexpr Index kHalf = kLanes<T> / 2;
  Half first[kTileRows];
  V<T> sum[kTileRows][n_vectors > 0 ? n_vectors : 1];
  for (Index r = 0; r < kTileRows; ++r) {
    first[r] = *reinterpret_cast<const Half*>(c + r * width);
    for (Index v = 0; v < n_vectors; ++v) sum[r][v] = at(c + r * width + kHalf, v);
  }
  for (Index i = 0; i < n; ++i) {
    const Half a = *reinterpret_cast<const Half*>(p);
    V<T> b[n_vectors > 0 ? n_vectors : 1];
    for (Index v = 0; v < n_vectors; ++v) b[v] = at(p + kHalf, v);
    for (Index r = 0; r < kTileRows; ++r) {
      first[r] += q[r] * a;
      for (Index v = 0; v < n_vectors; ++v) sum[r][v] += q[r] * b[v];
    }
    p += width;
    q += width;
  }
  for (Index r = 0; r < kTileRows; ++r) {
    *reinterpret_cast<Half*>(c + r * width) = first[r];
    for (Index v = 0; v < n_vectors; ++v) at(c + r * width + kHalf, v) = sum[r][v];
  }
}

// Rows and columns of c from `first` (a multiple of kTileRows) on, above the diagonal.
template <class T>
void syrk_from(Index first, Index n, const T* p, const T* q, Index width, T* c,
               const AlsAhead<T>& ahead) {
  const Index nv = width / kLanes<T>;
  const Index share = (ahead.n * kTileRows + width - 1) / width;  // of each row of tiles
  Index fetched = 0;
  for (Index r = first; r < width; r += kTileRows) {
    prefetch(ahead, fetched, fetched + share, width);
    fetched += share;
    Index v = r / kLanes<T>;
    if constexpr (kVector == 64 && 2 * kTileRows == kLanes<T>) {
      if (r % kLanes<T> != 0) {  // the vector's first half is below the diagonal
        const Index left = nv - v - 1;
        T* out = c + r * width + r;
        if (left == 0) {
          half_tile<T, 0>(n, p + r, q + r, width, out);
          v += 1;
        } else if (left == 1 || left == 3) {
          half_tile<T, 1>(n, p + r, q + r, width, out);
          v += 2;
        } else {
          half_tile<T, 2>(n, p + r, q + r, width, out);
          v += 3;
        }
      }
    }
    while (v < nv) {
      const Index left = nv - v;
      const T* b = p + v * kLanes<T>;
      T* out = c + r * width + v * kLanes<T>;
      if (left >= kTileVectors && left != 4) {  // four: two and two
        tile<T, kTileVectors>(n, b, q + r, width, out);
        v += kTileVectors;
      } else if (left >= 2) {
        tile<T, 2>(n, b, q + r, width, out);
        v += 2;
      } else {
        tile<T, 1>(n, b, q + r, width, out);
        v += 1;
      }
    }
  }
}

template <class T>
void syrk(Index n, const T* p, const T* q, Index width, T* c, const AlsAhead<T>& ahead) {
  syrk_from(0, n, p, q, width, c, ahead);
}

// --- products with kGroup vectors at once ---

template <int... I>
struct Places {};
template <int n, int... I>
struct Count : Count<n - 1, n - 1, I...> {};
template <int... I>
struct Count<0, I...> {
  using Type = Places<I...>;
};

// Within each 16 bytes: the first (or second) halves of a and b, elementwise in turn or as blocks.
template <bool second, bool in_turn, class X, int... I>
X halves(X a, X b, Places<I...>) {
  constexpr int n = sizeof...(I), part = 16 * n / kVector, half = part / 2;
  return __builtin_shufflevector(
      a, b,
      (I / part * part + (second ? half : 0) +
       (in_turn ? I % part / 2 + I % 2 * n : I % half + I % part / half * n))...);
}
template <bool in_turn, class T>
V<T> add_halves(V<T> a, V<T> b) {
  using All = typename Count<static_cast<int>(kLanes<T>)>::Type;
  return halves<false, in_turn>(a, b, All{}) + halves<true, in_turn>(a, b, All{});
}

// out[i] = sum of the lanes of sums[i], for kGroup vectors.
template <class T>
void lane_sums(const V<T>* sums, T* out) {
  constexpr Index n = 16 / static_cast<Index>(sizeof(T));  // sums that 16 bytes hold
  for (Index i = 0; i < kGroup; i += n) {
    V<T> folded;
    if constexpr (n == 2) {
      folded = add_halves<true, T>(sums[i], sums[i + 1]);
    } else {
      folded = add_halves<false, T>(add_halves<true, T>(sums[i], sums[i + 1]),
                                    add_halves<true, T>(sums[i + 2], sums[i + 3]));
    }
    using Part = typename Simd<T>::Part;
    T lanes[kLanes<T>];
    at(lanes, 0) = folded;
    Part total = *reinterpret_cast<const Part*>(lanes);
    for (Index l = n; l < kLanes<T>; l += n) total += *reinterpret_cast<const Part*>(lanes + l);
    *reinterpret_cast<Part*>(out + i) = total;
  }
}

template <class T>
void dots(const T* const* y, Index nv, const T* x, T* out) {
  V<T> sums[kGroup] = {};
  for (Index v = 0; v < nv; ++v) {
    const V<T> xv = at(x, v);
    for (Index i = 0; i < kGroup; ++i) sums[i] += at(y[i], v) * xv;
  }
  lane_sums<T>(sums, out);
}

template <class T>
void add_group(const T* const* y, Index nv, const T* coefficient, T* out) {
  for (Index v = 0; v < nv; ++v) {
    V<T> even = coefficient[0] * at(y[0], v), odd = coefficient[1] * at(y[1], v);
    for (Index i = 2; i < kGroup; i += 2) {
      even += coefficient[i] * at(y[i], v);
      odd += coefficient[i + 1] * at(y[i + 1], v);
    }
    at(out, v) += even + odd;
  }
}

// Vectors of entries i .. i + kGroup; past the end the last one again. Returns how many are real.
template <class T>
Index group_at(const AlsEntries<T>& e, Index i, Index width, const T** y) {
  for (Index j = 0; j < kGroup; ++j) {
    prefetch(e, i + j + kAhead, width);
    y[j] = vector_of(e, i + j < e.n ? i + j : e.n - 1);
  }
  return e.n - i < kGroup ? e.n - i : kGroup;
}

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

// --- exact solution ---

// c = L D L', D L' in place of its upper triangle; the block of pivots is eliminated row by row,
// the rest of the matrix by the product above. b is eliminated on the way, then substituted back.
template <class T>
Index solve(Index from, Index to, Index n, Index width, T* c, const T* floor, T* p, T* q,
            T* inverse, T* x) {
  const Index nv = width / kLanes<T>;
  V<T> lane;
  for (Index l = 0; l < kLanes<T>; ++l) lane[l] = static_cast<T>(l);
  for (Index begin = from; begin < to; begin += kAlsPivots) {
    const Index end = begin + kAlsPivots < n ? begin + kAlsPivots : n;
    for (Index k = begin; k < end; ++k) {
      T* row = c + k * width;
      const T pivot = row[k];
      if (!(pivot > floor[k])) return k;
      inverse[k] = T(1) / pivot;
      const T factor = -inverse[k];
      const Index first = k / kLanes<T>;
      T* u = p + (k - begin) * width;
      T* s = q + (k - begin) * width;
      // Up to the pivot the row is used up: zero, so that whole vectors can be worked with.
      const V<T> zero = {};
      const V<T> place = zero + static_cast<T>(k - first * kLanes<T>);
      at(u, first) = lane > place ? at(row, first) : zero;
      at(s, first) = factor * at(u, first);
      for (Index v = first + 1; v < nv; ++v) {
        at(u, v) = at(row, v);
        at(s, v) = factor * at(row, v);
      }
      for (Index j = k + 1; j < end; ++j) {
        const T l = factor * row[j];  // is s[j], but does not wait for its store
        for (Index v = first; v < nv; ++v) at(c + j * width, v) += l * at(u, v);
      }
      const T b = x[k];
      for (Index v = first; v < nv; ++v) at(x, v) += b * at(s, v);
    }
    if (end < n) syrk_from(end, end - begin, p, q, width, c, AlsAhead<T>{});
  }
  if (to < n) return -1;
  // q holds what is known of the solution, zero elsewhere.
  for (Index v = 0; v < nv; ++v) at(q, v) = V<T>{};
  for (Index begin = (n - 1) / kGroup * kGroup; begin >= 0; begin -= kGroup) {
    const T* rows[kGroup];
    T left[kGroup];
    const Index first = begin / kLanes<T>, skipped = first * kLanes<T>;
    for (Index i = 0; i < kGroup; ++i) rows[i] = c + (begin + i) * width + skipped;
    dots(rows, nv - first, q + skipped, left);
    for (Index i = 0; i < kGroup; ++i) left[i] = x[begin + i] - left[i];
    for (Index i = kGroup - 1; i >= 0; --i) {  // column by column: a short chain
      const T solved = begin + i < n ? left[i] * inverse[begin + i] : T(0);
      q[begin + i] = solved;
      for (Index j = 0; j < i; ++j) left[j] -= c[(begin + j) * width + begin + i] * solved;
    }
  }
  for (Index v = 0; v < nv; ++v) at(x, v) = at(q, v);
  return -1;
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

// out = -(gramian + ridge I) x + sum of (target - weight * y'x) y; the targets only if asked for.
template <class T>
void residual(const AlsEntries<T>& e, Index width, const T* gramian, Index n, T ridge, const T* x,
              bool targets, T* negative, T* out, const AlsAhead<T>& ahead) {
  const Index nv = width / kLanes<T>;
  for (Index v = 0; v < nv; ++v) {
    at(negative, v) = -at(x, v);
    at(out, v) = -ridge * at(x, v);
  }
  combine(AlsEntries<T>{gramian, nullptr, width, nullptr, nullptr, n}, width, negative, out);
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
void conjugate(const AlsEntries<T>& e, Index width, const T* gramian, Index n, T ridge,
               Index n_steps, bool resume, T* work, T* x, const AlsAhead<T>& ahead) {
  const Index nv = width / kLanes<T>;
  T *r = work, *p = work + width, *minus_ap = work + 2 * width, *negative = work + 3 * width;
  if (!resume) {
    residual(e, width, gramian, n, ridge, x, true, negative, r, ahead);
    for (Index v = 0; v < nv; ++v) at(p, v) = at(r, v);
  }
  T rr = dot(nv, r, r);
  for (Index step = 0; step < n_steps && rr != 0; ++step) {
    residual(e, width, gramian, n, ridge, p, false, negative, minus_ap, AlsAhead<T>{});
    const T curvature = -dot(nv, p, minus_ap);
    if (curvature <= 0)
      return;  // singular in this direction; NaN goes on and is found by the caller
    const T length = rr / curvature;
    for (Index v = 0; v < nv; ++v) {
      at(x, v) += length * at(p, v);
      at(r, v) += length * at(minus_ap, v);
    }
    const T next = dot(nv, r, r);
    const T turn = next / rr;
    for (Index v = 0; v < nv; ++v) at(p, v) = at(r, v) + turn * at(p, v);
    rr = next;
  }
}

// --- non-negative solution ---

template <class T>
void descend(Index n, Index width, T* c, T* b, Index n_steps, bool resume, T* x) {
  const Index nv = width / kLanes<T>;
  T* g = b;  // minus the gradient
  for (Index r = 0; r < n && !resume; ++r)
    for (Index k = r + 1; k < n; ++k) c[k * width + r] = c[r * width + k];
  for (Index r = 0; r < n && !resume; ++r)
    for (Index v = 0; v < nv; ++v) at(g, v) -= x[r] * at(c + r * width, v);
  for (Index step = 0; step < n_steps; ++step) {
    for (Index k = 0; k < n; ++k) {
      const T diagonal = c[k * width + k];
      const T wanted = diagonal > 0 ? x[k] + g[k] / diagonal : T(0);
      const T next = wanted > 0 ? wanted : wanted <= 0 ? T(0) : wanted;  // NaN stays
      const T change = next - x[k];
      x[k] = next;
      if (change == 0) continue;
      for (Index v = 0; v < nv; ++v) at(g, v) -= change * at(c + k * width, v);
    }
  }
}

template <class T>
constexpr AlsKernels<T> kKernels{copy<T>,  syrk<T>,      scores<T>, combine<T>,
                                 solve<T>, conjugate<T>, descend<T>};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(AlsTable, als_table) = {kKernels<float>, kKernels<double>};

}  // namespace aimass::simd
