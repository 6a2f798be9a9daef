// The inverse of a symmetric positive definite matrix, in place.
//
// Blocks of kPivots rows and columns are swept one after the other (the sweep operator of the
// statisticians, which is Gauss-Jordan elimination kept symmetric): with D the inverse of the
// block's own part,
//   A_ik -> A_ik D,  A_ij -> A_ij - A_ik D A_kj,  A_kk -> -D,
// and after the last block the matrix is minus the inverse. Every step is one product of a tall
// matrix with itself added to the lower triangle (tile_panels.hpp), so nearly all the work runs at
// the speed of a matrix product; potrf and potri of LAPACK need as many operations in three
// passes. Pivots are the Schur complements that Cholesky's factorisation meets; D is computed in
// float64. Elimination without pivoting is stable for positive definite matrices.
//
// Time: n^3 / 2 multiply-adds. Memory: the matrix and 2 n kPivots. Every element is computed by one
// thread in a fixed order, so the result does not depend on the number of threads.
//
// Goodnight, A tutorial on the SWEEP operator, The American Statistician 1979; Higham, Accuracy and
// stability of numerical algorithms, 2002, section 14.4; Bientinesi, Gunter, van de Geijn, Families
// of algorithms related to the inversion of a symmetric positive definite matrix, TOMS 2008.
#pragma once

#include <cstdint>

#include "parallel.hpp"

namespace aimass {

// a: n x n, of which the lower triangle is read; becomes its inverse, both triangles. After an
// exception it holds neither.
template <class T>
void spd_inverse(const Run& run, std::int64_t n, T* a);

// a += u v' for n x n a and n x depth u, v, of which u v' is symmetric; both triangles.
template <class T>
void symmetric_update(const Run& run, std::int64_t n, std::int64_t depth, const T* u, const T* v,
                      T* a);

}  // namespace aimass
