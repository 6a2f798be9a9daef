// What the GPU kernels say about devices, without the CUDA runtime: facts, errors, and the plan of
// the memory of a call, which is compared with the free memory before any is allocated.
#pragma once

#include <algorithm>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

namespace aimass::cuda {

struct DeviceInfo {
  std::string name;
  std::int64_t free_memory = 0, total_memory = 0;
  int n_multiprocessors = 0;

  // What a call may take; the driver needs some of the rest.
  std::int64_t spare_memory() const { return free_memory - free_memory / 16; }
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

inline void require_memory(const DeviceInfo& info, std::int64_t n_bytes, const char* what) {
  if (n_bytes <= info.spare_memory()) return;
  throw DeviceMemoryError(std::string(what) + " needs " + std::to_string((n_bytes >> 20) + 1) +
                          " MiB on the device, where " + std::to_string(info.spare_memory() >> 20) +
                          " MiB are free: compute with device='cpu'");
}

// The number of blocks of threads at work: what fits beside `fixed` bytes where each of them needs
// `each`, at most `most` and four for each multiprocessor.
inline std::int64_t n_blocks_at_work(const DeviceInfo& info, std::int64_t fixed, std::int64_t each,
                                     std::int64_t most, const char* what) {
  require_memory(info, fixed + each, what);
  const std::int64_t fitting = (info.spare_memory() - fixed) / std::max<std::int64_t>(each, 1);
  return std::max<std::int64_t>(
      1, std::min({fitting, most, static_cast<std::int64_t>(4 * info.n_multiprocessors)}));
}

DeviceInfo device_info(int device);

}  // namespace aimass::cuda
