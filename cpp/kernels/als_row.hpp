// Solves one row after another on one thread, by its matrix or by blocks of it, with that thread's
// memory: see als_solve.hpp.
#pragma once

#include <limits>

#include "als_entries.hpp"
#include "als_shared.hpp"

namespace aimass {

namespace als_detail {

template <class T>
class RowSolver {
 public:
  RowSolver(const AlsProblem<T>& problem, const AlsShared<T>& shared,
            const PaddedFactors<T>& factors)
      : p_(problem),
        systems_(simd::als_systems<T>()),
        passes_(simd::als_passes<T>()),
        gramian_(shared.gramian()),
        factors_(factors.data()),
        f_(problem.n_factors),
        width_(factors.width()),
        block_(problem.solver == AlsSolver::subspace
                   ? std::min(PaddedFactors<T>::padded(problem.block_size), width_)
                   : width_),
        chunk_(std::max<std::int64_t>(32, kFirstCache / (2 * block_ * kSize))) {}

  // Solves the rows [begin, end). Returns the first that has no finite solution, or -1.
  std::int64_t solve(const Run& run, std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      if (!solve_row(run, row)) return row;
      run.poll();
    }
    return -1;
  }

 private:
  static constexpr std::int64_t kSize = sizeof(T);
  static constexpr std::int64_t kFirstCache = 24 << 10;
  static constexpr std::int64_t kAhead = 128;  // entries

  // True, or false where the row has no finite solution.
  bool solve_row(const Run& run, std::int64_t row) {
    const std::int64_t begin = p_.rows.begin(row), n = p_.rows.end(row) - begin;
    T* out = p_.solution + row * f_;
    allocate(n);
    p_.weights.of(p_.rows.data + begin, n, weight_.data(), target_.data());
    const T* linear = linear_of(p_, row);
    if (has_no_target(target_.data(), n, linear, f_)) {
      std::fill(out, out + f_, T{0});
      return true;
    }
    const simd::AlsEntries<T> entries{factors_,       p_.rows.indices + begin, width_,
                                      weight_.data(), target_.data(),          n};
    PaddedFactors<T>::pad(p_.start + row * f_, f_, x_.data());
    if (linear != nullptr) PaddedFactors<T>::pad(linear, f_, linear_.data());
    const T ridge = static_cast<T>(p_.ridge[row]);
    const bool solved = p_.solver == AlsSolver::subspace ? sweep(run, resident(entries), ridge)
                                                         : whole(run, entries, ridge);
    std::copy(x_.data(), x_.data() + f_, out);
    return solved && std::all_of(out, out + f_, [](T v) { return std::isfinite(v); });
  }

  void allocate(std::int64_t n) {
    if (work_.data() == nullptr) {
      x_ = Buffer<T>(width_);
      if (p_.linear != nullptr) linear_ = Buffer<T>(width_);
      work_ = Buffer<T>(4 * width_);
      matrix_ = Buffer<T>(block_ * block_);
      chunks_ = Buffer<T>(2 * chunk_ * block_);
      if (p_.solver == AlsSolver::subspace) {
        panel_ = Buffer<T>(std::max(kPanelBytes / kSize, width_));
      }
    }
    if (n <= capacity_) return;
    capacity_ = n;
    weight_ = Buffer<T>(n);
    target_ = Buffer<T>(n);
    if (p_.solver == AlsSolver::subspace) scores_ = Buffer<T>(n);
  }

  // The n entries from `place` of a row on, into the next rows: where the matrix has them.
  simd::AlsAhead<T> following(const simd::AlsEntries<T>& entries, std::int64_t place,
                              std::int64_t n) const {
    if (entries.indices == nullptr) return {};
    const std::int32_t* first = entries.indices + place;
    const std::int32_t* last = p_.rows.indices + p_.rows.nnz();
    return {entries.base, first, width_, std::min<std::int64_t>(n, last - first)};
  }

  // The same entries, copied together where they fit into the second cache.
  simd::AlsEntries<T> resident(simd::AlsEntries<T> entries) {
    if (entries.n * width_ * kSize > kPanelBytes) return entries;
    systems_.copy(entries, 0, entries.n, width_, panel_.data(), nullptr);
    entries.base = panel_.data();
    entries.indices = nullptr;
    return entries;
  }

  // rhs += columns [at, at + width) of the row's linear term.
  void add_linear(std::int64_t at, std::int64_t width, T* rhs) const {
    if (p_.linear == nullptr) return;
    for (std::int64_t j = 0; j < width; ++j) rhs[j] += linear_[at + j];
  }

  // matrix_ = the matrix of the row in columns [at, at + width); rhs += sum of coefficient * y.
  void assemble(const Run& run, simd::AlsEntries<T> entries, std::int64_t at, std::int64_t width,
                T ridge, const T* coefficient, T* rhs) {
    const std::int64_t f = std::min(width, f_ - at);
    for (std::int64_t r = 0; r < width; ++r) {
      const T* from = gramian_ + (at + r) * width_ + at;
      std::copy(from, from + width, matrix_.data() + r * width);
    }
    for (std::int64_t r = 0; r < f; ++r) matrix_[r * width + r] += ridge;
    entries.base += at;
    const bool weighted = !p_.weights.none();
    T *p = chunks_.data(), *q = p + chunk_ * width;
    for (std::int64_t begin = 0; begin < entries.n; begin += chunk_) {
      const std::int64_t n = std::min(chunk_, entries.n - begin);
      systems_.copy(entries, begin, n, width, p, weighted ? q : nullptr);
      if (weighted) {
        const auto ahead = following(entries, begin + n, std::min(chunk_, kAhead));
        systems_.syrk(n, p, q, width, matrix_.data(), ahead);
      }
      passes_.combine({p, nullptr, width, nullptr, nullptr, n}, width, coefficient + begin, rhs);
      run.poll();
    }
  }

  // matrix_ x = x; a pivot that rounding alone may have made is none.
  bool factorise(const Run& run, std::int64_t f, std::int64_t width, T* x) {
    T *floor = work_.data(), *inverse = floor + width_, *p = chunks_.data();
    for (std::int64_t r = 0; r < f; ++r) {
      floor[r] = std::numeric_limits<T>::epsilon() * matrix_[r * width + r];
    }
    T* q = p + simd::kAlsPivots * width;
    return in_pieces(
        run, f, simd::kAlsPivots, width * width / 2, [&](std::int64_t from, std::int64_t to) {
          return systems_.solve(from, to, f, width, matrix_.data(), floor, p, q, inverse, x) < 0;
        });
  }

  bool whole(const Run& run, const simd::AlsEntries<T>& entries, T ridge) {
    const bool exact = p_.solver == AlsSolver::cholesky;
    T* rhs = exact ? x_.data() : work_.data();
    std::fill(rhs, rhs + width_, T{0});
    add_linear(0, width_, rhs);
    assemble(run, entries, 0, width_, ridge, entries.target, rhs);
    if (exact) return factorise(run, f_, width_, rhs);
    return in_pieces(run, p_.n_steps, 1, f_ * width_, [&](std::int64_t from, std::int64_t to) {
      systems_.descend(f_, width_, matrix_.data(), rhs, to - from, from > 0, x_.data());
      return true;
    });
  }

  bool sweep(const Run& run, const simd::AlsEntries<T>& entries, T ridge) {
    T *change = work_.data() + 2 * width_, *minus_x = change + width_, *x = x_.data();
    T *scores = scores_.data(), *left = target_.data();
    const auto score = [&](const simd::AlsEntries<T>& all, std::int64_t width, const T* with) {
      in_parts(run, all, width_, [&](std::int64_t from, const simd::AlsEntries<T>& part) {
        passes_.scores(part, width, with, false, scores + from);
      });
    };
    score(entries, width_, x);
    for (std::int64_t i = 0; i < entries.n; ++i) left[i] -= entries.weight[i] * scores[i];
    for (std::int64_t step = 0; step < p_.n_steps; ++step) {
      for (std::int64_t at = 0; at < width_; at += block_) {
        const std::int64_t width = std::min(block_, width_ - at);
        for (std::int64_t j = 0; j < width_; ++j) minus_x[j] = -x[j];
        for (std::int64_t j = 0; j < width; ++j) change[j] = ridge * minus_x[at + j];
        add_linear(at, width, change);
        passes_.combine({gramian_ + at, nullptr, width_, nullptr, nullptr, f_}, width, minus_x,
                        change);
        assemble(run, entries, at, width, ridge, left, change);
        if (!factorise(run, std::min(width, f_ - at), width, change)) return false;
        for (std::int64_t j = 0; j < width; ++j) x[at + j] += change[j];
        simd::AlsEntries<T> part = entries;
        part.base += at;
        score(part, width, change);
        for (std::int64_t i = 0; i < entries.n; ++i) left[i] -= entries.weight[i] * scores[i];
      }
    }
    return true;
  }

  const AlsProblem<T>& p_;
  const simd::AlsSystems<T>& systems_;
  const simd::AlsPasses<T>& passes_;
  const T* gramian_;
  const T* factors_;
  std::int64_t f_, width_;
  std::int64_t block_;  // columns of the systems
  std::int64_t chunk_;  // entries in the panel, at least kAlsPivots
  std::int64_t capacity_ = 0;
  Buffer<T> x_, linear_, work_, matrix_, panel_, chunks_, weight_, target_, scores_;
};

}  // namespace als_detail

}  // namespace aimass
