// The kernels for GPUs on the emulated machine, for tests.
#include "emulation.hpp"
#include "host_machine.hpp"

namespace aimass::cuda {

using Machine = HostMachine;

namespace {
std::int64_t free_bytes = std::int64_t{1} << 30;  // of every emulated device
}

void set_free_memory(std::int64_t n_bytes) { free_bytes = n_bytes; }

DeviceInfo device_info(int device) {
  if (device < 0 || device >= HostMachine::kDevices)
    throw DeviceError("there is no device " + std::to_string(device));
  return {"emulated on the processor", free_bytes, free_bytes, 1};
}

}  // namespace aimass::cuda

#include "kernels_on_machine.hpp"
