// What tests set of the emulated devices.
#pragma once

#include <cstdint>

namespace aimass::cuda {

void set_free_memory(std::int64_t n_bytes);  // of each of them

}  // namespace aimass::cuda
