// A block of threads, as the bodies of the GPU kernels see it. A body is a sequence of phases; in
// each phase every thread runs one function of its number, and all threads end the phase before any
// begins the next. What has to live longer than a phase lies in shared or global memory.
//
// DeviceBlock is a block of a GPU. HostBlock runs the threads of a phase one after another, in an
// order that the caller chooses: where two threads of a phase write to the same place, or one reads
// what another writes, results differ between orders, which the tests look for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "../kernels/portable.hpp"

namespace aimass::cuda {

#if defined(__CUDACC__)
struct DeviceBlock {
  AIMASS_DEVICE int size() const {
#if defined(__CUDA_ARCH__)
    return static_cast<int>(blockDim.x);
#else
    return 0;
#endif
  }

  template <class Phase>
  AIMASS_DEVICE void each(const Phase& phase) const {
#if defined(__CUDA_ARCH__)
    phase(static_cast<int>(threadIdx.x));
    __syncthreads();
#endif
  }

  // Adds 1 to a counter that threads of one phase share, and returns what it was.
  AIMASS_DEVICE unsigned count(unsigned& counter) const {
#if defined(__CUDA_ARCH__)
    return atomicAdd(&counter, 1U);
#else
    return counter;
#endif
  }
};
#endif

class HostBlock {
 public:
  // The threads in rising order, in falling order, or in an order that changes from phase to phase.
  enum class Order { rising, falling, mixed };

  HostBlock(int size, Order order) : order_(static_cast<std::size_t>(size)), kind_(order) {
    std::iota(order_.begin(), order_.end(), 0);
    if (order == Order::falling) std::reverse(order_.begin(), order_.end());
  }

  int size() const { return static_cast<int>(order_.size()); }

  template <class Phase>
  void each(const Phase& phase) {
    if (kind_ == Order::mixed) mix();
    for (const int thread : order_) phase(thread);
  }

  static unsigned count(unsigned& counter) { return counter++; }

 private:
  void mix() {  // Fisher-Yates by a linear congruential generator
    for (std::size_t i = order_.size(); i > 1; --i) {
      state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
      std::swap(order_[i - 1], order_[static_cast<std::size_t>(state_ >> 33) % i]);
    }
  }

  std::vector<int> order_;
  Order kind_;
  std::uint64_t state_ = 1;
};

}  // namespace aimass::cuda
