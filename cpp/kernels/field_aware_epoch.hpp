// Problem: one epoch of stochastic gradient descent for a field-aware factorization machine, with
// the step lengths of AdaGrad. Every column j of the design matrix belongs to a field f(j) and has
// a vector of factors v(j, g) for each field g. The prediction of a row x is
//   b + sum_j w_j x_j + sum_{j < l} x_j x_l v(j, f(l))'v(l, f(j)).
// With one field this is a plain factorization machine.
//
// With S(f, g) the sum of x_j v(j, g) over the columns j of field f, the pairs sum to
//   sum_{f < g} S(f, g)'S(g, f) + (sum_f |S(f, f)|^2 - sum_j x_j^2 |v(j, f(j))|^2) / 2,
// and the derivative by v(j, g) is x_j S(g, f(j)), less x_j^2 v(j, g) where g = f(j). So a step
// costs entries x fields of the row x factors, and not entries^2 x factors. Only fields of the row
// are changed. Rows are taken in the given order, one after another: results are deterministic.
// Memory: (fields of a row)^2 x factors. Layout of coefficients: the values, then the sums of their
// squared gradients.
// Juan, Zhuang, Chin and Lin, Field-aware factorization machines for CTR prediction (RecSys 2016).
// Rendle, Factorization machines (ICDM 2010). Duchi, Hazan and Singer, Adaptive subgradient methods
// (JMLR 2011).
#pragma once

#include <cstdint>

#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

struct FieldAwareProblem {
  Csr<double> rows;
  const std::int32_t* fields;  // of each column
  const std::int64_t* order;   // rows, one step each
  std::int64_t n_steps;
  const double* targets;  // 0 or 1 for the logistic loss
  const double* weights;  // of the rows; nullptr: all 1
  double* intercept;      // 2
  double* linear;         // 2 x columns
  double* factors;        // 2 x columns x fields x factors
  std::int64_t n_fields, n_factors;
  double learning_rate;
  double regularization;  // L2 penalty of linear coefficients and factors, at each step
  bool is_logistic;       // else the squared error / 2
};

// Returns the weighted sum of the losses, each before its step.
double field_aware_epoch(const Run& run, const FieldAwareProblem& problem);

}  // namespace aimass
