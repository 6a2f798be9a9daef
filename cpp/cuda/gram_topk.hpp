// gram_topk on a GPU: what the binding calls. There are two implementations with one interface:
// gram_topk.cu launches the kernels on a device, gram_topk_emulated.cpp runs the same bodies on the
// processor, for tests.
#pragma once

#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "../kernels/csr.hpp"
#include "../kernels/epilogue.hpp"
#include "../kernels/parallel.hpp"

namespace aimass::cuda {

// The lists of all columns one after another, each in an array of k entries.
template <class T>
struct GramLists {
  std::vector<std::int32_t> lengths;
  std::vector<std::int32_t> indices;
  std::vector<T> scores;
};

// A matrix and its transpose, both scaled; p and q of the epilogue, which may be empty.
template <class T>
struct GramInput {
  Csr<T> rows, columns;
  const T* p = nullptr;
  const T* q = nullptr;
};

struct DeviceInfo {
  std::string name;
  std::int64_t free_memory = 0, total_memory = 0;
  int n_multiprocessors = 0;
};

// There is no device, no driver, or a call of the CUDA runtime failed.
struct DeviceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What is needed does not fit into the free memory of the device.
class DeviceMemoryError : public std::bad_alloc {
 public:
  explicit DeviceMemoryError(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

DeviceInfo device_info(int device);

template <class T>
GramLists<T> gram_topk(const GramInput<T>& input, std::int64_t k, const Epilogue<T>& e, int device,
                       const Run& run);

}  // namespace aimass::cuda
