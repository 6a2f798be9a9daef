// Products of a few rows with the matrix that the systems of all rows share: each value of the
// matrix is loaded once for all of them. An element of the result is one chain of multiply-adds in
// the order of the matrix's rows, so it does not depend on how many rows are multiplied together.
// Compiled once per ISA level with AIMASS_LEVEL defined; internal linkage but for the tables.
#include "als_vectors.hpp"
#include "levels.hpp"

namespace {

constexpr Index kSums = kVector == 64 ? 16 : 12;  // accumulators, all in registers

template <class T>
constexpr Index kPanelVectors = kAlsPad<T> / kLanes<T>;
template <class T>
constexpr Index kMaxRows = kVector == 64 ? 12 : kSums / kPanelVectors<T>;

// Panels that are multiplied at once, so that few rows have enough accumulators, too.
template <class T>
constexpr Index panels_at_once(Index n_rows) {
  Index panels = 8;
  while (panels > 1 && n_rows * panels * kPanelVectors<T> > kSums) panels /= 2;
  return panels;
}

template <class T, Index n_rows, Index n_panels>
void multiply_tile(const T* a, Index n, Index width, const T* m, T* out) {
  constexpr Index kVectors = kPanelVectors<T>;
  V<T> sum[n_rows][n_panels * kVectors];
  for (Index r = 0; r < n_rows; ++r)
    for (Index v = 0; v < n_panels * kVectors; ++v) sum[r][v] = at(out + r * width, v);
  for (Index k = 0; k < n; ++k) {
    V<T> b[n_panels * kVectors];
    for (Index p = 0; p < n_panels; ++p)
      for (Index v = 0; v < kVectors; ++v)
        b[p * kVectors + v] = at(m + (p * n + k) * kAlsPad<T>, v);
    for (Index r = 0; r < n_rows; ++r) {
      const T x = a[r * width + k];
      for (Index v = 0; v < n_panels * kVectors; ++v) sum[r][v] += x * b[v];
    }
  }
  for (Index r = 0; r < n_rows; ++r)
    for (Index v = 0; v < n_panels * kVectors; ++v) at(out + r * width, v) = sum[r][v];
}

template <class T, Index n_rows, Index n_panels>
void multiply_panels(const T* a, Index n, Index width, const T* m, Index left, T* out) {
  for (; left >= n_panels; left -= n_panels) {
    multiply_tile<T, n_rows, n_panels>(a, n, width, m, out);
    m += n_panels * n * kAlsPad<T>;
    out += n_panels * kAlsPad<T>;
  }
  if constexpr (n_panels > 1) {
    multiply_panels<T, n_rows, n_panels / 2>(a, n, width, m, left, out);
  }
}

template <class T, Index max_rows>
void multiply_rows(Index n_rows, const T* a, Index n, Index width, const T* m, Index n_panels,
                   T* out) {
  if constexpr (max_rows > 1) {
    if (n_rows < max_rows) {
      multiply_rows<T, max_rows - 1>(n_rows, a, n, width, m, n_panels, out);
      return;
    }
  }
  multiply_panels<T, max_rows, panels_at_once<T>(max_rows)>(a, n, width, m, n_panels, out);
}

template <class T>
constexpr AlsProducts<T> kKernels{kMaxRows<T>, multiply_rows<T, kMaxRows<T>>};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(AlsProductsTable, als_products_table) = {kKernels<float>, kKernels<double>};

}  // namespace aimass::simd
