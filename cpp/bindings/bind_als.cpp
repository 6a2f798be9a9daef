#include "../kernels/als_gather.hpp"
#include "../kernels/als_gramian.hpp"
#include "../kernels/als_loss.hpp"
#include "arrays.hpp"

namespace aimass::py_border {
namespace {

using Indptr = Array<std::int64_t>;
using Indices = Array<std::int32_t>;

AlsSolver solver_named(const std::string& name) {
  if (name == "cholesky") return AlsSolver::cholesky;
  if (name == "cg") return AlsSolver::cg;
  if (name == "pcg") return AlsSolver::pcg;
  if (name == "subspace") return AlsSolver::subspace;
  require(name == "nonnegative",
          "solver must be one of cholesky, cg, pcg, subspace, nonnegative, got " + name);
  return AlsSolver::nonnegative;
}

template <class T>
std::int64_t n_factors_of(const Array<T>& factors) {
  require(factors.ndim() == 2 && factors.shape(1) >= 1 && factors.shape(1) <= 1 << 14,
          "factors must be 2-D with 1 to 16384 columns");
  return factors.shape(1);
}

template <class T>
void bind_als_for(py::module_& m) {
  m.def(
      "als_solve",
      [](const Indptr& indptr, const Indices& indices, const Array<T>& data,
         const Array<T>& factors, const Array<double>& gramian, const Array<T>& start,
         const Array<double>& ridge, const Array<T>& linear, double common_ridge, double alpha,
         double weight_shift, double target_shift, bool preferences, const std::string& solver,
         std::int64_t n_steps, std::int64_t block_size, int n_threads) {
        const std::int64_t f = n_factors_of(factors);
        const Csr<T> rows = csr_view(indptr, indices, data, factors.shape(0));
        require_2d(gramian, "gramian", f, f);
        require_2d(start, "start", rows.n_rows, f);
        require_1d(ridge, "ridge", rows.n_rows);
        require(linear.ndim() == 2, "linear must be 2-D");
        const bool shifted = linear.shape(0) > 0 && rows.n_rows > 0;
        require_2d(linear, "linear", shifted ? rows.n_rows : linear.shape(0), f);
        require(n_steps >= 1, "n_steps must be at least 1, got " + std::to_string(n_steps));
        require(block_size >= 1 && block_size <= 1 << 14, "block_size must be within [1, 16384]");
        Array<T> solution({rows.n_rows, f});
        T* out = solution.mutable_data();
        const AlsWeights weights{alpha, weight_shift, target_shift, preferences};
        const AlsSolver how = solver_named(solver);
        const py::gil_scoped_release release;
        als_solve_gathered(make_run(n_threads),
                           AlsProblem<T>{rows, factors.data(), f, gramian.data(), start.data(),
                                         ridge.data(), shifted ? linear.data() : nullptr,
                                         common_ridge, weights, how, n_steps, block_size, out});
        return solution;
      },
      exact("indptr"), exact("indices"), exact("data"), exact("factors"), exact("gramian"),
      exact("start"), exact("ridge"), exact("linear"), py::arg("common_ridge"), py::arg("alpha"),
      py::arg("weight_shift"), py::arg("target_shift"), py::arg("preferences"), py::arg("solver"),
      py::arg("n_steps"), py::arg("block_size"), py::arg("n_threads"),
      "Factors of every row, the other side's being fixed: one half-step of least squares.");
  m.def(
      "als_loss",
      [](const Indptr& indptr, const Indices& indices, const Array<T>& data,
         const Array<T>& row_factors, const Array<T>& factors, double alpha, double weight_shift,
         double target_shift, bool preferences, int n_threads) {
        const std::int64_t f = n_factors_of(factors);
        const Csr<T> rows = csr_view(indptr, indices, data, factors.shape(0));
        require_2d(row_factors, "row_factors", rows.n_rows, f);
        const py::gil_scoped_release release;
        return als_loss(make_run(n_threads), rows, row_factors.data(), factors.data(), f,
                        {alpha, weight_shift, target_shift, preferences});
      },
      exact("indptr"), exact("indices"), exact("data"), exact("row_factors"), exact("factors"),
      py::arg("alpha"), py::arg("weight_shift"), py::arg("target_shift"), py::arg("preferences"),
      py::arg("n_threads"), "What the stored entries add to the loss.");
  m.def(
      "als_gramian",
      [](const Array<T>& factors, int n_threads) {
        const std::int64_t f = n_factors_of(factors);
        Array<double> gramian({f, f});
        double* out = gramian.mutable_data();
        const py::gil_scoped_release release;
        als_gramian(make_run(n_threads), factors.data(), factors.shape(0), f, out);
        return gramian;
      },
      exact("factors"), py::arg("n_threads"), "factors' factors in float64.");
}

}  // namespace

void bind_als(py::module_& m) {
  bind_als_for<float>(m);
  bind_als_for<double>(m);
}

}  // namespace aimass::py_border
