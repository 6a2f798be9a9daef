#include "embedding_sums.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../simd/embedding_kernels.hpp"
#include "buffer.hpp"
#include "denormals.hpp"

namespace aimass {

namespace {

constexpr std::int64_t kRowBlocks = 256;

constexpr std::int64_t kRowsBetweenPolls = 1 << 12;  // of tables

// body(k, thread) for all k below n, in blocks; it returns how many rows of a table it has read.
template <class Body>
void for_each_row(const Run& run, std::int64_t n, Body&& body) {
  const std::int64_t n_blocks = std::min(n, kRowBlocks);
  parallel_for(run, n_blocks, [&](std::int64_t block, int thread) {
    const FlushDenormals flush;
    const Range range = block_range(n, n_blocks, block);
    std::int64_t n_read = 0;  // since the last poll
    for (std::int64_t k = range.begin; k < range.end; ++k) {
      n_read += 1 + body(k, thread);
      if (n_read < kRowsBetweenPolls) continue;
      n_read = 0;
      run.poll();
    }
  });
}

}  // namespace

// The entries of a feature whose rows have moved.
template <class T>
class MovedEntries {
 public:
  simd::WeightedRows<T> of(const Csr<T>& transposed, std::int64_t feature,
                           const std::vector<std::int32_t>& place) {
    const std::int64_t begin = transposed.begin(feature), end = transposed.end(feature);
    const auto n_entries = static_cast<std::size_t>(end - begin);
    if (rows_.size() < n_entries) {
      rows_.resize(n_entries);
      weights_.resize(n_entries);
    }
    std::size_t n = 0;
    for (std::int64_t e = begin; e < end; ++e) {
      const std::int32_t row = place[static_cast<std::size_t>(transposed.indices[e])];
      if (row < 0) continue;
      rows_[n] = row;
      weights_[n] = transposed.data[e];
      ++n;
    }
    return {rows_.data(), weights_.data(), static_cast<std::int64_t>(n)};
  }

 private:
  std::vector<std::int32_t> rows_;
  std::vector<T> weights_;
};

template <class T>
void embedding_sums(const Run& run, const Embeddings<T>& embeddings, const Csr<T>& weights,
                    const EmbeddedRows<T>& rows) {
  const simd::EmbeddingKernels<T>& kernels = simd::embedding_kernels<T>();
  const std::int64_t width = embeddings.width;
  const Buffer<T> inverse(std::max<std::int64_t>(embeddings.n_features * width, 1));
  for_each_row(run, weights.nnz() > 0 ? embeddings.n_features : 0, [&](std::int64_t f, int) {
    kernels.inverse_roots(embeddings.squares + f * width, width, inverse.data() + f * width);
    return std::int64_t{1};
  });
  for_each_row(run, rows.n, [&](std::int64_t k, int) {
    const std::int64_t row = rows.numbers[k], begin = weights.begin(row);
    const std::int64_t n_features = weights.end(row) - begin;
    kernels.sum({weights.indices + begin, weights.data + begin, n_features},
                embeddings.own_weights[row], embeddings.own + row * width,
                embeddings.own_squares + row * width, embeddings.table, inverse.data(), width,
                rows.factors + k * width, rows.accumulators + k * width);
    return n_features;
  });
}

template <class T>
void embedding_moves(const Run& run, const Embeddings<T>& embeddings, const Csr<T>& transposed,
                     const EmbeddedRows<T>& rows, const T* factors_before,
                     const T* accumulators_before) {
  const simd::EmbeddingKernels<T>& kernels = simd::embedding_kernels<T>();
  const std::int64_t width = embeddings.width;
  std::vector<std::int32_t> place(static_cast<std::size_t>(embeddings.n_rows), -1);
  for_each_row(run, rows.n, [&](std::int64_t k, int) {
    const std::int64_t row = rows.numbers[k];
    const bool moved = kernels.move_own(
        embeddings.own_weights[row], factors_before + k * width, accumulators_before + k * width,
        width, rows.factors + k * width, rows.accumulators + k * width,
        embeddings.own + row * width, embeddings.own_squares + row * width);
    if (moved) place[static_cast<std::size_t>(row)] = static_cast<std::int32_t>(k);
    return std::int64_t{1};
  });
  if (transposed.nnz() == 0) return;
  std::vector<MovedEntries<T>> scratch(static_cast<std::size_t>(run.n_threads()));
  for_each_row(run, embeddings.n_features, [&](std::int64_t f, int thread) {
    const auto moved = scratch[static_cast<std::size_t>(thread)].of(transposed, f, place);
    const std::int64_t n_entries = transposed.end(f) - transposed.begin(f);
    if (moved.n > 0) {
      kernels.move_shared(moved, static_cast<T>(n_entries), rows.factors, rows.accumulators, width,
                          embeddings.table + f * width, embeddings.squares + f * width);
    }
    return n_entries;
  });
}

template void embedding_sums(const Run&, const Embeddings<float>&, const Csr<float>&,
                             const EmbeddedRows<float>&);
template void embedding_sums(const Run&, const Embeddings<double>&, const Csr<double>&,
                             const EmbeddedRows<double>&);
template void embedding_moves(const Run&, const Embeddings<float>&, const Csr<float>&,
                              const EmbeddedRows<float>&, const float*, const float*);
template void embedding_moves(const Run&, const Embeddings<double>&, const Csr<double>&,
                              const EmbeddedRows<double>&, const double*, const double*);

}  // namespace aimass
