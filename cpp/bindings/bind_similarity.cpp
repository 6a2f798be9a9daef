// gram_topk, spgemm_topk: exact top-k similarity of sparse matrices.
#include <tuple>

#include "../kernels/gram_topk.hpp"
#include "../kernels/spgemm_topk.hpp"
#include "arrays.hpp"
#include "epilogue_args.hpp"

namespace aimass::py_border {

namespace {

using Indptr = Array<std::int64_t>;
using Indices = Array<std::int32_t>;

template <class T>
std::tuple<Indptr, Indices, Array<T>> call_gram_topk(const EpilogueArgs<T>& score, const Run& run,
                                                     const Indptr& indptr, const Indices& indices,
                                                     const Array<T>& data, std::int64_t n_cols,
                                                     std::int64_t k, const Optional<T>& row_scale,
                                                     const Optional<T>& col_scale) {
  const Csr<T> a = csr_view(indptr, indices, data, n_cols);
  require(k >= 1, "k must be at least 1, got " + std::to_string(k));
  const Epilogue<T> e = score.view(n_cols, n_cols);
  const Scales<T> scales{optional_view(row_scale, "row_scale", a.n_rows),
                         optional_view(col_scale, "col_scale", n_cols)};
  GramTopK<T> result;
  {
    const py::gil_scoped_release release;
    result = gram_topk(a, scales, k, e, run);
  }
  return {to_array(std::move(result.indptr)), to_array(std::move(result.indices)),
          to_array(std::move(result.scores))};
}

template <class T>
std::tuple<Indices, Array<T>> call_spgemm_topk(const EpilogueArgs<T>& score, const Run& run,
                                               const Indptr& x_indptr, const Indices& x_indices,
                                               const Array<T>& x_data, const Indptr& y_indptr,
                                               const Indices& y_indices, const Array<T>& y_data,
                                               std::int64_t n_cols, std::int64_t k,
                                               const Optional<std::int64_t>& exclude_indptr,
                                               const Optional<std::int32_t>& exclude_indices,
                                               const Optional<std::uint8_t>& allowed) {
  const Csr<T> y = csr_view(y_indptr, y_indices, y_data, n_cols);
  const Csr<T> x = csr_view(x_indptr, x_indices, x_data, y.n_rows);
  require(k >= 1, "k must be at least 1, got " + std::to_string(k));
  const Epilogue<T> e = score.view(x.n_rows, n_cols);
  Exclusion exclusion;
  require(exclude_indptr.has_value() == exclude_indices.has_value(),
          "exclude_indptr and exclude_indices must be given together");
  if (exclude_indptr) {
    exclusion.indptr = optional_view(exclude_indptr, "exclude_indptr", x.n_rows + 1);
    exclusion.indices =
        optional_view(exclude_indices, "exclude_indices", exclusion.indptr[x.n_rows]);
  }
  exclusion.allowed = optional_view(allowed, "allowed", n_cols);
  Indices out_indices({x.n_rows, k});
  Array<T> out_scores({x.n_rows, k});
  std::int32_t* out_indices_data = out_indices.mutable_data();
  T* out_scores_data = out_scores.mutable_data();
  {
    const py::gil_scoped_release release;
    spgemm_topk(x, y, k, exclusion, e, out_indices_data, out_scores_data, run);
  }
  return {out_indices, out_scores};
}

template <class T>
void bind_similarity_for(py::module_& m) {
  def_scored<T>(
      m, "gram_topk",
      "The k best other columns of every column of a CSR matrix: (indptr, indices, scores).",
      &call_gram_topk<T>, exact("indptr"), exact("indices"), exact("data"), py::arg("n_cols"),
      py::arg("k"), exact("row_scale"), exact("col_scale"));
  def_scored<T>(
      m, "spgemm_topk",
      "The k best columns of every row of X Y for CSR X, Y: (indices, scores), padded (-1, -inf).",
      &call_spgemm_topk<T>, exact("x_indptr"), exact("x_indices"), exact("x_data"),
      exact("y_indptr"), exact("y_indices"), exact("y_data"), py::arg("n_cols"), py::arg("k"),
      exact("exclude_indptr"), exact("exclude_indices"), exact("allowed"));
}

}  // namespace

void bind_similarity(py::module_& m) {
  bind_similarity_for<float>(m);
  bind_similarity_for<double>(m);
}

}  // namespace aimass::py_border
