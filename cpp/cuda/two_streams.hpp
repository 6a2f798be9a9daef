// Work in blocks that travel to the device and back, overlapped with the preparation on the host.
//
// Block b uses stream and buffers b % 2. While the device works on block b, the host prepares block
// b + 1 in the other buffers. A buffer is used again only when its stream has been waited for.
#pragma once

#include <cstdint>

#include "../kernels/parallel.hpp"

namespace aimass::cuda {

// prepare(block, stream) fills the buffers of the host, start(block, stream) enqueues copies and
// launches, finish(block, stream) takes the results from the buffers of the host.
template <class Machine, class Prepare, class Start, class Finish>
void in_two_streams(Machine& machine, const Run& run, std::int64_t n_blocks, const Prepare& prepare,
                    const Start& start, const Finish& finish) {
  const auto complete = [&](std::int64_t block) {
    const int stream = static_cast<int>(block % 2);
    machine.wait(stream);
    finish(block, stream);
  };
  try {
    for (std::int64_t block = 0; block < n_blocks; ++block) {
      const int stream = static_cast<int>(block % 2);
      run.poll();
      if (block >= 2) complete(block - 2);
      prepare(block, stream);
      start(block, stream);
    }
    for (std::int64_t block = n_blocks < 2 ? 0 : n_blocks - 2; block < n_blocks; ++block)
      complete(block);
  } catch (...) {  // the device may still use the buffers, which the caller frees now
    for (int stream = 0; stream < 2; ++stream) {
      try {
        machine.wait(stream);
      } catch (const DeviceError&) {        // NOLINT(bugprone-empty-catch): the first error is
      } catch (const DeviceMemoryError&) {  // NOLINT(bugprone-empty-catch): rethrown
      }
    }
    throw;
  }
}

}  // namespace aimass::cuda
