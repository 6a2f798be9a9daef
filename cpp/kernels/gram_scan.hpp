// From the sums of one column to candidates. Problem: after the products of column i are summed,
// every touched j > i is scored for both lists, and what may enter is pushed. Cost: one vectorised
// pass over the sums, or over the touched blocks where flags tell them; plain "product" and "ratio"
// are tested against both thresholds in that pass, other formulas score each touched pair.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../simd/simd.hpp"
#include "epilogue.hpp"
#include "gram_layout.hpp"
#include "neighbor_lists.hpp"

namespace aimass {

inline std::int64_t padded(std::int64_t n) {
  return (n + simd::kScanBlock - 1) / simd::kScanBlock * simd::kScanBlock;
}

// p and q in new labels, and what is known of the formula.
template <class T>
struct ScanShared {
  const GramLayout<T>& a;
  const Epilogue<T>& e;
  std::vector<T> p, q;  // padded with ones
  bool symmetric;       // both directions of a pair score the same
  bool simple;          // "product" or "ratio" and nothing after it

  ScanShared(const GramLayout<T>& layout, const Epilogue<T>& epilogue)
      : a(layout),
        e(epilogue),
        p(static_cast<std::size_t>(padded(layout.n_cols)), T(1)),
        q(p),
        simple((epilogue.formula == Formula::product || epilogue.formula == Formula::ratio) &&
               epilogue.amplification == T(1) && !epilogue.uses_support()) {
    for (std::size_t i = 0; i < a.col_of.size(); ++i) {
      p[i] = e.p_of(a.col_of[i]);
      q[i] = e.q_of(a.col_of[i]);
    }
    symmetric = e.channels() == Channels::moments || (e.formula != Formula::custom && p == q);
  }
};

template <class T, class Sums>
class ColumnScan {
 public:
  ColumnScan(const ScanShared<T>& shared, NeighborLists<T>& lists)
      : shared_(shared),
        lists_(lists),
        sums_(shared.p.size(), Sums{}),
        flags_(shared.p.size() / simd::kScanBlock, 0),
        worst_(shared.p.size(), -std::numeric_limits<T>::infinity()),
        index_(shared.p.size()),
        found_(shared.p.size()),
        q_(shared.p.size()),
        own_(shared.p.size()),
        other_(shared.symmetric ? 0 : shared.p.size()),
        local_(lists.k()) {}

  Sums* sums() { return sums_.data(); }
  std::uint8_t* flags() { return flags_.data(); }

  // Offers the pairs (i, j > i) to both lists and zeroes sums and flags. all: flags were not kept.
  void finish(std::int64_t i, bool all, double products) {
    const std::int64_t begin = (i + 1) / simd::kScanBlock * simd::kScanBlock;
    const auto end = static_cast<std::int64_t>(sums_.size());
    if (begin >= end) return;
    // Thresholds only rise, so old ones are right, but let too much through.
    if ((work_ += products) > 4.0 * static_cast<double>(end)) {
      for (std::int64_t j = begin; j < shared_.a.n_cols; ++j) worst_[static_cast<std::size_t>(j)] = slack(lists_.worst(j));
      work_ = 0;
    }
    const std::int64_t n = collect(i, all, begin, end);
    if (!all) std::fill(flags_.begin() + begin / simd::kScanBlock, flags_.end(), std::uint8_t{0});
    score(i, n);
    offer(i, n);
  }

 private:
  std::int64_t collect(std::int64_t i, bool all, std::int64_t begin, std::int64_t end) {
    const auto at = static_cast<std::size_t>(i);
    if constexpr (std::is_same_v<Sums, Dot<T>>) {
      if (shared_.simple) {
        const simd::Scan<T> scan{&sums_.data()->d,
                                 all ? nullptr : flags_.data(),
                                 shared_.p.data(),
                                 shared_.q.data(),
                                 worst_.data(),
                                 shared_.p[at],
                                 shared_.q[at],
                                 slack(lists_.worst(i)),
                                 shared_.e.shrink,
                                 shared_.e.weight,
                                 shared_.e.formula == Formula::ratio,
                                 shared_.symmetric};
        return simd::kernels<T>().scan(scan, begin, end, index_.data(), &found_.data()->d);
      }
    }
    std::int64_t n = 0;
    for (std::int64_t j0 = begin; j0 < end; j0 += simd::kScanBlock) {
      if (!all && !flags_[static_cast<std::size_t>(j0 / simd::kScanBlock)]) continue;
      for (std::int64_t j = j0; j < j0 + simd::kScanBlock; ++j) {
        Sums& sums = sums_[static_cast<std::size_t>(j)];
        index_[static_cast<std::size_t>(n)] = static_cast<std::int32_t>(j);
        found_[static_cast<std::size_t>(n)] = sums;
        n += sums.touched();
        sums = Sums{};
      }
    }
    return n;
  }

  // own_[c]: score of candidate c for i; other_[c]: score of i for candidate c.
  void score(std::int64_t i, std::int64_t n) {
    const Epilogue<T>& e = shared_.e;
    const T p_i = shared_.p[static_cast<std::size_t>(i)], q_i = shared_.q[static_cast<std::size_t>(i)];
    for (std::int64_t c = 0; c < n; ++c)
      q_[static_cast<std::size_t>(c)] = shared_.q[static_cast<std::size_t>(index_[static_cast<std::size_t>(c)])];
    score_block(e, p_i, q_.data(), found_.data(), n, own_.data());
    if (shared_.symmetric) return;
    for (std::int64_t c = 0; c < n; ++c) {
      const auto at = static_cast<std::size_t>(c);
      const Sums sums = found_[at].swapped();
      score_block(e, shared_.p[static_cast<std::size_t>(index_[at])], &q_i, &sums, 1, &other_[at]);
    }
  }

  void offer(std::int64_t i, std::int64_t n) {
    const std::int32_t* const id = shared_.a.col_of.data();
    const std::vector<T>& other = shared_.symmetric ? own_ : other_;
    local_.clear(lists_.worst(i));
    for (std::int64_t c = 0; c < n; ++c) {
      const auto at = static_cast<std::size_t>(c);
      const std::int32_t j = index_[at];
      local_.push({own_[at], id[j]});
      if (other[at] >= lists_.worst(j)) {
        const Scored<T> item{other[at], id[i]};
        lists_.push(j, &item, 1);
      }
    }
    lists_.push(i, local_.items().data(), static_cast<std::int64_t>(local_.items().size()));
  }

  // The vectorised test may round otherwise than the score itself.
  static T slack(T worst) { return worst - std::abs(worst) * (16 * std::numeric_limits<T>::epsilon()); }

  const ScanShared<T>& shared_;
  NeighborLists<T>& lists_;
  std::vector<Sums> sums_;
  std::vector<std::uint8_t> flags_;
  std::vector<T> worst_;  // thresholds as last seen
  std::vector<std::int32_t> index_;
  std::vector<Sums> found_;
  std::vector<T> q_, own_, other_;  // of the candidates found
  TopK<T> local_;                   // best of this column's own
  double work_ = std::numeric_limits<double>::infinity();
};

}  // namespace aimass
