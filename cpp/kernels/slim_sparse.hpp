// SLIM by coordinate descent on the residual of a sparse X. For large catalogues: no Gramian is
// ever formed.
//
// The items that can have a coefficient are those that share users with the target. With w >= 0 and
// X >= 0 this is exact: where G_ij <= l1 the gradient G_ij - (G w)_i - l1 is never positive, so w_i
// = 0. Otherwise, after the descent has converged on the items with |G_ij| > l1, the gradient of
// all items is computed by the rows of the users that the residual touches, and violations join.
// Given candidates are used as they are.
//
// The columns of the candidates are copied next to each other with the users renumbered, so that
// sweeps run over contiguous memory and a small residual. A full sweep over the candidates is
// followed by sweeps over the nonzero coefficients until these have converged; it ends when a full
// sweep meets no violation above tol.
//
// Time per target: the lengths of the rows of its users, and per sweep twice the lengths of the
// columns of the active items. Memory per thread: the copied columns (at most kMostCopied entries,
// longer ones are read in place), 8 bytes per user and 20 per item. Targets are independent, so the
// result does not depend on the number of threads. See slim_problem.hpp for the problem and the
// papers.
#pragma once

#include "csr.hpp"
#include "parallel.hpp"
#include "slim_types.hpp"

namespace aimass {

// x: users x items; t: its transpose.
template <class T>
SlimWeights<T> slim_sparse(const Run& run, const SlimProblem<T>& problem, const Csr<T>& x,
                           const Csr<T>& t);

}  // namespace aimass
