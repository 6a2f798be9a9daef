// Picks the table of score_kernels.cpp by the level in use. Compiled without ISA flags.
#include "score_kernels.hpp"
#include "simd.hpp"

namespace aimass::simd {

extern const ScoreTable score_table_baseline;
#ifdef AIMASS_X86
extern const ScoreTable score_table_v3;
extern const ScoreTable score_table_v4;
#endif

namespace {

const ScoreTable& score_table() {
#ifdef AIMASS_X86
  constexpr const ScoreTable* kTables[] = {&score_table_baseline, &score_table_v3, &score_table_v4};
#else
  constexpr const ScoreTable* kTables[] = {&score_table_baseline};
#endif
  return *kTables[level_index()];
}

}  // namespace

template <>
const ScoreKernels<float>& score_kernels<float>() {
  return score_table().f32;
}
template <>
const ScoreKernels<double>& score_kernels<double>() {
  return score_table().f64;
}

}  // namespace aimass::simd
