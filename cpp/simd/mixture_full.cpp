// Picks the micro-kernels of full covariances for the level in use. Compiled without ISA flags.
#include "mixture_full.hpp"

#include "simd.hpp"

namespace aimass::simd::mixture {

extern const FullKernels<float> full_f32_baseline;
extern const FullKernels<double> full_f64_baseline;
#ifdef AIMASS_X86
extern const FullKernels<float> full_f32_v3, full_f32_v4;
extern const FullKernels<double> full_f64_v3, full_f64_v4;
#endif

template <>
const FullKernels<float>& full_kernels() {
#ifdef AIMASS_X86
  constexpr const FullKernels<float>* kLevels[] = {&full_f32_baseline, &full_f32_v3, &full_f32_v4};
#else
  constexpr const FullKernels<float>* kLevels[] = {&full_f32_baseline};
#endif
  return *kLevels[level_index()];
}

template <>
const FullKernels<double>& full_kernels() {
#ifdef AIMASS_X86
  constexpr const FullKernels<double>* kLevels[] = {&full_f64_baseline, &full_f64_v3, &full_f64_v4};
#else
  constexpr const FullKernels<double>* kLevels[] = {&full_f64_baseline};
#endif
  return *kLevels[level_index()];
}

}  // namespace aimass::simd::mixture
