#include "pairwise_epoch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "denormals.hpp"
#include "errors.hpp"
#include "negative_sampler.hpp"
#include "sgd_finite.hpp"

namespace aimass {

namespace sgd_detail {

// Weights ln(rank) of violators, at most kLargestWeight; 0 for ranks below 1. Those of small ranks
// are computed once, n of them.
class RankWeights {
 public:
  static constexpr std::int64_t kMost = 1 << 17;
  static constexpr double kLargestWeight = 10.0;

  explicit RankWeights(std::int64_t n) : known_(static_cast<std::size_t>(std::min(n, kMost))) {
    for (std::size_t rank = 0; rank < known_.size(); ++rank)
      known_[rank] = computed(static_cast<std::int64_t>(rank));
  }

  double operator[](std::int64_t rank) const {
    rank = std::max<std::int64_t>(rank, 0);
    return rank < static_cast<std::int64_t>(known_.size()) ? known_[static_cast<std::size_t>(rank)]
                                                           : computed(rank);
  }

 private:
  static double computed(std::int64_t rank) {
    const auto above = static_cast<double>(std::max<std::int64_t>(1, rank));
    return std::min(kLargestWeight, std::log(above));
  }

  std::vector<double> known_;
};

// The work of one thread on the tiles it gets.
template <class T>
class PairwiseWorker {
 public:
  using Tile = typename SgdStrata<T>::Tile;
  // Candidates of warp that are drawn and scored at once: few violate late in training.
  static constexpr std::int64_t kFirstGroup = 4, kGroup = 8;
  static constexpr std::int64_t kUnheard = 1 << 14;  // candidates between two polls

  PairwiseWorker(const Run& run, const PairwiseProblem<T>& problem, const AliasTables& tables,
                 const RankWeights& weights)
      : run_(run),
        problem_(problem),
        kernels_(simd::sgd_kernels<T>()),
        n_lines_(
            std::min<std::int64_t>(problem.width * static_cast<std::int64_t>(sizeof(T)) / 64, 8)),
        weights_(weights),
        sampler_(tables) {}

  EpochSums work(const Tile& tile, std::int64_t first) {
    EpochSums sums;
    sampler_.enter(tile, first);
    if (problem_.loss == PairwiseLoss::kos) note_positives(tile);
    shuffle(derived_key(tile.key, 0), tile.entries, tile.n_entries);
    if (problem_.loss == PairwiseLoss::bpr && problem_.n_candidates == 1) {
      pairs(tile, sums);
    } else {
      const std::int64_t between = std::max<std::int64_t>(1, kUnheard / problem_.n_candidates);
      for (std::int64_t e = 0; e < tile.n_entries; ++e) {
        if (e % between == 0) run_.poll();
        if (problem_.loss == PairwiseLoss::bpr) {
          hardest(tile, e, sums);
        } else {
          violation(tile, e, sums);
        }
      }
    }
    sampler_.leave(tile);
    return sums;
  }

 private:
  void pairs(const Tile& tile, EpochSums& sums) {
    if (pairs_.size() < at(tile.n_entries)) pairs_.resize(at(tile.n_entries));
    simd::SgdPair* next = pairs_.data();
    for (std::int64_t e = 0; e < tile.n_entries; ++e) {
      const TileEntry entry = tile.entries[e];
      const std::int64_t j = sampler_.draw(entry.user, static_cast<std::uint64_t>(e));
      if (j < 0) continue;
      *next++ = {tile.users[entry.user], tile.items[entry.item], tile.items[j]};
    }
    const std::int64_t n = next - pairs_.data();
    simd::SgdTally tally{0, 0};
    kernels_.pairs[rule()](problem_.users, problem_.items, problem_.width, problem_.steps,
                           problem_.penalties, pairs_.data(), n, &tally);
    sums.add({tally.loss, n, tally.n_correct, tile.n_entries - n});
  }

  // Scores of items[0 .. n) for a user.
  void score(std::int32_t user, const std::int32_t* items, std::int64_t n, T* out) const {
    kernels_.scores(problem_.items, problem_.width, problem_.users.factors + user * problem_.width,
                    items, n, out, nullptr);
  }
  void step(const simd::SgdPair& pair, T slope) const {
    kernels_.pair[rule()](problem_.users, problem_.items, problem_.width, problem_.steps,
                          problem_.penalties, pair, slope);
  }

  void hardest(const Tile& tile, std::int64_t e, EpochSums& sums) {
    const TileEntry entry = tile.entries[e];
    const std::int32_t user = tile.users[entry.user];
    const std::int64_t n = problem_.n_candidates;
    reserve(n + 1);
    items_[0] = tile.items[entry.item];
    for (std::int64_t c = 0; c < n; ++c) {
      const std::int64_t j = sampler_.draw(entry.user, static_cast<std::uint64_t>(e * n + c));
      if (j < 0) {
        ++sums.n_skipped;
        return;
      }
      items_[at(c + 1)] = tile.items[j];
    }
    score(user, items_.data(), n + 1, scores_.data());
    const auto best = std::max_element(scores_.begin() + 1, scores_.begin() + n + 1);
    const T d = scores_[0] - *best, small = std::exp(-std::abs(d));
    sums.add({std::log1p(static_cast<double>(small)) - std::min(T{0}, d), 1, d > 0 ? 1 : 0, 0});
    step({user, items_[0], items_[at(best - scores_.begin())]},
         (d > 0 ? small : T{1}) / (1 + small));
  }

  // One step of warp and kos. The rows of an entry are on their way into the cache while the entry
  // before is worked on.
  void violation(const Tile& tile, std::int64_t e, EpochSums& sums) {
    const TileEntry entry = tile.entries[e];
    const std::int32_t user = tile.users[entry.user];
    const std::int64_t n = problem_.n_candidates;
    reserve(std::max(kGroup, problem_.n_positives));
    if (e == 0) first_of_entry(tile, 0);
    std::swap(candidates_, first_);
    if (e + 1 < tile.n_entries) first_of_entry(tile, e + 1);
    if (candidates_.n == 0) {
      ++sums.n_skipped;
      return;
    }
    std::int32_t positive;
    T target;
    choose_positive(tile, e, positive, target);
    const std::int64_t n_negatives =
        problem_.x.n_cols - (problem_.x.end(user) - problem_.x.begin(user));
    for (std::int64_t begin = 0; begin < n; begin += candidates_.n) {
      if (begin > 0) draw_candidates(tile, e, begin, kGroup, candidates_);
      score(user, candidates_.items, candidates_.n, scores_.data());
      std::uint32_t violators = 0;  // a bit each: one branch for a group, which is hard to predict
      for (std::int64_t c = 0; c < candidates_.n; ++c) {
        const bool correct = excess(c, target) <= 0;  // NaN goes on and is found
        violators |= static_cast<std::uint32_t>(!correct) << c;
      }
      if (violators == 0) continue;
      const std::int64_t c = std::countr_zero(violators);
      const double weight = weights_[n_negatives / (begin + c + 1)];
      sums.add({weight * static_cast<double>(excess(c, target)), 1, 0, 0});
      step({user, positive, candidates_.items[c]}, static_cast<T>(weight));
      return;
    }
    sums.add({0, 1, 1, 0});
  }

  // By how much the score of candidate c violates the margin.
  T excess(std::int64_t c, T target) const {
    return scores_[at(c)] - target + static_cast<T>(problem_.margin);
  }

  struct Candidates {
    std::int32_t items[kGroup];
    std::int64_t n = 0;  // 0: the user has all items of the stratum
  };

  // The first candidates of an entry; also has the rows of its user and item fetched.
  void first_of_entry(const Tile& tile, std::int64_t e) {
    const TileEntry entry = tile.entries[e];
    fetch(problem_.users.factors, tile.users[entry.user]);
    if (problem_.loss == PairwiseLoss::warp) fetch(problem_.items.factors, tile.items[entry.item]);
    draw_candidates(tile, e, 0, kFirstGroup, first_);
  }

  // Up to `most` candidates of entry e, from number `begin` on.
  void draw_candidates(const Tile& tile, std::int64_t e, std::int64_t begin, std::int64_t most,
                       Candidates& out) {
    const std::int64_t n = std::min(most, problem_.n_candidates - begin);
    out.n = 0;
    for (std::int64_t c = 0; c < n; ++c) {
      const auto number = static_cast<std::uint64_t>(e * problem_.n_candidates + begin + c);
      const std::int64_t j = sampler_.draw(tile.entries[e].user, number);
      if (j < 0) return;
      out.items[c] = tile.items[j];
      fetch(problem_.items.factors, out.items[c]);
    }
    out.n = n;
  }

  // Asks for the first lines of a row; the processor goes on by itself.
  void fetch(const T* rows, std::int32_t row) const {
    const char* p = reinterpret_cast<const char*>(rows + row * problem_.width);
    for (std::int64_t line = 0; line < n_lines_; ++line) __builtin_prefetch(p + line * 64, 1);
  }

  // The positive of entry e and its score.
  void choose_positive(const Tile& tile, std::int64_t e, std::int32_t& positive, T& target) {
    const TileEntry entry = tile.entries[e];
    const std::int32_t user = tile.users[entry.user];
    if (problem_.loss == PairwiseLoss::warp) {
      positive = tile.items[entry.item];
      score(user, &positive, 1, &target);
      return;
    }
    const std::int64_t n = problem_.n_positives, first = begins_[at(entry.user)];
    const std::int64_t n_own = begins_[at(entry.user + 1)] - first;
    const std::uint64_t key = derived_key(tile.key, 2);
    for (std::int64_t c = 0; c < n; ++c) {
      const std::uint64_t bits = random_bits(key, static_cast<std::uint64_t>(e * n + c));
      items_[at(c)] = tile.items[positives_[at(first + uniform_below(bits, n_own))]];
    }
    score(user, items_.data(), n, scores_.data());
    order_.resize(at(n));
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [&](std::int64_t a, std::int64_t b) {
      return scores_[at(a)] > scores_[at(b)];
    });
    const std::int64_t k = order_[at(problem_.k_positive - 1)];
    positive = items_[at(k)];
    target = scores_[at(k)];
  }

  // Positives by user, before the entries are shuffled.
  void note_positives(const Tile& tile) {
    begins_.assign(at(tile.n_users + 1), 0);
    positives_.resize(at(tile.n_entries));
    for (std::int64_t e = 0; e < tile.n_entries; ++e) {
      ++begins_[at(tile.entries[e].user + 1)];
      positives_[at(e)] = tile.entries[e].item;
    }
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
  }

  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
  int rule() const { return static_cast<int>(problem_.rule); }
  void reserve(std::int64_t n) {
    if (items_.size() >= at(n)) return;
    items_.resize(at(n));
    scores_.resize(at(n));
  }

  const Run& run_;
  const PairwiseProblem<T>& problem_;
  const simd::SgdKernels<T>& kernels_;
  std::int64_t n_lines_;  // of a row that are fetched ahead
  const RankWeights& weights_;
  NegativeSampler sampler_;
  std::vector<simd::SgdPair> pairs_;
  Candidates candidates_, first_;  // of this entry, and the first ones of the next
  std::vector<std::int32_t> items_, positives_;
  std::vector<T> scores_;
  std::vector<std::int64_t> order_, begins_;
};

}  // namespace sgd_detail

template <class T>
EpochSums pairwise_epoch(const Run& run, const PairwiseProblem<T>& problem) {
  const std::uint64_t key = derived_key(derived_key(problem.seed, 0), problem.epoch);
  const bool by_user = problem.loss != PairwiseLoss::bpr;
  SgdStrata<T> strata(run, problem.x, problem.n_strata, key, false, by_user);
  const AliasTables tables(run, strata, problem.x.n_cols, problem.weights);
  const std::int64_t n_ranks =
      by_user ? std::min(problem.x.n_cols + 1, problem.x.nnz()) : std::int64_t{0};
  const sgd_detail::RankWeights weights(n_ranks);
  std::vector<sgd_detail::PairwiseWorker<T>> workers;
  workers.reserve(static_cast<std::size_t>(run.n_threads()));
  for (int t = 0; t < run.n_threads(); ++t) workers.emplace_back(run, problem, tables, weights);
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

template EpochSums pairwise_epoch(const Run& run, const PairwiseProblem<float>& problem);
template EpochSums pairwise_epoch(const Run& run, const PairwiseProblem<double>& problem);

}  // namespace aimass
