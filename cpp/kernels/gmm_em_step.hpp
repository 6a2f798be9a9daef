// One EM step of a Gaussian mixture in one pass. Problem: for rows x, standardised to z = (x -
// shift) * scale, components k and features phi(z),
//   score[k]  = phi(z) . coefficients[k]                   log of weight times density
//   r[k]      = weight of the row * softmax(score)[k]      or all of it to the best component
//   sums[k]  += r[k] * features(z)                         and the sum of weight * log sum exp
// With phi = (1, z, z_i z_j) both are products of matrices that cost the arithmetic minimum of the
// method, 2 n K F each for F features (d(d+3)/2 for full covariances, 2d for diagonal ones, d for
// spherical and tied). They are fused over blocks of 96 rows, which stay in cache; phi is made
// piece by piece and no array has n x K values.
//
// Time: 4 n K F flops at 60 to 80 % of the peak of FMA. Memory: threads x (K F + 96 (K + 2.5 d)).
// In phi the spread of the data over the width of a component enters squared, and float32 loses it
// at a ratio of 100; so features are float64 whatever X is. Two cases have a path of their own:
// full covariances from triangular roots (gmm_full_step.hpp; less than all of the work where groups
// lie apart, and in float32 where X is and that is safe) and diagonal ones in float32
// (gmm_diag.hpp). Sums of kPartRows rows are added in order of the rows, so they do not depend on
// the number of threads.
//
// Paper: A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum Likelihood from Incomplete Data via the
// EM Algorithm", 1977. For tied covariances z' P z is common to all components and cancels in r.
#pragma once

#include <cstdint>

#include "gmm_triangles.hpp"
#include "parallel.hpp"

namespace aimass {

// How rows are shared out among the components.
struct GmmAssignment {
  const double* resp;                // n x n_components, or null: by one of the next two
  const Coefficients* coefficients;  // or null
  const TriangularRows* triangular;  // or null; for sums of the form full, not hard
  std::int64_t n_components;
  bool hard;
};

// out: [component][feature of `form`], the constant first. Returns the sum of weight * score.
template <class T>
double gmm_em_step(const Run& run, const GmmRows<T>& x, const GmmAssignment& to, Form form,
                   double* out, bool may_be_float32 = true);

}  // namespace aimass
