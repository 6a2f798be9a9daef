// Problem: the predictions of rows by a field-aware factorization machine, defined in
// field_aware_epoch.hpp. Cost: entries x fields of a row x factors multiply-adds, in blocks of rows
// on all threads. Memory per thread: (fields of a row)^2 x factors. Layout: CSR rows, factors of
// columns x fields x factors. A prediction does not depend on other rows.
// Juan, Zhuang, Chin and Lin, Field-aware factorization machines for CTR prediction (RecSys 2016).
#pragma once

#include <cstdint>

#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

struct FieldAwareModel {
  const std::int32_t* fields;  // of each column
  double intercept;
  const float* linear;   // columns
  const float* factors;  // columns x fields x factors
  std::int64_t n_fields, n_factors;
};

void field_aware_scores(const Run& run, const Csr<double>& rows, const FieldAwareModel& model,
                        double* scores);

}  // namespace aimass
