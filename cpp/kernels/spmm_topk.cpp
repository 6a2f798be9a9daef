#include "spmm_topk.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "../simd/linear_kernels.hpp"
#include "topk.hpp"

namespace aimass {

namespace spmm_topk_detail {

// Columns of a panel for a block that needs `n_rows` rows of Y.
template <class T>
std::int64_t panel_width(std::int64_t n_rows) {
  constexpr std::int64_t kBytes = 256 << 10, kLeast = 64, kMost = 2048;
  const std::int64_t width =
      kBytes / (static_cast<std::int64_t>(sizeof(T)) * std::max<std::int64_t>(1, n_rows));
  return std::clamp(width / kLeast * kLeast, kLeast, kMost);
}

template <class T>
class Worker {
 public:
  Worker(const Csr<T>& x, const T* y, std::int64_t n_cols, std::int64_t k,
         const Exclusion& exclusion, const Run& run)
      : x_(x),
        y_(y),
        n_cols_(n_cols),
        k_(k),
        exclusion_(exclusion),
        run_(run),
        is_needed_(static_cast<std::size_t>(x.n_cols), 0) {}

  void work(Range rows, std::int32_t* out_indices, T* out_scores) {
    const auto n_rows = static_cast<std::size_t>(rows.end - rows.begin);
    while (best_.size() < n_rows) best_.emplace_back(std::min(k_, n_cols_));
    for (auto& best : best_) best.clear();
    const std::int64_t width = panel_width<T>(count_needed(rows));
    scores_.resize(static_cast<std::size_t>(width));
    for (std::int64_t begin = 0; begin < n_cols_; begin += width) {
      const std::int64_t end = std::min(n_cols_, begin + width);
      for (std::int64_t r = rows.begin; r < rows.end; ++r)
        if (x_.begin(r) < x_.end(r))
          score(r, begin, end, best_[static_cast<std::size_t>(r - rows.begin)]);
    }
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      TopK<T>& best = best_[static_cast<std::size_t>(r - rows.begin)];
      const Scored<T>* const items = best.sorted(&run_);
      const std::int64_t n = best.size();
      for (std::int64_t i = 0; i < n; ++i) {
        out_indices[r * k_ + i] = items[i].index;
        out_scores[r * k_ + i] = items[i].score;
      }
      std::fill(out_indices + r * k_ + n, out_indices + (r + 1) * k_, -1);
      std::fill(out_scores + r * k_ + n, out_scores + (r + 1) * k_,
                -std::numeric_limits<T>::infinity());
    }
  }

 private:
  std::int64_t count_needed(Range rows) {
    std::int64_t n = 0;
    for (std::int64_t e = x_.begin(rows.begin); e < x_.begin(rows.end); ++e) {
      std::uint8_t& needed = is_needed_[static_cast<std::size_t>(x_.indices[e])];
      n += needed == 0;
      needed = 1;
    }
    for (std::int64_t e = x_.begin(rows.begin); e < x_.begin(rows.end); ++e)
      is_needed_[static_cast<std::size_t>(x_.indices[e])] = 0;
    return n;
  }

  void score(std::int64_t r, std::int64_t begin, std::int64_t end, TopK<T>& best) {
    constexpr std::int64_t kEntries = 4096;
    std::fill(scores_.begin(), scores_.end(), T(0));
    for (std::int64_t e = x_.begin(r); e < x_.end(r); e += kEntries) {
      run_.poll();
      simd::linear_kernels<T>().add_rows(y_ + begin, n_cols_, x_.indices + e, x_.data + e,
                                         std::min(kEntries, x_.end(r) - e), end - begin,
                                         scores_.data());
    }
    constexpr T kNone = std::numeric_limits<T>::quiet_NaN();
    if (exclusion_.indptr)
      for (std::int64_t e = exclusion_.indptr[r]; e < exclusion_.indptr[r + 1]; ++e)
        if (exclusion_.indices[e] >= begin && exclusion_.indices[e] < end)
          scores_[static_cast<std::size_t>(exclusion_.indices[e] - begin)] = kNone;
    for (std::int64_t c = begin; c < end; ++c) {
      const T s = scores_[static_cast<std::size_t>(c - begin)];
      if (s >= best.worst() && (!exclusion_.allowed || exclusion_.allowed[c]))
        best.push({s, static_cast<std::int32_t>(c)});
    }
  }

  const Csr<T>& x_;
  const T* const y_;
  const std::int64_t n_cols_, k_;
  const Exclusion& exclusion_;
  const Run& run_;
  std::vector<std::uint8_t> is_needed_;  // by row of Y
  std::vector<T> scores_;
  std::vector<TopK<T>> best_;
};

}  // namespace spmm_topk_detail

template <class T>
void spmm_topk(const Run& run, const Csr<T>& x, const T* y, std::int64_t n_cols, std::int64_t k,
               const Exclusion& exclusion, std::int32_t* out_indices, T* out_scores) {
  using Worker = spmm_topk_detail::Worker<T>;
  constexpr std::int64_t kRows = 32;
  std::vector<std::unique_ptr<Worker>> workers(static_cast<std::size_t>(run.n_threads()));
  parallel_for(run, (x.n_rows + kRows - 1) / kRows, [&](std::int64_t block, int thread) {
    auto& worker = workers[static_cast<std::size_t>(thread)];
    if (!worker) worker = std::make_unique<Worker>(x, y, n_cols, k, exclusion, run);
    worker->work({block * kRows, std::min(x.n_rows, (block + 1) * kRows)}, out_indices, out_scores);
  });
}

template void spmm_topk(const Run& run, const Csr<float>& x, const float* y, std::int64_t n_cols,
                        std::int64_t k, const Exclusion& exclusion, std::int32_t* out_indices,
                        float* out_scores);
template void spmm_topk(const Run& run, const Csr<double>& x, const double* y, std::int64_t n_cols,
                        std::int64_t k, const Exclusion& exclusion, std::int32_t* out_indices,
                        double* out_scores);

}  // namespace aimass
