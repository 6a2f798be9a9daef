// Solves rows by conjugate gradient on one thread, a group of neighbouring rows at once, with that
// thread's memory: see als_solve.hpp.
//
// A step multiplies a direction of each row by the f x f matrices that all rows share, and reads
// the row's entries. For rows of few entries the matrices dominate, and one row after another would
// read them from the second cache for a single multiply-add per value. So a group takes a step
// together: its products are one product of matrices, where each loaded value serves all its rows.
// The entries of a group are copied together as they are for one row; a group is so small that they
// take no more than the memory of one matrix. The bits of a row do not depend on its group.
#pragma once

#include "als_entries.hpp"
#include "als_shared.hpp"

namespace aimass {

namespace als_detail {

template <class T>
class GroupSolver {
 public:
  GroupSolver(const AlsProblem<T>& problem, const AlsShared<T>& shared,
              const PaddedFactors<T>& factors)
      : p_(problem),
        systems_(simd::als_systems<T>()),
        passes_(simd::als_passes<T>()),
        shared_(shared),
        factors_(factors),
        f_(problem.n_factors),
        width_(factors.width()),
        max_rows_(simd::als_products<T>().max_rows),
        max_entries_(std::min(kPanelBytes, f_ * width_ * kSize) / (width_ * kSize)) {}

  // Solves the rows [begin, end). Returns the first that has no finite solution, or -1.
  std::int64_t solve(const Run& run, std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      const std::int64_t next = collect(begin, end);
      if (!rows_.empty()) {
        conjugate(run, p_.rows.begin(next));
        for (std::size_t i = 0; i < rows_.size(); ++i) {
          const T *x = at(kX, i), *x_end = x + f_;
          std::copy(x, x_end, p_.solution + rows_[i].number * f_);
          if (!std::all_of(x, x_end, [](T v) { return std::isfinite(v); })) return rows_[i].number;
        }
      }
      run.poll();
      begin = next;
    }
    return -1;
  }

 private:
  struct Row {
    std::int64_t number;
    simd::AlsConjugate<T> terms;
    simd::AlsEntries<T> entries;
    T before;
    bool moves;
  };
  enum Kind { kX, kR, kP, kMinusAp, kZ, kGp, kKinds };

  static constexpr std::int64_t kSize = sizeof(T);
  static constexpr std::int64_t kNextGroup = 128 << 10;  // bytes that are fetched of it

  // A vector of a row of the group; those of one kind are consecutive.
  T* at(Kind kind, std::size_t row) const {
    return vectors_.data() + (kind * max_rows_ + static_cast<std::int64_t>(row)) * width_;
  }
  simd::AlsVectors<T> vectors_of(std::size_t row) const {
    return {at(kX, row),
            at(kR, row),
            at(kP, row),
            at(kMinusAp, row),
            at(shared_.has_preconditioner() ? kZ : kR, row),
            at(kGp, row)};
  }
  std::int64_t n_rows() const { return static_cast<std::int64_t>(rows_.size()); }

  void allocate(std::int64_t n) {
    if (vectors_.data() == nullptr) {
      vectors_ = Buffer<T>(kKinds * max_rows_ * width_);
      panel_ = Buffer<T>(std::max(kPanelBytes / kSize, width_));
      rows_.reserve(static_cast<std::size_t>(max_rows_));
    }
    if (n <= capacity_) return;
    capacity_ = n;
    weight_ = Buffer<T>(n);
    target_ = Buffer<T>(n);
  }

  // Makes a group of the rows from `begin` on that have something to solve for; returns the row
  // after its last. A row of many entries is a group of its own.
  std::int64_t collect(std::int64_t begin, std::int64_t end) {
    const std::int64_t first = p_.rows.begin(begin);
    std::int64_t next = begin, n = 0, n_kept = 0;
    while (next < end && n_kept < max_rows_) {
      const std::int64_t with_next = p_.rows.end(next) - first;
      if (n_kept > 0 && with_next > max_entries_) break;
      n_kept += with_next > n || p_.linear != nullptr ? 1 : 0;
      n = with_next;
      ++next;
    }
    allocate(n);
    p_.weights.of(p_.rows.data + first, n, weight_.data(), target_.data());
    simd::AlsEntries<T> all{factors_.data(), p_.rows.indices + first, width_,
                            weight_.data(),  target_.data(),          n};
    if (n * width_ * kSize <= kPanelBytes) {
      systems_.copy(all, 0, n, width_, panel_.data(), nullptr);
      all.base = panel_.data();
      all.indices = nullptr;
    }
    rows_.clear();
    for (std::int64_t row = begin; row < next; ++row) add(row, p_.rows.begin(row) - first, all);
    return next;
  }

  // Adds a row, whose entries begin at number `from` of those of the group.
  void add(std::int64_t row, std::int64_t from, simd::AlsEntries<T> entries) {
    entries.n = p_.rows.end(row) - p_.rows.begin(row);
    entries.weight += from;
    entries.target += from;
    if (entries.indices == nullptr) {
      entries.base += from * width_;
    } else {
      entries.indices += from;
    }
    const T* linear = linear_of(p_, row);
    if (has_no_target(entries.target, entries.n, linear, f_)) {
      T* out = p_.solution + row * f_;
      std::fill(out, out + f_, T{0});
      return;
    }
    const T ridge = static_cast<T>(p_.ridge[row]);
    rows_.push_back({row, shared_.of_row(ridge), entries, T{0}, true});
    T *x = at(kX, rows_.size() - 1), *r = at(kR, rows_.size() - 1);
    PaddedFactors<T>::pad(p_.start + row * f_, f_, x);
    for (std::int64_t j = 0; j < width_; ++j) r[j] = -ridge * x[j];
    for (std::int64_t j = 0; j < f_ && linear != nullptr; ++j) r[j] += linear[j];
  }

  // out += what the entries of a row add to its residual at x.
  void add_residual(const Run& run, const Row& row, const T* x, bool targets, T* out,
                    const simd::AlsAhead<T>& ahead) const {
    in_parts(run, row.entries, width_, [&](std::int64_t, const simd::AlsEntries<T>& part) {
      passes_.residual(part, width_, x, targets, out, ahead);
    });
  }

  // The residual of each row at its start; meanwhile entries of the next group are fetched, which
  // begin at number `following` of the matrix.
  void begin_residuals(const Run& run, std::int64_t following) {
    shared_.subtract_gramian(run, n_rows(), at(kX, 0), at(kR, 0));
    std::int64_t left = kNextGroup / (width_ * kSize);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Row& row = rows_[i];
      const bool is_copied = row.entries.indices == nullptr;
      const std::int64_t n = is_copied ? std::min(row.entries.n, left) : 0;
      const std::int64_t n_ahead = std::min(n, p_.rows.nnz() - following);
      add_residual(run, row, at(kX, i), true, at(kR, i),
                   {factors_.data(), p_.rows.indices + following, width_, n_ahead});
      following += n_ahead;
      left -= n_ahead;
    }
  }

  void conjugate(const Run& run, std::int64_t following) {
    begin_residuals(run, following);
    for (std::int64_t step = 0; step < p_.n_steps; ++step) {
      if (shared_.has_preconditioner()) {
        shared_.precondition(run, n_rows(), at(kR, 0), at(kZ, 0));
      }
      bool any = false;
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        Row& row = rows_[i];
        if (!row.moves) continue;
        row.before = passes_.turn(row.terms, width_, row.before, vectors_of(i));
        row.moves = !(row.before <= 0);  // NaN goes on and is found by solve()
        any |= row.moves;
      }
      if (!any) return;
      if (!shared_.is_exact()) {
        shared_.subtract_gramian(run, n_rows(), at(kP, 0), at(kMinusAp, 0));
      }
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        Row& row = rows_[i];
        if (!row.moves) continue;
        add_residual(run, row, at(kP, i), false, at(kMinusAp, i), {});
        row.moves = passes_.move(row.terms, width_, row.before, vectors_of(i));
      }
      run.poll();
    }
  }

  const AlsProblem<T>& p_;
  const simd::AlsSystems<T>& systems_;
  const simd::AlsPasses<T>& passes_;
  const AlsShared<T>& shared_;
  const PaddedFactors<T>& factors_;
  std::int64_t f_, width_;
  std::int64_t max_rows_, max_entries_;  // of a group
  std::int64_t capacity_ = 0;
  std::vector<Row> rows_;
  Buffer<T> vectors_, panel_, weight_, target_;
};

}  // namespace als_detail

}  // namespace aimass
