#include "resample.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "../simd/resample_kernels.hpp"

namespace aimass {

namespace {

// Rows with 0, 1, ..., 7 draws among 65536; the one that is left has 8.
constexpr simd::WeightLaw poisson_law() noexcept {
  constexpr std::array kShares = {24113, 24099, 12062, 4020, 1003, 200, 33, 5};
  simd::WeightLaw law{{}, simd::kResampleMaxSteps, 0, 1, 0};
  std::int32_t sum = -32768;
  std::int16_t* threshold = law.thresholds;
  for (const std::int32_t share : kShares) *threshold++ = static_cast<std::int16_t>(sum += share);
  return law;
}
constexpr simd::WeightLaw kPoissonLaw = poisson_law();
constexpr simd::WeightLaw kSignLaw{{0}, 1, 1, -2, 2};

// Row-wise weights of one group of replicates, block by block.
class ReplicateWeights {
 public:
  static constexpr std::int64_t kRows = simd::kResampleRows, kGroup = simd::kResampleGroup;

  ReplicateWeights(const Replicates& replicates, std::int64_t n_rows)
      : replicates_(replicates), n_rows_(n_rows), weights_(kRows * kGroup) {
    if (replicates.law == Resampling::multinomial)
      counts_.resize(static_cast<std::size_t>((n_rows + kRows - 1) / kRows * kRows * kGroup));
  }

  // Prepares the replicates [at, at + kGroup), numbered from the first.
  void start(const Run& run, std::int64_t at) {
    at_ = replicates_.first + static_cast<std::uint64_t>(at);
    if (replicates_.law == Resampling::multinomial) draw_rows(run);
  }

  // kGroup x kRows weights of a block of rows; rows beyond the last have any weight.
  const double* block(std::int64_t block) {
    if (replicates_.law == Resampling::multinomial) return counts_.data() + block * kRows * kGroup;
    const auto& law = replicates_.law == Resampling::poisson ? kPoissonLaw : kSignLaw;
    for (std::int64_t g = 0; g < kGroup; ++g)
      simd::resample_table().weights(law, replicates_.seed, at_ + static_cast<std::uint64_t>(g),
                                     static_cast<std::uint32_t>(block),
                                     weights_.data() + g * kRows);
    return weights_.data();
  }

 private:
  // Row of a draw: the high word of 32 random bits times n_rows.
  void draw_rows(const Run& run) {
    constexpr std::int64_t kCounters = 256;
    std::array<std::uint32_t, 4 * kCounters> words;
    std::fill(counts_.begin(), counts_.end(), 0.0);
    for (std::int64_t g = 0; g < kGroup; ++g)
      for (std::int64_t from = 0; from < n_rows_; from += 4 * kCounters) {
        simd::resample_table().philox(replicates_.seed, at_ + static_cast<std::uint64_t>(g), 1,
                                      static_cast<std::uint32_t>(from / 4), kCounters,
                                      words.data());
        const std::int64_t n = std::min(n_rows_ - from, 4 * kCounters);
        for (std::int64_t i = 0; i < n; ++i) {
          const auto row =
              static_cast<std::int64_t>((std::uint64_t{words[static_cast<std::size_t>(i)]} *
                                         static_cast<std::uint64_t>(n_rows_)) >>
                                        32);
          const std::int64_t to = (row / kRows * kGroup + g) * kRows + row % kRows;
          counts_[static_cast<std::size_t>(to)] += 1;
        }
        run.poll();
      }
  }

  Replicates replicates_;
  std::int64_t n_rows_;
  std::uint64_t at_ = 0;
  std::vector<double> weights_, counts_;
};

constexpr std::int64_t kReplicatesPerTask = 64;

std::int64_t resample_tasks(const Replicates& replicates) {
  return (replicates.n + kReplicatesPerTask - 1) / kReplicatesPerTask;
}

}  // namespace

void resampled_sums(const Run& run, const double* columns, std::int64_t n_rows,
                    std::int64_t n_columns, const Replicates& replicates, double* sums) {
  constexpr std::int64_t kRows = ReplicateWeights::kRows, kGroup = ReplicateWeights::kGroup;
  const std::int64_t n_blocks = (n_rows + kRows - 1) / kRows, n_full = n_rows / kRows;
  std::vector<double> tail(static_cast<std::size_t>(n_columns * kRows), 0.0);
  for (std::int64_t c = 0; c < n_columns && n_full < n_blocks; ++c)
    std::copy(columns + c * n_rows + n_full * kRows, columns + (c + 1) * n_rows,
              tail.begin() + c * kRows);
  const auto add = [&](const double* weights, std::int64_t block, double* into) {
    for (std::int64_t c = 0; c < n_columns; ++c) {
      const double* x = block < n_full ? columns + c * n_rows + block * kRows
                                       : &tail[static_cast<std::size_t>(c * kRows)];
      simd::resample_table().dots(weights, x, into + c, n_columns);
    }
  };
  parallel_for(run, resample_tasks(replicates), [&](std::int64_t task, int) {
    const std::int64_t first = task * kReplicatesPerTask;
    const std::int64_t n = std::min(kReplicatesPerTask, replicates.n - first);
    std::vector<double> part(static_cast<std::size_t>(kReplicatesPerTask * n_columns), 0.0);
    ReplicateWeights weights(replicates, n_rows);
    const bool by_block = replicates.law != Resampling::multinomial;
    // Independent weights: a block of rows stays in the cache for all replicates of the task.
    const std::int64_t outer = by_block ? n_blocks : 1, inner = by_block ? 1 : n_blocks;
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t at = 0; at < n; at += kGroup) {
        weights.start(run, first + at);
        for (std::int64_t i = 0; i < inner; ++i) {
          add(weights.block(o + i), o + i, part.data() + at * n_columns);
          run.poll();
        }
      }
    std::copy(part.begin(), part.begin() + n * n_columns, sums + first * n_columns);
  });
}

void resampling_weights(const Run& run, std::int64_t n_rows, const Replicates& replicates,
                        std::int16_t* out) {
  constexpr std::int64_t kRows = ReplicateWeights::kRows, kGroup = ReplicateWeights::kGroup;
  parallel_for(run, resample_tasks(replicates), [&](std::int64_t task, int) {
    const std::int64_t first = task * kReplicatesPerTask;
    const std::int64_t stop = std::min(first + kReplicatesPerTask, replicates.n);
    ReplicateWeights weights(replicates, n_rows);
    for (std::int64_t at = first; at < stop; at += kGroup) {
      weights.start(run, at);
      for (std::int64_t from = 0; from < n_rows; from += kRows) {
        const double* block = weights.block(from / kRows);
        const std::int64_t n = std::min(kRows, n_rows - from);
        for (std::int64_t g = 0; g < std::min(kGroup, stop - at); ++g)
          for (std::int64_t i = 0; i < n; ++i)
            out[(at + g) * n_rows + from + i] = static_cast<std::int16_t>(block[g * kRows + i]);
        run.poll();
      }
    }
  });
}

}  // namespace aimass
