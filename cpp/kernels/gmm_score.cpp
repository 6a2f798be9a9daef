#include "gmm_score.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "gmm_diag.hpp"
#include "gmm_full.hpp"

#include "gmm_em_step.hpp"

namespace aimass {

// The answers for n rows of a block of kRows rows, from row `row` on, from their scores.
template <class T>
class Answer {
 public:
  Answer(const GmmScores<T>& out, std::int64_t n_components)
      : out_(out),
        n_components_(n_components),
        best_(zeros(mixture::kRows)),
        ones_(zeros(mixture::kRows)),
        sums_(zeros(mixture::kernels().lanes)),
        labels_(static_cast<std::size_t>(mixture::kRows)) {
    std::fill_n(ones_.data(), mixture::kRows, 1.0);
  }

  // added: null, or what is to be added to the densities.
  void write(std::int64_t row, std::int64_t n, double* scores, const double* added) {
    const mixture::Kernels& kernels = mixture::kernels();
    if (out_.labels != nullptr) {
      kernels.argmax(n_components_, scores, best_.data(), labels_.data());
      for (std::int64_t b = 0; b < n; ++b)
        out_.labels[row + b] = std::isfinite(best_[b]) ? labels_[static_cast<std::size_t>(b)] : -1;
      return;
    }
    kernels.softmax(n_components_, ones_.data(), ones_.data(), scores, best_.data(),
                    {nullptr, 0, nullptr, nullptr, sums_.data()});
    if (out_.score != nullptr) {
      for (std::int64_t b = 0; b < n; ++b)
        out_.score[row + b] = best_[b] + (added == nullptr ? 0.0 : added[b]);
      return;
    }
    T* const to = out_.resp + row * n_components_;
    if constexpr (sizeof(T) == sizeof(float))
      kernels.turn_f32(n, n_components_, scores, to);
    else
      kernels.turn_f64(n, n_components_, scores, to);
  }

  // The same from the scores that a model in float32 made last.
  void write(std::int64_t row, std::int64_t n, const DiagFloat& model, DiagFloat::Work& work) {
    if (out_.labels != nullptr) {
      model.labels(work, labels_.data());
      std::copy_n(labels_.data(), n, out_.labels + row);
      return;
    }
    model.softmax(work, ones_.data(), best_.data());
    if (out_.score != nullptr) {
      std::copy_n(best_.data(), n, out_.score + row);
      return;
    }
    if constexpr (sizeof(T) == sizeof(float)) model.write(work, n, out_.resp + row * n_components_);
  }

 private:
  GmmScores<T> out_;
  std::int64_t n_components_;
  Buffer<double> best_, ones_, sums_;
  std::vector<std::int64_t> labels_;
};

template <class T>
void gmm_score(const Run& run, const GmmRows<T>& x, const Coefficients& coefficients,
               const Coefficients* common, const GmmScores<T>& out) {
  const std::int64_t n_components = coefficients.n_components();
  const std::int64_t n_blocks = (x.n + mixture::kRows - 1) / mixture::kRows;
  constexpr std::int64_t kBlocks = 10;  // to a thread at a time
  std::vector<std::unique_ptr<Block>> blocks(static_cast<std::size_t>(run.n_threads()));
  const std::optional<DiagFloat> single = DiagFloat::make(x, &coefficients);
  std::vector<std::optional<DiagFloat::Work>> singles(blocks.size());
  parallel_for(run, (n_blocks + kBlocks - 1) / kBlocks, [&](std::int64_t part, int thread) {
    const FlushDenormals flush;
    std::unique_ptr<Block>& own = blocks[static_cast<std::size_t>(thread)];
    if (!own) own = std::make_unique<Block>(x.d, coefficients.features().stride, n_components);
    Block& block = *own;
    std::optional<DiagFloat::Work>& rows = singles[static_cast<std::size_t>(thread)];
    if (single && !rows) rows.emplace(*single);
    Answer<T> answer(out, n_components);
    const Buffer<double> added = zeros(mixture::kRows);
    const std::int64_t end = std::min(x.n, (part + 1) * kBlocks * mixture::kRows);
    for (std::int64_t row = part * kBlocks * mixture::kRows; row < end; row += mixture::kRows) {
      run.poll();
      const std::int64_t n = std::min(mixture::kRows, end - row);
      if (single && single->scores(x, row, n, *rows)) {
        answer.write(row, n, *single, *rows);
        continue;
      }
      block.read(x, row, n);
      coefficients.scores(block.columns.data(), block.squares.data(), block.scores.data(),
                          block.scratch.data());
      if (common != nullptr && out.score != nullptr)
        common->scores(block.columns.data(), block.squares.data(), added.data(),
                       block.scratch.data());
      answer.write(row, n, block.scores.data(), added.data());
    }
  });
}

// The same from triangular roots; false, and nothing done, where features are faster.
template <class S, class T>
bool full_score(const Run& run, const GmmRows<T>& x, const TriangularRows& rows,
                const GmmScores<T>& out) {
  const FullModel<S> model(rows);
  // Labels need the best component alone; 1 covers the rounding of what is left out.
  const S reach = out.labels != nullptr ? S(1) : kReach<S>;
  const FullPlan plan = plan_full(x, model.triangles, reach);
  if (by_features<S>(x.d, plan)) return false;
  full_blocks(
      run, x, model, plan.n_tiles, reach, [&] { return Answer<T>(out, rows.n_components); },
      [&](FullWork<S>& work, std::int64_t row, std::int64_t n, Answer<T>& answer) {
        for (std::int64_t b = 0; b < n; b += mixture::kRows)
          answer.write(row + b, std::min(mixture::kRows, n - b), work.chunk(b), nullptr);
      },
      [](std::int64_t, Answer<T>&&) {});
  return true;
}

template <class T>
void gmm_score(const Run& run, const GmmRows<T>& x, const TriangularRows& rows,
               const GmmScores<T>& out) {
  if (x.d >= kTriangleColumns) {
    if constexpr (sizeof(T) == sizeof(float)) {
      if (in_float32(x, rows)) {
        full_score<float>(run, x, rows, out);
        return;
      }
    }
    if (full_score<double>(run, x, rows, out)) return;
  }
  gmm_score(run, x, rows.features(), nullptr, out);
}

template void gmm_score(const Run& run, const GmmRows<float>& x, const Coefficients& coefficients,
                        const Coefficients* common, const GmmScores<float>& out);
template void gmm_score(const Run& run, const GmmRows<double>& x, const Coefficients& coefficients,
                        const Coefficients* common, const GmmScores<double>& out);
template void gmm_score(const Run& run, const GmmRows<float>& x, const TriangularRows& rows,
                        const GmmScores<float>& out);
template void gmm_score(const Run& run, const GmmRows<double>& x, const TriangularRows& rows,
                        const GmmScores<double>& out);

}  // namespace aimass
