// Every kernel on random shapes and thread counts, without Python, for the sanitizers:
//   stress [rounds] [seed]
// Results are compared between thread counts; the sanitizer finds the rest. Dense tiles, scratch
// reuse and every formula are reached. In a second part, one allocation after another fails. Exits
// with a message and abort() at the first difference.
#include "stress.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <thread>

#include "../kernels/parallel.hpp"
#include "../simd/simd.hpp"
#include "failing_allocation.hpp"

namespace aimass::stress {

// All that depends on the instruction level; then all that does not.
constexpr void (*kOfEachLevel[])(Rng&) = {
    stress_gram<float>,      stress_gram<double>,      stress_score<float>,
    stress_score<double>,    stress_reverse<float>,    stress_reverse<double>,
    stress_als<float>,       stress_als<double>,       stress_mixtures<float>,
    stress_mixtures<double>, stress_triangles<float>,  stress_triangles<double>,
    stress_sgd<float>,       stress_sgd<double>,       stress_ratings<float>,
    stress_ratings<double>,  stress_embeddings<float>, stress_embeddings<double>,
    stress_linear<float>,    stress_linear<double>,    stress_fm<float>,
    stress_fm<double>,       stress_resample,
};
constexpr void (*kOfAnyLevel[])(Rng&) = {
    stress_spgemm<float>,  stress_spgemm<double>,  stress_garbage,      stress_factorize,
    stress_predict<float>, stress_predict<double>, stress_gains<float>, stress_gains<double>,
};

// The calling thread waits for another one when the check of the run throws: that thread is joined,
// and the error reaches the caller.
void check_that_throws() {
  const Run run(2, [](const void*, std::int64_t, std::int64_t) -> bool { throw std::bad_alloc(); });
  std::atomic<bool> has_begun{false};
  bool has_thrown = false;
  try {
    parallel_for(run, 2, [&](std::int64_t, int thread) {
      if (thread == 0) {
        while (!has_begun.load()) std::this_thread::yield();
      } else {
        has_begun.store(true);
        std::this_thread::sleep_for(std::chrono::milliseconds(400));
      }
    });
  } catch (const std::bad_alloc&) {
    has_thrown = true;
  }
  expect(has_thrown, "what a check throws is lost");
}

}  // namespace aimass::stress

int main(int argc, char** argv) {
  namespace s = aimass::stress;
  const long rounds = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 20;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  s::Rng rng(seed);
  aimass::simd::init();
  s::check_that_throws();
  for (long round = 0; round < rounds; ++round) {
    for (const auto& level : aimass::simd::available()) {
      aimass::simd::force(level);
      for (const auto stress : s::kOfEachLevel) stress(rng);
    }
    for (const auto stress : s::kOfAnyLevel) stress(rng);
  }
  std::printf("stress: %ld rounds agree\n", rounds);
  for (long round = 0; round < (rounds + 9) / 10; ++round) {
    for (const auto stress : s::kOfEachLevel) s::with_failing_allocations(rng(), stress);
    for (const auto stress : s::kOfAnyLevel) s::with_failing_allocations(rng(), stress);
  }
  std::printf("stress: every allocation may fail\n");
}
