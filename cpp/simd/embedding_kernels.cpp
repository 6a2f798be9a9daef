// Sums of embeddings and their moves. Compiled once per ISA level with AIMASS_LEVEL defined;
// internal linkage but for the table.
#include "embedding_kernels.hpp"
#include "levels.hpp"
#include "sgd_vectors.hpp"

namespace {

constexpr Index kAhead = 4;   // rows that a prefetch runs ahead
constexpr Index kShort = 64;  // rows that are added up before they join the total

template <class T>
void inverse_roots(const T* squares, Index n, T* out) {
  Index k = 0;
  for (; k + Simd<T>::lanes <= n; k += Simd<T>::lanes) {
    store<V<T>>(out + k, 1 / root(load<V<T>>(squares + k)));
  }
  for (; k < n; ++k) out[k] = 1 / root(squares[k]);
}

template <class T>
void prefetch_row(const T* row, Index bytes) {
  const char* p = reinterpret_cast<const char*>(row);
  for (Index b = 0; b < bytes; b += 64) __builtin_prefetch(p + b);
}

// How many numbers X holds: a vector of them, or one.
template <class X, class T>
constexpr Index kNumbers = sizeof(X) / sizeof(T);  // NOLINT(bugprone-sizeof-expression)

// n positions of X, vectors or single numbers, from `from` on.
template <class X, Index n, class T>
void sum_part(const WeightedRows<T>& features, T own_weight, const T* own, const T* own_squares,
              const T* table, const T* inverse, Index width, Index from, T* factors,
              T* accumulators) {
  constexpr Index kLanes = kNumbers<X, T>, kBytes = n * static_cast<Index>(sizeof(X));
  X sums[n], rates[n];
  for (Index v = 0; v < n; ++v) {
    const Index k = from + v * kLanes;
    sums[v] = own_weight * load<X>(own + k);
    rates[v] = own_weight * own_weight / root(load<X>(own_squares + k));
  }
  for (Index e = 0; e < features.n; ++e) {
    if (e + kAhead < features.n) {
      const Index next = features.indices[e + kAhead] * width + from;
      prefetch_row(table + next, kBytes);
      prefetch_row(inverse + next, kBytes);
    }
    const Index row = features.indices[e] * width + from;
    const T weight = features.weights[e], square = weight * weight;
    for (Index v = 0; v < n; ++v) {
      sums[v] += weight * load<X>(table + row + v * kLanes);
      rates[v] += square * load<X>(inverse + row + v * kLanes);
    }
  }
  const X smallest = X{} + static_cast<T>(kSmallestRate);
  for (Index v = 0; v < n; ++v) {
    const Index k = from + v * kLanes;
    const X rate = rates[v] > smallest ? rates[v] : smallest;
    store<X>(factors + k, sums[v]);
    store<X>(accumulators + k, 1 / (rate * rate));
  }
}

template <class T>
void sum(const WeightedRows<T>& features, T own_weight, const T* own, const T* own_squares,
         const T* table, const T* inverse, Index width, T* factors, T* accumulators) {
  constexpr Index kLanes = Simd<T>::lanes;
  Index k = 0;
  for (; k + 4 * kLanes <= width; k += 4 * kLanes) {
    sum_part<V<T>, 4>(features, own_weight, own, own_squares, table, inverse, width, k, factors,
                      accumulators);
  }
  for (; k + kLanes <= width; k += kLanes) {
    sum_part<V<T>, 1>(features, own_weight, own, own_squares, table, inverse, width, k, factors,
                      accumulators);
  }
  for (; k < width; ++k) {
    sum_part<T, 1>(features, own_weight, own, own_squares, table, inverse, width, k, factors,
                   accumulators);
  }
}

// Of one position; returns a number whose lanes are all zero where nothing moved.
template <class X, class T>
X move_own_at(T own_weight, const T* factors_before, const T* accumulators_before, T* factors,
              T* accumulators, T* own, T* own_squares) {
  const X before = load<X>(accumulators_before);
  const X change = load<X>(factors) - load<X>(factors_before);
  const X growth = load<X>(accumulators) - before;
  const X gradient = change * root(before);
  store<X>(factors, gradient);
  store<X>(accumulators, growth);
  const X squares = load<X>(own_squares);
  store<X>(own, load<X>(own) + own_weight * gradient / root(squares));
  store<X>(own_squares, squares + own_weight * own_weight * growth);
  return change * change + growth;  // growth is never negative
}

template <class T>
bool move_own(T own_weight, const T* factors_before, const T* accumulators_before, Index width,
              T* factors, T* accumulators, T* own, T* own_squares) {
  V<T> moved_lanes = {};
  T moved_rest = 0;
  Index k = 0;
  for (; k + Simd<T>::lanes <= width; k += Simd<T>::lanes) {
    moved_lanes += move_own_at<V<T>>(own_weight, factors_before + k, accumulators_before + k,
                                     factors + k, accumulators + k, own + k, own_squares + k);
  }
  for (; k < width; ++k) {
    moved_rest += move_own_at<T>(own_weight, factors_before + k, accumulators_before + k,
                                 factors + k, accumulators + k, own + k, own_squares + k);
  }
  return lane_sum<T>(moved_lanes) + moved_rest != 0;
}

template <class X, Index n, class T>
void move_shared_part(const WeightedRows<T>& rows, T count, const T* gradients, const T* growths,
                      Index width, Index from, T* table_row, T* squares) {
  constexpr Index kLanes = kNumbers<X, T>, kBytes = n * static_cast<Index>(sizeof(X));
  X moves[n] = {}, grown[n] = {};
  for (Index begin = 0; begin < rows.n; begin += kShort) {
    const Index end = begin + kShort < rows.n ? begin + kShort : rows.n;
    X some_moves[n] = {}, some_grown[n] = {};
    for (Index e = begin; e < end; ++e) {
      if (e + kAhead < rows.n) {
        const Index next = rows.indices[e + kAhead] * width + from;
        prefetch_row(gradients + next, kBytes);
        prefetch_row(growths + next, kBytes);
      }
      const Index row = rows.indices[e] * width + from;
      const T weight = rows.weights[e], square = weight * weight;
      for (Index v = 0; v < n; ++v) {
        some_moves[v] += weight * load<X>(gradients + row + v * kLanes);
        some_grown[v] += square * load<X>(growths + row + v * kLanes);
      }
    }
    for (Index v = 0; v < n; ++v) {
      moves[v] += some_moves[v];
      grown[v] += some_grown[v];
    }
  }
  for (Index v = 0; v < n; ++v) {
    const Index k = from + v * kLanes;
    const X before = load<X>(squares + k), after = before + grown[v];
    const X shortened = root((before + grown[v] / count) / (before * after));
    store<X>(table_row + k, load<X>(table_row + k) + moves[v] * shortened);
    store<X>(squares + k, after);
  }
}

template <class T>
void move_shared(const WeightedRows<T>& rows, T count, const T* gradients, const T* growths,
                 Index width, T* table_row, T* squares) {
  constexpr Index kLanes = Simd<T>::lanes;
  Index k = 0;
  for (; k + 2 * kLanes <= width; k += 2 * kLanes) {
    move_shared_part<V<T>, 2>(rows, count, gradients, growths, width, k, table_row, squares);
  }
  for (; k + kLanes <= width; k += kLanes) {
    move_shared_part<V<T>, 1>(rows, count, gradients, growths, width, k, table_row, squares);
  }
  for (; k < width; ++k) {
    move_shared_part<T, 1>(rows, count, gradients, growths, width, k, table_row, squares);
  }
}

template <class T>
constexpr EmbeddingKernels<T> kKernels{inverse_roots<T>, sum<T>, move_own<T>, move_shared<T>};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(EmbeddingTable, embedding_table) = {kKernels<float>, kKernels<double>};

}  // namespace aimass::simd
