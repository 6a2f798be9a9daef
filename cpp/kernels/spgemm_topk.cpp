#include "spgemm_topk.hpp"

#include <cstdint>
#include <vector>

#include "topk.hpp"

namespace aimass {

namespace spgemm_topk_detail {

template <class T, class Sums>
void run_rows(const Csr<T>& x, const Csr<T>& y, std::int64_t k, const Exclusion& exclusion,
              const Epilogue<T>& e, std::int32_t* out_indices, T* out_scores, const Run& run) {
  struct Scratch {
    std::vector<Sums> sums;
    std::vector<std::uint8_t> seen;
    std::vector<std::int32_t> touched;
    std::vector<Sums> block_sums;
    std::vector<T> block_q, block_scores;
    TopK<T> best{1};
  };
  std::vector<Scratch> scratches(static_cast<std::size_t>(run.n_threads()));
  constexpr std::int64_t kRows = 16;
  run.set_total(x.nnz());
  parallel_for(run, (x.n_rows + kRows - 1) / kRows, [&](std::int64_t block, int thread) {
    Scratch& s = scratches[static_cast<std::size_t>(thread)];
    if (s.sums.empty()) {
      s.sums.resize(static_cast<std::size_t>(y.n_cols), Sums{});
      s.seen.resize(static_cast<std::size_t>(y.n_cols), 0);
      s.best = TopK<T>(std::min(k, y.n_cols));
    }
    const std::int64_t last = std::min(x.n_rows, (block + 1) * kRows);
    for (std::int64_t r = block * kRows; r < last; ++r) {
      s.touched.clear();
      for (std::int64_t i = x.begin(r); i < x.end(r); ++i) {
        run.poll();
        const std::int64_t inner = x.indices[i];
        for (std::int64_t j = y.begin(inner); j < y.end(inner); ++j) {
          const auto c = static_cast<std::size_t>(y.indices[j]);
          if (!s.seen[c]) {
            s.seen[c] = 1;
            s.touched.push_back(y.indices[j]);
          }
          s.sums[c].add(x.data[i], y.data[j]);
        }
      }
      if (exclusion.indptr)
        for (std::int64_t i = exclusion.indptr[r]; i < exclusion.indptr[r + 1]; ++i)
          s.seen[static_cast<std::size_t>(exclusion.indices[i])] = 0;
      s.best.clear();
      const std::size_t m = s.touched.size();
      s.block_sums.resize(m);
      s.block_q.resize(m);
      s.block_scores.resize(m);
      for (std::size_t i = 0; i < m; ++i) {
        const auto c = static_cast<std::size_t>(s.touched[i]);
        s.block_sums[i] = s.sums[c];
        s.block_q[i] = e.q_of(s.touched[i]);
        s.sums[c] = Sums{};
      }
      score_block(e, e.p_of(r), s.block_q.data(), s.block_sums.data(), static_cast<std::int64_t>(m),
                  s.block_scores.data());
      for (std::size_t i = 0; i < m; ++i) {
        const auto c = static_cast<std::size_t>(s.touched[i]);
        if (s.seen[c] && s.block_scores[i] == s.block_scores[i] &&
            (!exclusion.allowed || exclusion.allowed[c]))
          s.best.push({s.block_scores[i], s.touched[i]});
        s.seen[c] = 0;
      }
      const Scored<T>* const best = s.best.sorted(&run);
      std::int64_t n = 0;
      for (; n < s.best.size(); ++n) {
        out_indices[r * k + n] = best[n].index;
        out_scores[r * k + n] = best[n].score;
      }
      for (; n < k; ++n) {
        out_indices[r * k + n] = -1;
        out_scores[r * k + n] = -std::numeric_limits<T>::infinity();
      }
    }
    run.add_done(x.begin(last) - x.begin(block * kRows));
  });
}

}  // namespace spgemm_topk_detail

template <class T>
void spgemm_topk(const Csr<T>& x, const Csr<T>& y, std::int64_t k, const Exclusion& exclusion,
                 const Epilogue<T>& e, std::int32_t* out_indices, T* out_scores, const Run& run) {
  namespace d = spgemm_topk_detail;
  switch (e.channels()) {
    case Channels::dot:
      return d::run_rows<T, Dot<T>>(x, y, k, exclusion, e, out_indices, out_scores, run);
    case Channels::dot_count:
      return d::run_rows<T, DotCount<T>>(x, y, k, exclusion, e, out_indices, out_scores, run);
    default:
      return d::run_rows<T, Moments<T>>(x, y, k, exclusion, e, out_indices, out_scores, run);
  }
}

template void spgemm_topk(const Csr<float>& x, const Csr<float>& y, std::int64_t k,
                          const Exclusion& exclusion, const Epilogue<float>& e,
                          std::int32_t* out_indices, float* out_scores, const Run& run);
template void spgemm_topk(const Csr<double>& x, const Csr<double>& y, std::int64_t k,
                          const Exclusion& exclusion, const Epilogue<double>& e,
                          std::int32_t* out_indices, double* out_scores, const Run& run);

}  // namespace aimass
