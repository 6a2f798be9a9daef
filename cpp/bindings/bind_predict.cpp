#include <algorithm>
#include <tuple>

#include "../kernels/knn_predict.hpp"
#include "../kernels/slope_one_predict.hpp"
#include "epilogue_args.hpp"

namespace aimass::py_border {
namespace {

using Indptr = Array<std::int64_t>;
using Indices = Array<std::int32_t>;
template <class T>
std::tuple<Array<T>, Array<T>, Indices> call_knn_predict(
    const EpilogueArgs<T>& score, const Run& run, const Indptr& indptr, const Indices& indices,
    const Array<T>& data, const Indptr& t_indptr, const Indices& t_indices, const Array<T>& t_data,
    const Indptr& s_indptr, const Indices& s_indices, const Array<T>& s_data,
    const Indptr& st_indptr, const Indices& st_indices, const Array<T>& st_data,
    const Indices& query_entity, const Indices& query_other, std::int64_t k, std::int64_t min_k,
    bool positive_only) {
  const Csr<T> t = csr_view(t_indptr, t_indices, t_data, indptr.size() - 1);
  const Csr<T> r = csr_view(indptr, indices, data, t.n_rows);
  const Csr<T> s = csr_view(s_indptr, s_indices, s_data, t.n_rows);
  const Csr<T> st = csr_view(st_indptr, st_indices, st_data, t.n_cols);
  require_transpose(r, t, "t_indptr, t_indices, t_data");
  require_transpose(s, st, "st_indptr, st_indices, st_data");
  require(k >= 1, "k must be at least 1, got " + std::to_string(k));
  const std::int64_t n = query_entity.size();
  require_1d(query_entity, "query_entity", n);
  require_1d(query_other, "query_other", n);
  const Epilogue<T> e = score.view(r.n_rows, r.n_rows);
  Array<T> sum_weighted(n), sum_abs(n);
  Indices n_used(n);
  const KnnPredict<T> x{t,
                        s,
                        st,
                        query_entity.data(),
                        query_other.data(),
                        n,
                        k,
                        min_k,
                        positive_only,
                        sum_weighted.mutable_data(),
                        sum_abs.mutable_data(),
                        n_used.mutable_data()};
  {
    const py::gil_scoped_release release;
    knn_predict(run, x, e);
  }
  return {sum_weighted, sum_abs, n_used};
}

template <class T>
void bind_predict_for(py::module_& m) {
  def_scored<T>(
      m, "knn_predict",
      "Sums over the k nearest neighbours of each query: (sum_weighted, sum_abs, n_used).",
      &call_knn_predict<T>, exact("indptr"), exact("indices"), exact("data"), exact("t_indptr"),
      exact("t_indices"), exact("t_data"), exact("s_indptr"), exact("s_indices"), exact("s_data"),
      exact("st_indptr"), exact("st_indices"), exact("st_data"), exact("query_entity"),
      exact("query_other"), py::arg("k"), py::arg("min_k"), py::arg("positive_only"));
  m.def(
      "slope_one_predict",
      [](const Indptr& indptr, const Indices& indices, const Array<T>& data, const Indptr& t_indptr,
         const Indices& t_indices, const Array<T>& t_data, const Indices& query_user,
         const Indices& query_item, int n_threads) {
        const Csr<T> t = csr_view(t_indptr, t_indices, t_data, indptr.size() - 1);
        const Csr<T> r = csr_view(indptr, indices, data, t.n_rows);
        // T holds the users whose ratings define the deviations; R may have queried users below
        // them. Both are checked entry by entry: the kernel follows their indices.
        const auto within = [](const Csr<T>& x, std::int64_t n_columns) {
          return std::all_of(x.indices, x.indices + x.nnz(),
                             [&](std::int32_t c) { return c >= 0 && c < n_columns; });
        };
        require(t.nnz() <= r.nnz() && within(r, t.n_rows) && within(t, r.n_rows),
                "t_indptr, t_indices, t_data is not the transpose of the matrix or of its first "
                "rows");
        const std::int64_t n = query_user.size();
        require_1d(query_user, "query_user", n);
        require_1d(query_item, "query_item", n);
        Array<T> sum_dev(n);
        Indices n_used(n);
        {
          const py::gil_scoped_release release;
          slope_one_predict(make_run(n_threads), r, t, query_user.data(), query_item.data(), n,
                            sum_dev.mutable_data(), n_used.mutable_data());
        }
        return std::tuple(sum_dev, n_used);
      },
      exact("indptr"), exact("indices"), exact("data"), exact("t_indptr"), exact("t_indices"),
      exact("t_data"), exact("query_user"), exact("query_item"), py::arg("n_threads"),
      "Sum of Slope One deviations of each query and their number: (sum_dev, n_used).");
}

}  // namespace

void bind_predict(py::module_& m) {
  bind_predict_for<float>(m);
  bind_predict_for<double>(m);
}

}  // namespace aimass::py_border
