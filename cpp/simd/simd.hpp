// Dense micro-kernels, compiled once per ISA level; one table of function pointers per level.
// The table in use is chosen at import (AIMASS_ISA forces a level) and read by every kernel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "table.hpp"

namespace aimass::simd {

// Reads AIMASS_ISA (baseline | v3 | v4); throws InvalidInput when unknown or not supported here.
void init();
std::string level();
std::vector<std::string> available();
// For tests: not to be called while a kernel runs.
void force(const std::string& level);

// Place of the level in use among baseline, v3, v4. A topic with micro-kernels of its own keeps one
// table per level and picks by it.
int level_index();

const Table& table();

template <class T>
const Kernels<T>& kernels();
template <>
inline const Kernels<float>& kernels<float>() {
  return table().f32;
}
template <>
inline const Kernels<double>& kernels<double>() {
  return table().f64;
}

}  // namespace aimass::simd
