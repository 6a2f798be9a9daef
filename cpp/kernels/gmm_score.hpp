// What a fitted Gaussian mixture says of rows: labels, log-densities or responsibilities, block by
// block with the micro-kernels of gmm_em_step, whose head has the definitions. Time: 2 n K F flops.
// Memory: the output and threads x 96 (K + 2.5 d).
#pragma once

#include <cmath>

#include "gmm_em_step.hpp"

namespace aimass {

// One of the three is wanted, the others are null.
template <class T>
struct GmmScores {
  std::int64_t* labels;  // n: the best component, the first one of equals; -1: scores overflow
  double* score;         // n: log of the sum over the components of exp(score)
  T* resp;               // n x n_components: softmax of the scores
};

// common: null, or coefficients of one score that is added for every component (the quadratic form
// of a tied covariance).
template <class T>
void gmm_score(const Run& run, const GmmRows<T>& x, const Coefficients& coefficients,
               const Coefficients* common, const GmmScores<T>& out) {
  const mixture::Kernels& kernels = mixture::kernels();
  const std::int64_t n_components = coefficients.n_components();
  const std::int64_t n_blocks = (x.n + mixture::kRows - 1) / mixture::kRows;
  constexpr std::int64_t kBlocks = 10;  // to a thread at a time
  std::vector<std::unique_ptr<Block>> blocks(static_cast<std::size_t>(run.n_threads()));
  parallel_for(run, (n_blocks + kBlocks - 1) / kBlocks, [&](std::int64_t part, int thread) {
    const FlushDenormals flush;
    std::unique_ptr<Block>& own = blocks[static_cast<std::size_t>(thread)];
    if (!own) own = std::make_unique<Block>(x.d, coefficients.features().stride, n_components);
    Block& block = *own;
    Buffer<double> unused = zeros((n_components + 1) * kernels.lanes),
                   added = zeros(mixture::kRows);
    const mixture::Sums sums{nullptr, 0, unused.data(), nullptr,
                             unused.data() + n_components * kernels.lanes};
    const std::int64_t end = std::min(x.n, (part + 1) * kBlocks * mixture::kRows);
    for (std::int64_t row = part * kBlocks * mixture::kRows; row < end; row += mixture::kRows) {
      run.poll();
      const std::int64_t n = std::min(mixture::kRows, end - row);
      block.read(x, row, n);
      double* const scores = block.scores.data();
      coefficients.scores(block.columns.data(), block.squares.data(), scores, block.scratch.data());
      if (out.labels != nullptr) {
        kernels.argmax(n_components, scores, block.score_of_row.data(), block.labels.data());
        for (std::int64_t b = 0; b < n; ++b)
          out.labels[row + b] =
              std::isfinite(block.score_of_row[b]) ? block.labels[static_cast<std::size_t>(b)] : -1;
        continue;
      }
      kernels.softmax(n_components, block.weights.data(), block.squares.data(), scores,
                      block.score_of_row.data(), sums);
      if (out.score != nullptr) {
        if (common != nullptr)
          common->scores(block.columns.data(), block.squares.data(), added.data(),
                         block.scratch.data());
        for (std::int64_t b = 0; b < n; ++b) out.score[row + b] = block.score_of_row[b] + added[b];
      } else {
        T* to = out.resp + row * n_components;
        for (std::int64_t b = 0; b < n; ++b)
          for (std::int64_t k = 0; k < n_components; ++k)
            *to++ = static_cast<T>(scores[score_at(b, k, n_components)]);
      }
    }
  });
}

}  // namespace aimass
