// Picks the micro-kernels of mixtures for the level in use. Compiled without ISA flags.
#include "mixture.hpp"

#include "simd.hpp"

namespace aimass::simd::mixture {

extern const Kernels kernels_baseline;
#ifdef AIMASS_X86
extern const Kernels kernels_v3;
extern const Kernels kernels_v4;
#endif

const Kernels& kernels() {
#ifdef AIMASS_X86
  constexpr const Kernels* kLevels[] = {&kernels_baseline, &kernels_v3, &kernels_v4};
#else
  constexpr const Kernels* kLevels[] = {&kernels_baseline};
#endif
  return *kLevels[level_index()];
}

}  // namespace aimass::simd::mixture
