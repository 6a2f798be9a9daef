// Problem: draw the coefficients of all columns of a design matrix of a factorization machine once,
// column by column, given the errors e of all cases and the sums of factors q of each case.
//   h = x (q - x v),   e -= h'(change of v),   q += x (change of v).
// The columns of a run share no case and are drawn at once; threads change no bit.
// Cost: nnz k (b / 2 + 3) multiply-adds for k factors in blocks of b. Memory: b^2 numbers a thread,
// and as many for each 4096 entries of the longest column.
// Rendle, Factorization machines with libFM (ACM TIST 2012); drawing a column's coefficients
// jointly: Salakhutdinov & Mnih, Bayesian probabilistic matrix factorization using Markov chain
// Monte Carlo (ICML 2008).
#pragma once

#include <vector>

#include "fm_draw.hpp"

namespace aimass {

template <class T>
struct FmDesignProblem {
  FmColumns<T> model;
  const T* weights;  // of the cases; nullptr: all 1
  T* sums;           // cases x width
  T* errors;         // cases
};

template <class T>
void fm_design_sweep(const Run& run, const FmDesignProblem<T>& problem);

}  // namespace aimass
