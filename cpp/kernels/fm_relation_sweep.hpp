// Problem: draw the coefficients of all columns of one relation (a table of users, say) of a
// factorization machine once. A case n refers to the row r(n) of the relation, and many cases refer
// to the same row; the cost must not grow with cases x columns.
//
// With o the sums of factors of the other relations and q those of the row, and 1 in slot 0 of o,
//   h = x (o + c o_0),   c = q - x v (0 in slot 0).
// So the moments of the cases of a row, M = sum o o' and t = sum o e, are enough to draw every
// column. A row that has one column, and that column no other row, is complete at once: with
// m = M e_0, sum h h' = x^2 (M + c m' + m c' + c c' M_00), sum h e = x (t + c t_0), and a change d
// of the coefficients changes e by -x u'o with u = d + e_0 c'd. Nothing is kept for it.
// All other columns are drawn in groups of four slots, one group of all columns before the next:
// the slots of a column in a group are drawn jointly. A group needs 24 numbers of a row, three
// cache lines: the ten of its four rows and columns of M, parts of m, t and q, and e'1. After each
// group t -= M u for the groups that follow, for the total u of its changes; the changes of all
// groups give the errors of the cases at the end. Groups of four cost less than single slots: an
// entry, its row number and its state are read a quarter as often, and a group is one vector of
// four numbers. They cost less than larger groups, whose draws and sums grow with the square of the
// size. The columns of a run share no row and are drawn at once; threads change no bit. Cost: cases
// b (b / 2 + 2) multiply-adds for each block of b factors, 11 b for each entry, and b^2 / 2 for
// each row. Memory: b^2 / 2 + 5 b numbers for each row that shares columns or has several. Rendle,
// Scaling factorization machines to relational data (VLDB 2013).
#pragma once

#include <vector>

#include "fm_draw.hpp"

namespace aimass {

// The rows of another relation that the cases refer to, in the order of `case_indices`.
template <class T>
struct FmOther {
  const T* sums;  // rows x width
  const std::int32_t* rows;
};

template <class T>
struct FmRelationProblem {
  FmColumns<T> model;                // of the columns of this relation
  T* sums;                           // rows x width
  const std::int64_t* case_indptr;   // rows + 1
  const std::int32_t* case_indices;  // cases, by row
  std::vector<FmOther<T>> others;
  const T* weights;  // of the cases; nullptr: all 1
  T* errors;         // cases
};

template <class T>
void fm_relation_sweep(const Run& run, const FmRelationProblem<T>& problem);

}  // namespace aimass
