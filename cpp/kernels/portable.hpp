// Functions that also run on a GPU are marked with AIMASS_DEVICE, which says so to nvcc and nothing
// to other compilers.
#pragma once

#if defined(__CUDACC__)
#define AIMASS_DEVICE __host__ __device__
#else
#define AIMASS_DEVICE
#endif
