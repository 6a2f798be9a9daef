#include "listwise_epoch.hpp"

#include <cmath>

#include "denormals.hpp"
#include "errors.hpp"
#include "negative_sampler.hpp"
#include "sgd_finite.hpp"

namespace aimass {

namespace sgd_detail {

// The work of one thread on the tiles it gets.
template <class T>
class ListwiseWorker {
 public:
  using Tile = typename SgdStrata<T>::Tile;
  static constexpr std::int64_t kUnheard = 1 << 14;      // negatives between two polls
  static constexpr T kSmallest = static_cast<T>(1e-12);  // squared norm of a vector

  ListwiseWorker(const Run& run, const ListwiseProblem<T>& problem, const AliasTables& tables)
      : run_(run),
        problem_(problem),
        kernels_(simd::sgd_kernels<T>()),
        n_lines_(std::min<std::int64_t>(
            (problem.width * static_cast<std::int64_t>(sizeof(T)) + 63) / 64, 8)),
        skips_idle_(problem.loss == ListwiseLoss::contrastive && problem.items.biases == nullptr &&
                    problem.penalties.negative == 0 &&
                    (problem.rule == simd::SgdRule::sgd || problem.rule == simd::SgdRule::adagrad)),
        sampler_(tables),
        items_(static_cast<std::size_t>(problem.n_negatives + 1)),
        scores_(items_.size()),
        norms_(items_.size()),
        slopes_(items_.size()),
        own_(items_.size()),
        self_(items_.size()),
        direction_(static_cast<std::size_t>(problem.width)) {}

  EpochSums work(const Tile& tile, std::int64_t first) {
    EpochSums sums;
    sampler_.enter(tile, first);
    shuffle(derived_key(tile.key, 0), tile.entries, tile.n_entries);
    const std::int64_t between = std::max<std::int64_t>(1, kUnheard / problem_.n_negatives);
    for (std::int64_t e = 0; e < tile.n_entries; ++e) {
      if (e % between == 0) run_.poll();
      if (draw(tile, e)) {
        step(tile.users[tile.entries[e].user], sums);
      } else {
        ++sums.n_skipped;
      }
    }
    sampler_.leave(tile);
    return sums;
  }

 private:
  // The list of entry e; false where the user has every item of the stratum.
  bool draw(const Tile& tile, std::int64_t e) {
    const TileEntry entry = tile.entries[e];
    const std::int64_t n = problem_.n_negatives;
    items_[0] = tile.items[entry.item];
    for (std::int64_t c = 0; c < n; ++c) {
      const std::int64_t j = sampler_.draw(entry.user, static_cast<std::uint64_t>(e * n + c));
      if (j < 0) return false;
      items_[static_cast<std::size_t>(c + 1)] = tile.items[j];
      fetch(tile.items[j]);
    }
    return true;
  }

  // Has the first lines of an item's row fetched into the cache.
  void fetch(std::int32_t item) const {
    const char* p = reinterpret_cast<const char*>(problem_.items.factors + item * problem_.width);
    for (std::int64_t line = 0; line < n_lines_; ++line) __builtin_prefetch(p + line * 64, 1);
  }

  void step(std::int32_t user, EpochSums& sums) {
    auto n = static_cast<std::int64_t>(items_.size());
    const T* const x = problem_.users.factors + user * problem_.width;
    kernels_.scores(problem_.items, problem_.width, x, items_.data(), n, scores_.data(),
                    problem_.cosine ? norms_.data() : nullptr);
    T size = 0;  // 1 / |x|
    if (problem_.cosine) {
      T square = 0;
      for (std::int64_t l = 0; l < problem_.width; ++l) square += x[l] * x[l];
      size = 1 / std::sqrt(std::max(square, kSmallest));
      for (std::size_t k = 0; k < items_.size(); ++k) {
        norms_[k] = 1 / std::sqrt(std::max(norms_[k], kSmallest));
        scores_[k] *= size * norms_[k];
      }
    }
    const T temperature = static_cast<T>(problem_.temperature);
    for (T& score : scores_) score /= temperature;
    const double loss = slopes();
    const bool correct =
        std::all_of(scores_.begin() + 1, scores_.end(), [&](T s) { return s < scores_[0]; });
    sums.add({loss, 1, correct ? 1 : 0, 0});
    if (skips_idle_) n = leave_out_idle();
    const auto n_moved = static_cast<std::size_t>(n);
    simd::SgdList<T> list{items_.data(), own_.data(), nullptr, slopes_.data(), n, 1, 0, 0};
    for (T& slope : slopes_) slope /= temperature;
    if (problem_.cosine) {
      list.self = self_.data();
      for (std::size_t k = 0; k < n_moved; ++k) {
        const T part = slopes_[k] * scores_[k] * temperature;  // slope times cosine
        own_[k] = slopes_[k] * size * norms_[k];
        self_[k] = -part * norms_[k] * norms_[k];
        list.self_user -= part * size * size;
      }
    } else {
      own_ = slopes_;
    }
    kernels_.list[static_cast<int>(problem_.rule)](problem_.users, problem_.items, problem_.width,
                                                   problem_.steps, problem_.penalties, user, list,
                                                   direction_.data());
  }

  // Takes the negatives with a slope of 0 out of the list, which a step leaves as they are; returns
  // how many items are left. Most negatives of the contrastive loss are below the margin.
  std::int64_t leave_out_idle() {
    std::size_t kept = 1;
    for (std::size_t k = 1; k < items_.size(); ++k) {
      if (slopes_[k] == 0) continue;
      items_[kept] = items_[k];
      scores_[kept] = scores_[k];
      norms_[kept] = norms_[k];
      slopes_[kept] = slopes_[k];
      ++kept;
    }
    return static_cast<std::int64_t>(kept);
  }

  // slopes_ = what raises the likelihood by score; returns the loss.
  double slopes() {
    const std::size_t n = items_.size();
    const T share = static_cast<T>(problem_.negative_weight / static_cast<double>(n - 1));
    double loss = 0;
    if (problem_.loss == ListwiseLoss::softmax) {
      const T largest = *std::max_element(scores_.begin(), scores_.end());
      T total = 0;
      for (std::size_t k = 0; k < n; ++k) total += slopes_[k] = std::exp(scores_[k] - largest);
      for (T& slope : slopes_) slope = -slope / total;
      slopes_[0] += 1;
      return std::log(static_cast<double>(total)) + static_cast<double>(largest - scores_[0]);
    }
    if (problem_.loss == ListwiseLoss::logistic) {
      loss = softplus(-scores_[0]);
      slopes_[0] = sigmoid(-scores_[0]);
      for (std::size_t k = 1; k < n; ++k) {
        loss += static_cast<double>(share) * softplus(scores_[k]);
        slopes_[k] = -share * sigmoid(scores_[k]);
      }
      return loss;
    }
    const T margin = static_cast<T>(problem_.margin);
    loss = 1 - static_cast<double>(scores_[0]);
    slopes_[0] = 1;
    for (std::size_t k = 1; k < n; ++k) {
      const bool violates = !(scores_[k] <= margin);  // NaN goes on and is found
      slopes_[k] = violates ? -share : T{0};
      if (violates) loss += static_cast<double>(share * (scores_[k] - margin));
    }
    return loss;
  }

  static T sigmoid(T s) {
    const T small = std::exp(-std::abs(s));
    return (s < 0 ? small : T{1}) / (1 + small);
  }
  static double softplus(T s) {
    return static_cast<double>(std::max(s, T{0})) +
           std::log1p(std::exp(-std::abs(static_cast<double>(s))));
  }

  const Run& run_;
  const ListwiseProblem<T>& problem_;
  const simd::SgdKernels<T>& kernels_;
  std::int64_t n_lines_;  // of a row that are fetched ahead
  bool skips_idle_;       // whether items without a slope stay as they are, to the bit
  NegativeSampler sampler_;
  std::vector<std::int32_t> items_;  // the positive, then the negatives
  std::vector<T> scores_, norms_, slopes_, own_, self_, direction_;
};

}  // namespace sgd_detail

template <class T>
EpochSums listwise_epoch(const Run& run, const ListwiseProblem<T>& problem) {
  const std::uint64_t key = derived_key(derived_key(problem.seed, 0), problem.epoch);
  SgdStrata<T> strata(run, problem.x, problem.n_strata, key, false);
  const AliasTables tables(run, strata, problem.x.n_cols, problem.weights);
  std::vector<sgd_detail::ListwiseWorker<T>> workers;
  workers.reserve(static_cast<std::size_t>(run.n_threads()));
  for (int t = 0; t < run.n_threads(); ++t) workers.emplace_back(run, problem, tables);
  std::vector<EpochSums> parts(static_cast<std::size_t>(problem.n_strata * problem.n_strata));
  strata.for_each_tile(run, [&](const auto& tile, int thread, std::int64_t block) {
    const FlushDenormals flush;
    EpochSums& part = parts[static_cast<std::size_t>(block)];
    part.add(workers[static_cast<std::size_t>(thread)].work(tile, tile.items - strata.items()));
    if (!std::isfinite(part.loss)) throw diverged(problem.epoch);
  });
  EpochSums total;
  for (const EpochSums& part : parts) total.add(part);
  require_finite(run, problem.users.factors, problem.users.biases, problem.x.n_rows, problem.width,
                 problem.epoch);
  require_finite(run, problem.items.factors, problem.items.biases, problem.x.n_cols, problem.width,
                 problem.epoch);
  return total;
}

template EpochSums listwise_epoch(const Run& run, const ListwiseProblem<float>& problem);
template EpochSums listwise_epoch(const Run& run, const ListwiseProblem<double>& problem);

}  // namespace aimass
