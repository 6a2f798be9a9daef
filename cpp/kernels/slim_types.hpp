// The problem that the two kernels of SLIM solve, and their result; slim_problem.hpp has the
// mathematics.
#pragma once

#include <cstdint>
#include <vector>

#include "csr.hpp"

namespace aimass {

// Rows of item indices, one for each target; null indptr: none given.
struct ItemLists {
  const std::int64_t* indptr = nullptr;
  const std::int32_t* indices = nullptr;

  bool given() const { return indptr != nullptr; }
};

template <class T>
struct SlimProblem {
  std::int64_t n_items = 0;
  const double* ridge = nullptr;  // n_items
  std::int64_t n_targets = 0;
  const std::int32_t* targets = nullptr;
  ItemLists candidates;             // not given: all items
  ItemLists start;                  // coefficients to start from; not given: zero
  const T* start_values = nullptr;  // of `start`
  double l1 = 0;
  bool nonnegative = true;
  std::int64_t k = 0;  // coefficients kept for each target: the largest by absolute value
  double tol = 0;
  std::int64_t max_sweeps = 0;  // one more may measure the violation
};

// Row t: the coefficients of target t by ascending item.
template <class T>
struct SlimWeights {
  std::vector<std::int64_t> indptr;
  std::vector<std::int32_t> indices;
  std::vector<T> values;
  std::vector<std::int32_t> n_sweeps;  // by target
  std::vector<double> violation;       // by target, over the largest |G_ij|
};

}  // namespace aimass
