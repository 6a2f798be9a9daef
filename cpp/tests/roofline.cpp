// How near the dense micro-kernels come to the multiply-add peak of one core, in CPU seconds of one
// thread; no Python. Data fit the first or second cache. Each result is compared with plain loops
// before its rate is printed: a wrong one ends the program with 1, a slow one does not.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "../kernels/als_problem.hpp"
#include "../simd/score_kernels.hpp"
#include "../simd/simd.hpp"
#include "../simd/table.hpp"

#define AIMASS_PEAK(level)                                                \
  float peak_f32_##level(std::int64_t n, float a, float b, double* flop); \
  double peak_f64_##level(std::int64_t n, double a, double b, double* flop);
AIMASS_PEAK(baseline)
#ifdef AIMASS_X86
AIMASS_PEAK(v3)
AIMASS_PEAK(v4)
#endif

namespace {

using namespace aimass;
using Index = std::int64_t;
bool all_right = true;

// The best of some trials of about 20 ms each, in flop per second.
template <class Call>
double rate(double flop, Call&& call) {
  const auto seconds = [&](Index n) {
    const std::clock_t began = std::clock();
    for (Index i = 0; i < n; ++i) call();
    return static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  };
  Index n = 1;
  while (seconds(n) < 0.02) n *= 2;
  double best = 1e30;
  for (int trial = 0; trial < 15; ++trial) best = std::min(best, seconds(n));
  return flop * static_cast<double>(n) / best;
}

template <class T>
using Peak = T (*)(Index, T, T, double*);
#ifdef AIMASS_X86
constexpr Peak<float> kPeak32[] = {peak_f32_baseline, peak_f32_v3, peak_f32_v4};
constexpr Peak<double> kPeak64[] = {peak_f64_baseline, peak_f64_v3, peak_f64_v4};
#else
constexpr Peak<float> kPeak32[] = {peak_f32_baseline};
constexpr Peak<double> kPeak64[] = {peak_f64_baseline};
#endif

template <class T>
double peak(Peak<T> chains) {
  double flop = 0;
  const double calls = rate(1.0, [&] {
    const T sum = chains(1 << 16, T(0.5), T(1), &flop);
    all_right &= std::abs(sum - T(2)) < T(1e-5);  // where x / 2 + 1 goes
  });
  return calls * flop;
}

template <class T>
std::vector<T> random(Index n) {
  static std::uint64_t state = 1;  // Knuth's linear congruence: the same numbers in every run
  std::vector<T> values(static_cast<std::size_t>(n));
  for (T& v : values) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    v = static_cast<T>(static_cast<double>(state >> 33 & 1023) / 512 - 1);
  }
  return values;
}

template <class T>
void report(const char* name, Index size, double flops, double limit, double error) {
  const bool right = error < (sizeof(T) == 4 ? 1e-3 : 1e-10);
  all_right &= right;
  std::printf("| %s | %d | %s | %.1f | %.0f %% | %s |\n", name, static_cast<int>(size),
              sizeof(T) == 4 ? "float32" : "float64", flops / 1e9, 100 * flops / limit,
              right ? "right" : "**wrong**");
}

// The triangle of q'p that a row of `n` entries adds, in the panels of als_solve.
template <class T>
void syrk(double limit, Index f) {
  const auto& kernels = simd::als_systems<T>();
  const Index n = std::max<Index>(32, (24 << 10) / (2 * f * static_cast<Index>(sizeof(T))));
  const std::vector<T> p = random<T>(n * f), q = random<T>(n * f);
  std::vector<T> c(static_cast<std::size_t>(f * f), T{0});
  kernels.syrk(n, p.data(), q.data(), f, c.data(), {});
  double error = 0;
  for (Index r = 0; r < f; ++r) {
    for (Index k = r; k < f; ++k) {
      double sum = 0;
      for (Index i = 0; i < n; ++i) sum += double(q[i * f + r]) * p[i * f + k];
      error = std::max(error, std::abs(sum - c[r * f + k]));
    }
  }
  const double flop = static_cast<double>(n * f * (f + 1));
  report<T>("als: triangular product", f,
            rate(flop, [&] { kernels.syrk(n, p.data(), q.data(), f, c.data(), {}); }), limit,
            error);
}

// L D L' of a matrix and the solution of its system.
template <class T>
void solve(double limit, Index f) {
  const auto& kernels = simd::als_systems<T>();
  std::vector<T> a = random<T>(f * f), c, x;
  for (Index r = 0; r < f; ++r) {
    for (Index k = 0; k < r; ++k) a[r * f + k] = a[k * f + r];
    a[r * f + r] += T(f);
  }
  const std::vector<T> b = random<T>(f);
  std::vector<T> floor(b.size(), T{0}), p(simd::kAlsPivots * b.size()), q(p), inverse(b);
  const auto call = [&] {
    c = a;
    x = b;
    return kernels.solve(0, f, f, f, c.data(), floor.data(), p.data(), q.data(), inverse.data(),
                         x.data());
  };
  double error = call() < 0 ? 0 : 1;
  for (Index r = 0; r < f; ++r) {
    double sum = 0;
    for (Index k = 0; k < f; ++k) sum += double(a[r * f + k]) * x[k];
    error = std::max(error, std::abs(sum - b[r]));
  }
  const double n = static_cast<double>(f), flop = n * n * n / 3 + 2 * n * n;
  report<T>("als: factorisation, copy included", f, rate(flop, call), limit, error);
}

// Eight users' scores of the items of one panel after another; none passes.
template <class T>
void score(double limit, Index f) {
  const auto tile = simd::score_kernels<T>().append.of_rows[3];
  constexpr Index kCols = simd::kPanelCols, kRows = 8, kPanels = 16;
  const std::vector<T> queries = random<T>(f * kRows), items = random<T>(kPanels * f * kCols);
  const std::vector<T> bias(kCols, T{0});
  std::vector<T> thresholds(kRows, T(1e30)),
      room(kRows * (simd::kMostAppended + simd::kScoreSlack));
  std::vector<std::int32_t> places(room.size()), counts(kRows, 0);
  T* scores[kRows];
  std::int32_t* positions[kRows];
  const auto reset = [&] {
    for (Index r = 0; r < kRows; ++r) {
      scores[r] = room.data() + r * (simd::kMostAppended + simd::kScoreSlack);
      positions[r] = places.data() + r * (simd::kMostAppended + simd::kScoreSlack);
    }
    std::fill(counts.begin(), counts.end(), 0);
  };
  const auto call = [&](Index panel) {
    return tile({f, queries.data(), items.data() + panel * f * kCols, bias.data(),
                 thresholds.data(), 0, scores, positions, counts.data()});
  };
  reset();
  std::fill(thresholds.begin(), thresholds.end(), T(-1e30));
  call(0);  // everything passes: the scores themselves are seen
  double error = 0;
  for (Index r = 0; r < kRows; ++r) {
    for (Index c = 0; c < kCols; ++c) {
      double sum = 0;
      for (Index k = 0; k < f; ++k) sum += double(queries[k * kRows + r]) * items[k * kCols + c];
      error =
          std::max(error, std::abs(sum - room[r * (simd::kMostAppended + simd::kScoreSlack) + c]));
    }
  }
  reset();
  std::fill(thresholds.begin(), thresholds.end(), T(1e30));
  const double flop = 2.0 * f * kRows * kCols * kPanels;
  report<T>("score_topk: tile with its test", f,
            rate(flop,
                 [&] {
                   for (Index panel = 0; panel < kPanels; ++panel) call(panel);
                 }),
            limit, error);
}

template <class T>
void all(Peak<T> chains) {
  const double limit = peak(chains);
  std::printf("| peak, registers only | | %s | %.1f | | |\n",
              sizeof(T) == 4 ? "float32" : "float64", limit / 1e9);
  for (const Index f : {64, 128, 256}) syrk<T>(limit, f);
  for (const Index f : {64, 128, 256}) solve<T>(limit, f);
  for (const Index f : {64, 128}) score<T>(limit, f);
}

}  // namespace

int main() {
  std::printf("| micro-kernel | factors | type | GFLOP/s | of the peak | result |\n");
  std::printf("|---|---:|---|---:|---:|---|\n");
  simd::init();
  const std::vector<std::string> levels{"baseline", "v3", "v4"};
  const auto level = std::find(levels.begin(), levels.end(), simd::level()) - levels.begin();
  all<float>(kPeak32[level]);
  all<double>(kPeak64[level]);
  return all_right ? 0 : 1;
}
