// A device that the processor emulates, for tests: the same interface as DeviceMachine.
//
// Its number chooses the threads of a block, their order in each phase, the order of the blocks of
// a launch, and when the work of a stream is done: device 3 n + o has 1, 7, 32 or 128 threads (n)
// in rising, falling or mixed order (o). The work of a stream is done at once (o = 0), as late as
// possible, when it is waited for (1), or at times chosen by chance (2). Code that forgets to wait
// for a stream, or uses a buffer of another stream, has different results on these devices.
//
// New memory holds no valid numbers: all bits are 1, which is NaN or -1.
#pragma once

#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>

#include "block.hpp"
#include "device.hpp"

namespace aimass::cuda {

class HostMachine {
 public:
  static constexpr int kDevices = 12;
  static constexpr int kStreams = 2;

  explicit HostMachine(int device) : info_(device_info(device)), kind_(device % 3) {
    constexpr int kSizes[] = {1, 7, 32, 128};
    size_ = kSizes[device / 3];
  }
  HostMachine(const HostMachine&) = delete;
  HostMachine& operator=(const HostMachine&) = delete;

  const DeviceInfo& info() const { return info_; }

  // Added to offsets of entries and taken from the pointers to them, so that tests see offsets
  // beyond 2^31 without so much memory.
  std::int64_t first_offset() const { return std::int64_t{1} << 33; }

  int n_threads(int) const { return size_; }
  std::int64_t shared_memory() const { return 1 << 12; }  // small: tests see both kinds of scratch

  template <class T>
  class Buffer {
   public:
    Buffer(HostMachine& machine, std::int64_t size) : Buffer(size) {
      machine.used_ += size * static_cast<std::int64_t>(sizeof(T));
      if (machine.used_ > machine.info_.free_memory)
        throw std::logic_error("more memory was taken than is free: the plan is wrong");
    }
    T* data() const { return reinterpret_cast<T*>(bytes_.get()); }

   protected:
    explicit Buffer(std::int64_t size)
        : bytes_(new std::uint64_t[static_cast<std::size_t>(size) * sizeof(T) / 8 + 1]) {
      std::memset(bytes_.get(), 0xFF, (static_cast<std::size_t>(size) * sizeof(T) / 8 + 1) * 8);
    }

   private:
    std::unique_ptr<std::uint64_t[]> bytes_;
  };

  template <class T>
  struct Pinned : Buffer<T> {  // memory of the host, which the device reads and writes
    Pinned(HostMachine&, std::int64_t size) : Buffer<T>(size) {}
  };

  template <class T>
  void copy_in(int stream, T* to, const T* from, std::int64_t size) {
    copy(stream, to, from, size);
  }
  template <class T>
  void copy_out(int stream, T* to, const T* from, std::int64_t size) {
    copy(stream, to, from, size);
  }

  template <class Body>
  void launch(int stream, std::int64_t n_blocks, std::int64_t shared_bytes, const Body& body) {
    enqueue(stream, [this, n_blocks, shared_bytes, body] {
      HostBlock block(size_, static_cast<HostBlock::Order>(kind_));
      for (std::int64_t b = 0; b < n_blocks; ++b) {
        typename Body::Shared shared;
        std::memset(static_cast<void*>(&shared), 0xFF, sizeof shared);
        std::unique_ptr<std::uint64_t[]> more(
            new std::uint64_t[static_cast<std::size_t>(shared_bytes) / 8 + 1]);
        std::memset(more.get(), 0xFF, (static_cast<std::size_t>(shared_bytes) / 8 + 1) * 8);
        body(block, shared, more.get(), kind_ == 1 ? n_blocks - 1 - b : b, n_blocks);
      }
    });
  }

  void wait(int stream) {
    while (!streams_[stream].empty()) run_first(stream);
  }

 private:
  template <class T>
  void copy(int stream, T* to, const T* from, std::int64_t size) {
    if (size == 0) return;
    enqueue(stream, [to, from, size] {
      std::memcpy(to, from, static_cast<std::size_t>(size) * sizeof(T));
    });
  }

  void enqueue(int stream, std::function<void()> work) {
    streams_[stream].push_back(std::move(work));
    if (kind_ == 0) wait(stream);
    for (; kind_ == 2 && (random() & 1) != 0;) {
      const int other = static_cast<int>(random() & 1);
      if (!streams_[other].empty()) run_first(other);
    }
  }

  void run_first(int stream) {
    const std::function<void()> work = std::move(streams_[stream].front());
    streams_[stream].pop_front();
    work();
  }

  std::uint64_t random() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return state_ >> 33;
  }

  DeviceInfo info_;
  int kind_, size_ = 1;
  std::int64_t used_ = 0;
  std::deque<std::function<void()>> streams_[kStreams];
  std::uint64_t state_ = 1;
};

}  // namespace aimass::cuda
