// Problem: factors' factors in float64, whatever the factors' type: what all rows of one side give
// to every system of the other (als_solve.hpp). The difference between this sum and what float32
// would make of it is seen in the factors, its cost is not: n f (f + 1) / 2 multiply-adds once an
// iteration. Memory: one f x f partial for each of at most 16 blocks of rows, added in their order.
#pragma once

#include <cstdint>

#include "parallel.hpp"

namespace aimass {

template <class T>
void als_gramian(const Run& run, const T* factors, std::int64_t n, std::int64_t f, double* gramian);

}  // namespace aimass
