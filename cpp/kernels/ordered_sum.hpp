// Sums of parts that are finished in any order, added up in theirs, so that the result does not
// depend on the number of threads. Memory: the total and the parts that are early.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "buffer.hpp"

namespace aimass {

inline Buffer<double> zeros(std::int64_t n) {
  Buffer<double> buffer(n);
  std::fill_n(buffer.data(), n, 0.0);
  return buffer;
}

// Adds up partial sums in their order, whoever finishes first. Holds only those that are early.
class OrderedSum {
 public:
  explicit OrderedSum(std::int64_t size) : size_(size), total_(zeros(size)) {}

  // An array of zeros to sum into.
  Buffer<double> take() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!spare_.empty()) {
        Buffer<double> buffer = std::move(spare_.back());
        spare_.pop_back();
        std::fill_n(buffer.data(), size_, 0.0);
        return buffer;
      }
    }
    return zeros(size_);
  }

  void give(std::int64_t part, Buffer<double>&& sums) {
    const std::lock_guard<std::mutex> lock(mutex_);
    early_.emplace(part, std::move(sums));
    for (auto it = early_.begin(); it != early_.end() && it->first == next_; ++next_) {
      for (std::int64_t i = 0; i < size_; ++i) total_[i] += it->second[i];
      spare_.push_back(std::move(it->second));
      it = early_.erase(it);
    }
  }

  double* total() { return total_.data(); }

 private:
  std::int64_t size_;
  Buffer<double> total_;
  std::mutex mutex_;
  std::int64_t next_ = 0;
  std::map<std::int64_t, Buffer<double>> early_;
  std::vector<Buffer<double>> spare_;
};

}  // namespace aimass
