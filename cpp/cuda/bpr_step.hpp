// Steps of Bayesian personalised ranking, one after the other, by one block of threads: the body of
// the kernel pairwise_epoch on a GPU.
//
// A step has a user, a positive and drawn negatives. The threads share the numbers of a row: they
// compute the scores (32 partial sums each, whose order is fixed), one of them chooses the best
// negative and the slope, and all of them move the three rows. Blocks at work at the same time have
// steps that share no user and no item (../kernels/sgd_strata.hpp).
//
// Time: (6 + 2 n_candidates) f multiply-adds in 4 phases a step. A step waits for the rows of the
// one before, so the time is that of the phases and of the memory, not of the sums.
#pragma once

#include <cmath>

#include "../kernels/portable.hpp"
#include "../simd/sgd_kernels.hpp"
#include "dense_solve.hpp"

namespace aimass::cuda {

// Parameters in the memory of the device; see simd::SgdRows and PairwiseProblem.
template <class T>
struct BprProblem {
  simd::SgdRows<T> users, items;
  std::int64_t width = 0, n_candidates = 1;
  simd::SgdRule rule = simd::SgdRule::sgd;
  simd::SgdSteps<T> steps{};
  simd::SgdPenalties<T> penalties{};
};

// What the steps of a block add up to.
struct BprSums {
  double loss;
  std::int64_t n_correct;
};

template <class T>
struct BprShared {
  T slope;
  std::int32_t negative;
  T rate_user, rate_positive, rate_negative;
  BprSums sums;
};

namespace bpr_step {

// The rate of the next step of a row, which is counted.
template <class T>
AIMASS_DEVICE T next_rate(const BprProblem<T>& a, const simd::SgdRows<T>& rows, std::int64_t row) {
  if (a.rule != simd::SgdRule::adam) return a.steps.rate;
  const std::int64_t n = rows.steps[row];
  if (n < a.steps.n_corrections - 1) rows.steps[row] = static_cast<std::int32_t>(n + 1);
  return a.steps.rate * a.steps.corrections[n];
}

// Moves parameter w along a direction; `at` is its place in the arrays of the state.
template <class T>
AIMASS_DEVICE void move(const BprProblem<T>& a, T rate, T direction, T& w, T* first, T* second,
                        std::int64_t at) {
  switch (a.rule) {
    case simd::SgdRule::sgd:
      w += rate * direction;
      return;
    case simd::SgdRule::momentum:
      first[at] = a.steps.momentum * first[at] + direction;
      w += rate * first[at];
      return;
    case simd::SgdRule::adagrad:
      first[at] += direction * direction;
      w += rate * direction / std::sqrt(first[at] + a.steps.epsilon);
      return;
    case simd::SgdRule::adam:
      first[at] = a.steps.momentum * first[at] + (1 - a.steps.momentum) * direction;
      second[at] = a.steps.decay * second[at] + (1 - a.steps.decay) * direction * direction;
      w += rate * first[at] / (std::sqrt(second[at]) + a.steps.epsilon);
  }
}

template <class T>
AIMASS_DEVICE void move_bias(const BprProblem<T>& a, std::int64_t item, T rate, T direction) {
  const simd::SgdRows<T>& rows = a.items;
  if (rows.biases == nullptr) return;
  T& bias = rows.biases[item];
  move(a, rate * (a.steps.bias_rate / a.steps.rate), direction - a.penalties.bias * bias, bias,
       rows.bias_first, rows.bias_second, item);
}

// Scores of n items for a user; `lanes` has kLanes places for each.
template <class T, class Block>
AIMASS_DEVICE void score(Block& block, const BprProblem<T>& a, std::int64_t user,
                         const std::int32_t* items, std::int64_t n, T* lanes, T* scores) {
  const T* x = a.users.factors + user * a.width;
  block.each([&](int thread) {
    for (std::int64_t e = thread; e < n * kLanes; e += block.size()) {
      const T* y = a.items.factors + items[e / kLanes] * a.width;
      T sum = 0;
      for (std::int64_t i = e % kLanes; i < a.width; i += kLanes) sum += x[i] * y[i];
      lanes[e] = sum;
    }
  });
  block.each([&](int thread) {
    for (std::int64_t c = thread; c < n; c += block.size()) {
      T sum = 0;
      for (int lane = 0; lane < kLanes; ++lane) sum += lanes[c * kLanes + lane];
      scores[c] = sum + (a.items.biases == nullptr ? T{0} : a.items.biases[items[c]]);
    }
  });
}

// The best negative, the slope and the rates, by one thread.
template <class T>
AIMASS_DEVICE void choose(const BprProblem<T>& a, const std::int32_t* step, const T* scores,
                          BprShared<T>& shared) {
  std::int64_t best = 1;
  for (std::int64_t c = 2; c <= a.n_candidates; ++c)
    if (scores[c] > scores[best]) best = c;
  const T d = scores[0] - scores[best], small = std::exp(d > 0 ? -d : d);
  shared.negative = step[1 + best];
  shared.slope = (d > 0 ? small : T{1}) / (1 + small);
  shared.sums.loss +=
      std::log1p(static_cast<double>(small)) - static_cast<double>(d > 0 ? T{0} : d);
  shared.sums.n_correct += d > 0 ? 1 : 0;
  shared.rate_user = next_rate(a, a.users, step[0]);
  shared.rate_positive = next_rate(a, a.items, step[1]);
  shared.rate_negative = next_rate(a, a.items, shared.negative);
}

}  // namespace bpr_step

// n steps of 2 + n_candidates numbers: user, positive, negatives. `scratch` has (1 + n_candidates)
// * (kLanes + 1) places.
template <class T, class Block>
AIMASS_DEVICE void take_bpr_steps(Block& block, const BprProblem<T>& a, const std::int32_t* steps,
                                  std::int64_t n, T* scratch, BprShared<T>& shared) {
  const std::int64_t n_items = 1 + a.n_candidates, width = a.width;
  T *lanes = scratch, *scores = scratch + n_items * kLanes;
  block.each([&](int thread) {
    if (thread == 0) shared.sums = {0, 0};
  });
  for (std::int64_t s = 0; s < n; ++s) {
    const std::int32_t* step = steps + s * (1 + n_items);
    const std::int64_t user = step[0], positive = step[1];
    bpr_step::score(block, a, user, step + 1, n_items, lanes, scores);
    block.each([&](int thread) {
      if (thread == 0) bpr_step::choose(a, step, scores, shared);
    });
    const std::int64_t negative = shared.negative;
    const T slope = shared.slope;
    block.each([&](int thread) {
      for (std::int64_t i = thread; i < width; i += block.size()) {
        const std::int64_t at_x = user * width + i, at_p = positive * width + i;
        const std::int64_t at_q = negative * width + i;
        T &x = a.users.factors[at_x], &p = a.items.factors[at_p], &q = a.items.factors[at_q];
        const T dx = slope * (p - q) - a.penalties.user * x;
        const T dp = slope * x - a.penalties.positive * p;
        const T dq = -slope * x - a.penalties.negative * q;
        bpr_step::move(a, shared.rate_user, dx, x, a.users.first, a.users.second, at_x);
        bpr_step::move(a, shared.rate_positive, dp, p, a.items.first, a.items.second, at_p);
        bpr_step::move(a, shared.rate_negative, dq, q, a.items.first, a.items.second, at_q);
      }
      if (thread == 0) {
        bpr_step::move_bias(a, positive, shared.rate_positive, slope);
        bpr_step::move_bias(a, negative, shared.rate_negative, -slope);
      }
    });
  }
}

}  // namespace aimass::cuda
