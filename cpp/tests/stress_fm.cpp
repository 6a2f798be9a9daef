// Factorization machines under the sanitizers: random designs, relations and layouts; results are
// compared between thread counts. Kernels: fm_design_sweep, fm_relation_sweep, field_aware_epoch,
// field_aware_scores.
#include <algorithm>
#include <numeric>
#include <type_traits>

#include "../kernels/field_aware_epoch.hpp"
#include "../kernels/field_aware_scores.hpp"
#include "../kernels/fm_design_sweep.hpp"
#include "../kernels/fm_relation_sweep.hpp"
#include "stress.hpp"

namespace aimass::stress {

namespace {

template <class T>
std::vector<T> random_values(Rng& rng, std::int64_t n) {
  std::vector<T> values(static_cast<std::size_t>(n));
  for (T& v : values) v = static_cast<T>(below(rng, 2001) - 1000) / T(2000);
  return values;
}

// Rows of sums with 1 in slot 0 of each block.
template <class T>
std::vector<T> random_sums(Rng& rng, std::int64_t n, std::int64_t width, std::int64_t block_width) {
  std::vector<T> sums = random_values<T>(rng, n * width);
  for (std::size_t i = 0; i < sums.size(); i += static_cast<std::size_t>(block_width)) sums[i] = 1;
  return sums;
}

// The columns of a random matrix with their coefficients and priors. Each column is its own run,
// or, where the columns share no row, all are one.
template <class T>
struct FmModel {
  Matrix<T> columns;
  std::vector<std::int64_t> runs;
  std::vector<std::int32_t> groups;
  std::vector<double> coefficients, mean, precision, noise;
  std::int64_t block_width, n_factors, width;

  FmModel(Rng& rng, const Matrix<T>& transpose)
      : columns(transpose),
        groups(static_cast<std::size_t>(transpose.n_rows), 0),
        block_width(16 * (1 + below(rng, 2))),
        n_factors(below(rng, 40)) {
    const std::int64_t n_blocks = (n_factors + block_width - 2) / (block_width - 1);
    width = std::max<std::int64_t>(1, n_blocks) * block_width;
    std::vector<std::int64_t> seen(static_cast<std::size_t>(columns.n_cols), 0);
    bool shared = false;
    for (const std::int32_t row : columns.indices) {
      shared = shared || seen[static_cast<std::size_t>(row)]++ > 0;
    }
    runs.resize(shared || columns.n_rows == 0 ? static_cast<std::size_t>(columns.n_rows) + 1 : 2);
    std::iota(runs.begin(), runs.end(), 0);
    runs.back() = columns.n_rows;
    coefficients = random_values<double>(rng, columns.n_rows * width);
    noise = random_values<double>(rng, columns.n_rows * width);
    mean = random_values<double>(rng, width);
    precision.assign(static_cast<std::size_t>(width), 1.5);
    for (std::int64_t c = 0; c < columns.n_rows; ++c) {
      for (std::int64_t i = 0; i < width; ++i) {
        const std::int64_t slot = i % block_width, block = i / block_width;
        const bool used = slot == 0 ? block == 0 : block * (block_width - 1) + slot <= n_factors;
        if (!used) coefficients[static_cast<std::size_t>(c * width + i)] = 0;
      }
    }
  }

  FmColumns<T> view(std::vector<double>& own) const {
    return {columns.view(),
            runs.data(),
            static_cast<std::int64_t>(runs.size()) - 1,
            groups.data(),
            own.data(),
            mean.data(),
            precision.data(),
            noise.data(),
            2.0,
            width,
            block_width,
            n_factors};
  }
};

// Gradient descent over the rows of a random matrix: two epochs from one state agree.
void stress_field_aware(Rng& rng) {
  Matrix<double> x = stress_matrix<double>(rng);
  std::transform(x.data.begin(), x.data.end(), x.data.begin(),
                 [](double value) { return std::clamp(value, -1.0, 1.0); });
  const std::int64_t n_fields = 1 + below(rng, 5), n_factors = below(rng, 9);
  const auto n_columns = static_cast<std::size_t>(x.n_cols);
  const std::size_t width = n_columns * static_cast<std::size_t>(n_fields * n_factors);
  std::vector<std::int32_t> fields(n_columns);
  for (std::int32_t& field : fields) field = static_cast<std::int32_t>(below(rng, n_fields));
  std::vector<std::int64_t> order(static_cast<std::size_t>(x.n_rows));
  std::iota(order.begin(), order.end(), 0);
  const std::vector<double> targets = random_values<double>(rng, x.n_rows);
  std::vector<double> first = random_values<double>(rng, static_cast<std::int64_t>(width));
  first.resize(2 * width, 1.0);
  const bool is_logistic = rng() % 2 == 0;
  const auto epoch = [&] {
    std::vector<double> intercept(2, 1.0), linear(2 * n_columns, 1.0), factors = first;
    const double loss =
        field_aware_epoch(Run(1), {x.view(), fields.data(), order.data(), x.n_rows, targets.data(),
                                   nullptr, intercept.data(), linear.data(), factors.data(),
                                   n_fields, n_factors, 0.1, 0.01, is_logistic});
    return std::tuple(loss, intercept, linear, factors);
  };
  expect(epoch() == epoch(), "field_aware_epoch is not deterministic");
  const std::vector<float> linear = random_values<float>(rng, x.n_cols);
  const std::vector<float> factors = random_values<float>(rng, static_cast<std::int64_t>(width));
  const auto scores = [&](int n_threads) {
    std::vector<double> out(static_cast<std::size_t>(x.n_rows));
    const FieldAwareModel model{fields.data(),  0.5,      linear.data(),
                                factors.data(), n_fields, n_factors};
    field_aware_scores(Run(n_threads), x.view(), model, out.data());
    return out;
  };
  expect(scores(1) == scores(3), "field_aware_scores depends on the number of threads");
}

}  // namespace

template <class T>
void stress_fm(Rng& rng) {
  if constexpr (std::is_same_v<T, double>) stress_field_aware(rng);
  const Matrix<T> x = stress_matrix<T>(rng);
  const FmModel<T> model(rng, transposed(Run(1), x));
  const std::int64_t n_rows = x.n_rows, n_cases = n_rows == 0 ? 0 : below(rng, 3 * n_rows + 1);
  const std::vector<T> sums = random_sums<T>(rng, n_rows, model.width, model.block_width);
  const std::vector<T> row_errors = random_values<T>(rng, n_rows);
  const std::vector<T> row_weights(static_cast<std::size_t>(n_rows), T(0.5));
  const bool weighted = rng() % 2 == 0;
  const int n_threads = 2 + static_cast<int>(rng() % 4);
  const auto unless_overflow = [](auto&& work) {
    try {
      work();
    } catch (const NumericalFailure&) {  // NOLINT(bugprone-empty-catch): a right outcome
    }
  };
  const auto design = [&](int threads) {
    std::vector<double> own = model.coefficients;
    std::vector<T> q = sums, e = row_errors;
    fm_design_sweep(Run(threads),
                    FmDesignProblem<T>{model.view(own), weighted ? row_weights.data() : nullptr,
                                       q.data(), e.data()});
    return std::tuple(own, q, e);
  };
  unless_overflow(
      [&] { expect(design(1) == design(n_threads), "fm_design_sweep depends on threads"); });

  std::vector<std::int64_t> case_indptr(static_cast<std::size_t>(n_rows) + 1, 0);
  for (std::int64_t c = 0; c < n_cases; ++c) {
    ++case_indptr[static_cast<std::size_t>(below(rng, n_rows)) + 1];
  }
  std::partial_sum(case_indptr.begin(), case_indptr.end(), case_indptr.begin());
  std::vector<std::int32_t> cases(static_cast<std::size_t>(n_cases));
  std::iota(cases.begin(), cases.end(), 0);
  const std::int64_t n_other = 1 + below(rng, 20);
  const std::vector<T> table = random_sums<T>(rng, n_other, model.width, model.block_width);
  std::vector<std::int32_t> rows(cases.size());
  for (std::int32_t& row : rows) row = static_cast<std::int32_t>(below(rng, n_other));
  const std::vector<T> errors = random_values<T>(rng, n_cases);
  const std::vector<T> weights(cases.size(), T(0.5));
  const std::size_t n_others = static_cast<std::size_t>(rng() % 3);
  const auto relation = [&](int threads) {
    std::vector<double> own = model.coefficients;
    std::vector<T> q = sums, e = errors;
    FmRelationProblem<T> problem{};
    problem.model = model.view(own);
    problem.sums = q.data();
    problem.case_indptr = case_indptr.data();
    problem.case_indices = cases.data();
    problem.others.assign(n_others, {table.data(), rows.data()});
    problem.weights = weighted ? weights.data() : nullptr;
    problem.errors = e.data();
    fm_relation_sweep(Run(threads), problem);
    return std::tuple(own, q, e);
  };
  unless_overflow(
      [&] { expect(relation(1) == relation(n_threads), "fm_relation_sweep depends on threads"); });
}

template void stress_fm<float>(Rng&);
template void stress_fm<double>(Rng&);

}  // namespace aimass::stress
