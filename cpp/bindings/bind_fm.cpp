#include <tuple>

#include "../kernels/field_aware_epoch.hpp"
#include "../kernels/field_aware_scores.hpp"
#include "../kernels/fm_design_sweep.hpp"
#include "../kernels/fm_relation_sweep.hpp"
#include "arrays.hpp"

namespace aimass::py_border {
namespace {

// Means and precisions of the priors: groups x width.
using FmPriorArgs = std::tuple<Array<double>, Array<double>>;

// `columns` is the transpose of the design matrix. Values are checked by the caller.
template <class T>
FmColumns<T> fm_columns(const Csr<T>& columns, const Array<std::int64_t>& runs,
                        const Array<std::int32_t>& groups, Array<double>& coefficients,
                        const FmPriorArgs& prior, const Array<double>& noise, double alpha,
                        std::int64_t block_width, std::int64_t n_factors) {
  constexpr std::int64_t kMaxWidth = 64;
  const std::int64_t pad = simd::kAlsPad<T>;
  require(block_width >= pad && block_width <= kMaxWidth && block_width % pad == 0,
          "block_width must be a multiple of " + std::to_string(pad) + " and at most 64, got " +
              std::to_string(block_width));
  require(n_factors >= 0 && n_factors <= 1 << 14, "n_factors must be within [0, 16384]");
  const std::int64_t n_blocks =
      std::max<std::int64_t>(1, (n_factors + block_width - 2) / (block_width - 1));
  const std::int64_t width = n_blocks * block_width;
  require_2d(coefficients, "coefficients", columns.n_rows, width);
  require_1d(groups, "groups", columns.n_rows);
  const auto& [mean, precision] = prior;
  require(mean.ndim() == 2 && mean.shape(1) == width,
          "prior means must have a column for each slot");
  require_2d(precision, "prior precisions", mean.shape(0), width);
  if (noise.size() > 0) require_2d(noise, "noise", columns.n_rows, width);
  require(runs.ndim() == 1 && runs.shape(0) >= 1 && runs.data()[0] == 0 &&
              runs.data()[runs.shape(0) - 1] == columns.n_rows,
          "runs must start at 0 and end at the number of columns");
  require(alpha > 0, "alpha must be above 0");
  return {columns,
          runs.data(),
          runs.shape(0) - 1,
          groups.data(),
          coefficients.mutable_data(),
          mean.data(),
          precision.data(),
          noise.size() > 0 ? noise.data() : nullptr,
          alpha,
          width,
          block_width,
          n_factors};
}

template <class T>
const T* case_weights(const Array<T>& weights, std::int64_t n_cases) {
  if (weights.size() == 0) return nullptr;
  require_1d(weights, "weights", n_cases);
  return weights.data();
}

template <class T>
void bind_fm_for(py::module_& m) {
  m.def(
      "fm_design_sweep",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         const Array<T>& data, const Array<std::int64_t>& runs, const Array<std::int32_t>& groups,
         Array<double> coefficients, const FmPriorArgs& prior, const Array<double>& noise,
         double alpha, const Array<T>& weights, Array<T> sums, Array<T> errors,
         std::int64_t block_width, std::int64_t n_factors, int n_threads) {
        require(errors.ndim() == 1, "errors must be 1-D");
        const std::int64_t n_cases = errors.shape(0);
        FmDesignProblem<T> p{};
        p.model = fm_columns(csr_view(indptr, indices, data, n_cases), runs, groups, coefficients,
                             prior, noise, alpha, block_width, n_factors);
        require_2d(sums, "sums", n_cases, p.model.width);
        p.weights = case_weights(weights, n_cases);
        p.sums = sums.mutable_data();
        p.errors = errors.mutable_data();
        const py::gil_scoped_release release;
        fm_design_sweep(make_run(n_threads), p);
      },
      exact("indptr"), exact("indices"), exact("data"), exact("runs"), exact("groups"),
      exact("coefficients"), exact("prior"), exact("noise"), py::arg("alpha"), exact("weights"),
      exact("sums"), exact("errors"), py::arg("block_width"), py::arg("n_factors"),
      py::arg("n_threads"),
      "Draw the coefficients of a design matrix once; coefficients, sums and errors are changed.");
  m.def(
      "fm_relation_sweep",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         const Array<T>& data, const Array<std::int64_t>& runs, const Array<std::int32_t>& groups,
         Array<double> coefficients, const FmPriorArgs& prior, const Array<double>& noise,
         double alpha, const Array<T>& weights, Array<T> sums, Array<T> errors,
         const Array<std::int64_t>& case_indptr, const Array<std::int32_t>& case_indices,
         const std::vector<std::tuple<Array<T>, Array<std::int32_t>>>& others,
         std::int64_t block_width, std::int64_t n_factors, int n_threads) {
        require(errors.ndim() == 1 && sums.ndim() == 2, "errors must be 1-D and sums 2-D");
        const std::int64_t n_cases = errors.shape(0), n_rows = sums.shape(0);
        FmRelationProblem<T> p{};
        p.model = fm_columns(csr_view(indptr, indices, data, n_rows), runs, groups, coefficients,
                             prior, noise, alpha, block_width, n_factors);
        require_2d(sums, "sums", n_rows, p.model.width);
        require_1d(case_indptr, "case_indptr", n_rows + 1);
        require_1d(case_indices, "case_indices", n_cases);
        require(case_indptr.data()[0] == 0 && case_indptr.data()[n_rows] == n_cases,
                "case_indptr must start at 0 and end at the number of cases");
        for (const auto& [table, rows] : others) {
          require(table.ndim() == 2 && table.shape(1) == p.model.width,
                  "sums of other relations must have a column for each slot");
          require_1d(rows, "rows of other relations", n_cases);
          p.others.push_back({table.data(), rows.data()});
        }
        p.case_indptr = case_indptr.data();
        p.case_indices = case_indices.data();
        p.weights = case_weights(weights, n_cases);
        p.sums = sums.mutable_data();
        p.errors = errors.mutable_data();
        const py::gil_scoped_release release;
        fm_relation_sweep(make_run(n_threads), p);
      },
      exact("indptr"), exact("indices"), exact("data"), exact("runs"), exact("groups"),
      exact("coefficients"), exact("prior"), exact("noise"), py::arg("alpha"), exact("weights"),
      exact("sums"), exact("errors"), exact("case_indptr"), exact("case_indices"), exact("others"),
      py::arg("block_width"), py::arg("n_factors"), py::arg("n_threads"),
      "Draw the coefficients of a relation once; coefficients, sums and errors are changed.");
}

void bind_field_aware(py::module_& m) {
  m.def(
      "field_aware_epoch",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         const Array<double>& data, const Array<std::int32_t>& fields,
         const Array<std::int64_t>& order, const Array<double>& targets,
         const Array<double>& weights, Array<double> intercept, Array<double> linear,
         Array<double> factors, std::int64_t n_fields, double learning_rate, double regularization,
         bool is_logistic) {
        require(fields.ndim() == 1 && targets.ndim() == 1 && order.ndim() == 1,
                "fields, targets and order must be 1-D");
        const std::int64_t n_columns = fields.shape(0), n_rows = targets.shape(0);
        require_1d(indptr, "indptr", n_rows + 1);
        require_1d(intercept, "intercept", 2);
        require_2d(linear, "linear", 2, n_columns);
        require(n_fields >= 1, "n_fields must be at least 1");
        require(factors.ndim() == 3 && factors.shape(0) == 2 && factors.shape(1) == n_columns &&
                    factors.shape(2) % n_fields == 0,
                "factors must have the shape (2, columns, n_fields * n_factors)");
        require(learning_rate > 0 && regularization >= 0,
                "learning_rate must be above 0 and regularization at least 0");
        FieldAwareProblem p{};
        p.rows = csr_view(indptr, indices, data, n_columns);
        p.fields = fields.data();
        p.order = order.data();
        p.n_steps = order.shape(0);
        p.targets = targets.data();
        p.weights = case_weights(weights, n_rows);
        p.intercept = intercept.mutable_data();
        p.linear = linear.mutable_data();
        p.factors = factors.mutable_data();
        p.n_fields = n_fields;
        p.n_factors = factors.shape(2) / n_fields;
        p.learning_rate = learning_rate;
        p.regularization = regularization;
        p.is_logistic = is_logistic;
        const py::gil_scoped_release release;
        return field_aware_epoch(make_run(1), p);
      },
      exact("indptr"), exact("indices"), exact("data"), exact("fields"), exact("order"),
      exact("targets"), exact("weights"), exact("intercept"), exact("linear"), exact("factors"),
      py::arg("n_fields"), py::arg("learning_rate"), py::arg("regularization"),
      py::arg("is_logistic"),
      "Make one step of gradient descent for each row of order; return the sum of the losses.");
  m.def(
      "field_aware_scores",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         const Array<double>& data, const Array<std::int32_t>& fields, double intercept,
         const Array<float>& linear, const Array<float>& factors, int n_threads) {
        require(fields.ndim() == 1, "fields must be 1-D");
        const std::int64_t n_columns = fields.shape(0);
        const Csr<double> rows = csr_view(indptr, indices, data, n_columns);
        require_1d(linear, "linear", n_columns);
        require(factors.ndim() == 3 && factors.shape(0) == n_columns && factors.shape(1) >= 1,
                "factors must have the shape (columns, fields, factors)");
        const FieldAwareModel model{fields.data(),  intercept,        linear.data(),
                                    factors.data(), factors.shape(1), factors.shape(2)};
        Array<double> scores(rows.n_rows);
        double* out = scores.mutable_data();
        {
          const py::gil_scoped_release release;
          field_aware_scores(make_run(n_threads), rows, model, out);
        }
        return scores;
      },
      exact("indptr"), exact("indices"), exact("data"), exact("fields"), py::arg("intercept"),
      exact("linear"), exact("factors"), py::arg("n_threads"),
      "Return the prediction of each row by a field-aware factorization machine.");
}

}  // namespace

void bind_fm(py::module_& m) {
  bind_field_aware(m);
  bind_fm_for<float>(m);
  bind_fm_for<double>(m);
}

}  // namespace aimass::py_border
