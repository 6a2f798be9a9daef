// The kernels for GPUs on a GPU, and facts of a device.
#include "device_machine.cuh"

namespace aimass::cuda {

using Machine = DeviceMachine;

DeviceInfo device_info(int device) {
  int n_devices = 0;
  check(cudaGetDeviceCount(&n_devices), "find a device");
  if (device < 0 || device >= n_devices)
    throw DeviceError("there is no device " + std::to_string(device) + " of " +
                      std::to_string(n_devices));
  check(cudaSetDevice(device), "choose the device");
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device), "describe the device");
  std::size_t free_bytes = 0, total_bytes = 0;
  check(cudaMemGetInfo(&free_bytes, &total_bytes), "read its free memory");
  return {properties.name, static_cast<std::int64_t>(free_bytes),
          static_cast<std::int64_t>(total_bytes), properties.multiProcessorCount};
}

}  // namespace aimass::cuda

#include "kernels_on_machine.hpp"
