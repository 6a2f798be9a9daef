// A group of columns at a time, for plain dots. Problem: a row that holds several columns of the
// group is read once for all of them; sums[j] is one cache line with a lane per column of the
// group, so that one vector multiply-add takes the place of several scattered products. Memory per
// thread: 64 bytes per column of the matrix.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "gram_dense.hpp"
#include "gram_layout.hpp"
#include "gram_scan.hpp"

namespace aimass {

template <class T>
class GroupScan {
 public:
  static constexpr std::int64_t kLanes = GramLayout<T>::kLanes;

  explicit GroupScan(const ScanShared<T>& shared)
      : shared_(shared),
        sums_(shared.a.n_cols),
        worst_(shared.p.size(), -std::numeric_limits<T>::infinity()),
        index_(kBlock * kLanes),
        found_(kBlock * kLanes),
        outbox_(shared.lists) {
    for (std::int64_t l = 0; l < kLanes; ++l) local_.emplace_back(shared.lists.k());
    std::fill_n(sums_.data(), shared.a.n_cols, Line{});
  }

  // Sums of the pairs (i, j), i in the group, j beyond i, but for what the dense part has done
  // (row_end: see DensePlan; may be null).
  void accumulate(std::int64_t g, const std::uint32_t* row_end, const Run& run) {
    const simd::Kernels<T>& kernels = simd::kernels<T>();
    const auto i0 = static_cast<std::uint32_t>(shared_.a.group_begin(g));
    shared_.a.each_row(g, row_end, run, [&](const GroupEntry& entry, const RowEntry<T>* row) {
      const RowEntry<T>* const stop = shared_.a.row_begin(entry.row + std::int64_t{1});
      // From the first entry on: lanes at or beyond j then hold sums that nobody looks at.
      const RowEntry<T>* tail = row + entry.pos;
      Line x{};
      for (const RowEntry<T>* own = tail; own != stop && own->col - i0 < kLanes; ++own)
        x.lane[own->col - i0] = own->value;
      if (row_end) tail = std::max(tail, row + row_end[entry.row]);
      if (tail < stop) kernels.axpy_lanes(x.lane, tail, stop - tail, sums_[0].lane);
    });
  }

  // Starts from what the dense part has summed.
  void start_from(const DenseStripe<T>& stripe, std::int64_t i0, std::int64_t width) {
    for (std::int64_t j = i0; j < width; ++j)
      std::copy_n(stripe.sums_of(j) + (i0 - stripe.begin()), kLanes, sums_[j].lane);
  }

  // Offers the pairs to both lists and zeroes the sums.
  void finish(std::int64_t g, const Run& run) {
    const std::int64_t i0 = shared_.a.group_begin(g);
    T worst_i[kLanes];
    for (std::int64_t l = 0; l < kLanes; ++l)
      local_[static_cast<std::size_t>(l)].clear(shared_.lists.worst(i0 + l));
    shared_.look_at_thresholds(i0, shared_.a.n_cols, worst_);
    // Inside the group only lanes before j are pairs.
    for (std::int64_t j = i0; j < i0 + kLanes; ++j)
      std::fill(sums_[j].lane + (j - i0), sums_[j].lane + kLanes, T(0));
    const T* const p_i = shared_.p.data() + i0;
    const T* const q_i = shared_.q.data() + i0;
    const simd::Scan<T> scan = shared_.scan(sums_[0].lane, p_i, q_i, worst_.data(), worst_i);
    for (std::int64_t j = i0; j < shared_.a.n_cols; j += kBlock) {
      run.poll();
      for (std::int64_t l = 0; l < kLanes; ++l)
        worst_i[l] = shared_.slack(local_[static_cast<std::size_t>(l)].worst());
      const std::int64_t n = simd::kernels<T>().scan_lanes(
          scan, j, std::min(j + kBlock, shared_.a.n_cols), index_.data(), found_.data());
      offer(i0, n);
    }
    for (std::int64_t l = 0; l < kLanes; ++l) {
      const TopK<T>& best = local_[static_cast<std::size_t>(l)];
      shared_.lists.push(i0 + l, best.items(), best.size(), scratch_);
    }
  }

  void deliver() { outbox_.deliver(); }

 private:
  static constexpr std::int64_t kBlock =
      512;  // columns scanned before thresholds are looked at again
  struct alignas(simd::kLaneBytes) Line {
    T lane[kLanes];
  };

  void offer(std::int64_t i0, std::int64_t n) {
    const std::int32_t* const id = shared_.a.col_of.data();
    for (std::int64_t c = 0; c < n;) {
      const std::int64_t j = index_[static_cast<std::size_t>(c)] / kLanes;
      const T p_j = shared_.p[static_cast<std::size_t>(j)],
              q_j = shared_.q[static_cast<std::size_t>(j)];
      const T worst_j = shared_.lists.worst(j);
      for (; c < n && index_[static_cast<std::size_t>(c)] / kLanes == j; ++c) {
        const std::int64_t lane = index_[static_cast<std::size_t>(c)] % kLanes;
        const auto i = static_cast<std::size_t>(i0 + lane);
        const Dot<T> sum{found_[static_cast<std::size_t>(c)]};
        const T own = score_of(shared_.e, shared_.p[i], q_j, sum);
        const T other = shared_.symmetric ? own : score_of(shared_.e, p_j, shared_.q[i], sum);
        local_[static_cast<std::size_t>(lane)].push({own, id[j]});
        if (other >= worst_j) outbox_.add(j, {other, id[i]});
      }
    }
  }

  const ScanShared<T>& shared_;
  Buffer<Line> sums_;
  std::vector<T> worst_;  // thresholds as last seen
  std::vector<std::int64_t> index_;
  std::vector<T> found_;
  std::vector<TopK<T>> local_;  // best of each lane's own
  std::vector<Scored<T>> scratch_;
  Outbox<T> outbox_;
};

}  // namespace aimass
