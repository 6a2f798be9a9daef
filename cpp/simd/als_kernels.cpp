// Compiled once per ISA level with AIMASS_LEVEL defined: puts the level's table together.
#include "als_kernels.hpp"
#include "levels.hpp"

namespace aimass::simd {

extern const AlsSystems<float> AIMASS_CAT(als_systems_f32_, AIMASS_LEVEL);
extern const AlsSystems<double> AIMASS_CAT(als_systems_f64_, AIMASS_LEVEL);
extern const AlsPasses<float> AIMASS_CAT(als_passes_f32_, AIMASS_LEVEL);
extern const AlsPasses<double> AIMASS_CAT(als_passes_f64_, AIMASS_LEVEL);

AIMASS_LEVEL_TABLE(AlsTable, als_table) = {
    {AIMASS_CAT(als_systems_f32_, AIMASS_LEVEL), AIMASS_CAT(als_passes_f32_, AIMASS_LEVEL)},
    {AIMASS_CAT(als_systems_f64_, AIMASS_LEVEL), AIMASS_CAT(als_passes_f64_, AIMASS_LEVEL)}};

}  // namespace aimass::simd
