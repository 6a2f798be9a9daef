// A GPU: memory, two streams, copies and launches. Algorithms are written against this interface
// and that of HostMachine, which emulates it on the processor.
#pragma once

#include <cuda_runtime.h>

#include "block.hpp"
#include "device.hpp"

namespace aimass::cuda {

inline void check(cudaError_t status, const char* action) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // the next call does not report this error again
  const auto message = std::string("CUDA failed to ") + action + ": " + cudaGetErrorString(status);
  if (status == cudaErrorMemoryAllocation) throw DeviceMemoryError(message);
  throw DeviceError(message);
}

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) run_body(Body body) {
  __shared__ typename Body::Shared shared;
  extern __shared__ std::uint64_t more[];
  DeviceBlock block;
  body(block, shared, more, static_cast<std::int64_t>(blockIdx.x),
       static_cast<std::int64_t>(gridDim.x));
}

class DeviceMachine {
 public:
  static constexpr int kStreams = 2;

  explicit DeviceMachine(int device) : info_(device_info(device)) {
    for (cudaStream_t& stream : streams_)
      check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "make a stream");
  }
  DeviceMachine(const DeviceMachine&) = delete;
  DeviceMachine& operator=(const DeviceMachine&) = delete;
  ~DeviceMachine() {
    for (const cudaStream_t stream : streams_) cudaStreamDestroy(stream);
  }

  const DeviceInfo& info() const { return info_; }
  std::int64_t first_offset() const { return 0; }
  int n_threads(int wanted) const { return wanted; }
  // Every GPU has 48 KiB for a block; the fixed part of a body takes some.
  std::int64_t shared_memory() const { return 44 << 10; }

  template <class T>
  class Buffer {
   public:
    Buffer(DeviceMachine&, std::int64_t size) {
      const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(size, 1)) * sizeof(T);
      check(cudaMalloc(reinterpret_cast<void**>(&data_), bytes), "allocate memory");
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { cudaFree(data_); }
    T* data() const { return data_; }

   private:
    T* data_ = nullptr;
  };

  template <class T>
  class Pinned {  // memory of the host that the device reads and writes by itself
   public:
    Pinned(DeviceMachine&, std::int64_t size) {
      const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(size, 1)) * sizeof(T);
      check(cudaMallocHost(reinterpret_cast<void**>(&data_), bytes), "allocate pinned memory");
    }
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;
    ~Pinned() { cudaFreeHost(data_); }
    T* data() const { return data_; }

   private:
    T* data_ = nullptr;
  };

  template <class T>
  void copy_in(int stream, T* to, const T* from, std::int64_t size) {
    copy(stream, to, from, size, cudaMemcpyHostToDevice, "copy to the device");
  }
  template <class T>
  void copy_out(int stream, T* to, const T* from, std::int64_t size) {
    copy(stream, to, from, size, cudaMemcpyDeviceToHost, "copy from the device");
  }

  template <class Body>
  void launch(int stream, std::int64_t n_blocks, std::int64_t shared_bytes, const Body& body) {
    run_body<<<static_cast<unsigned>(n_blocks), Body::kThreads,
               static_cast<std::size_t>(shared_bytes), streams_[stream]>>>(body);
    check(cudaGetLastError(), "start a kernel");
  }

  void wait(int stream) { check(cudaStreamSynchronize(streams_[stream]), "run a kernel"); }

 private:
  template <class T>
  void copy(int stream, T* to, const T* from, std::int64_t size, cudaMemcpyKind kind,
            const char* action) {
    if (size == 0) return;
    check(cudaMemcpyAsync(to, from, static_cast<std::size_t>(size) * sizeof(T), kind,
                          streams_[stream]),
          action);
  }

  DeviceInfo info_;
  cudaStream_t streams_[kStreams] = {};
};

}  // namespace aimass::cuda
