// score_topk on a GPU: what the binding calls. device.cu instantiates it for a GPU, emulated.cpp
// for the emulation on the processor; score_run.hpp is what both run.
#pragma once

#include <cstdint>
#include <memory>

#include "../kernels/parallel.hpp"
#include "device.hpp"

namespace aimass::cuda {

// Items that stay on a device from call to call.
template <class T>
class ItemsOnDevice {
 public:
  ItemsOnDevice() = default;
  ItemsOnDevice(const ItemsOnDevice&) = delete;
  ItemsOnDevice& operator=(const ItemsOnDevice&) = delete;
  virtual ~ItemsOnDevice() = default;

  int device = 0;
  std::int64_t n_items = 0, n_factors = 0;
  const T* data = nullptr;  // factors x items, in the memory of the device
};

// items: factors x items, in the memory of the host.
template <class T>
std::unique_ptr<ItemsOnDevice<T>> items_on_device(const T* items, std::int64_t n_items,
                                                  std::int64_t n_factors, int device);

// Rows of a CSR pattern with sorted columns, in the memory of the host; nullptr: none.
struct PatternInput {
  const std::int64_t* begin = nullptr;
  const std::int32_t* column = nullptr;
};

template <class T>
struct ScoreInput {
  std::int64_t n_queries = 0, k = 0;
  const T* queries = nullptr;  // n_queries x n_factors
  const T* biases = nullptr;   // nullptr: none
  PatternInput exclude, allow;
  std::int32_t* indices = nullptr;  // n_queries x k
  T* scores = nullptr;              // n_queries x k
};

template <class T>
void score_topk(const ScoreInput<T>& input, const ItemsOnDevice<T>& items, const Run& run);

}  // namespace aimass::cuda
