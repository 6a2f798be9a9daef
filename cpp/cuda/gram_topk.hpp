// gram_topk on a GPU: what the binding calls. device.cu instantiates it for a GPU, emulated.cpp for
// the emulation on the processor; gram_run.hpp is what both run.
#pragma once

#include <cstdint>
#include <vector>

#include "../kernels/csr.hpp"
#include "../kernels/epilogue.hpp"
#include "../kernels/parallel.hpp"
#include "device.hpp"

namespace aimass::cuda {

// The lists of all columns one after another, each in an array of k entries.
template <class T>
struct GramLists {
  std::vector<std::int32_t> lengths;
  std::vector<std::int32_t> indices;
  std::vector<T> scores;
};

// A matrix and its transpose, both scaled; p and q of the epilogue, which may be empty.
template <class T>
struct GramInput {
  Csr<T> rows, columns;
  const T* p = nullptr;
  const T* q = nullptr;
};

template <class T>
GramLists<T> gram_topk(const GramInput<T>& input, std::int64_t k, const Epilogue<T>& e, int device,
                       const Run& run);

}  // namespace aimass::cuda
