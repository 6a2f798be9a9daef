// One epoch of BPR on a GPU: what the binding calls. device.cu instantiates it for a GPU,
// emulated.cpp for the emulation on the processor; bpr_run.hpp is what both run.
#pragma once

#include "../kernels/pairwise_epoch.hpp"
#include "device.hpp"

namespace aimass::cuda {

// The loss of the problem is bpr; its arrays are those of the host, and are changed.
template <class T>
EpochSums bpr_epoch(const PairwiseProblem<T>& problem, int device, const Run& run);

}  // namespace aimass::cuda
