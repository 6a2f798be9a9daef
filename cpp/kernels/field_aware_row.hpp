// The prediction of one row by a field-aware factorization machine, as field_aware_epoch.hpp
// defines it, and the sums S(f, g) that it is made of: entries x fields of the row x factors
// multiply-adds. Memory: (fields of a row)^2 x factors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "csr.hpp"

namespace aimass {

inline constexpr std::int64_t kFieldAwareWork = 1 << 20;  // multiply-adds between two polls

// Factors are of type T, sums are double. Columns and fields are those of field_aware_epoch.hpp.
template <class T>
class FieldAwareRow {
 public:
  FieldAwareRow(const Csr<double>& rows, const std::int32_t* fields, std::int64_t n_fields,
                std::int64_t n_factors)
      : rows_(rows),
        fields_(fields),
        k_(n_factors),
        stride_(n_fields * n_factors),
        rank_of_field_(static_cast<std::size_t>(n_fields), -1) {}

  // Finds the fields of a row, in the order of their first columns.
  void find_fields(std::int64_t row) {
    for (const std::int32_t field : present_) rank_of_field_[static_cast<std::size_t>(field)] = -1;
    present_.clear();
    ranks_.clear();
    for (std::int64_t e = rows_.begin(row); e < rows_.end(row); ++e) {
      const std::int32_t field = fields_[rows_.indices[e]];
      std::int64_t& rank = rank_of_field_[static_cast<std::size_t>(field)];
      if (rank < 0) {
        rank = n_present();
        present_.push_back(field);
      }
      ranks_.push_back(rank);
    }
  }

  std::int64_t n_present() const { return static_cast<std::int64_t>(present_.size()); }
  // The rank of the field of an entry of the row, by its position in the row.
  std::int64_t rank(std::int64_t entry) const { return ranks_[static_cast<std::size_t>(entry)]; }
  // The sum S(f, g), for ranks of fields.
  double* sum(std::int64_t f, std::int64_t g) { return sums_.data() + (f * n_present() + g) * k_; }
  // Where the factors of a column for the field of a rank begin.
  std::int64_t offset(std::int64_t column, std::int64_t g) const {
    return column * stride_ + present_[static_cast<std::size_t>(g)] * k_;
  }

  // Computes the sums S and returns the prediction of the row whose fields were found.
  double predict(std::int64_t row, double intercept, const T* linear, const T* all_factors) {
    const std::int64_t n = n_present(), begin = rows_.begin(row);
    sums_.assign(static_cast<std::size_t>(n * n * k_), 0.0);
    double prediction = intercept, own = 0;
    for (std::int64_t e = begin; e < rows_.end(row); ++e) {
      const std::int64_t column = rows_.indices[e], f = rank(e - begin);
      const double x = rows_.data[e];
      prediction += static_cast<double>(linear[column]) * x;
      for (std::int64_t g = 0; g < n; ++g) {
        const T* v = all_factors + offset(column, g);
        double* s = sum(f, g);
        for (std::int64_t i = 0; i < k_; ++i) s[i] += x * static_cast<double>(v[i]);
      }
      const T* v = all_factors + offset(column, f);
      for (std::int64_t i = 0; i < k_; ++i) {
        own -= x * x * static_cast<double>(v[i]) * static_cast<double>(v[i]);
      }
    }
    double pairs = 0;
    for (std::int64_t f = 0; f < n; ++f) {
      const double* diagonal = sum(f, f);
      for (std::int64_t i = 0; i < k_; ++i) own += diagonal[i] * diagonal[i];
      for (std::int64_t g = f + 1; g < n; ++g) {
        const double *a = sum(f, g), *b = sum(g, f);
        for (std::int64_t i = 0; i < k_; ++i) pairs += a[i] * b[i];
      }
    }
    return prediction + pairs + 0.5 * own;
  }

 private:
  Csr<double> rows_;
  const std::int32_t* fields_;
  std::int64_t k_, stride_;
  std::vector<std::int64_t> rank_of_field_;  // among the fields of the row; -1: not there
  std::vector<std::int32_t> present_;        // fields of the row
  std::vector<std::int64_t> ranks_;          // rank of the field of each entry of the row
  std::vector<double> sums_;
};

}  // namespace aimass
