// What a fitted Gaussian mixture says of rows: labels, log-densities or responsibilities, block by
// block with the micro-kernels of gmm_em_step, whose head has the definitions. Time: 2 n K F flops.
// Memory: the output and threads x 96 (K + 2.5 d).
#pragma once

#include <cstdint>

#include "gmm_triangles.hpp"
#include "parallel.hpp"

namespace aimass {

// One of the three is wanted, the others are null.
template <class T>
struct GmmScores {
  std::int64_t* labels;  // n: the best component, the first one of equals; -1: scores overflow
  double* score;         // n: log of the sum over the components of exp(score)
  T* resp;               // n x n_components: softmax of the scores
};

// common: null, or coefficients of one score that is added for every component (the quadratic form
// of a tied covariance).
template <class T>
void gmm_score(const Run& run, const GmmRows<T>& x, const Coefficients& coefficients,
               const Coefficients* common, const GmmScores<T>& out);

template <class T>
void gmm_score(const Run& run, const GmmRows<T>& x, const TriangularRows& rows,
               const GmmScores<T>& out);

}  // namespace aimass
