#include "field_aware_epoch.hpp"

#include <algorithm>
#include <cmath>

#include "denormals.hpp"
#include "field_aware_row.hpp"

namespace aimass {

namespace {

class FieldAwareEpoch {
 public:
  FieldAwareEpoch(const Run& run, const FieldAwareProblem& problem)
      : run_(run),
        p_(problem),
        k_(problem.n_factors),
        sums_(problem.rows, problem.fields, problem.n_fields, problem.n_factors) {}

  double run_steps() {
    const FlushDenormals flush;
    double loss = 0;
    std::int64_t work = 0;
    for (std::int64_t i = 0; i < p_.n_steps; ++i) {
      const std::int64_t row = p_.order[i];
      const double weight = p_.weights == nullptr ? 1 : p_.weights[row];
      if (weight == 0) continue;
      sums_.find_fields(row);
      loss += weight * step(row, weight);
      work += (p_.rows.end(row) - p_.rows.begin(row)) * (sums_.n_present() * k_ + 1) + 64;
      if (work >= kFieldAwareWork) {
        run_.poll();
        work = 0;
      }
    }
    return loss;
  }

 private:
  void move(double& value, double& squares, double gradient) const {
    squares += gradient * gradient;
    value -= p_.learning_rate * gradient / std::sqrt(squares);
  }

  // Makes a step; returns the loss before it.
  double step(std::int64_t row, double weight) {
    const double prediction = sums_.predict(row, p_.intercept[0], p_.linear, p_.factors);
    const double target = p_.targets[row];
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
    const std::int64_t n_columns = p_.rows.n_cols, n_all = n_columns * p_.n_fields * k_;
    move(p_.intercept[0], p_.intercept[1], slope);
    const std::int64_t begin = p_.rows.begin(row);
    for (std::int64_t e = begin; e < p_.rows.end(row); ++e) {
      const std::int64_t column = p_.rows.indices[e];
      const std::int64_t f = sums_.rank(e - begin);
      const double x = p_.rows.data[e];
      double& w = p_.linear[column];
      move(w, p_.linear[n_columns + column], slope * x + p_.regularization * w);
      for (std::int64_t g = 0; g < sums_.n_present(); ++g) {
        double *v = p_.factors + sums_.offset(column, g), *squares = v + n_all;
        const double* s = sums_.sum(g, f);
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
  std::int64_t k_;
  FieldAwareRow<double> sums_;
};

}  // namespace

double field_aware_epoch(const Run& run, const FieldAwareProblem& problem) {
  return FieldAwareEpoch(run, problem).run_steps();
}

}  // namespace aimass
