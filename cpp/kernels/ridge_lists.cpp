#include "ridge_lists.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../simd/als_kernels.hpp"
#include "buffer.hpp"
#include "errors.hpp"
#include "partition.hpp"

namespace aimass {

namespace ridge_lists_detail {

template <class T>
class Solver {
 public:
  Solver(const RidgeLists<T>& problem, std::int64_t longest, const Run& run)
      : p_(problem),
        run_(run),
        width_((std::min(longest, p_.k) + kPad - 1) / kPad * kPad),
        matrix_(width_ * width_),
        work_((2 * simd::kAlsPivots + 3) * width_),
        squares_(static_cast<std::size_t>(p_.columns.n_rows)),
        user_label_(static_cast<std::size_t>(p_.columns.n_cols), kNone) {
    for (std::int64_t i = 0; i < p_.columns.n_rows; ++i) {
      double sum = 0;
      for (std::int64_t e = p_.columns.begin(i); e < p_.columns.end(i); ++e)
        sum += static_cast<double>(p_.columns.data[e]) * static_cast<double>(p_.columns.data[e]);
      squares_[static_cast<std::size_t>(i)] = sum;
    }
  }

  void solve(std::int64_t t) {
    const std::int64_t begin = p_.indptr[t], n = p_.indptr[t + 1] - begin;
    const std::int32_t* const list = p_.indices + begin;
    chosen_.resize(static_cast<std::size_t>(std::min(n, p_.k)));
    for (std::size_t c = 0; c < chosen_.size(); ++c) chosen_[c] = static_cast<std::int32_t>(c);
    T* const x = work_.data();
    regress(p_.targets[t], list);
    if (n > p_.k) {
      choose(p_.targets[t], list, n);
      forget_users();
      regress(p_.targets[t], list);
    }
    forget_users();
    T* const out = p_.out + begin;
    std::fill_n(out, n, T(0));
    for (std::size_t c = 0; c < chosen_.size(); ++c) out[chosen_[c]] = x[c];
  }

 private:
  static constexpr std::int32_t kNone = -1;
  static constexpr std::int64_t kPad = simd::kAlsPad<T>;

  struct Ranked {
    double size;
    std::int32_t place;
  };

  // x = weights of the chosen items.
  void regress(std::int32_t target, const std::int32_t* list) {
    items_.clear();
    for (const std::int32_t place : chosen_) items_.push_back(list[place]);
    const auto n = static_cast<std::int64_t>(items_.size());
    if (n == 0) return;
    const std::int64_t width = (n + kPad - 1) / kPad * kPad;
    T *x = work_.data(), *floor = x + width, *inverse = floor + width, *p = inverse + width;
    T* const q = p + simd::kAlsPivots * width;
    std::fill_n(matrix_.data(), width * width, T(0));
    std::fill_n(x, width, T(0));
    if (p_.gramian) {
      read(width, target, x);
    } else {
      sum(width, target, x);
    }
    for (std::int64_t r = 0; r < n; ++r) {
      T& diagonal = matrix_[r * width + r];
      diagonal += static_cast<T>(p_.ridge[items_[static_cast<std::size_t>(r)]]);
      floor[r] = std::numeric_limits<T>::epsilon() * diagonal;
    }
    const bool solved =
        in_pieces(run_, n, simd::kAlsPivots, width * width / 2, [&](auto from, auto to) {
          return simd::als_systems<T>().solve(from, to, n, width, matrix_.data(), floor, p, q,
                                              inverse, x) < 0;
        });
    if (!solved || !std::all_of(x, x + n, [](T w) { return std::isfinite(w); }))
      throw NumericalFailure("the regression of item " + std::to_string(target) +
                             " has no finite solution at this precision: raise the "
                             "regularization, scale the values of X down, or use float64");
  }

  // The items that matter most after a step along the gradient of the whole list.
  void choose(std::int32_t target, const std::int32_t* list, std::int64_t n) {
    gradient_.assign(static_cast<std::size_t>(n), 0.0);
    const T* const x = work_.data();
    if (p_.gramian) {
      gradient_from_gramian(target, list, n, x);
    } else {
      gradient_from_columns(list, n, x);
    }
    weights_.assign(static_cast<std::size_t>(n), 0.0);
    for (std::size_t c = 0; c < chosen_.size(); ++c)
      weights_[static_cast<std::size_t>(chosen_[c])] = static_cast<double>(x[c]);
    ranked_.clear();
    for (std::int64_t place = 0; place < n; ++place) {
      const auto at = static_cast<std::size_t>(place);
      const double ridge = p_.ridge[list[place]];
      const double curvature = squares_[static_cast<std::size_t>(list[place])] + ridge;
      const double step = (gradient_[at] - ridge * weights_[at]) / curvature;
      const double size = std::abs(weights_[at] + step) * std::sqrt(curvature);
      ranked_.push_back({std::isfinite(size) ? size : 0.0, static_cast<std::int32_t>(place)});
    }
    std::nth_element(ranked_.begin(), ranked_.begin() + p_.k, ranked_.end(),
                     [](const Ranked& a, const Ranked& b) {
                       return a.size > b.size || (a.size == b.size && a.place < b.place);
                     });
    for (std::size_t c = 0; c < chosen_.size(); ++c) chosen_[c] = ranked_[c].place;
    std::sort(chosen_.begin(), chosen_.end());
  }

  // gradient_ = G_j - G w on the list, w on the chosen items.
  void gradient_from_gramian(std::int32_t target, const std::int32_t* list, std::int64_t n,
                             const T* x) {
    const std::int64_t n_items = p_.columns.n_rows;
    const T* const wanted = p_.gramian + target * n_items;
    for (std::int64_t place = 0; place < n; ++place)
      gradient_[static_cast<std::size_t>(place)] = static_cast<double>(wanted[list[place]]);
    for (std::size_t c = 0; c < chosen_.size(); ++c) {
      const T* const row = p_.gramian + items_[c] * n_items;
      const auto w = static_cast<double>(x[c]);
      for (std::int64_t place = 0; place < n; ++place)
        gradient_[static_cast<std::size_t>(place)] -= w * static_cast<double>(row[list[place]]);
      if (c % 64 == 0) run_.poll();
    }
  }

  // The same by the residual of the users; those without a chosen item have the target's value.
  void gradient_from_columns(const std::int32_t* list, std::int64_t n, const T* x) {
    residual_ = target_value_;
    for (std::size_t u = 0; u < users_.size(); ++u)
      for (std::int64_t e = u == 0 ? 0 : ends_[u - 1]; e < ends_[u]; ++e) {
        const Entry& entry = entries_[static_cast<std::size_t>(e)];
        residual_[u] -= x[entry.local] * entry.value;
      }
    for (std::int64_t place = 0; place < n; ++place) {
      double sum = 0;
      for (std::int64_t e = p_.columns.begin(list[place]); e < p_.columns.end(list[place]); ++e) {
        const std::int32_t label = user_label_[static_cast<std::size_t>(p_.columns.indices[e])];
        if (label != kNone)
          sum += static_cast<double>(residual_[static_cast<std::size_t>(label)]) *
                 static_cast<double>(p_.columns.data[e]);
      }
      gradient_[static_cast<std::size_t>(place)] = sum;
      run_.poll();
    }
  }

  void forget_users() {
    for (const std::int32_t user : users_) user_label_[static_cast<std::size_t>(user)] = kNone;
    users_.clear();
  }

  void read(std::int64_t width, std::int32_t target, T* x) {
    const std::int64_t n_items = p_.columns.n_rows;
    for (std::size_t r = 0; r < items_.size(); ++r) {
      const T* const row = p_.gramian + items_[r] * n_items;
      T* const to = matrix_.data() + static_cast<std::int64_t>(r) * width;
      for (std::size_t c = r; c < items_.size(); ++c) to[c] = row[items_[c]];
      x[r] = row[target];
      if (r % 256 == 0) run_.poll();
    }
  }

  struct Entry {
    std::int32_t local;
    T value;
  };

  void sum(std::int64_t width, std::int32_t target, T* x) {
    // The users that have an item of the set or the target, and how many items of the set.
    const Csr<T>& columns = p_.columns;
    ends_.clear();
    const auto label_of = [&](std::int32_t user) {
      std::int32_t& label = user_label_[static_cast<std::size_t>(user)];
      if (label == kNone) {
        label = static_cast<std::int32_t>(users_.size());
        users_.push_back(user);
        ends_.push_back(0);
      }
      return static_cast<std::size_t>(label);
    };
    for (std::int64_t e = columns.begin(target); e < columns.end(target); ++e)
      label_of(columns.indices[e]);
    for (const std::int32_t item : items_) {
      for (std::int64_t e = columns.begin(item); e < columns.end(item); ++e)
        ++ends_[label_of(columns.indices[e])];
      run_.poll();
    }
    std::int64_t total = 0;
    for (std::int64_t& end : ends_) total += std::exchange(end, total);
    entries_.resize(static_cast<std::size_t>(total));
    for (std::size_t r = 0; r < items_.size(); ++r) {
      for (std::int64_t e = columns.begin(items_[r]); e < columns.end(items_[r]); ++e) {
        const std::int32_t label = user_label_[static_cast<std::size_t>(columns.indices[e])];
        std::int64_t& end = ends_[static_cast<std::size_t>(label)];
        entries_[static_cast<std::size_t>(end++)] = {static_cast<std::int32_t>(r), columns.data[e]};
      }
    }
    target_value_.assign(users_.size(), T(0));
    for (std::int64_t e = columns.begin(target); e < columns.end(target); ++e)
      target_value_[label_of(columns.indices[e])] = columns.data[e];
    for (std::size_t u = 0; u < users_.size(); ++u) {
      const Entry* const first = entries_.data() + (u == 0 ? 0 : ends_[u - 1]);
      const Entry* const last = entries_.data() + ends_[u];
      for (const Entry* a = first; a != last; ++a) {
        T* const row = matrix_.data() + a->local * width;
        for (const Entry* b = a; b != last; ++b) row[b->local] += a->value * b->value;
        x[a->local] += a->value * target_value_[u];
      }
      if (u % 256 == 0) run_.poll();
    }
  }

  const RidgeLists<T>& p_;
  const Run& run_;
  const std::int64_t width_;
  Buffer<T> matrix_, work_;
  std::vector<double> squares_;             // G_ii
  std::vector<std::int32_t> chosen_;        // places in the list, ascending
  std::vector<std::int32_t> items_;         // that stand there
  std::vector<double> gradient_, weights_;  // by place in the list
  std::vector<Ranked> ranked_;
  std::vector<std::int32_t> user_label_;  // by user; kNone between uses
  std::vector<std::int32_t> users_;       // label -> user
  std::vector<std::int64_t> ends_;        // of the entries of each of them
  std::vector<Entry> entries_;
  std::vector<T> target_value_, residual_;  // by label
};

template <class T>
void check(const Run& run, const RidgeLists<T>& p) {
  const std::int64_t n_items = p.columns.n_rows;
  check_bounds(run, p.targets, p.n_targets, n_items, "targets");
  for (std::int64_t t = 0; t < p.n_targets; ++t) {
    if (p.indptr[t + 1] < p.indptr[t])
      throw InvalidInput("lists_indptr must not go down, it does at row " + std::to_string(t));
  }
  check_bounds(run, p.indices, p.indptr[p.n_targets], n_items, "lists_indices");
  for (std::int64_t t = 0; t < p.n_targets; ++t)
    for (std::int64_t e = p.indptr[t]; e < p.indptr[t + 1]; ++e)
      if (p.indices[e] == p.targets[t])
        throw InvalidInput("the list of item " + std::to_string(p.targets[t]) +
                           " must not hold the item itself");
}

}  // namespace ridge_lists_detail

template <class T>
void ridge_lists(const Run& run, const RidgeLists<T>& problem) {
  namespace d = ridge_lists_detail;
  d::check(run, problem);
  std::int64_t longest = 0;
  for (std::int64_t t = 0; t < problem.n_targets; ++t)
    longest = std::max(longest, problem.indptr[t + 1] - problem.indptr[t]);
  if (std::min(longest, problem.k) > 1 << 14)
    throw InvalidInput("k must be at most 16384, got " + std::to_string(problem.k));
  std::vector<std::unique_ptr<d::Solver<T>>> solvers(static_cast<std::size_t>(run.n_threads()));
  constexpr std::int64_t kTargets = 4;
  run.set_total(problem.n_targets);
  parallel_for(run, (problem.n_targets + kTargets - 1) / kTargets, [&](std::int64_t b, int thread) {
    auto& solver = solvers[static_cast<std::size_t>(thread)];
    if (!solver) solver = std::make_unique<d::Solver<T>>(problem, longest, run);
    const std::int64_t end = std::min(problem.n_targets, (b + 1) * kTargets);
    for (std::int64_t t = b * kTargets; t < end; ++t) {
      run.poll();
      solver->solve(t);
      run.add_done(1);
    }
  });
}

template void ridge_lists(const Run& run, const RidgeLists<float>& problem);
template void ridge_lists(const Run& run, const RidgeLists<double>& problem);

}  // namespace aimass
