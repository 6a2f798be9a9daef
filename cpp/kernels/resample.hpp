// Problem: weighted sums of columns under random weights of the rows, for many replicates: the
// bootstrap (weights are the numbers of times that a row is drawn) and the permutation test of
// paired differences (weights are signs). No array of n_rows x n_replicates is ever made.
//
// Cost: n_replicates n_rows (one 16-bit random number + n_columns multiply-adds). Memory per
// thread: 64 replicates x n_columns sums and 16 KiB of weights; multinomial: 32 n_rows bytes more.
//
// Random numbers are Philox4x32-10 with the seed as key and (index, law, replicate) as counter, so
// that a weight depends on the seed, the replicate and the row alone. Salmon et al., "Parallel
// random numbers: as easy as 1, 2, 3", SC 2011.
//
// Laws. multinomial: n_rows draws with replacement, the nonparametric bootstrap (Efron, 1979).
// poisson: independent Poisson(1) counts (Chamandy et al., "Estimating uncertainty for massive data
// streams", 2012). Their probabilities are multiples of 2^-16, chosen such that mean and variance
// are exactly 1 and the third central moment is 1.00003. signs: +1 or -1 with equal probability.
#pragma once

#include <cstdint>

#include "parallel.hpp"

namespace aimass {

enum class Resampling { poisson, multinomial, signs };

struct Replicates {
  std::uint64_t seed;
  std::uint64_t first;  // number of the first replicate
  std::int64_t n;
  Resampling law;
};

// sums[replicate x n_columns + c] = sum over rows of weight * columns[c x n_rows + row].
void resampled_sums(const Run& run, const double* columns, std::int64_t n_rows,
                    std::int64_t n_columns, const Replicates& replicates, double* sums);

// weights[replicate x n_rows + row], for statistics that are no sums.
void resampling_weights(const Run& run, std::int64_t n_rows, const Replicates& replicates,
                        std::int16_t* out);

}  // namespace aimass
