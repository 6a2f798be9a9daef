// What the two kernels of SLIM share: the problem of one target item, its settings, and how the
// coefficients of many targets become one sparse matrix.
//
// For a target item j the coefficients w minimise
//   1/2 |x_j - X w|^2 + l1 |w|_1 + 1/2 sum_i ridge_i w_i^2,  w_j = 0, w >= 0 if `nonnegative`,
// over the items i in the target's candidates. With l1 = 0 and without the sign constraint it is
// the ridge regression whose solutions are the columns of EASE.
//
// The violation of optimality of coordinate i is |w_i - w'_i| (G_ii + ridge_i), where w'_i is the
// minimiser along i: the part of the gradient that has no right to be there. A target has converged
// when no violation exceeds `tol` times the largest |G_ij|.
//
// Ning, Karypis, SLIM: sparse linear methods for top-n recommender systems, ICDM 2011; Friedman,
// Hastie, Tibshirani, Regularization paths for generalized linear models via coordinate descent,
// J. Stat. Software 2010.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "../simd/linear_kernels.hpp"
#include "csr.hpp"
#include "errors.hpp"
#include "parallel.hpp"
#include "partition.hpp"
#include "slim_types.hpp"
#include "topk.hpp"

namespace aimass {

template <class T>
void check_slim(const Run& run, const SlimProblem<T>& p) {
  check_bounds(run, p.targets, p.n_targets, p.n_items, "targets");
  const auto check = [&](const ItemLists& lists, const char* name) {
    if (!lists.given()) return;
    for (std::int64_t t = 0; t < p.n_targets; ++t)
      if (lists.indptr[t + 1] < lists.indptr[t])
        throw InvalidInput(std::string(name) + " must not go down, it does at row " +
                           std::to_string(t));
    check_bounds(run, lists.indices, lists.indptr[p.n_targets], p.n_items, name);
  };
  check(p.candidates, "candidates_indices");
  check(p.start, "start_indices");
}

namespace slim_detail {

// What is known of a target when its descent is over.
struct Outcome {
  std::int32_t n_sweeps = 0;
  double violation = 0;
};

// The violation of optimality of a coordinate with a gradient of G_j - G w.
template <class T>
T violation_of(const SlimProblem<T>& p, T gradient, T own, T curvature, T w) {
  const T z = gradient + own * w, l1 = static_cast<T>(p.l1);
  const T size = p.nonnegative ? z - l1 : std::abs(z) - l1;
  const T next = size > 0 ? std::copysign(size / curvature, z) : T(0);
  return std::abs(next - w) * curvature;
}

// The nonzero coefficients of one target, those kept, appended to a block's lists.
template <class T>
class Collector {
 public:
  explicit Collector(std::int64_t k) : k_(k) {}

  // The coefficients w[c] of items[c]; throws where one is not finite.
  template <class Items>
  void append(std::int32_t target, const Items& items, const T* w, std::int64_t n,
              std::vector<std::int32_t>& indices, std::vector<T>& values) {
    kept_.clear();
    for (std::int64_t c = 0; c < n; ++c) {
      if (!std::isfinite(w[c]))
        throw NumericalFailure("the coefficients of item " + std::to_string(target) +
                               " overflow: scale the values of X down or raise the "
                               "regularization");
      if (w[c] != T(0)) kept_.push_back({std::abs(w[c]), items[c], w[c]});
    }
    if (static_cast<std::int64_t>(kept_.size()) > k_) {
      std::nth_element(kept_.begin(), kept_.begin() + k_, kept_.end(),
                       [](const Kept& a, const Kept& b) {
                         return a.size > b.size || (a.size == b.size && a.item < b.item);
                       });
      kept_.resize(static_cast<std::size_t>(k_));
    }
    std::sort(kept_.begin(), kept_.end(),
              [](const Kept& a, const Kept& b) { return a.item < b.item; });
    for (const Kept& kept : kept_) {
      indices.push_back(kept.item);
      values.push_back(kept.value);
    }
  }

 private:
  struct Kept {
    T size;
    std::int32_t item;
    T value;
  };
  std::int64_t k_;
  std::vector<Kept> kept_;
};

// Solves every target on one of the threads. solve(solver, t): the outcome of target t, whose
// coefficients are then solver.n(), solver.items() and solver.w(). make(): a thread's solver.
template <class T, class Make>
SlimWeights<T> solve_targets(const Run& run, const SlimProblem<T>& p, Make&& make) {
  struct Block {
    std::vector<std::int64_t> lengths;
    std::vector<std::int32_t> indices;
    std::vector<T> values;
  };
  constexpr std::int64_t kTargets = 4;
  const std::int64_t n_blocks = (p.n_targets + kTargets - 1) / kTargets;
  std::vector<Block> blocks(static_cast<std::size_t>(n_blocks));
  SlimWeights<T> out;
  out.n_sweeps.resize(static_cast<std::size_t>(p.n_targets));
  out.violation.resize(static_cast<std::size_t>(p.n_targets));
  using Solver = decltype(make());
  std::vector<Solver> solvers(static_cast<std::size_t>(run.n_threads()));
  run.set_total(p.n_targets);
  parallel_for(run, n_blocks, [&](std::int64_t b, int thread) {
    auto& solver = solvers[static_cast<std::size_t>(thread)];
    if (!solver) solver = make();
    Block& block = blocks[static_cast<std::size_t>(b)];
    Collector<T> collector(p.k);
    for (std::int64_t t = b * kTargets; t < std::min(p.n_targets, (b + 1) * kTargets); ++t) {
      run.poll();
      const Outcome outcome = solver->solve(t);
      out.n_sweeps[static_cast<std::size_t>(t)] = outcome.n_sweeps;
      out.violation[static_cast<std::size_t>(t)] = outcome.violation;
      const std::size_t before = block.indices.size();
      collector.append(p.targets[t], solver->items(), solver->w(), solver->n(), block.indices,
                       block.values);
      block.lengths.push_back(static_cast<std::int64_t>(block.indices.size() - before));
      run.add_done(1);
    }
  });
  solvers.clear();
  out.indptr.assign(1, 0);
  for (const Block& block : blocks)
    for (const std::int64_t length : block.lengths)
      out.indptr.push_back(out.indptr.back() + length);
  out.indices.reserve(static_cast<std::size_t>(out.indptr.back()));
  out.values.reserve(static_cast<std::size_t>(out.indptr.back()));
  for (Block& block : blocks) {
    out.indices.insert(out.indices.end(), block.indices.begin(), block.indices.end());
    out.values.insert(out.values.end(), block.values.begin(), block.values.end());
    block = {};
  }
  return out;
}

}  // namespace slim_detail

}  // namespace aimass
