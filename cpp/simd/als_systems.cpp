// Panels, triangular products and solutions of systems.
// Compiled once per ISA level with AIMASS_LEVEL defined; internal linkage but for the tables.
#include "als_vectors.hpp"
#include "levels.hpp"

namespace {

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
constexpr AlsSystems<T> kKernels{copy<T>, syrk<T>, solve<T>, descend<T>};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(AlsSystemsTable, als_systems_table) = {kKernels<float>, kKernels<double>};

}  // namespace aimass::simd
