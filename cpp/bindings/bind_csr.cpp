#include <string>
#include <tuple>

#include "../kernels/coo_to_csr.hpp"
#include "../kernels/csr_check.hpp"
#include "../kernels/csr_transpose.hpp"
#include "../kernels/list_gains.hpp"
#include "arrays.hpp"

namespace aimass::py_border {
namespace {

template <class T>
void bind_csr_for(py::module_& m) {
  m.def(
      "csr_check",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         const Array<T>& data, std::int64_t n_cols, int n_threads) {
        require(indptr.ndim() == 1 && indptr.shape(0) >= 1,
                "indptr must be 1-D with n_rows + 1 entries");
        require_1d(data, "data", indices.size());
        require_1d(indices, "indices", indices.size());
        require(n_cols >= 0 && n_cols <= INT32_MAX, "n_cols must fit int32");
        const Csr<T> x{indptr.shape(0) - 1, n_cols, indptr.data(), indices.data(), data.data()};
        CsrStatus status;
        {
          const py::gil_scoped_release release;
          status = csr_check(make_run(n_threads), x, indices.shape(0));
        }
        return std::tuple(status.code, status.position, status.is_sorted, status.has_duplicates);
      },
      exact("indptr"), exact("indices"), exact("data"), py::arg("n_cols"), py::arg("n_threads") = 1,
      "Status of a CSR triple: (status, position, is_sorted, has_duplicates).");
  m.def(
      "coo_to_csr",
      [](const Array<std::int32_t>& rows, const Array<std::int32_t>& cols, const Array<T>& data,
         const std::optional<Array<std::int64_t>>& times, std::int64_t n_rows, std::int64_t n_cols,
         const std::string& duplicates, int n_threads) {
        const std::int64_t n = rows.size();
        require_1d(rows, "rows", n);
        require_1d(cols, "cols", n);
        require_1d(data, "data", n);
        if (times) require_1d(*times, "times", n);
        require(n_rows >= 0 && n_rows <= INT32_MAX, "n_rows must fit int32");
        require(n_cols >= 0 && n_cols <= INT32_MAX, "n_cols must fit int32");
        const Duplicates rule = duplicates_of(duplicates);
        Array<std::int64_t> indptr(n_rows + 1), out_times(times ? n : 0);
        Array<std::int32_t> indices(n);
        Array<T> out_data(n);
        const Coo<T> x{n,
                       n_rows,
                       n_cols,
                       rows.data(),
                       cols.data(),
                       data.data(),
                       times ? times->data() : nullptr};
        const CsrOut<T> out{indptr.mutable_data(), indices.mutable_data(), out_data.mutable_data(),
                            times ? out_times.mutable_data() : nullptr};
        std::int64_t nnz = 0;
        {
          const py::gil_scoped_release release;
          nnz = coo_to_csr(make_run(n_threads), x, rule, out);
        }
        if (nnz < n) {
          indices.resize({nnz}, false);
          out_data.resize({nnz}, false);
          if (times) out_times.resize({nnz}, false);
        }
        return std::tuple(indptr, indices, out_data,
                          times ? py::object(out_times) : py::object(py::none()));
      },
      exact("rows"), exact("cols"), exact("data"), exact("times"), py::arg("n_rows"),
      py::arg("n_cols"), py::arg("duplicates"), py::arg("n_threads"),
      "Triplets to canonical CSR: (indptr, indices, data, times).");
  m.def(
      "list_gains",
      [](const Array<std::int64_t>& lists, const Array<std::int64_t>& indptr,
         const Array<std::int32_t>& indices, const Array<T>& data, std::int64_t n_cols,
         int n_threads) {
        const Csr<T> relevant = csr_view(indptr, indices, data, n_cols);
        require(lists.ndim() == 2 && lists.shape(0) == relevant.n_rows,
                "lists must be 2-D with " + std::to_string(relevant.n_rows) + " rows");
        Array<double> gains({lists.shape(0), lists.shape(1)});
        double* const out = gains.mutable_data();
        const py::gil_scoped_release release;
        list_gains(make_run(n_threads), lists.data(), lists.shape(1), relevant, out);
        return gains;
      },
      exact("lists"), exact("indptr"), exact("indices"), exact("data"), py::arg("n_cols"),
      py::arg("n_threads"), "Relevance of the item at each rank of each list.");
  m.def(
      "csr_transpose",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         const Array<T>& data, std::int64_t n_cols, int n_threads) {
        const Csr<T> x = csr_view(indptr, indices, data, n_cols);
        Array<std::int64_t> out_indptr(n_cols + 1);
        Array<std::int32_t> out_indices(x.nnz());
        Array<T> out_data(x.nnz());
        {
          const py::gil_scoped_release release;
          csr_transpose(make_run(n_threads), x, out_indptr.mutable_data(),
                        out_indices.mutable_data(), out_data.mutable_data());
        }
        return std::tuple(out_indptr, out_indices, out_data);
      },
      exact("indptr"), exact("indices"), exact("data"), py::arg("n_cols"), py::arg("n_threads"),
      "CSR of the transpose: (indptr, indices, data).");
}

}  // namespace

void bind_csr(py::module_& m) {
  bind_csr_for<float>(m);
  bind_csr_for<double>(m);
}

}  // namespace aimass::py_border
