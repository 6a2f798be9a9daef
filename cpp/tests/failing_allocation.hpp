// Allocations that fail on request: operator new is replaced in the program that includes this, in
// one source file. Whatever allocation fails, a kernel must end in std::bad_alloc and lose nothing;
// the sanitizers find what is lost.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <random>

namespace aimass::stress {

// The allocation with this number fails, once; negative: none does.
inline std::atomic<std::int64_t> allocations_before_failure{-1};

inline void* allocate_or_fail(std::size_t size, std::size_t alignment) {
  if (allocations_before_failure.load(std::memory_order_relaxed) >= 0 &&
      allocations_before_failure.fetch_sub(1, std::memory_order_relaxed) == 0)
    throw std::bad_alloc();
  size = (size + alignment) / alignment * alignment;  // as aligned_alloc wants it, and not 0
  void* block = std::aligned_alloc(alignment, size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

// Runs work(rng), from the same seed, with the first allocation failing, then a later one, and so
// on until none is left to fail.
template <class Work>
void with_failing_allocations(std::uint64_t seed, Work&& work) {
  for (std::int64_t n = 0;; n += 1 + n / 4) {
    std::mt19937_64 rng(seed);
    allocations_before_failure.store(n);
    try {
      work(rng);
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): it was asked for
    }
    if (allocations_before_failure.exchange(-1) >= 0) return;
  }
}

}  // namespace aimass::stress

// Sanitizers have an allocator of their own, which knows every pair of new and delete; allocations
// fail in the plain build of the stress program only.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
[[gnu::noinline]] void* operator new(std::size_t size) {
  return aimass::stress::allocate_or_fail(size, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return aimass::stress::allocate_or_fail(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  std::free(block);
}
#endif
