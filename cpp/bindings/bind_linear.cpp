// gram_matrix, spd_inverse, symmetric_update, ridge_lists, slim_dense, slim_sparse, spmm_topk: the
// linear item-item models.
#include "../kernels/gram_matrix.hpp"
#include "../kernels/ridge_lists.hpp"
#include "../kernels/slim_dense.hpp"
#include "../kernels/slim_sparse.hpp"
#include "../kernels/spd_inverse.hpp"
#include "../kernels/spmm_topk.hpp"
#include "arrays.hpp"

namespace aimass::py_border {

namespace {

// The arguments that both kernels of SLIM have.
template <class T>
struct SlimArguments {
  Array<double> ridge;
  Array<std::int32_t> targets;
  Optional<std::int64_t> candidates_indptr;
  Optional<std::int32_t> candidates_indices;
  Optional<std::int64_t> start_indptr;
  Optional<std::int32_t> start_indices;
  Optional<T> start_data;

  SlimProblem<T> problem(std::int64_t n_items, double l1, bool nonnegative, std::int64_t k,
                         double tol, std::int64_t max_sweeps) const {
    require_1d(ridge, "ridge", n_items);
    require(targets.ndim() == 1, "targets must be 1-D");
    require(l1 >= 0, "l1 must be at least 0");
    require(k >= 1, "k must be at least 1, got " + std::to_string(k));
    require(tol >= 0, "tol must be at least 0");
    require(max_sweeps >= 1 && max_sweeps <= INT32_MAX, "max_sweeps must be at least 1");
    SlimProblem<T> p;
    p.n_items = n_items;
    p.ridge = ridge.data();
    p.n_targets = targets.shape(0);
    p.targets = targets.data();
    p.candidates = lists(candidates_indptr, candidates_indices, p.n_targets, "candidates");
    p.start = lists(start_indptr, start_indices, p.n_targets, "start");
    require(p.start.given() == start_data.has_value(), "start needs indptr, indices and data");
    if (start_data && start_indices) {
      require_1d(*start_data, "start_data", start_indices->size());
      p.start_values = start_data->data();
    }
    p.l1 = l1;
    p.nonnegative = nonnegative;
    p.k = k;
    p.tol = tol;
    p.max_sweeps = max_sweeps;
    return p;
  }

  static ItemLists lists(const Optional<std::int64_t>& indptr,
                         const Optional<std::int32_t>& indices, std::int64_t n_rows,
                         const std::string& name) {
    require(indptr.has_value() == indices.has_value(),
            name + "_indptr and " + name + "_indices must be given together");
    if (!indptr || !indices) return {};
    require_1d(*indptr, (name + "_indptr").c_str(), n_rows + 1);
    require(indices->ndim() == 1 && indptr->data()[0] == 0 &&
                indptr->data()[n_rows] == indices->shape(0),
            name + "_indptr must start at 0 and end at the number of indices");
    return {indptr->data(), indices->data()};
  }
};

template <class T>
auto to_tuple(SlimWeights<T>&& weights) {
  return std::tuple(to_array(std::move(weights.indptr)), to_array(std::move(weights.indices)),
                    to_array(std::move(weights.values)), to_array(std::move(weights.n_sweeps)),
                    to_array(std::move(weights.violation)));
}

template <class T>
void bind_linear_dense_for(py::module_& m) {
  m.def(
      "spd_inverse",
      [](Array<T>& a, int n_threads, const py::object& report) {
        require(a.ndim() == 2, "a must be 2-D");
        require_2d(a, "a", a.shape(0), a.shape(0));
        const std::int64_t n = a.shape(0);
        T* values = a.mutable_data();
        const py::gil_scoped_release release;
        spd_inverse(make_run(n_threads, report), n, values);
      },
      exact("a"), py::arg("n_threads"), report_argument(),
      "Invert a symmetric positive definite matrix in place; its lower triangle is read.");

  m.def(
      "symmetric_update",
      [](Array<T>& a, const Array<T>& u, const Array<T>& v, int n_threads) {
        require(a.ndim() == 2 && u.ndim() == 2, "a and u must be 2-D");
        const std::int64_t n = a.shape(0), depth = u.shape(1);
        require_2d(a, "a", n, n);
        require_2d(u, "u", n, depth);
        require_2d(v, "v", n, depth);
        T* values = a.mutable_data();
        const py::gil_scoped_release release;
        symmetric_update(make_run(n_threads), n, depth, u.data(), v.data(), values);
      },
      exact("a"), exact("u"), exact("v"), py::arg("n_threads"),
      "Add u v' to a symmetric matrix in place; u v' must be symmetric.");
}

template <class T>
void bind_linear_lists_for(py::module_& m) {
  m.def(
      "ridge_lists",
      [](const Array<std::int64_t>& t_indptr, const Array<std::int32_t>& t_indices,
         const Array<T>& t_data, std::int64_t n_users, const Optional<T>& gramian,
         const Array<double>& ridge, const Array<std::int32_t>& targets,
         const Array<std::int64_t>& lists_indptr, const Array<std::int32_t>& lists_indices,
         std::int64_t k, int n_threads, const py::object& report) {
        RidgeLists<T> problem;
        problem.columns = csr_view(t_indptr, t_indices, t_data, n_users);
        const std::int64_t n_items = problem.columns.n_rows;
        if (gramian) {
          require_2d(*gramian, "gramian", n_items, n_items);
          problem.gramian = gramian->data();
        }
        require_1d(ridge, "ridge", n_items);
        problem.ridge = ridge.data();
        require(targets.ndim() == 1, "targets must be 1-D");
        problem.n_targets = targets.shape(0);
        problem.targets = targets.data();
        const ItemLists lists =
            SlimArguments<T>::lists(lists_indptr, lists_indices, problem.n_targets, "lists");
        problem.indptr = lists.indptr;
        problem.indices = lists.indices;
        require(k >= 1, "k must be at least 1, got " + std::to_string(k));
        problem.k = k;
        Array<T> weights(lists_indices.shape(0));
        problem.out = weights.mutable_data();
        {
          const py::gil_scoped_release release;
          ridge_lists(make_run(n_threads, report), problem);
        }
        return weights;
      },
      exact("t_indptr"), exact("t_indices"), exact("t_data"), py::arg("n_users"), exact("gramian"),
      exact("ridge"), exact("targets"), exact("lists_indptr"), exact("lists_indices"), py::arg("k"),
      py::arg("n_threads"), report_argument(),
      "Ridge regression of target items on k items out of lists: the weights, in the order of the "
      "lists.");
}

template <class T>
void bind_linear_for(py::module_& m) {
  m.def(
      "slim_dense",
      [](const Array<T>& gramian, const Array<double>& ridge, const Array<std::int32_t>& targets,
         const Optional<std::int64_t>& candidates_indptr,
         const Optional<std::int32_t>& candidates_indices,
         const Optional<std::int64_t>& start_indptr, const Optional<std::int32_t>& start_indices,
         const Optional<T>& start_data, double l1, bool nonnegative, std::int64_t k, double tol,
         std::int64_t max_sweeps, int n_threads, const py::object& report) {
        const SlimArguments<T> arguments{
            ridge,        targets,       candidates_indptr, candidates_indices,
            start_indptr, start_indices, start_data};
        require(gramian.ndim() == 2, "gramian must be 2-D");
        require_2d(gramian, "gramian", gramian.shape(0), gramian.shape(0));
        const SlimProblem<T> problem =
            arguments.problem(gramian.shape(0), l1, nonnegative, k, tol, max_sweeps);
        SlimWeights<T> weights;
        {
          const py::gil_scoped_release release;
          weights = slim_dense(make_run(n_threads, report), problem, gramian.data());
        }
        return to_tuple(std::move(weights));
      },
      exact("gramian"), exact("ridge"), exact("targets"), exact("candidates_indptr"),
      exact("candidates_indices"), exact("start_indptr"), exact("start_indices"),
      exact("start_data"), py::arg("l1"), py::arg("nonnegative"), py::arg("k"), py::arg("tol"),
      py::arg("max_sweeps"), py::arg("n_threads"), report_argument(),
      "Elastic-net coefficients of target items by coordinate descent on a dense Gramian: "
      "(indptr, indices, data, n_sweeps, violation).");

  m.def(
      "slim_sparse",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         const Array<T>& data, const Array<std::int64_t>& t_indptr,
         const Array<std::int32_t>& t_indices, const Array<T>& t_data, const Array<double>& ridge,
         const Array<std::int32_t>& targets, const Optional<std::int64_t>& candidates_indptr,
         const Optional<std::int32_t>& candidates_indices,
         const Optional<std::int64_t>& start_indptr, const Optional<std::int32_t>& start_indices,
         const Optional<T>& start_data, double l1, bool nonnegative, std::int64_t k, double tol,
         std::int64_t max_sweeps, int n_threads, const py::object& report) {
        const SlimArguments<T> arguments{
            ridge,        targets,       candidates_indptr, candidates_indices,
            start_indptr, start_indices, start_data};
        require(t_indptr.ndim() == 1 && t_indptr.shape(0) >= 1,
                "t_indptr must be 1-D with n_items + 1 entries");
        const std::int64_t n_items = t_indptr.shape(0) - 1;
        const Csr<T> x = csr_view(indptr, indices, data, n_items);
        const Csr<T> columns = csr_view(t_indptr, t_indices, t_data, x.n_rows);
        require_transpose(x, columns, "t");
        const SlimProblem<T> problem =
            arguments.problem(n_items, l1, nonnegative, k, tol, max_sweeps);
        SlimWeights<T> weights;
        {
          const py::gil_scoped_release release;
          weights = slim_sparse(make_run(n_threads, report), problem, x, columns);
        }
        return to_tuple(std::move(weights));
      },
      exact("indptr"), exact("indices"), exact("data"), exact("t_indptr"), exact("t_indices"),
      exact("t_data"), exact("ridge"), exact("targets"), exact("candidates_indptr"),
      exact("candidates_indices"), exact("start_indptr"), exact("start_indices"),
      exact("start_data"), py::arg("l1"), py::arg("nonnegative"), py::arg("k"), py::arg("tol"),
      py::arg("max_sweeps"), py::arg("n_threads"), report_argument(),
      "Elastic-net coefficients of target items by coordinate descent on a sparse matrix: "
      "(indptr, indices, data, n_sweeps, violation).");

  m.def(
      "gram_matrix",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         const Array<T>& data, std::int64_t n_cols, int n_threads, const py::object& report) {
        const Csr<T> x = csr_view(indptr, indices, data, n_cols);
        Array<T> gramian({n_cols, n_cols});
        T* out = gramian.mutable_data();
        {
          const py::gil_scoped_release release;
          gram_matrix(make_run(n_threads, report), x, out);
        }
        return gramian;
      },
      exact("indptr"), exact("indices"), exact("data"), py::arg("n_cols"), py::arg("n_threads"),
      report_argument(), "X'X of a CSR matrix as a dense symmetric matrix.");
}

template <class T>
void bind_linear_topk_for(py::module_& m) {
  m.def(
      "spmm_topk",
      [](const Array<std::int64_t>& x_indptr, const Array<std::int32_t>& x_indices,
         const Array<T>& x_data, const Array<T>& y, std::int64_t k,
         const Optional<std::int64_t>& exclude_indptr,
         const Optional<std::int32_t>& exclude_indices, const Optional<std::uint8_t>& allowed,
         int n_threads) {
        require(y.ndim() == 2 && y.shape(1) <= INT32_MAX, "y must be 2-D");
        const std::int64_t n_cols = y.shape(1);
        const Csr<T> x = csr_view(x_indptr, x_indices, x_data, y.shape(0));
        require(k >= 1, "k must be at least 1, got " + std::to_string(k));
        require(exclude_indptr.has_value() == exclude_indices.has_value(),
                "exclude_indptr and exclude_indices must be given together");
        Exclusion exclusion;
        if (exclude_indptr) {
          require_1d(*exclude_indptr, "exclude_indptr", x.n_rows + 1);
          exclusion.indptr = exclude_indptr->data();
          require_1d(*exclude_indices, "exclude_indices", exclusion.indptr[x.n_rows]);
          exclusion.indices = exclude_indices->data();
        }
        if (allowed) {
          require_1d(*allowed, "allowed", n_cols);
          exclusion.allowed = allowed->data();
        }
        Array<std::int32_t> out_indices({x.n_rows, k});
        Array<T> out_scores({x.n_rows, k});
        std::int32_t* out_indices_data = out_indices.mutable_data();
        T* out_scores_data = out_scores.mutable_data();
        {
          const py::gil_scoped_release release;
          spmm_topk(make_run(n_threads), x, y.data(), n_cols, k, exclusion, out_indices_data,
                    out_scores_data);
        }
        return std::tuple(out_indices, out_scores);
      },
      exact("x_indptr"), exact("x_indices"), exact("x_data"), exact("y"), py::arg("k"),
      exact("exclude_indptr"), exact("exclude_indices"), exact("allowed"), py::arg("n_threads"),
      "The k best columns of every row of X Y for a CSR X and a dense Y: (indices, scores), padded "
      "(-1, -inf).");
}

}  // namespace

void bind_linear(py::module_& m) {
  bind_linear_dense_for<float>(m);
  bind_linear_dense_for<double>(m);
  bind_linear_for<float>(m);
  bind_linear_for<double>(m);
  bind_linear_lists_for<float>(m);
  bind_linear_lists_for<double>(m);
  bind_linear_topk_for<float>(m);
  bind_linear_topk_for<double>(m);
}

}  // namespace aimass::py_border
