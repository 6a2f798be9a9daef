// Problem: als_solve for a few rows of a large catalogue, as for one new user. als_solve copies all
// factors, which takes far longer than the rows themselves. Where the entries are few, only the
// factors that they name are copied: the time depends on the entries, not on the catalogue.
// Cost: nnz f numbers copied, nnz indices; the result has the bits of als_solve on all factors,
// because every row reads the same factors in the same order.
#pragma once

#include "als_problem.hpp"

namespace aimass {

template <class T>
void als_solve_gathered(const Run& run, const AlsProblem<T>& problem);

}  // namespace aimass
