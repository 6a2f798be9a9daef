// als_solve on a GPU: what the binding calls. device.cu instantiates it for a GPU, emulated.cpp for
// the emulation on the processor; als_run.hpp is what both run.
#pragma once

#include "../kernels/als_weights.hpp"
#include "../kernels/csr.hpp"
#include "../kernels/parallel.hpp"
#include "device.hpp"

namespace aimass::cuda {

// All in the memory of the host.
template <class T>
struct AlsInput {
  Csr<T> rows;
  const T* factors = nullptr;  // rows.n_cols x n_factors
  std::int64_t n_factors = 0;
  const T* gramian = nullptr;
  const T* start = nullptr;
  const T* ridge = nullptr;    // per row
  const T* linear = nullptr;   // rows x n_factors, or nullptr: zero
  const T* inverse = nullptr;  // of the preconditioner of "pcg", else nullptr
  double resolved = 0;
  AlsWeights weights{};
  AlsSolver solver = AlsSolver::cholesky;
  std::int64_t n_steps = 1;
  std::int64_t block_size = 0;  // of "subspace", at most n_factors; 0 for others
  T* solution = nullptr;
};

template <class T>
void als_solve(const AlsInput<T>& input, int device, const Run& run);

}  // namespace aimass::cuda
