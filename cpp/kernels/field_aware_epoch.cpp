#include "field_aware_epoch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "denormals.hpp"

namespace aimass {

namespace {

constexpr std::int64_t kWorkOfPoll = 1 << 20;  // multiply-adds between two polls

class FieldAwareEpoch {
 public:
  FieldAwareEpoch(const Run& run, const FieldAwareProblem& problem)
      : run_(run),
        p_(problem),
        k_(problem.n_factors),
        stride_(problem.n_fields * problem.n_factors),
        rank_of_field_(static_cast<std::size_t>(problem.n_fields), -1) {}

  double run_steps() {
    const FlushDenormals flush;
    double loss = 0;
    std::int64_t work = 0;
    for (std::int64_t i = 0; i < p_.n_steps; ++i) {
      const std::int64_t row = p_.order[i];
      const double weight = p_.weights == nullptr ? 1 : p_.weights[row];
      if (weight == 0) continue;
      find_fields(row);
      loss += weight * step(row, weight);
      work += (p_.rows.end(row) - p_.rows.begin(row)) * (n_present() * k_ + 1) + 64;
      if (work >= kWorkOfPoll) {
        run_.poll();
        work = 0;
      }
    }
    return loss;
  }

 private:
  std::int64_t n_present() const { return static_cast<std::int64_t>(present_.size()); }

  // The fields of a row, in the order of their first columns.
  void find_fields(std::int64_t row) {
    for (const std::int32_t field : present_) rank_of_field_[static_cast<std::size_t>(field)] = -1;
    present_.clear();
    ranks_.clear();
    for (std::int64_t e = p_.rows.begin(row); e < p_.rows.end(row); ++e) {
      const std::int32_t field = p_.fields[p_.rows.indices[e]];
      std::int64_t& rank = rank_of_field_[static_cast<std::size_t>(field)];
      if (rank < 0) {
        rank = n_present();
        present_.push_back(field);
      }
      ranks_.push_back(rank);
    }
  }

  // The sum S(f, g), for ranks of fields.
  double* sum(std::int64_t f, std::int64_t g) { return sums_.data() + (f * n_present() + g) * k_; }
  double* factors(std::int64_t column, std::int64_t g) {
    return p_.factors + column * stride_ + present_[static_cast<std::size_t>(g)] * k_;
  }

  // Computes the sums S and returns the prediction of a row.
  double predict(std::int64_t row) {
    const std::int64_t n = n_present(), begin = p_.rows.begin(row);
    sums_.assign(static_cast<std::size_t>(n * n * k_), 0.0);
    double prediction = p_.intercept[0], own = 0;
    for (std::int64_t e = begin; e < p_.rows.end(row); ++e) {
      const std::int64_t column = p_.rows.indices[e];
      const std::int64_t f = ranks_[static_cast<std::size_t>(e - begin)];
      const double x = p_.rows.data[e];
      prediction += p_.linear[column] * x;
      for (std::int64_t g = 0; g < n; ++g) {
        const double* v = factors(column, g);
        double* s = sum(f, g);
        for (std::int64_t i = 0; i < k_; ++i) s[i] += x * v[i];
      }
      const double* v = factors(column, f);
      for (std::int64_t i = 0; i < k_; ++i) own -= x * x * v[i] * v[i];
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

  void move(double& value, double& squares, double gradient) const {
    squares += gradient * gradient;
    value -= p_.learning_rate * gradient / std::sqrt(squares);
  }

  // Makes a step; returns the loss before it.
  double step(std::int64_t row, double weight) {
    const double prediction = predict(row), target = p_.targets[row];
    double loss, slope;  // slope: derivative of the loss by the prediction
    if (p_.is_logistic) {
      const double decay = std::exp(-std::abs(prediction));
      const double share = (prediction >= 0 ? 1 : decay) / (1 + decay);
      loss = std::log1p(decay) + std::max(prediction, 0.0) - target * prediction;
      slope = share - target;
    } else {
      slope = prediction - target;
      loss = 0.5 * slope * slope;
    }
    slope *= weight;
    const std::int64_t n_columns = p_.rows.n_cols, n_all = n_columns * stride_;
    move(p_.intercept[0], p_.intercept[1], slope);
    const std::int64_t begin = p_.rows.begin(row);
    for (std::int64_t e = begin; e < p_.rows.end(row); ++e) {
      const std::int64_t column = p_.rows.indices[e];
      const std::int64_t f = ranks_[static_cast<std::size_t>(e - begin)];
      const double x = p_.rows.data[e];
      double& w = p_.linear[column];
      move(w, p_.linear[n_columns + column], slope * x + p_.regularization * w);
      for (std::int64_t g = 0; g < n_present(); ++g) {
        double *v = factors(column, g), *squares = v + n_all;
        const double* s = sum(g, f);
        const double own = g == f ? x : 0;
        for (std::int64_t i = 0; i < k_; ++i) {
          const double derivative = x * (s[i] - own * v[i]);
          move(v[i], squares[i], slope * derivative + p_.regularization * v[i]);
        }
      }
    }
    return loss;
  }

  const Run& run_;
  const FieldAwareProblem& p_;
  std::int64_t k_, stride_;
  std::vector<std::int64_t> rank_of_field_;  // among the fields of the row; -1: not there
  std::vector<std::int32_t> present_;        // fields of the row
  std::vector<std::int64_t> ranks_;          // rank of the field of each entry of the row
  std::vector<double> sums_;
};

}  // namespace

double field_aware_epoch(const Run& run, const FieldAwareProblem& problem) {
  return FieldAwareEpoch(run, problem).run_steps();
}

}  // namespace aimass
