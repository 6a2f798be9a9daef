// gram_topk, spgemm_topk: exact top-k similarity of sparse matrices.
#include "../kernels/gram_topk.hpp"
#include "../kernels/spgemm_topk.hpp"
#include "arrays.hpp"
#include "epilogue_args.hpp"

namespace aimass::py_border {

namespace {

template <class T>
void bind_similarity_for(py::module_& m) {
  m.def(
      "gram_topk",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         const Array<T>& data, std::int64_t n_cols, std::int64_t k, const Optional<T>& row_scale,
         const Optional<T>& col_scale, const std::string& formula, const Optional<T>& p,
         const Optional<T>& q, double total, const std::pair<double, double>& weight, double shrink,
         std::int64_t min_support, double support_shrink, double support_offset,
         double significance, double amplification, double threshold, std::uintptr_t function,
         int n_threads) {
        const Csr<T> a = csr_view(indptr, indices, data, n_cols);
        require(k >= 1, "k must be at least 1, got " + std::to_string(k));
        Epilogue<T> e =
            make_epilogue<T>(formula, total, weight, shrink, min_support, support_shrink,
                             support_offset, significance, amplification, threshold, function);
        e.p = optional_view(p, "p", n_cols);
        e.q = optional_view(q, "q", n_cols);
        const Scales<T> scales{optional_view(row_scale, "row_scale", a.n_rows),
                               optional_view(col_scale, "col_scale", n_cols)};
        GramTopK<T> result;
        {
          const py::gil_scoped_release release;
          result = gram_topk(a, scales, k, e, make_run(n_threads));
        }
        return py::make_tuple(to_array(std::move(result.indptr)),
                              to_array(std::move(result.indices)),
                              to_array(std::move(result.scores)));
      },
      py::arg("indptr").noconvert(), py::arg("indices").noconvert(), py::arg("data").noconvert(),
      py::arg("n_cols"), py::arg("k"), py::arg("row_scale").noconvert(),
      py::arg("col_scale").noconvert(), py::arg("formula"), py::arg("p").noconvert(),
      py::arg("q").noconvert(), py::arg("total"), py::arg("weight"), py::arg("shrink"),
      py::arg("min_support"), py::arg("support_shrink"), py::arg("support_offset"),
      py::arg("significance"), py::arg("amplification"), py::arg("threshold"), py::arg("function"),
      py::arg("n_threads"),
      "The k best other columns of every column of a CSR matrix: (indptr, indices, scores).");

  m.def(
      "spgemm_topk",
      [](const Array<std::int64_t>& x_indptr, const Array<std::int32_t>& x_indices,
         const Array<T>& x_data, const Array<std::int64_t>& y_indptr,
         const Array<std::int32_t>& y_indices, const Array<T>& y_data, std::int64_t n_cols,
         std::int64_t k, const Optional<std::int64_t>& exclude_indptr,
         const Optional<std::int32_t>& exclude_indices, const Optional<std::uint8_t>& allowed,
         const std::string& formula, const Optional<T>& p, const Optional<T>& q, double total,
         const std::pair<double, double>& weight, double shrink, std::int64_t min_support,
         double support_shrink, double support_offset, double significance, double amplification,
         double threshold, std::uintptr_t function, int n_threads) {
        const Csr<T> y = csr_view(y_indptr, y_indices, y_data, n_cols);
        const Csr<T> x = csr_view(x_indptr, x_indices, x_data, y.n_rows);
        require(k >= 1, "k must be at least 1, got " + std::to_string(k));
        Epilogue<T> e =
            make_epilogue<T>(formula, total, weight, shrink, min_support, support_shrink,
                             support_offset, significance, amplification, threshold, function);
        e.p = optional_view(p, "p", x.n_rows);
        e.q = optional_view(q, "q", n_cols);
        Exclusion exclusion;
        require(exclude_indptr.has_value() == exclude_indices.has_value(),
                "exclude_indptr and exclude_indices must be given together");
        if (exclude_indptr) {
          exclusion.indptr = optional_view(exclude_indptr, "exclude_indptr", x.n_rows + 1);
          exclusion.indices =
              optional_view(exclude_indices, "exclude_indices", exclusion.indptr[x.n_rows]);
        }
        exclusion.allowed = optional_view(allowed, "allowed", n_cols);
        Array<std::int32_t> out_indices({x.n_rows, k});
        Array<T> out_scores({x.n_rows, k});
        std::int32_t* out_indices_data = out_indices.mutable_data();
        T* out_scores_data = out_scores.mutable_data();
        {
          const py::gil_scoped_release release;
          spgemm_topk(x, y, k, exclusion, e, out_indices_data, out_scores_data,
                      make_run(n_threads));
        }
        return py::make_tuple(out_indices, out_scores);
      },
      py::arg("x_indptr").noconvert(), py::arg("x_indices").noconvert(),
      py::arg("x_data").noconvert(), py::arg("y_indptr").noconvert(),
      py::arg("y_indices").noconvert(), py::arg("y_data").noconvert(), py::arg("n_cols"),
      py::arg("k"), py::arg("exclude_indptr").noconvert(), py::arg("exclude_indices").noconvert(),
      py::arg("allowed").noconvert(), py::arg("formula"), py::arg("p").noconvert(),
      py::arg("q").noconvert(), py::arg("total"), py::arg("weight"), py::arg("shrink"),
      py::arg("min_support"), py::arg("support_shrink"), py::arg("support_offset"),
      py::arg("significance"), py::arg("amplification"), py::arg("threshold"), py::arg("function"),
      py::arg("n_threads"),
      "The k best columns of every row of X Y for CSR X, Y: (indices, scores), padded (-1, -inf).");
}

}  // namespace

void bind_similarity(py::module_& m) {
  bind_similarity_for<float>(m);
  bind_similarity_for<double>(m);
}

}  // namespace aimass::py_border
