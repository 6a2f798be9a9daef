#include "fm_design_sweep.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace aimass {

namespace fm_detail {

template <class T>
class DesignSweep {
 public:
  DesignSweep(const FmDesignProblem<T>& problem, std::int64_t longest)
      : p_(problem),
        m_(problem.model),
        size_(size_of_sums(m_.block_width)),
        parts_(parts_of(longest) * size_),
        factor_(m_.block_width * m_.block_width),
        change_(m_.width) {}

  // `scratch`: of all threads, for a column whose parts are divided among them.
  void column(const Run& run, std::int64_t c, bool divided, int thread,
              std::vector<DesignSweep>& scratch) {
    const std::int64_t begin = m_.columns.begin(c), n = m_.columns.end(c) - begin;
    const std::int64_t w = m_.block_width;
    std::fill(change_.data(), change_.data() + m_.width, T{0});
    bool changed = false;
    for (std::int64_t block = 0; block < m_.n_blocks(); ++block) {
      if (m_.last(block) <= m_.first(block)) continue;
      const double* v = m_.coefficients + c * m_.width + block * w;
      const auto of_part = [&](std::int64_t part) {
        return std::pair(begin + part * kPart, begin + std::min(n, (part + 1) * kPart));
      };
      const auto own = [&](int worker) -> DesignSweep& {
        return scratch[static_cast<std::size_t>(worker)];
      };
      sum_parts(run, divided, n, thread, size_, parts_.data(),
                [&](std::int64_t part, int worker, double* sums) {
                  const auto [from, to] = of_part(part);
                  own(worker).add_up(from, to, block, v, sums);
                });
      double old[kMaxWidth];
      std::copy(v, v + w, old);
      old[0] = 0;
      double change[kMaxWidth];
      complete(w, w, parts_.data());
      draw(m_, c, block, parts_.data(), factor_.data(), change);
      for_each_part(run, divided, n, thread, [&](std::int64_t part, int worker) {
        const auto [from, to] = of_part(part);
        own(worker).move(from, to, block, old, change);
      });
      for (std::int64_t i = 1; i < w; ++i) {
        change_[block * w + i] = static_cast<T>(change[i]);
        changed = changed || change[i] != 0;
      }
    }
    if (changed) {
      for_each_part(run, false, n, thread, [&](std::int64_t part, int) {
        const std::int64_t from = begin + part * kPart;
        simd::rating_kernels<T>().scatter(p_.sums, m_.width, m_.columns.indices + from,
                                          m_.columns.data + from, std::min(kPart, n - part * kPart),
                                          T{1}, change_.data());
      });
    }
  }

  static constexpr std::int64_t kMaxWidth = 64;

 private:
  simd::AlsEntries<T> entries(std::int64_t from, std::int64_t n, std::int64_t block) const {
    return {p_.sums + block * m_.block_width,
            m_.columns.indices + from,
            m_.width,
            m_.columns.data + from,
            nullptr,
            n};
  }

  void add_up(std::int64_t from, std::int64_t to, std::int64_t block, const double* v,
              double* sums) {
    const std::int64_t w = m_.block_width;
    std::fill(sums, sums + size_, 0.0);
    T own[kMaxWidth];
    for (std::int64_t i = 0; i < w; ++i) own[i] = static_cast<T>(v[i]);
    own[0] = 0;
    for (; from < to; from += kPanel) {
      const std::int64_t n = std::min(kPanel, to - from);
      const auto part = entries(from, n, block);
      simd::als_systems<T>().copy(part, 0, n, w, unscaled_, panel_);
      const std::int32_t* cases = m_.columns.indices + from;
      simd::fm_panels<T>().subtract(m_.columns.data + from, own, n, w, panel_);
      for (std::int64_t k = 0; k < n; ++k) error_[k] = p_.errors[cases[k]];
      const T* weighted = panel_;
      if (p_.weights != nullptr) {
        for (std::int64_t k = 0; k < n; ++k) weight_[k] = p_.weights[cases[k]];
        simd::fm_panels<T>().scale(weight_, panel_, n, w, unscaled_);
        weighted = unscaled_;
      }
      add_panel(n, panel_, weighted, error_, w, gram_, sums);
    }
  }

  // e -= h'change with h of the coefficients before.
  void move(std::int64_t from, std::int64_t to, std::int64_t block, const double* old,
            const double* change) {
    const std::int64_t w = m_.block_width;
    T step[kMaxWidth];
    double own = 0;
    for (std::int64_t i = 0; i < w; ++i) {
      step[i] = static_cast<T>(change[i]);
      own += old[i] * change[i];
    }
    for (; from < to; from += kPanel) {
      const std::int64_t n = std::min(kPanel, to - from);
      simd::als_passes<T>().scores(entries(from, n, block), w, step, false, error_);
      const T* x = m_.columns.data + from;
      for (std::int64_t k = 0; k < n; ++k) {
        p_.errors[m_.columns.indices[from + k]] -= x[k] * (error_[k] - x[k] * static_cast<T>(own));
      }
    }
  }

  const FmDesignProblem<T>& p_;
  const FmColumns<T>& m_;
  std::int64_t size_;
  Buffer<double> parts_, factor_;
  Buffer<T> change_;
  T unscaled_[kPanel * kMaxWidth], panel_[kPanel * kMaxWidth], gram_[kMaxWidth * (kMaxWidth + 1)];
  T error_[kPanel], weight_[kPanel];
};

}  // namespace fm_detail

template <class T>
void fm_design_sweep(const Run& run, const FmDesignProblem<T>& problem) {
  const std::int64_t longest = fm_detail::longest_column(problem.model.columns);
  std::vector<fm_detail::DesignSweep<T>> scratch;
  scratch.reserve(static_cast<std::size_t>(run.n_threads()));
  for (int t = 0; t < run.n_threads(); ++t) scratch.emplace_back(problem, longest);
  constexpr std::int64_t kWork = 1 << 14;
  fm_detail::for_each_column<kWork>(
      run, problem.model, [&](std::int64_t c, bool divided, int thread) {
        scratch[static_cast<std::size_t>(thread)].column(run, c, divided, thread, scratch);
      });
}

template void fm_design_sweep(const Run& run, const FmDesignProblem<float>& problem);
template void fm_design_sweep(const Run& run, const FmDesignProblem<double>& problem);

}  // namespace aimass
