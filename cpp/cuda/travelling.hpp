// Arrays that travel between the host and a device: pinned memory of the host, and a copy of the
// same size on the device.
#pragma once

#include <cstdint>

namespace aimass::cuda {

template <class Value, class Machine>
class TravellingArray {
 public:
  TravellingArray(Machine& machine, std::int64_t size)
      : machine_(machine), host_(machine, size), device_(machine, size) {}

  Value* host() const { return host_.data(); }
  Value* device() const { return device_.data(); }
  // The first n numbers, when the stream comes to it.
  void send(int stream, std::int64_t n) { machine_.copy_in(stream, device(), host(), n); }
  void fetch(int stream, std::int64_t n) { machine_.copy_out(stream, host(), device(), n); }

 private:
  Machine& machine_;
  typename Machine::template Pinned<Value> host_;
  typename Machine::template Buffer<Value> device_;
};

}  // namespace aimass::cuda
