#include "standard_normal.hpp"

#include <algorithm>

#include "../simd/normal_kernels.hpp"

namespace aimass {

void standard_normal(const Run& run, std::uint64_t key, std::int64_t n, double* out) {
  constexpr std::int64_t kBlock = simd::kNormalBlock, kOfPiece = 1 << 16;
  const std::int64_t n_pieces = (n + kOfPiece - 1) / kOfPiece;
  parallel_for(run, n_pieces, [&](std::int64_t piece, int) {
    const std::int64_t begin = piece * kOfPiece, end = std::min(n, begin + kOfPiece);
    const std::int64_t n_blocks = (end - begin) / kBlock, rest = (end - begin) % kBlock;
    const auto first = static_cast<std::uint64_t>(begin / kBlock);
    simd::normal_table().normals(key, first, n_blocks, out + begin);
    if (rest == 0) return;
    double last[kBlock];
    simd::normal_table().normals(key, first + static_cast<std::uint64_t>(n_blocks), 1, last);
    std::copy(last, last + rest, out + end - rest);
  });
}

}  // namespace aimass
