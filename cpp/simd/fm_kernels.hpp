// Micro-kernels of factorization machines: systems of one column of the design matrix. Included by
// the files compiled with ISA flags, so no inline functions: see table.hpp. Widths are multiples
// of 8. Moments are a symmetric width x width matrix, then a vector of the width.
#pragma once

#include <cstdint>

namespace aimass::simd {

// The normal distribution of the coefficients of a column: precision alpha * matrix + diagonal.
struct FmSystem {
  const double* moments;  // sums of h h' and of h e, h the derivatives and e the errors
  const double* coefficients;
  const double* prior_mean;
  const double* prior_precision;
  const double* noise;  // standard normal; nullptr: the mean is taken
  double alpha;
  std::int64_t first, last;  // slots that hold coefficients; first is 0 or 1
  std::int64_t width;
};

// Vectors of the width at base + indices[k] * stride, for n cases.
struct FmVectors {
  const double* base;
  const std::int32_t* indices;
  std::int64_t stride;
  const std::int32_t* cases;
  std::int64_t n;
};

// Entries of a column of a relation: the states of their rows, and their values. A state is the
// matrix M of moments, the vectors t and U (the total of all u), and the sums q of the row's
// factors, with 0 in slot 0 of q.
struct FmRows {
  double* const* states;
  const double* x;
  std::int64_t n;
};

struct FmKernels {
  // moments += sums over vectors o of o o' and o e, of their first `used` numbers; the matrix stays
  // symmetric. errors: of all cases; panel: n numbers of scratch.
  void (*moments)(const FmVectors& vectors, std::int64_t width, std::int64_t used,
                  const double* errors, double* panel, double* moments);
  // The error of each case -= u'o.
  void (*correct)(const FmVectors& vectors, std::int64_t used, const double* u, double* errors);
  // moments += x^2 (M + c m' + m c' + c c' M_00) and x (t + c t_0), for (M, t) of a row of a
  // relation, m column 0 of M, and c with 0 in slot 0; of the first `used` slots.
  void (*add)(double x, const double* row_moments, const double* c, std::int64_t width,
              std::int64_t used, double* moments);
  // The same for the entries of a column with coefficients v, 0 in slot 0, and c = q - x v; of the
  // matrix only the upper triangle. panel: 2 width numbers of scratch for each entry.
  void (*add_rows)(const FmRows& rows, const double* v, std::int64_t width, std::int64_t used,
                   double* panel, double* moments);
  // For the change d of the coefficients and u = x (d + e_0 c'd): t -= M u, U += u, and q += x d
  // but for slot 0.
  void (*move_rows)(const FmRows& rows, const double* v, const double* change, std::int64_t width,
                    std::int64_t used);
  // change = a draw less the coefficients, zero where there are none. work: width^2. False where
  // the system is not finite or not positive definite.
  bool (*draw)(const FmSystem& system, double* work, double* change);
};

template <class T>
struct FmPanels {
  // Row k of the panel -= x[k]^2 v, for n rows.
  void (*subtract)(const T* x, const T* v, std::int64_t n, std::int64_t width, T* panel);
  // Row k of out = weight[k] * row k of the panel.
  void (*scale)(const T* weight, const T* panel, std::int64_t n, std::int64_t width, T* out);
};

struct FmTable {
  FmPanels<float> f32;
  FmPanels<double> f64;
  FmKernels systems;
};

// Those of the level in use.
template <class T>
const FmPanels<T>& fm_panels();
const FmKernels& fm_kernels();

}  // namespace aimass::simd
