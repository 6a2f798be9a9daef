// Problem: the half-step of alternating least squares. Every row of a CSR has its own system
//   (gramian + ridge I + sum weight y y') x = linear + sum target y      over the row's entries,
// y the other side's factors, gramian what all their rows contribute (als_problem.hpp). With
// linear = ridge m the ridge pulls x towards m instead of zero.
// Solvers:
//   cholesky     the factors of a row's entries are copied into a panel that stays in the first
//                cache, a triangular product in registers adds them up, and L D L' by blocks
//                solves: nnz f (f + 1) / 2 + rows f^3 / 6 multiply-adds.
//   cg           n_steps of conjugate gradient from start: 2 nnz f + rows f^2 a step, nnz f where
//                gramian is diagonal. The panel of a row is read once a step; only rows too long
//                for the second cache are gathered anew. Rows of few entries go in groups, whose
//                products with gramian are one product of matrices (als_group.hpp).
//   pcg          the same, preconditioned by gramian + common_ridge I, which all rows have in
//                common: rows f^2 a step more, and f^3 for its inverse. Where common_ridge is not
//                small the inverse replaces the products with gramian.
//   subspace     n_steps sweeps over blocks of block_size coordinates, each solved exactly.
//   nonnegative  the matrix as for cholesky, then n_steps of coordinate descent with x >= 0.
// Memory: a padded copy of the factors; per thread f^2, a panel of at most 640 KiB, 3 numbers for
// each entry of the longest row. A row is solved by one thread, so threads change no bit. The
// first row whose matrix is not positive definite, or whose result is not finite, is reported.
// Hu, Koren & Volinsky (ICDM 2008); Takacs, Pilaszy & Tikk (RecSys 2011); Rendle, Krichene, Zhang &
// Koren, iALS++ (2021); Hsieh & Dhillon (KDD 2011).
#pragma once

#include "als_problem.hpp"

namespace aimass {

template <class T>
void als_solve(const Run& run, const AlsProblem<T>& problem);

}  // namespace aimass
