// From the sums of a column, or of a group of columns, to candidates. Problem: after the products
// of column i are summed, every touched j > i is scored for both lists, and what may enter is
// pushed. Cost: one vectorised pass over the sums, or over the touched blocks where flags tell
// them; plain "product" and "ratio" are tested against both thresholds in that pass, other formulas
// score each touched pair. The test only rules pairs out: the score itself is computed in one
// place, epilogue.hpp, and what the test leaves does not depend on the order of arrival.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "../simd/simd.hpp"
#include "epilogue.hpp"
#include "gram_layout.hpp"
#include "neighbor_lists.hpp"

namespace aimass {

// What the scans of all threads share: p and q in new labels, and what is known of the formula.
template <class T>
struct ScanShared {
  const GramLayout<T>& a;
  const Epilogue<T>& e;
  NeighborLists<T>& lists;
  std::vector<T> p, q;  // padded with ones
  bool symmetric;       // both directions of a pair score the same
  bool simple;          // "product" or "ratio" and nothing after it
  simd::Score score;    // what the vectorised test computes

  ScanShared(const GramLayout<T>& layout, const Epilogue<T>& epilogue, NeighborLists<T>& to)
      : a(layout), e(epilogue), lists(to) {
    const auto n = static_cast<std::size_t>((a.n_cols + simd::kScanBlock - 1) / simd::kScanBlock *
                                            simd::kScanBlock);
    p.assign(n, T(1));
    q.assign(n, T(1));
    for (std::size_t i = 0; i < a.col_of.size(); ++i) {
      p[i] = e.p_of(a.col_of[i]);
      q[i] = e.q_of(a.col_of[i]);
    }
    symmetric = e.channels() == Channels::moments ||
                (e.formula != Formula::custom && p == q && e.weight_p == e.weight_q);
    simple = (e.formula == Formula::product || e.formula == Formula::ratio) &&
             e.amplification == T(1) && !e.uses_support();
    const auto one = [](T v) { return v == T(1); };
    const bool plain = e.formula == Formula::product && e.shrink == T(0) &&
                       std::all_of(p.begin(), p.end(), one) && std::all_of(q.begin(), q.end(), one);
    score = !simple || plain              ? simd::Score::sum
            : e.formula == Formula::ratio ? simd::Score::ratio
                                          : simd::Score::product;
  }

  std::int64_t size() const { return static_cast<std::int64_t>(p.size()); }

  simd::Scan<T> scan(T* sums, const T* p_i, const T* q_i, const T* worst, const T* worst_i) const {
    return {sums,    p.data(), q.data(),   worst,      p_i,   q_i,
            worst_i, e.shrink, e.weight_p, e.weight_q, score, symmetric};
  }

  // A threshold t for the vectorised test (simd/micro_kernels.cpp) such that no pair with a score
  // c >= t is lost. The test may round otherwise than the score: products may be fused with sums,
  // and terms added in another order. u is half an epsilon, eta the smallest denormal = 2 u min.
  //
  // sum: the score is the sum itself, so any t does.
  // product, ratio: c = d / D1 and the test has v = d / D2, where D1 and D2 are the same sum D of
  //   at most 4 terms of at most 2 roundings each. With S the sum of the terms' magnitudes
  //     |D1 - D|, |D2 - D| <= 5.01 u S + eta
  //   (eta: two products may underflow). The test lets everything pass but where |D2| >= min,
  //   S2 <= max / 16, so that D1 is finite too, and S2 <= 8 |D2|, so that S <= 8.01 |D2|. Then
  //     |D1 - D2| <= 2 (40.2 u + 2 u) |D2| < 85 u |D2|,
  //   the two have one sign, and with the roundings of the quotients, denormal ones included,
  //     |v - c| <= 90 u |c| + eta.
  //   So v >= t - 90 u |t| - eta for every c >= t (for c >= 0 >= t because v >= 0), and
  //   t - 128 u max(|t|, min) is below that, its own rounding of u |t| included.
  // other formulas, and whatever is followed by post-processing: everything passes.
  T slack(T worst) const {
    using Limits = std::numeric_limits<T>;
    if (!simple) return -Limits::infinity();
    return worst - std::max(std::abs(worst), Limits::min()) * (64 * Limits::epsilon());
  }
  // Thresholds only rise, so old ones are right, but let too much through.
  void look_at_thresholds(std::int64_t begin, std::int64_t end, std::vector<T>& worst) const {
    for (std::int64_t j = begin; j < end; ++j)
      worst[static_cast<std::size_t>(j)] = slack(lists.worst(j));
  }
};

// One column at a time.
template <class T, class Sums>
class ColumnScan {
 public:
  explicit ColumnScan(const ScanShared<T>& shared)
      : shared_(shared),
        sums_(shared.p.size(), Sums{}),
        worst_(shared.p.size(), -std::numeric_limits<T>::infinity()),
        notes_(shared.p.size()),
        index_(shared.p.size()),
        found_(shared.p.size()),
        q_(shared.p.size()),
        own_(shared.p.size()),
        other_(shared.symmetric ? 0 : shared.p.size()),
        local_(shared.lists.k()),
        outbox_(shared.lists) {}

  Sums* sums() { return sums_.data(); }

  // sums[j] += x * y over the rows of the column and their entries before it that are not in
  // groups, except where the dense part has done it (row_end: see DensePlan; may be null). note:
  // notes the columns touched, of which there are to be few.
  void accumulate(std::int64_t g, const std::uint32_t* row_end, bool note, const Run& run) {
    n_notes_ = note ? 0 : kNoNotes;
    const std::uint32_t* const grouped = shared_.a.row_grouped.data();
    shared_.a.each_row(g, grouped, run, [&](const GroupEntry& entry, const RowEntry<T>* row) {
      if (row_end && entry.pos < row_end[entry.row]) return;
      const RowEntry<T>* const begin = row + grouped[entry.row];
      const std::int64_t n = row + entry.pos - begin;
      // A column may be noted more than once, when its sum comes back to zero.
      if (n_notes_ != kNoNotes && n_notes_ + n > static_cast<std::int64_t>(notes_.size()))
        n_notes_ = kNoNotes;
      add(row[entry.pos].value, begin, n);
    });
  }

  // Offers the pairs (i, j < i) to both lists and zeroes the sums.
  void finish(std::int64_t i, double products) {
    work_ += products;
    if (work_ > 4.0 * static_cast<double>(i)) {
      shared_.look_at_thresholds(shared_.a.grouped, i, worst_);
      work_ = 0;
    }
    const std::int64_t n = collect(i);
    score(i, n);
    offer(i, n);
  }

  void deliver() { outbox_.deliver(); }

 private:
  static constexpr std::int64_t kNoNotes = -1;

  void add(T x, const RowEntry<T>* tail, std::int64_t n) {
    if constexpr (std::is_same_v<Sums, Dot<T>>) {
      const simd::Kernels<T>& kernels = simd::kernels<T>();
      T* const sums = &sums_.data()->d;
      if (n_notes_ == kNoNotes) return kernels.axpy(x, tail, n, sums);
      n_notes_ = kernels.axpy_note(x, tail, n, sums, notes_.data() + n_notes_) - notes_.data();
    } else {
      if (n_notes_ != kNoNotes) {
        for (const RowEntry<T>* entry = tail; entry != tail + n; ++entry) {
          notes_[static_cast<std::size_t>(n_notes_)] = static_cast<std::int32_t>(entry->col);
          n_notes_ += !sums_[entry->col].touched();
        }
      }
      if constexpr (std::is_same_v<Sums, Moments<T>>) {
        simd::kernels<T>().axpy_moments(x, tail, n, &sums_.data()->n);
      } else {
        for (const RowEntry<T>* entry = tail; entry != tail + n; ++entry)
          sums_[entry->col].add(x, entry->value);
      }
    }
  }

  // Moves the sums that may matter to index_ and found_; returns how many.
  std::int64_t collect(std::int64_t i) {
    if constexpr (std::is_same_v<Sums, Dot<T>>) {
      const T worst_i = shared_.slack(shared_.lists.worst(i));
      const simd::Scan<T> scan =
          shared_.scan(&sums_.data()->d, &shared_.p[static_cast<std::size_t>(i)],
                       &shared_.q[static_cast<std::size_t>(i)], worst_.data(), &worst_i);
      T* const sums = &found_.data()->d;
      const std::int64_t begin = shared_.a.grouped / simd::kScanBlock * simd::kScanBlock;
      const std::int64_t end = (i + simd::kScanBlock - 1) / simd::kScanBlock * simd::kScanBlock;
      if (n_notes_ == kNoNotes)
        return simd::kernels<T>().scan(scan, begin, end, index_.data(), sums);
      return simd::kernels<T>().scan_notes(scan, notes_.data(), n_notes_, index_.data(), sums);
    } else {
      std::int64_t n = 0;
      const auto take = [&](std::int64_t j) {
        Sums& sums = sums_[static_cast<std::size_t>(j)];
        index_[static_cast<std::size_t>(n)] = static_cast<std::int32_t>(j);
        found_[static_cast<std::size_t>(n)] = sums;
        n += sums.touched();
        sums = Sums{};
      };
      if (n_notes_ == kNoNotes) {
        for (std::int64_t j = shared_.a.grouped; j < i; ++j) take(j);
      } else {
        for (std::int64_t c = 0; c < n_notes_; ++c) take(notes_[static_cast<std::size_t>(c)]);
      }
      return n;
    }
  }

  // own_[c]: score of candidate c for i; other_[c]: score of i for candidate c.
  void score(std::int64_t i, std::int64_t n) {
    const T p_i = shared_.p[static_cast<std::size_t>(i)],
            q_i = shared_.q[static_cast<std::size_t>(i)];
    for (std::int64_t c = 0; c < n; ++c)
      q_[static_cast<std::size_t>(c)] =
          shared_.q[static_cast<std::size_t>(index_[static_cast<std::size_t>(c)])];
    score_block(shared_.e, p_i, q_.data(), found_.data(), n, own_.data());
    if (shared_.symmetric) return;
    for (std::int64_t c = 0; c < n; ++c) {
      const auto at = static_cast<std::size_t>(c);
      const Sums sums = found_[at].swapped();
      score_block(shared_.e, shared_.p[static_cast<std::size_t>(index_[at])], &q_i, &sums, 1,
                  &other_[at]);
    }
  }

  void offer(std::int64_t i, std::int64_t n) {
    const std::int32_t* const id = shared_.a.col_of.data();
    const std::vector<T>& other = shared_.symmetric ? own_ : other_;
    local_.clear(shared_.lists.worst(i));
    for (std::int64_t c = n; c-- > 0;) {  // the least popular first: they tend to score best
      const auto at = static_cast<std::size_t>(c);
      const std::int32_t j = index_[at];
      if (own_[at] >= local_.worst()) local_.push({own_[at], id[j]});
      // First the threshold that the scan has brought near, then the one that holds now.
      if (other[at] >= worst_[static_cast<std::size_t>(j)] && other[at] >= shared_.lists.worst(j))
        outbox_.add(j, {other[at], id[i]});
    }
    shared_.lists.push(i, local_.items(), local_.size(), scratch_);
  }

  const ScanShared<T>& shared_;
  std::vector<Sums> sums_;
  std::vector<T> worst_;  // thresholds as last seen
  std::int64_t n_notes_ = kNoNotes;
  std::vector<std::int32_t> notes_;  // columns touched
  std::vector<std::int32_t> index_;
  std::vector<Sums> found_;
  std::vector<T> q_, own_, other_;  // of the candidates found
  TopK<T> local_;                   // best of this column's own
  std::vector<Scored<T>> scratch_;
  Outbox<T> outbox_;
  double work_ = 0;
};

}  // namespace aimass
