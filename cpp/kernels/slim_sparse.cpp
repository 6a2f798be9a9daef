#include "slim_sparse.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "slim_problem.hpp"

namespace aimass {

namespace slim_detail {

// Squared norms of the columns and whether any value is negative: what all solvers share.
template <class T>
struct SparseShared {
  Csr<T> x, t;  // users x items and its transpose
  std::vector<T> own, curvature;
  bool is_nonnegative = true;

  SparseShared(const Run& run, const SlimProblem<T>& p, const Csr<T>& rows, const Csr<T>& columns)
      : x(rows),
        t(columns),
        own(static_cast<std::size_t>(p.n_items)),
        curvature(static_cast<std::size_t>(p.n_items)) {
    for (std::int64_t i = 0; i < p.n_items; ++i) {
      double sum = 0;
      for (std::int64_t e = t.begin(i); e < t.end(i); ++e) {
        sum += static_cast<double>(t.data[e]) * static_cast<double>(t.data[e]);
        is_nonnegative = is_nonnegative && t.data[e] >= T(0);
      }
      own[static_cast<std::size_t>(i)] = static_cast<T>(sum);
      curvature[static_cast<std::size_t>(i)] = static_cast<T>(sum + p.ridge[i]);
      if (!std::isfinite(own[static_cast<std::size_t>(i)]))
        throw NumericalFailure("the values of item " + std::to_string(i) +
                               " overflow when squared: scale the values of X down");
      if (i % 4096 == 0) run.poll();
    }
  }
};

template <class T>
class SparseSolver {
 public:
  SparseSolver(const SlimProblem<T>& problem, const SparseShared<T>& shared, const Run& run)
      : p_(problem),
        s_(shared),
        run_(run),
        sums_(static_cast<std::size_t>(p_.n_items), T(0)),
        position_(sums_.size(), kNone),
        user_label_(static_cast<std::size_t>(s_.x.n_rows), kNone) {}

  std::int64_t n() const { return static_cast<std::int64_t>(items_.size()); }
  const std::vector<std::int32_t>& items() const { return items_; }
  const T* w() const { return w_.data(); }

  Outcome solve(std::int64_t t) {
    begin(t);
    Outcome outcome;
    const T enough = static_cast<T>(p_.tol) * scale_;
    for (int round = 0; round < kRounds; ++round) {
      copy_columns();
      const T worst = descend(enough, outcome);
      outcome.violation = scale_ > 0 ? static_cast<double>(worst / scale_) : 0.0;
      if (is_complete_ || outcome.n_sweeps >= p_.max_sweeps) break;
      if (!add_violations(enough, outcome)) break;
    }
    for (const std::int32_t i : items_) position_[static_cast<std::size_t>(i)] = kNone;
    return outcome;
  }

 private:
  static constexpr std::int32_t kNone = -1;
  static constexpr std::int64_t kMostCopied = std::int64_t{1} << 22;  // entries
  static constexpr int kRounds = 20;

  // The first items with a coefficient, and their start.
  void begin(std::int64_t t) {
    target_ = p_.targets[t];
    items_.clear();
    w_.clear();
    sum_row_of_target();
    scale_ = 0;
    for (const std::int32_t i : touched_)
      if (i != target_) scale_ = std::max(scale_, std::abs(sums_[static_cast<std::size_t>(i)]));
    is_complete_ = p_.candidates.given() || (p_.nonnegative && s_.is_nonnegative);
    if (p_.candidates.given()) {
      for (std::int64_t e = p_.candidates.indptr[t]; e < p_.candidates.indptr[t + 1]; ++e)
        add_item(p_.candidates.indices[e]);
    } else {
      const T l1 = static_cast<T>(p_.l1);
      for (const std::int32_t i : touched_) {
        const T sum = sums_[static_cast<std::size_t>(i)];
        if ((p_.nonnegative ? sum : std::abs(sum)) > l1) add_item(i);
      }
    }
    for (const std::int32_t i : touched_) sums_[static_cast<std::size_t>(i)] = T(0);
    if (p_.start.given()) take_start(t);
    sort_items();
  }

  void take_start(std::int64_t t) {
    for (std::int64_t e = p_.start.indptr[t]; e < p_.start.indptr[t + 1]; ++e) {
      const std::int32_t i = p_.start.indices[e];
      const T w = p_.start_values[e];
      if (p_.nonnegative && w < T(0)) continue;
      if (!is_complete_) add_item(i);
      const std::int32_t c = position_[static_cast<std::size_t>(i)];
      if (c != kNone) w_[static_cast<std::size_t>(c)] = w;
    }
  }

  // sums_ = G_j for the items in touched_.
  void sum_row_of_target() {
    touched_.clear();
    for (std::int64_t e = s_.t.begin(target_); e < s_.t.end(target_); ++e)
      add_row_of_user(s_.t.indices[e], s_.t.data[e]);
  }

  void add_row_of_user(std::int64_t user, T x) {
    for (std::int64_t e = s_.x.begin(user); e < s_.x.end(user); ++e) {
      T& sum = sums_[static_cast<std::size_t>(s_.x.indices[e])];
      if (sum == T(0)) touched_.push_back(s_.x.indices[e]);  // once more after a sum of zero
      sum += x * s_.x.data[e];
    }
    run_.poll();
  }

  void add_item(std::int32_t i) {
    const auto at = static_cast<std::size_t>(i);
    if (i == target_ || position_[at] != kNone || !(s_.curvature[at] > 0)) return;
    position_[at] = static_cast<std::int32_t>(items_.size());
    items_.push_back(i);
    w_.push_back(T(0));
  }

  // Ascending items: the order of the descent must not depend on how they were found.
  void sort_items() {
    std::sort(items_.begin(), items_.end());
    scratch_.resize(items_.size());
    for (std::size_t c = 0; c < items_.size(); ++c) {
      std::int32_t& position = position_[static_cast<std::size_t>(items_[c])];
      scratch_[c] = w_[static_cast<std::size_t>(position)];
      position = static_cast<std::int32_t>(c);
    }
    w_.swap(scratch_);
  }

  // Where the columns of the items stand, and the residual x_j - X w over the users they have.
  void copy_columns() {
    begin_.clear();
    end_.clear();
    own_.clear();
    curvature_.clear();
    std::int64_t total = 0;
    for (const std::int32_t i : items_) {
      const auto at = static_cast<std::size_t>(i);
      total += s_.t.end(i) - s_.t.begin(i);
      own_.push_back(s_.own[at]);
      curvature_.push_back(s_.curvature[at]);
    }
    users_.clear();
    const bool copied = total <= kMostCopied;
    if (copied) {
      rows_.resize(static_cast<std::size_t>(total));
      values_.resize(static_cast<std::size_t>(total));
    }
    std::int64_t to = 0;
    for (const std::int32_t i : items_) {
      begin_.push_back(copied ? to : s_.t.begin(i));
      for (std::int64_t e = s_.t.begin(i); e < s_.t.end(i); ++e) {
        const std::int32_t label = label_of(s_.t.indices[e]);
        if (!copied) continue;
        rows_[static_cast<std::size_t>(to)] = label;
        values_[static_cast<std::size_t>(to++)] = s_.t.data[e];
      }
      end_.push_back(copied ? to : s_.t.end(i));
      run_.poll();
    }
    base_rows_ = copied ? rows_.data() : s_.t.indices;
    base_values_ = copied ? values_.data() : s_.t.data;
    residual_.assign(copied ? users_.size() : user_label_.size(), T(0));
    for (std::int64_t e = s_.t.begin(target_); e < s_.t.end(target_); ++e) {
      const std::int32_t user = s_.t.indices[e];
      const std::int32_t label = user_label_[static_cast<std::size_t>(user)];
      if (label != kNone) residual_[static_cast<std::size_t>(copied ? label : user)] = s_.t.data[e];
    }
    for (const std::int32_t user : users_) user_label_[static_cast<std::size_t>(user)] = kNone;
    for (std::size_t c = 0; c < items_.size(); ++c) {
      if (w_[c] == T(0)) continue;
      for (std::int64_t e = begin_[c]; e < end_[c]; ++e)
        residual_[static_cast<std::size_t>(base_rows_[e])] -= w_[c] * base_values_[e];
    }
    is_copied_ = copied;
  }

  std::int32_t label_of(std::int32_t user) {
    std::int32_t& label = user_label_[static_cast<std::size_t>(user)];
    if (label == kNone) {
      label = static_cast<std::int32_t>(users_.size());
      users_.push_back(user);
    }
    return label;
  }

  // Returns the largest violation of a last full sweep.
  T descend(T enough, Outcome& outcome) {
    const simd::Descent<T> common{own_.data(), curvature_.data(), static_cast<T>(p_.l1),
                                  enough / 4,  p_.nonnegative,    w_.data()};
    const simd::SparseDescent<T> descent{common,     begin_.data(), end_.data(),
                                         base_rows_, base_values_,  residual_.data()};
    all_.resize(items_.size());
    for (std::size_t c = 0; c < all_.size(); ++c) all_[c] = static_cast<std::int32_t>(c);
    T worst = 0;
    for (;;) {
      worst = sweep(descent, all_, outcome);
      if (!(worst > enough) || outcome.n_sweeps >= p_.max_sweeps) return worst;
      active_.clear();
      for (const std::int32_t c : all_)
        if (w_[static_cast<std::size_t>(c)] != T(0)) active_.push_back(c);
      T inner = worst;
      while (inner > enough && outcome.n_sweeps < p_.max_sweeps)
        inner = sweep(descent, active_, outcome);
    }
  }

  T sweep(const simd::SparseDescent<T>& descent, const std::vector<std::int32_t>& list,
          Outcome& outcome) {
    T worst = 0;
    const auto n = static_cast<std::int64_t>(list.size());
    constexpr std::int64_t kPiece = 4096;
    for (std::int64_t from = 0; from < n; from += kPiece) {
      worst = std::max(worst, simd::linear_kernels<T>().sparse_sweep(descent, list.data() + from,
                                                                     std::min(kPiece, n - from)));
      run_.poll();
    }
    ++outcome.n_sweeps;
    return worst;
  }

  // Adds the items outside that violate optimality; false when there are none.
  bool add_violations(T enough, Outcome& outcome) {
    touched_.clear();
    for (std::size_t place = 0; place < residual_.size(); ++place)
      if (residual_[place] != T(0))
        add_row_of_user(is_copied_ ? users_[place] : static_cast<std::int64_t>(place),
                        residual_[place]);
    add_unreached_users();
    const std::size_t before = items_.size();
    T worst = 0;
    for (const std::int32_t i : touched_) {
      const auto at = static_cast<std::size_t>(i);
      if (position_[at] == kNone && i != target_ && s_.curvature[at] > 0) {
        const T violation = violation_of(p_, sums_[at], s_.own[at], s_.curvature[at], T(0));
        worst = std::max(worst, violation);
        if (violation > enough) add_item(i);
      }
      sums_[at] = T(0);
    }
    if (scale_ > 0)
      outcome.violation = std::max(outcome.violation, static_cast<double>(worst / scale_));
    if (items_.size() == before) return false;
    sort_items();
    return true;
  }

  // Users of the target that no item of the descent has: their residual is the target's value.
  void add_unreached_users() {
    for (const std::int32_t user : users_) user_label_[static_cast<std::size_t>(user)] = 0;
    for (std::int64_t e = s_.t.begin(target_); e < s_.t.end(target_); ++e)
      if (user_label_[static_cast<std::size_t>(s_.t.indices[e])] == kNone)
        add_row_of_user(s_.t.indices[e], s_.t.data[e]);
    for (const std::int32_t user : users_) user_label_[static_cast<std::size_t>(user)] = kNone;
  }

  const SlimProblem<T>& p_;
  const SparseShared<T>& s_;
  const Run& run_;
  std::vector<T> sums_;                   // by item; zero between uses
  std::vector<std::int32_t> position_;    // by item: where it stands in items_
  std::vector<std::int32_t> user_label_;  // by user; kNone between uses
  std::vector<std::int32_t> touched_;
  std::int32_t target_ = 0;
  T scale_ = 0;               // the largest |G_ij|
  bool is_complete_ = false;  // no item outside of items_ can have a coefficient
  bool is_copied_ = false;
  std::vector<std::int32_t> items_;
  std::vector<T> w_, scratch_, own_, curvature_;  // of items_, as the next two
  std::vector<std::int64_t> begin_, end_;
  std::vector<std::int32_t> users_;  // label -> user
  std::vector<std::int32_t> rows_;
  std::vector<T> values_, residual_;
  const std::int32_t* base_rows_ = nullptr;
  const T* base_values_ = nullptr;
  std::vector<std::int32_t> all_, active_;
};

}  // namespace slim_detail

template <class T>
SlimWeights<T> slim_sparse(const Run& run, const SlimProblem<T>& problem, const Csr<T>& x,
                           const Csr<T>& t) {
  check_slim(run, problem);
  const slim_detail::SparseShared<T> shared(run, problem, x, t);
  return slim_detail::solve_targets<T>(run, problem, [&] {
    return std::make_unique<slim_detail::SparseSolver<T>>(problem, shared, run);
  });
}

template SlimWeights<float> slim_sparse(const Run& run, const SlimProblem<float>& problem,
                                        const Csr<float>& x, const Csr<float>& t);
template SlimWeights<double> slim_sparse(const Run& run, const SlimProblem<double>& problem,
                                         const Csr<double>& x, const Csr<double>& t);

}  // namespace aimass
