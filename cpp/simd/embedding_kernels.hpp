// Micro-kernels of rows whose factors are sums of embeddings: the sum of one row, and the moves of
// its embeddings. Included by the files compiled with ISA flags, so no inline functions: see
// table.hpp. Rows have any width.
#pragma once

#include <cstdint>

namespace aimass::simd {

// Embeddings of features with their weights.
template <class T>
struct WeightedRows {
  const std::int32_t* indices;
  const T* weights;
  std::int64_t n;
};

// The least r of a row, so that one without embeddings hardly moves.
constexpr double kSmallestRate = 1e-6;

template <class T>
struct EmbeddingKernels {
  // out[k] = 1 / sqrt(squares[k]).
  void (*inverse_roots)(const T* squares, std::int64_t n, T* out);

  // factors = own_weight own + sum of weight * table row;  accumulators = 1 / max(r, smallest)^2
  // with r = own_weight^2 / sqrt(own_squares) + sum of weight^2 * row of inverse_roots.
  void (*sum)(const WeightedRows<T>& features, T own_weight, const T* own, const T* own_squares,
              const T* table, const T* inverse_roots, std::int64_t width, T* factors,
              T* accumulators);

  // factors -> gradient = (factors - factors_before) sqrt(accumulators_before);
  // accumulators -> growth = accumulators - accumulators_before;
  // own += own_weight gradient / sqrt(own_squares);  own_squares += own_weight^2 growth.
  // False where the row did not move.
  bool (*move_own)(T own_weight, const T* factors_before, const T* accumulators_before,
                   std::int64_t width, T* factors, T* accumulators, T* own, T* own_squares);

  // With grown = sum of weight^2 * growth over rows:
  // table_row += sum of weight * gradient / sqrt(squares) * sqrt((squares + grown / count) /
  // (squares + grown));  squares += grown.
  void (*move_shared)(const WeightedRows<T>& rows, T count, const T* gradients, const T* growths,
                      std::int64_t width, T* table_row, T* squares);
};

struct EmbeddingTable {
  EmbeddingKernels<float> f32;
  EmbeddingKernels<double> f64;
};

// Those of the level in use.
template <class T>
const EmbeddingKernels<T>& embedding_kernels();

}  // namespace aimass::simd
