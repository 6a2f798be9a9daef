// The micro-kernels of alternating least squares at the level in use.
#pragma once

#include "als_kernels.hpp"

namespace aimass::simd {

const AlsTable& als_table();

template <class T>
const AlsKernels<T>& als_kernels();
template <>
inline const AlsKernels<float>& als_kernels<float>() {
  return als_table().f32;
}
template <>
inline const AlsKernels<double>& als_kernels<double>() {
  return als_table().f64;
}

}  // namespace aimass::simd
