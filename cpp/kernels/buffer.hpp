// A large array without initial values. Problem: arrays of hundreds of MiB that are read at random
// spend their time in address translation; where the system offers large pages on request, ask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace aimass {

template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  Buffer() = default;
  explicit Buffer(std::int64_t n) {
    const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(T);
    large_ = bytes >= 4 * kLargePage;
    data_ = static_cast<T*>(::operator new(bytes, alignment()));
#ifdef MADV_HUGEPAGE
    if (large_) madvise(data_, bytes, MADV_HUGEPAGE);  // a wish; nothing is lost when it is refused
#endif
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { ::operator delete(data_, alignment()); }

  T* data() const { return data_; }
  T& operator[](std::int64_t i) const { return data_[i]; }

 private:
  static constexpr std::size_t kLargePage = std::size_t{1} << 21;

  std::align_val_t alignment() const { return std::align_val_t{large_ ? kLargePage : 64}; }
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(large_, other.large_);
  }

  T* data_ = nullptr;
  bool large_ = false;
};

}  // namespace aimass
