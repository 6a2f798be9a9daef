// SLIM by coordinate descent on a dense Gramian G = X'X. For catalogues whose G fits in memory and
// whose items have long columns, so that a step on G costs less than one on X.
//
// For each target a working set of items grows from the worst violations of optimality: the
// coordinates in it descend on their own small part of G, gathered once (covariance updates: a step
// is one row of that part), then the gradient of all candidates is computed afresh from the rows of
// G of the nonzero coefficients and the next violations join. The set at most doubles. When it
// would outgrow kMostWorking the worst violations alone make the next set and the rest stays fixed:
// block coordinate descent. It ends when no candidate violates optimality by more than tol, after
// max_sweeps, or when ever finer descents on the same set leave a violation: that is rounding.
//
// Time per target with a nonzero coefficients: a^2 per sweep, a n per round of about five. Memory
// per thread: kMostWorking^2 values at most, and a few vectors of n. Targets are independent, so
// the result does not depend on the number of threads. See slim_problem.hpp for the problem and the
// papers.
#pragma once

#include "parallel.hpp"
#include "slim_types.hpp"

namespace aimass {

template <class T>
SlimWeights<T> slim_dense(const Run& run, const SlimProblem<T>& problem, const T* gramian);

}  // namespace aimass
