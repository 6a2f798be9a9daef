// Fork-join over blocks. Problem: run body(block, thread) for every block, on at most n_threads
// threads, with dynamic scheduling, prompt cancellation and a deterministic error.
// Threads live for one call only, so a process may fork after any kernel has returned.
//
// Determinism: block boundaries must depend on the problem alone, and a block must write only what
// belongs to it (or to a partial result per block that is reduced in block order). Of several
// blocks that throw, the exception of the first one is rethrown. An interruption comes before all
// other exceptions, because a Python exception is already set then.
//
// Memory: every allocation that fails ends in std::bad_alloc on the calling thread, never in
// std::terminate. A thread that cannot be started, for lack of memory or of threads, is left out:
// the calling thread alone can complete all blocks.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "denormals.hpp"
#include "errors.hpp"

namespace aimass {

// How a kernel runs: the number of threads, the caller's wish to stop, and how much is complete.
class Run {
 public:
  // Called on the calling thread only, about ten times a second; true: stop now. `state` is the
  // caller's; `done` of `total` units of the call are complete, 0 of 0 where a kernel counts none.
  using Check = bool (*)(const void* state, std::int64_t done, std::int64_t total);

  explicit Run(int n_threads, Check check = nullptr, const void* state = nullptr)
      : n_threads_(std::max(1, n_threads)),
        check_(check),
        state_(state),
        caller_(std::this_thread::get_id()) {}

  int n_threads() const { return n_threads_; }

  // On the calling thread, before the first unit is complete. Units are what the kernel chooses:
  // equal numbers of them should take about equal time.
  void set_total(std::int64_t n_units) const { total_ = n_units; }

  // When some units are complete, from any thread of the kernel.
  void add_done(std::int64_t n_units) const { done_.fetch_add(n_units, std::memory_order_relaxed); }

  // To be called at least every few milliseconds of work, from any thread of the kernel.
  void poll() const {
    if (stop_.load(std::memory_order_relaxed)) throw Interrupted();
    if (check_ == nullptr || std::this_thread::get_id() != caller_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_check_) check_at(now);
  }

 private:
  // Apart, so that loops which poll stay small.
  [[gnu::noinline, gnu::cold]] void check_at(std::chrono::steady_clock::time_point now) const {
    next_check_ = now + std::chrono::milliseconds(100);
    const FloatingPointScope of_caller(mode_);  // the check may run the caller's code
    if (!check_(state_, done_.load(std::memory_order_relaxed), total_)) return;
    stop_.store(true, std::memory_order_relaxed);
    throw Interrupted();
  }

  int n_threads_;
  Check check_;
  const void* state_;
  std::thread::id caller_;
  FloatingPointMode mode_;
  mutable std::atomic<bool> stop_{false};
  mutable std::atomic<std::int64_t> done_{0};
  // Used by the calling thread alone.
  mutable std::int64_t total_ = 0;
  mutable std::chrono::steady_clock::time_point next_check_{std::chrono::steady_clock::now() +
                                                            std::chrono::milliseconds(100)};
};

// Makes sure that this thread can throw; false when memory is too short for that.
//
// Throwing needs a few thread-local bytes of the C++ library, its only thread-local data that
// kernels use. The C library allocates them at their first use and ends the process ("cannot
// allocate memory for thread-local data") when it cannot. So they are used here, when memory has
// been found to be there: first a block that is large enough for all that the allocator itself
// needs for a new thread, which takes it when that block is free again; then small blocks of every
// size in question, which the allocator keeps for the thread that freed them.
inline bool prepare_to_throw() {
  constexpr std::size_t kOfThread = 4096;
  void* volatile first = std::malloc(kOfThread);
  if (first == nullptr) return false;
  std::free(first);
  constexpr std::size_t kLargest = 128, kStep = 16;
  for (std::size_t size = kStep; size <= kLargest; size += kStep) {
    void* volatile block = std::malloc(size);  // volatile, or the compiler removes the calls
    if (block == nullptr) return false;
    std::free(block);
  }
  const volatile int in_flight = std::uncaught_exceptions();
  static_cast<void>(in_flight);
  return true;
}

namespace parallel_detail {

// The exception to rethrow after all threads have ended.
class FirstError {
 public:
  explicit FirstError(std::int64_t n_blocks) : block_(n_blocks) {}

  // Whether a block still has to run: those before the first failed one do, or the error would
  // depend on which of them had begun.
  bool wants(std::int64_t block) const { return block < block_.load(std::memory_order_relaxed); }

  // Within a catch clause.
  void record(std::int64_t block) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!wants(block)) return;
    error_ = std::current_exception();
    block_.store(block, std::memory_order_relaxed);
  }
  void record_interruption() { record(-1); }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::atomic<std::int64_t> block_;
  std::exception_ptr error_;
  std::mutex mutex_;
};

// Counts the threads that have ended.
class Finished {
 public:
  void add_one() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++n_;
    changed_.notify_one();
  }
  // False when the wait timed out.
  bool wait_for(std::size_t n) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(50), [&] { return n_ == n; });
  }

 private:
  std::size_t n_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
};

// A call of any body without its type: the loop over the blocks is compiled once, not once for each
// kernel.
struct BlockBody {
  const void* object;
  void (*call)(const void* object, std::int64_t block, int thread);
  void operator()(std::int64_t block, int thread) const { call(object, block, thread); }
};

inline void run_blocks(const Run& run, std::int64_t n_blocks, const BlockBody& body) {
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
  parallel_detail::FirstError error(n_blocks);
  const auto work = [&](int thread) {
    for (;;) {
      const std::int64_t block = next.fetch_add(1, std::memory_order_relaxed);
      if (!error.wants(block)) return;
      try {
        run.poll();
        body(block, thread);
      } catch (const Interrupted&) {
        error.record_interruption();
      } catch (...) {
        error.record(block);
      }
    }
  };
  parallel_detail::Finished finished;
  std::mutex preparing;  // one at a time, or one thread takes the memory that another one found
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(n_threads - 1));
  try {
    for (int t = 1; t < n_threads; ++t) {
      threads.emplace_back([&, t] {
        bool can_throw = false;
        {
          const std::lock_guard<std::mutex> lock(preparing);
          can_throw = prepare_to_throw();
        }
        if (can_throw) work(t);
        finished.add_one();
      });
    }
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    // std::system_error or std::bad_alloc: go on with the threads that started.
  }
  work(0);
  // No block is left to begin. Signals are heard while the others complete theirs.
  while (!finished.wait_for(threads.size())) {
    try {
      run.poll();
    } catch (...) {  // also what the check throws: these threads must be joined
      error.record_interruption();
    }
  }
  for (auto& thread : threads) thread.join();
  error.rethrow();
}

}  // namespace parallel_detail

// body(std::int64_t block, int thread). Blocks are handed out in ascending order.
template <class Body>
void parallel_for(const Run& run, std::int64_t n_blocks, const Body& body) {
  parallel_detail::run_blocks(run, n_blocks,
                              {&body, [](const void* object, std::int64_t block, int thread) {
                                 (*static_cast<const Body*>(object))(block, thread);
                               }});
}

// body(from, to) over n steps of `cost` multiply-adds each, in multiples of `unit` and with polls
// between; until one returns false, which is the result.
template <class Body>
bool in_pieces(const Run& run, std::int64_t n, std::int64_t unit, std::int64_t cost, Body&& body) {
  constexpr std::int64_t kWithoutPoll = 1 << 26;
  const std::int64_t step = std::max<std::int64_t>(1, kWithoutPoll / (cost * unit)) * unit;
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
