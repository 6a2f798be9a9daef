// Products of tall matrices by register tiles, added to a symmetric matrix. Problem: A += U V' for
// n x n A of which the lower triangle counts, and U, V of n x depth. U and V are packed once, U by
// tile rows and V by tile columns; then every block of rows of A is updated by one thread, tile by
// tile, the tiles of one panel of V after each other so that it stays in the first cache. Elements
// above the diagonal that share a tile with it are overwritten with what nobody reads.
//
// Time: n^2 depth multiply-adds with the packing on top. Memory: the packed copies. Every element
// is summed in the order of the depth by one thread, so the result does not depend on the number of
// threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "../simd/simd.hpp"
#include "buffer.hpp"
#include "parallel.hpp"

namespace aimass {

// The rows of a matrix of n x depth in panels of `width` of them, depth by depth; the last panel is
// filled up with zeros.
template <class T>
class TilePanels {
 public:
  TilePanels(std::int64_t n, std::int64_t depth, std::int64_t width)
      : depth_(depth), width_(width), values_((n + width - 1) / width * width * depth) {}

  std::int64_t width() const { return width_; }
  std::int64_t depth() const { return depth_; }
  // That of row i, a multiple of the width.
  const T* panel(std::int64_t i) const { return values_.data() + i * depth_; }

  // Rows [begin, end) from row-major memory: begin a multiple of the width, end too unless it is n.
  void pack(const T* rows, std::int64_t stride, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; i += width_) {
      T* const to = values_.data() + i * depth_;
      const std::int64_t size = std::min(width_, end - i);
      if (size < width_) std::fill_n(to, width_ * depth_, T(0));
      for (std::int64_t r = 0; r < size; ++r) {
        const T* const from = rows + (i - begin + r) * stride;
        for (std::int64_t l = 0; l < depth_; ++l) to[l * width_ + r] = from[l];
      }
    }
  }

 private:
  std::int64_t depth_, width_;
  Buffer<T> values_;
};

// One tile of c += u v', of which `rows` x `cols` exist. The product is summed from zero and added
// once: terms that are small beside c would be rounded away one by one.
template <class T>
void add_tile(std::int64_t depth, const T* u, const T* v, T* c, std::int64_t stride,
              std::int64_t rows, std::int64_t cols) {
  const simd::Kernels<T>& kernels = simd::kernels<T>();
  constexpr std::int64_t kMost = 8 * 48;  // of any level
  alignas(64) T tile[kMost];
  const std::int64_t width = kernels.tile_cols;
  std::fill_n(tile, kernels.tile_rows * width, T(0));
  kernels.gemm_tile(depth, u, v, tile, width);
  rows = std::min(rows, kernels.tile_rows);
  cols = std::min(cols, width);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t j = 0; j < cols; ++j) c[r * stride + j] += tile[r * width + j];
}

// a += u v' for the lower triangle of the n x n matrix a.
template <class T>
void add_symmetric(const Run& run, std::int64_t n, const TilePanels<T>& u, const TilePanels<T>& v,
                   T* a) {
  constexpr std::int64_t kRows = 96;  // a multiple of every tile's rows
  const std::int64_t n_blocks = (n + kRows - 1) / kRows;
  parallel_for(run, n_blocks, [&](std::int64_t block, int) {
    const std::int64_t i0 = (n_blocks - 1 - block) * kRows, i1 = std::min(n, i0 + kRows);
    for (std::int64_t j = 0; j < i1; j += v.width()) {
      run.poll();
      for (std::int64_t i = i0; i < i1; i += u.width()) {
        if (i + u.width() <= j) continue;
        for (std::int64_t r = i + u.width(); r < std::min(i1, i + 2 * u.width()); ++r) {
          __builtin_prefetch(a + r * n + j, 1);
          __builtin_prefetch(a + r * n + j + v.width() - 1, 1);
        }
        add_tile(u.depth(), u.panel(i), v.panel(j), a + i * n + j, n, i1 - i, n - j);
      }
    }
  });
}

// The upper triangle becomes `factor` times the lower one, and so does the lower one itself.
template <class T>
void mirror_lower(const Run& run, std::int64_t n, T factor, T* a) {
  constexpr std::int64_t kTile = 64;
  const std::int64_t n_tiles = (n + kTile - 1) / kTile;
  parallel_for(run, n_tiles, [&](std::int64_t tile, int) {
    const std::int64_t i0 = (n_tiles - 1 - tile) * kTile, i1 = std::min(n, i0 + kTile);
    for (std::int64_t j0 = 0; j0 < i1; j0 += kTile) {
      for (std::int64_t i = i0; i < i1; ++i)
        for (std::int64_t j = j0; j < std::min(i + 1, j0 + kTile); ++j)
          a[j * n + i] = a[i * n + j] = factor * a[i * n + j];
      run.poll();
    }
  });
}

}  // namespace aimass
