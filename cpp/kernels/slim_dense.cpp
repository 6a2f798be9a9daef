#include "slim_dense.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <memory>
#include <vector>

#include "buffer.hpp"
#include "slim_problem.hpp"

namespace aimass {

namespace slim_detail {

template <class T>
class DenseSolver {
 public:
  DenseSolver(const SlimProblem<T>& problem, const T* gramian, const Run& run)
      : p_(problem),
        g_(gramian),
        run_(run),
        own_(static_cast<std::size_t>(p_.n_items)),
        curvature_(own_.size()),
        gradient_(own_.size()),
        all_w_(own_.size(), T(0)),
        is_candidate_(own_.size(), 1) {
    for (std::int64_t i = 0; i < p_.n_items; ++i) {
      const auto at = static_cast<std::size_t>(i);
      own_[at] = gramian[i * p_.n_items + i];
      curvature_[at] = own_[at] + static_cast<T>(p_.ridge[i]);
    }
  }

  std::int64_t n() const { return static_cast<std::int64_t>(items_.size()); }
  const std::vector<std::int32_t>& items() const { return items_; }
  const T* w() const { return values_.data(); }

  Outcome solve(std::int64_t t) {
    begin(t);
    const T* const target = g_ + p_.targets[t] * p_.n_items;
    T scale = 0;
    bool finite = true;
    for (std::int64_t i = 0; i < p_.n_items; ++i) {
      finite = finite && std::isfinite(target[i]);
      if (i != p_.targets[t]) scale = std::max(scale, std::abs(target[i]));
    }
    if (!finite)
      throw NumericalFailure("the Gramian overflows in the row of item " +
                             std::to_string(p_.targets[t]) + ": scale the values of X down");
    const T enough = static_cast<T>(p_.tol) * scale;
    Outcome outcome;
    std::int64_t most = kFirst;
    for (;;) {
      run_.poll();
      compute_gradient(target);
      const T worst = choose(most, enough);
      outcome.violation = scale > 0 ? static_cast<double>(worst / scale) : 0.0;
      if (worst <= enough || outcome.n_sweeps >= p_.max_sweeps) break;
      // A sweep measures each coordinate before the later ones move, so a set may need a finer
      // descent; where that does not help either, rounding is what is left.
      if (!grew_ && ++n_finer_ > kFiner) break;
      const T finest = std::ldexp(enough, -1 - n_finer_);
      descend(worst, std::max(finest, grew_ ? worst / 8 : T(0)), outcome);
      most = 2 * static_cast<std::int64_t>(working_.size());
    }
    finish();
    return outcome;
  }

 private:
  static constexpr std::int64_t kFirst = 96, kMostWorking = 2048;
  static constexpr int kFiner = 6;
  static constexpr std::int64_t kPad = 64 / static_cast<std::int64_t>(sizeof(T));

  struct Wanted {
    T violation;
    std::int32_t item;
  };

  void begin(std::int64_t t) {
    target_ = p_.targets[t];
    n_finer_ = 0;
    working_.clear();
    if (p_.candidates.given()) {
      std::fill(is_candidate_.begin(), is_candidate_.end(), std::uint8_t{0});
      for (std::int64_t e = p_.candidates.indptr[t]; e < p_.candidates.indptr[t + 1]; ++e)
        is_candidate_[static_cast<std::size_t>(p_.candidates.indices[e])] = 1;
    }
    own_candidate_ = is_candidate_[static_cast<std::size_t>(target_)];
    is_candidate_[static_cast<std::size_t>(target_)] = 0;
    nonzero_.clear();
    if (!p_.start.given()) return;
    for (std::int64_t e = p_.start.indptr[t]; e < p_.start.indptr[t + 1]; ++e) {
      const std::int32_t i = p_.start.indices[e];
      const T w = p_.start_values[e];
      if (!is_candidate_[static_cast<std::size_t>(i)] || w == T(0) || (p_.nonnegative && w < T(0)))
        continue;
      nonzero_.push_back(i);
      all_w_[static_cast<std::size_t>(i)] = w;
    }
  }

  // gradient = G_j - G w over all items.
  void compute_gradient(const T* target) {
    std::copy_n(target, p_.n_items, gradient_.data());
    minus_w_.clear();
    for (const std::int32_t i : nonzero_) minus_w_.push_back(-all_w_[static_cast<std::size_t>(i)]);
    const auto n = static_cast<std::int64_t>(nonzero_.size());
    const std::int64_t rows = std::max<std::int64_t>(1, (std::int64_t{1} << 22) / p_.n_items);
    for (std::int64_t from = 0; from < n; from += rows) {
      run_.poll();
      simd::linear_kernels<T>().add_rows(g_, p_.n_items, nonzero_.data() + from,
                                         minus_w_.data() + from, std::min(rows, n - from),
                                         p_.n_items, gradient_.data());
    }
  }

  T violation_of(std::int64_t i) const {
    const auto at = static_cast<std::size_t>(i);
    return slim_detail::violation_of(p_, gradient_[at], own_[at], curvature_[at], all_w_[at]);
  }

  // The next working set: of at most `most` items that are not in it now the worst violations, and
  // all with a nonzero coefficient. Returns the largest violation of all candidates.
  T choose(std::int64_t most, T enough) {
    wanted_.clear();
    T worst = 0;
    for (std::int64_t i = 0; i < p_.n_items; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (!is_candidate_[at] || !(curvature_[at] > 0)) continue;
      const T violation = violation_of(i);
      worst = std::max(worst, violation);
      if (all_w_[at] == T(0) && violation > enough)
        wanted_.push_back({violation, static_cast<std::int32_t>(i)});
    }
    const std::int64_t capacity = kMostWorking - static_cast<std::int64_t>(nonzero_.size());
    if (capacity < kFirst) {
      choose_block(enough);
      grew_ = true;
      return worst;
    }
    const std::int64_t more =
        std::clamp(most - static_cast<std::int64_t>(nonzero_.size()), kFirst, capacity);
    if (static_cast<std::int64_t>(wanted_.size()) > more) {
      std::nth_element(wanted_.begin(), wanted_.begin() + more, wanted_.end(), worse);
      wanted_.resize(static_cast<std::size_t>(more));
    }
    grew_ = !wanted_.empty();
    working_ = nonzero_;
    for (const Wanted& wanted : wanted_) working_.push_back(wanted.item);
    std::sort(working_.begin(), working_.end());
    return worst;
  }

  static bool worse(const Wanted& a, const Wanted& b) {
    return a.violation > b.violation || (a.violation == b.violation && a.item < b.item);
  }

  // The kMostWorking worst violations among wanted and nonzero coordinates; the others stay.
  void choose_block(T enough) {
    for (const std::int32_t i : nonzero_) {
      const T violation = violation_of(i);
      if (violation > enough / 4) wanted_.push_back({violation, i});
    }
    if (static_cast<std::int64_t>(wanted_.size()) > kMostWorking) {
      std::nth_element(wanted_.begin(), wanted_.begin() + kMostWorking, wanted_.end(), worse);
      wanted_.resize(static_cast<std::size_t>(kMostWorking));
    }
    working_.clear();
    for (const Wanted& wanted : wanted_) working_.push_back(wanted.item);
    std::sort(working_.begin(), working_.end());
  }

  // Sweeps over the working set, whose largest violation is `worst`, until it is below `enough`.
  // What violates little in comparison waits for a later sweep: it costs a comparison.
  void descend(T worst, T enough, Outcome& outcome) {
    const auto n = static_cast<std::int64_t>(working_.size());
    const std::int64_t width = (n + kPad - 1) / kPad * kPad;
    gather(n, width);
    const simd::Descent<T> common{local_own_.data(),     local_curvature_.data(),
                                  static_cast<T>(p_.l1), T(0),
                                  p_.nonnegative,        local_w_.data()};
    simd::DenseDescent<T> descent{common, n, width, gramian_.data(), local_gradient_.data()};
    while (worst > enough && outcome.n_sweeps < p_.max_sweeps) {
      descent.common.skip = std::max(enough / 2, worst / 16);
      worst = simd::linear_kernels<T>().dense_sweep(descent);
      ++outcome.n_sweeps;
      run_.poll();
    }
    for (std::int64_t c = 0; c < n; ++c)
      all_w_[static_cast<std::size_t>(working_[static_cast<std::size_t>(c)])] =
          local_w_[static_cast<std::size_t>(c)];
    // Coefficients outside of the set, which only a block leaves there, stay nonzero.
    scratch_.clear();
    std::set_union(nonzero_.begin(), nonzero_.end(), working_.begin(), working_.end(),
                   std::back_inserter(scratch_));
    nonzero_.clear();
    for (const std::int32_t i : scratch_)
      if (all_w_[static_cast<std::size_t>(i)] != T(0)) nonzero_.push_back(i);
  }

  // The part of G, and of all vectors, that belongs to the working set.
  void gather(std::int64_t n, std::int64_t width) {
    if (n * width > capacity_) {
      capacity_ = std::min(2 * n * width, kMostWorking * (kMostWorking + kPad));
      capacity_ = std::max(capacity_, n * width);
      gramian_ = Buffer<T>(capacity_);
    }
    for (auto* vector : {&local_own_, &local_curvature_, &local_w_, &local_gradient_})
      vector->assign(static_cast<std::size_t>(width), T(0));
    for (std::int64_t c = 0; c < n; ++c) {
      if (c % 256 == 0) run_.poll();
      const auto at = static_cast<std::size_t>(c);
      const auto item = static_cast<std::size_t>(working_[at]);
      local_own_[at] = own_[item];
      local_curvature_[at] = curvature_[item];
      local_w_[at] = all_w_[item];
      local_gradient_[at] = gradient_[item];
      const T* const row = g_ + working_[at] * p_.n_items;
      T* const to = gramian_.data() + c * width;
      for (std::int64_t d = 0; d < n; ++d) to[d] = row[working_[static_cast<std::size_t>(d)]];
      std::fill(to + n, to + width, T(0));
    }
  }

  void finish() {
    items_ = nonzero_;
    values_.clear();
    for (const std::int32_t i : nonzero_) {
      values_.push_back(all_w_[static_cast<std::size_t>(i)]);
      all_w_[static_cast<std::size_t>(i)] = T(0);
    }
    is_candidate_[static_cast<std::size_t>(target_)] = own_candidate_;
  }

  const SlimProblem<T>& p_;
  const T* const g_;
  const Run& run_;
  std::vector<T> own_, curvature_;  // by item, as the next three
  std::vector<T> gradient_, all_w_;
  std::vector<std::uint8_t> is_candidate_;
  std::int32_t target_ = 0;
  std::uint8_t own_candidate_ = 1;
  bool grew_ = false;
  int n_finer_ = 0;
  std::vector<std::int32_t> nonzero_, working_, scratch_, items_;  // ascending
  std::vector<T> minus_w_, values_;
  std::vector<Wanted> wanted_;
  std::vector<T> local_own_, local_curvature_, local_w_, local_gradient_;
  Buffer<T> gramian_;
  std::int64_t capacity_ = 0;
};

}  // namespace slim_detail

template <class T>
SlimWeights<T> slim_dense(const Run& run, const SlimProblem<T>& problem, const T* gramian) {
  check_slim(run, problem);
  return slim_detail::solve_targets<T>(run, problem, [&] {
    return std::make_unique<slim_detail::DenseSolver<T>>(problem, gramian, run);
  });
}

template SlimWeights<float> slim_dense(const Run& run, const SlimProblem<float>& problem,
                                       const float* gramian);
template SlimWeights<double> slim_dense(const Run& run, const SlimProblem<double>& problem,
                                        const double* gramian);

}  // namespace aimass
