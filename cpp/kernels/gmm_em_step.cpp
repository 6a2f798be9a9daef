#include "gmm_em_step.hpp"

#include <memory>
#include <optional>

#include "gmm_block.hpp"
#include "gmm_diag.hpp"
#include "gmm_full_step.hpp"
#include "ordered_sum.hpp"

namespace aimass {

// The parts of one array of partial sums.
class SumsLayout {
 public:
  SumsLayout(const mixture::Features& f, std::int64_t n_components)
      : f_(f),
        n_components_(n_components),
        lanes_(mixture::kernels().lanes),
        stride_((f.size + 47) / 48 * 48) {}  // whole tiles of features at every level

  std::int64_t size() const { return n_components_ * (stride_ + 2 * lanes_) + lanes_; }

  mixture::Sums view(double* sums) const {
    double* counts = sums + n_components_ * stride_;
    double* squares = counts + n_components_ * lanes_;
    return {sums, stride_, counts, f_.square ? squares : nullptr, squares + n_components_ * lanes_};
  }

  // To [component][feature] in the callers' order; returns the summed score.
  double write(const double* sums, const Layout& layout, std::int64_t given, double* out) const {
    const double* counts = sums + n_components_ * stride_;
    const double* squares = counts + n_components_ * lanes_;
    for (std::int64_t k = 0; k < n_components_; ++k, out += given) {
      out[0] = over_lanes(counts + k * lanes_);
      for (std::int64_t c = 0; c < f_.size; ++c) out[layout.place(c)] = sums[k * stride_ + c];
      if (f_.square) out[given - 1] = over_lanes(squares + k * lanes_);
    }
    return over_lanes(squares + n_components_ * lanes_);
  }

 private:
  double over_lanes(const double* values) const {
    double sum = 0;
    for (std::int64_t i = 0; i < lanes_; ++i) sum += values[i];
    return sum;
  }

  mixture::Features f_;
  std::int64_t n_components_, lanes_, stride_;
};

constexpr std::int64_t kPartRows = 10 * mixture::kRows;

// Responsibilities from outside.
inline void given(const double* resp, std::int64_t n, std::int64_t n_components, Block& block,
                  const mixture::Sums& sums) {
  const std::int64_t lanes = mixture::kernels().lanes;
  for (std::int64_t k = 0; k < n_components; ++k) {
    for (std::int64_t b = 0; b < mixture::kRows; ++b) {
      const double r = b < n ? resp[b * n_components + k] * block.weights[b] : 0.0;
      block.scores[score_at(b, k, n_components)] = r;
      sums.counts[k * lanes + b % lanes] += r;
      if (sums.squares != nullptr) sums.squares[k * lanes + b % lanes] += r * block.squares[b];
    }
  }
}

template <class T>
double gmm_em_step(const Run& run, const GmmRows<T>& x, const GmmAssignment& to, Form form,
                   double* out, bool may_be_float32) {
  if (to.triangular != nullptr) {
    if (const auto score = gmm_full_step(run, x, *to.triangular, out)) return *score;
    const Coefficients features = to.triangular->features();
    return gmm_em_step(run, x, {nullptr, &features, nullptr, to.n_components, false}, form, out);
  }
  const Layout layout(form, x.d);
  const mixture::Features f = layout.features();
  const mixture::Kernels& kernels = mixture::kernels();
  const SumsLayout sums_layout(f, to.n_components);
  OrderedSum sum(sums_layout.size());
  std::vector<std::unique_ptr<Block>> blocks(static_cast<std::size_t>(run.n_threads()));
  std::vector<std::optional<DiagFloat::Work>> singles(blocks.size());
  const std::optional<DiagFloat> single = DiagFloat::make(
      x, may_be_float32 && form == Form::diag && !to.hard ? to.coefficients : nullptr);
  parallel_for(run, (x.n + kPartRows - 1) / kPartRows, [&](std::int64_t part, int thread) {
    const FlushDenormals flush;
    std::unique_ptr<Block>& own = blocks[static_cast<std::size_t>(thread)];
    if (!own) own = std::make_unique<Block>(x.d, f.stride, to.n_components);
    Block& block = *own;
    std::optional<DiagFloat::Work>& rows = singles[static_cast<std::size_t>(thread)];
    if (single && !rows) rows.emplace(*single);
    Buffer<double> partial = sum.take();
    const mixture::Sums sums = sums_layout.view(partial.data());
    const std::int64_t end = std::min(x.n, (part + 1) * kPartRows);
    for (std::int64_t row = part * kPartRows; row < end; row += mixture::kRows) {
      run.poll();
      const std::int64_t n = std::min(mixture::kRows, end - row);
      double* const scores = block.scores.data();
      if (single && single->scores(x, row, n, *rows)) {
        block.weigh(x, row, n);
        *sums.score += single->softmax(*rows, block.weights.data(), block.score_of_row.data());
        single->statistics(*rows, sums);
        continue;
      }
      block.read(x, row, n);
      if (to.resp != nullptr) {
        given(to.resp + row * to.n_components, n, to.n_components, block, sums);
      } else {
        to.coefficients->scores(block.columns.data(), block.squares.data(), scores,
                                block.scratch.data());
        if (to.hard) {
          kernels.argmax(to.n_components, scores, block.score_of_row.data(), block.labels.data());
          kernels.scatter(f, block.rows.data(), block.weights.data(), block.squares.data(),
                          block.score_of_row.data(), block.labels.data(), sums,
                          block.scratch.data());
          continue;
        }
        kernels.softmax(to.n_components, block.weights.data(), block.squares.data(), scores,
                        block.score_of_row.data(), sums);
      }
      kernels.statistics(f, to.n_components, block.rows.data(), scores, sums, block.scratch.data());
    }
    sum.give(part, std::move(partial));
  });
  const double score = sums_layout.write(sum.total(), layout, n_features(form, x.d), out);
  for (std::int64_t k = 0; single && k < to.n_components; ++k)
    if (!sums_are_safe(out + k * n_features(form, x.d), x.d, false))
      return gmm_em_step(run, x, to, form, out, false);
  return score;
}

template double gmm_em_step(const Run& run, const GmmRows<float>& x, const GmmAssignment& to,
                            Form form, double* out, bool may_be_float32);
template double gmm_em_step(const Run& run, const GmmRows<double>& x, const GmmAssignment& to,
                            Form form, double* out, bool may_be_float32);

}  // namespace aimass
