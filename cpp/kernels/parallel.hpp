// Fork-join over blocks. Problem: run body(block, thread) for every block, on at most n_threads
// threads, with dynamic scheduling, prompt cancellation and the first exception rethrown.
// Threads live for one call only, so a process may fork after any kernel has returned.
//
// Determinism is the kernel's part: block boundaries must depend on the problem alone, and a block
// must write only what belongs to it (or to a per-block partial that is reduced in block order).
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "errors.hpp"

namespace aimass {

// How a kernel runs: the number of threads and the caller's wish to stop.
class Run {
 public:
  using Check = bool (*)();  // true: stop now. Called on the calling thread only.

  explicit Run(int n_threads, Check check = nullptr)
      : n_threads_(std::max(1, n_threads)), check_(check), caller_(std::this_thread::get_id()) {}

  int n_threads() const { return n_threads_; }

  // To be called at least every few milliseconds of work, from any thread of the kernel.
  void poll() const {
    if (stop_.load(std::memory_order_relaxed)) throw Interrupted();
    if (check_ == nullptr || std::this_thread::get_id() != caller_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_check_) return;
    next_check_ = now + std::chrono::milliseconds(100);
    if (check_()) {
      stop_.store(true, std::memory_order_relaxed);
      throw Interrupted();
    }
  }

  void stop() const { stop_.store(true, std::memory_order_relaxed); }

 private:
  int n_threads_;
  Check check_;
  std::thread::id caller_;
  mutable std::atomic<bool> stop_{false};
  // Touched by the calling thread alone.
  mutable std::chrono::steady_clock::time_point next_check_{std::chrono::steady_clock::now() +
                                                            std::chrono::milliseconds(100)};
};

// body(std::int64_t block, int thread). Blocks are handed out in ascending order.
template <class Body>
void parallel_for(const Run& run, std::int64_t n_blocks, Body&& body) {
  const int n_threads = static_cast<int>(
      std::min<std::int64_t>(run.n_threads(), std::max<std::int64_t>(n_blocks, 1)));
  if (n_threads == 1) {
    for (std::int64_t block = 0; block < n_blocks; ++block) {
      run.poll();
      body(block, 0);
    }
    return;
  }
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;
  std::mutex error_mutex;
  const auto fail = [&] {
    const std::lock_guard<std::mutex> lock(error_mutex);
    if (!error) error = std::current_exception();
    failed.store(true, std::memory_order_relaxed);
    run.stop();  // others leave their blocks at the next poll
  };
  const auto work = [&](int thread) {
    try {
      for (;;) {
        const std::int64_t block = next.fetch_add(1, std::memory_order_relaxed);
        if (block >= n_blocks || failed.load(std::memory_order_relaxed)) return;
        run.poll();
        body(block, thread);
      }
    } catch (...) {
      fail();
    }
  };
  std::mutex done_mutex;
  std::condition_variable done;
  std::size_t n_done = 0;
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(n_threads - 1));
  try {
    for (int t = 1; t < n_threads; ++t) {
      threads.emplace_back([&, t] {
        work(t);
        const std::lock_guard<std::mutex> lock(done_mutex);
        ++n_done;
        done.notify_one();
      });
    }
  } catch (const std::system_error&) {
    // No more threads to be had: go on with those that started.
  }
  work(0);
  // The calling thread has run out of blocks; while the others finish theirs it keeps listening.
  {
    std::unique_lock<std::mutex> lock(done_mutex);
    while (!done.wait_for(lock, std::chrono::milliseconds(50),
                          [&] { return n_done == threads.size(); })) {
      lock.unlock();
      try {
        run.poll();
      } catch (...) {
        fail();
      }
      lock.lock();
    }
  }
  for (auto& thread : threads) thread.join();
  if (error) std::rethrow_exception(error);
}

// body(from, to) over n steps of `cost` multiply-adds each, in multiples of `unit` and with polls
// between; until one returns false, which is the result.
template <class Body>
bool in_pieces(const Run& run, std::int64_t n, std::int64_t unit, std::int64_t cost, Body&& body) {
  constexpr std::int64_t kUnheard = 1 << 26;
  const std::int64_t step = std::max<std::int64_t>(1, kUnheard / (cost * unit)) * unit;
  for (std::int64_t from = 0; from < n; from += step) {
    if (from > 0) run.poll();
    if (!body(from, std::min(n, from + step))) return false;
  }
  return true;
}

// [begin, end) of one of n_blocks nearly equal pieces of n.
struct Range {
  std::int64_t begin, end;
};
inline Range block_range(std::int64_t n, std::int64_t n_blocks, std::int64_t block) {
  return {n * block / n_blocks, n * (block + 1) / n_blocks};
}

}  // namespace aimass
