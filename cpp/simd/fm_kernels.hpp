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

// What a group of kFmGroup slots needs of a row of a relation, kGroupState numbers in three cache
// lines: the sums over its cases of o e for the errors e and the slots o of the other relations;
// the sums q of the row's coefficients, 0 in the slot of the linear coefficient; the sums of o;
// those of o o', a symmetric matrix M; half the number of cases; and the sum of e. M is stored by
// its diagonals: M_ii, then M_01, M_12, M_23 and M_30, then M_02 and M_13. Positions of the first
// number of each:
constexpr std::int64_t kFmGroup = 4, kErrors = 0, kSums = 4, kFirst = 8, kDiagonal = 12, kNext = 16,
                       kOpposite = 20, kHalfCount = 22, kErrorSum = 23, kGroupState = 24;
// Sums over the entries of a column, four numbers each: of h h' for the derivatives h of a group,
// by diagonals as above with M_02 and M_13 twice, then of h e.
constexpr std::int64_t kGroupSums = 4 * kFmGroup;

// Entries of a column of a relation: the states of all rows, row numbers and values.
template <class T>
struct FmEntries {
  double* rows;
  const std::int32_t* indices;
  const T* x;
  std::int64_t n;
};

// The coefficients of a group of slots of a column: precision alpha * matrix + diagonal.
struct FmGroup {
  double* coefficients;
  const double* prior_mean;
  const double* prior_precision;
  const double* noise;  // standard normal; nullptr: the mean is taken
  double alpha;
  std::int64_t first, last;  // slots that hold coefficients
  bool has_linear_slot;      // slot 0 of the group is slot 0 of its block
};

struct FmKernels {
  // moments += sums over vectors o of o o' and o e, of their first `used` numbers; the upper
  // triangle of the matrix is summed. errors: of all cases; panel: n numbers of scratch.
  void (*moments)(const FmVectors& vectors, std::int64_t width, std::int64_t used,
                  const double* errors, double* panel, double* moments);
  // The error of each case -= u'o.
  void (*correct)(const FmVectors& vectors, std::int64_t used, const double* u, double* errors);
  // moments += x^2 (M + c m' + m c' + c c' M_00) and x (t + c t_0), for (M, t) of a row of a
  // relation, m column 0 of M, and c with 0 in slot 0; of the first `used` slots.
  void (*add)(double x, const double* row_moments, const double* c, std::int64_t width,
              std::int64_t used, double* moments);
  // change = a draw less the coefficients, zero where there are none. work: width^2. False where
  // the system is not finite or not positive definite.
  bool (*draw)(const FmSystem& system, double* work, double* change);
  // The same for a group of slots, of its sums of h h' and of h e.
  bool (*group_draw)(const FmGroup& group, const double* sums, double* change);
};

template <class T>
struct FmPanels {
  // Row k of the panel -= x[k]^2 v, for n rows.
  void (*subtract)(const T* x, const T* v, std::int64_t n, std::int64_t width, T* panel);
  // Row k of out = weight[k] * row k of the panel.
  void (*scale)(const T* weight, const T* panel, std::int64_t n, std::int64_t width, T* out);
  // For the factors v of a column, the sums over all cases of h h' and h e, with the derivatives
  // h = x (o + c o_0) and c = q - x v. v is 0 in the slot of the linear coefficient.
  void (*group_sums)(const FmEntries<T>& entries, const double* v, double* sums);
  // For changes d of the coefficients: e -= d'h, and q += x f, where f are the changes of factors.
  void (*group_move)(const FmEntries<T>& entries, const double* v, const double* d,
                     const double* f);
  // Sums, draws and moves, and changes the coefficients. False as by FmKernels::draw.
  bool (*group_column)(const FmEntries<T>& entries, const FmGroup& group);
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
