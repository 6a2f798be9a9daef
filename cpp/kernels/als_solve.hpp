// Problem: the half-step of alternating least squares. Every row of a CSR has its own system
//   (gramian + ridge I + sum weight y y') x = sum target y      over the row's entries,
// y the other side's factors, gramian what all their rows contribute (als_problem.hpp).
// Solvers:
//   cholesky     the factors of a row's entries are copied into a panel that stays in the first
//                cache, a triangular product in registers adds them up, and L D L' by blocks
//                solves: nnz f (f + 1) / 2 + rows f^3 / 6 multiply-adds.
//   cg           n_steps of conjugate gradient from start: 2 nnz f + rows f^2 a step. The panel of
//                a row is read once a step; only rows too long for the second cache are gathered
//                anew.
//   subspace     n_steps sweeps over blocks of block_size coordinates, each solved exactly.
//   nonnegative  the matrix as for cholesky, then n_steps of coordinate descent with x >= 0.
// Memory: a padded copy of the factors; per thread f^2, a panel of at most 1/2 MiB, 3 numbers for
// each entry of the longest row. A row is solved by one thread, so threads change no bit. The
// smallest row whose matrix is not positive definite, or whose result is not finite, is named.
// Hu, Koren & Volinsky (ICDM 2008); Takacs, Pilaszy & Tikk (RecSys 2011); Rendle, Krichene, Zhang &
// Koren, iALS++ (2021); Hsieh & Dhillon (KDD 2011).
#pragma once

#include <limits>
#include <string>

#include "als_problem.hpp"
#include "errors.hpp"

namespace aimass {

namespace als_detail {

template <class T>
class RowSolver {
 public:
  RowSolver(const AlsProblem<T>& problem, const T* gramian, const PaddedFactors<T>& factors)
      : p_(problem),
        kernels_(simd::als_kernels<T>()),
        gramian_(gramian),
        factors_(factors.data()),
        f_(problem.n_factors),
        width_(factors.width()),
        block_(problem.solver == AlsSolver::subspace
                   ? std::min(PaddedFactors<T>::padded(problem.block_size), width_)
                   : width_),
        chunk_(std::max<std::int64_t>(32, kFirstCache / (2 * block_ * kSize))) {}

  // True, or false where the row has no finite solution.
  bool solve(const Run& run, std::int64_t row) {
    const std::int64_t begin = p_.rows.begin(row), n = p_.rows.end(row) - begin;
    T* out = p_.solution + row * f_;
    allocate(n);
    p_.weights.of(p_.rows.data + begin, n, weight_.data(), target_.data());
    const auto nonzero = [](T t) { return t != 0; };
    if (std::none_of(target_.data(), target_.data() + n, nonzero)) {
      std::fill(out, out + f_, T{0});  // the minimum whatever the matrix
      return true;
    }
    const simd::AlsEntries<T> entries{factors_,       p_.rows.indices + begin, width_,
                                      weight_.data(), target_.data(),          n};
    PaddedFactors<T>::pad(p_.start + row * f_, f_, x_.data());
    const T ridge = static_cast<T>(p_.ridge[row]);
    bool solved = true;
    if (p_.solver == AlsSolver::cg) {
      const bool fits = entries.n * width_ * kSize <= kPanel;
      const auto copied = resident(entries);
      const auto ahead = following(entries, n, fits ? kNextRow / (width_ * kSize) : 0);
      in_pieces(run, p_.n_steps, 1, (n + f_) * width_, [&](std::int64_t from, std::int64_t to) {
        kernels_.conjugate(copied, width_, gramian_, f_, ridge, to - from, from > 0, work_.data(),
                           x_.data(), ahead);
        return true;
      });
    } else if (p_.solver == AlsSolver::subspace) {
      solved = sweep(run, resident(entries), ridge);
    } else {
      solved = whole(run, entries, ridge);
    }
    std::copy(x_.data(), x_.data() + f_, out);
    return solved && std::all_of(out, out + f_, [](T v) { return std::isfinite(v); });
  }

 private:
  static constexpr std::int64_t kSize = sizeof(T);
  static constexpr std::int64_t kFirstCache = 24 << 10, kPanel = 640 << 10, kNextRow = 128 << 10;
  static constexpr std::int64_t kAhead = 128;  // entries

  void allocate(std::int64_t n) {
    if (work_.data() == nullptr) {
      const bool cg = p_.solver == AlsSolver::cg;
      const bool sub = p_.solver == AlsSolver::subspace;
      x_ = Buffer<T>(width_);
      work_ = Buffer<T>(5 * width_);
      if (!cg) matrix_ = Buffer<T>(block_ * block_);
      if (!cg) chunks_ = Buffer<T>(2 * chunk_ * block_);
      if (cg || sub) panel_ = Buffer<T>(std::max<std::int64_t>(kPanel / kSize, width_));
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
    if (entries.n * width_ * kSize > kPanel) return entries;
    kernels_.copy(entries, 0, entries.n, width_, panel_.data(), nullptr);
    entries.base = panel_.data();
    entries.indices = nullptr;
    return entries;
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
      kernels_.copy(entries, begin, n, width, p, weighted ? q : nullptr);
      if (weighted) {
        const auto ahead = following(entries, begin + n, std::min(chunk_, kAhead));
        kernels_.syrk(n, p, q, width, matrix_.data(), ahead);
      }
      kernels_.combine({p, nullptr, width, nullptr, nullptr, n}, width, coefficient + begin, rhs);
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
          return kernels_.solve(from, to, f, width, matrix_.data(), floor, p, q, inverse, x) < 0;
        });
  }

  bool whole(const Run& run, const simd::AlsEntries<T>& entries, T ridge) {
    const bool exact = p_.solver == AlsSolver::cholesky;
    T* rhs = exact ? x_.data() : work_.data();
    std::fill(rhs, rhs + width_, T{0});
    assemble(run, entries, 0, width_, ridge, entries.target, rhs);
    if (exact) return factorise(run, f_, width_, rhs);
    return in_pieces(run, p_.n_steps, 1, f_ * width_, [&](std::int64_t from, std::int64_t to) {
      kernels_.descend(f_, width_, matrix_.data(), rhs, to - from, from > 0, x_.data());
      return true;
    });
  }

  bool sweep(const Run& run, const simd::AlsEntries<T>& entries, T ridge) {
    T *change = work_.data() + 2 * width_, *minus_x = change + width_, *x = x_.data();
    T *scores = scores_.data(), *left = target_.data();
    kernels_.scores(entries, width_, x, false, scores);
    for (std::int64_t i = 0; i < entries.n; ++i) left[i] -= entries.weight[i] * scores[i];
    for (std::int64_t step = 0; step < p_.n_steps; ++step) {
      for (std::int64_t at = 0; at < width_; at += block_) {
        const std::int64_t width = std::min(block_, width_ - at);
        for (std::int64_t j = 0; j < width_; ++j) minus_x[j] = -x[j];
        for (std::int64_t j = 0; j < width; ++j) change[j] = ridge * minus_x[at + j];
        kernels_.combine({gramian_ + at, nullptr, width_, nullptr, nullptr, f_}, width, minus_x,
                         change);
        assemble(run, entries, at, width, ridge, left, change);
        if (!factorise(run, std::min(width, f_ - at), width, change)) return false;
        for (std::int64_t j = 0; j < width; ++j) x[at + j] += change[j];
        simd::AlsEntries<T> part = entries;
        part.base += at;
        kernels_.scores(part, width, change, false, scores);
        for (std::int64_t i = 0; i < entries.n; ++i) left[i] -= entries.weight[i] * scores[i];
      }
    }
    return true;
  }

  const AlsProblem<T>& p_;
  const simd::AlsKernels<T>& kernels_;
  const T* gramian_;
  const T* factors_;
  std::int64_t f_, width_;
  std::int64_t block_;  // columns of the systems
  std::int64_t chunk_;  // entries in the panel, at least kAlsPivots
  std::int64_t capacity_ = 0;
  Buffer<T> x_, work_, matrix_, panel_, chunks_, weight_, target_, scores_;
};

}  // namespace als_detail

template <class T>
void als_solve(const Run& run, const AlsProblem<T>& problem) {
  const std::int64_t f = problem.n_factors, none = std::numeric_limits<std::int64_t>::max();
  const PaddedFactors<T> factors(run, problem.factors, problem.rows.n_cols, f);
  const std::int64_t width = factors.width();
  Buffer<T> gramian(width * width);
  std::fill(gramian.data(), gramian.data() + width * width, T{0});
  for (std::int64_t r = 0; r < f; ++r) {
    for (std::int64_t c = 0; c < f; ++c) {
      gramian[r * width + c] = static_cast<T>(problem.gramian[r * f + c]);
    }
  }
  std::vector<als_detail::RowSolver<T>> solvers;
  solvers.reserve(static_cast<std::size_t>(run.n_threads()));
  for (int t = 0; t < run.n_threads(); ++t) solvers.emplace_back(problem, gramian.data(), factors);
  const auto bounds = row_blocks(problem.rows, std::max<std::int64_t>(f, 8));
  std::atomic<std::int64_t> failed{none};
  const auto n_blocks = static_cast<std::int64_t>(bounds.size()) - 1;
  parallel_for(run, n_blocks, [&](std::int64_t block, int thread) {
    const auto b = static_cast<std::size_t>(block);
    for (std::int64_t row = bounds[b]; row < bounds[b + 1] && row < failed.load(); ++row) {
      if (!solvers[static_cast<std::size_t>(thread)].solve(run, row)) {
        std::int64_t first = failed.load();
        while (row < first && !failed.compare_exchange_weak(first, row)) {
        }
        return;
      }
      run.poll();
    }
  });
  if (failed.load() == none) return;
  throw NumericalFailure(
      "row " + std::to_string(failed.load()) +
      " has no finite solution: its matrix is not positive definite at this precision, or its "
      "values are too large; raise regularization, scale the values down, or use float64");
}

}  // namespace aimass
