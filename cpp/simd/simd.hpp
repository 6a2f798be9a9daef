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

}  // namespace aimass::simd
