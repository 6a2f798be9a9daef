#include "als_gramian.hpp"

#include "als_problem.hpp"

namespace aimass {

template <class T>
void als_gramian(const Run& run, const T* factors, std::int64_t n, std::int64_t f,
                 double* gramian) {
  constexpr std::int64_t kChunk = 32, kBytes = 64 << 20;
  const auto& systems = simd::als_systems<double>();
  const std::int64_t width = PaddedFactors<double>::padded(f), size = width * width;
  const std::int64_t most = std::clamp<std::int64_t>(kBytes / (size * 8), 1, 16);
  const std::int64_t n_blocks = std::clamp<std::int64_t>(n / 1024, 1, most);
  Buffer<double> partial(n_blocks * size);
  parallel_for(run, n_blocks, [&](std::int64_t block, int) {
    const Range range = block_range(n, n_blocks, block);
    Buffer<double> panel(kChunk * width);
    double* sum = partial.data() + block * size;
    std::fill(sum, sum + size, 0.0);
    std::fill(panel.data(), panel.data() + kChunk * width, 0.0);
    for (std::int64_t begin = range.begin; begin < range.end; begin += kChunk) {
      const std::int64_t rows = std::min(kChunk, range.end - begin);
      for (std::int64_t i = 0; i < rows; ++i) {
        const T* row = factors + (begin + i) * f;
        std::copy(row, row + f, panel.data() + i * width);
      }
      systems.syrk(rows, panel.data(), panel.data(), width, sum, {});
      run.poll();
    }
  });
  for (std::int64_t r = 0; r < f; ++r) {
    for (std::int64_t c = r; c < f; ++c) {
      double sum = 0;
      for (std::int64_t block = 0; block < n_blocks; ++block) {
        sum += partial[block * size + r * width + c];
      }
      gramian[r * f + c] = gramian[c * f + r] = sum;
    }
  }
}

template void als_gramian(const Run& run, const float* factors, std::int64_t n, std::int64_t f,
                          double* gramian);
template void als_gramian(const Run& run, const double* factors, std::int64_t n, std::int64_t f,
                          double* gramian);

}  // namespace aimass
