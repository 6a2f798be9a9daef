// The extension _cuda, or _cuda_emulated, which runs the same bodies on the processor for tests.
#include "../bindings/arrays.hpp"
#include "../bindings/epilogue_args.hpp"
#include "gram_topk.hpp"

namespace aimass::cuda {

namespace {

namespace py = pybind11;
using py_border::Array;
using py_border::csr_view;
using py_border::Optional;
using py_border::optional_view;
using py_border::require;
using py_border::to_array;

template <class T>
void bind_gram_topk(py::module_& m) {
  m.def(
      "gram_topk",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         const Array<T>& data, const Array<std::int64_t>& column_indptr,
         const Array<std::int32_t>& column_indices, const Array<T>& column_data, std::int64_t k,
         const std::string& formula, const Optional<T>& p, const Optional<T>& q, double total,
         const std::pair<double, double>& weight, double shrink, std::int64_t min_support,
         double support_shrink, double support_offset, double significance, double amplification,
         double threshold, int device) {
        const std::int64_t n_cols = column_indptr.shape(0) - 1;
        GramInput<T> input;
        input.rows = csr_view(indptr, indices, data, n_cols);
        input.columns = csr_view(column_indptr, column_indices, column_data, input.rows.n_rows);
        py_border::require_transpose(input.rows, input.columns, "columns");
        require(k >= 1, "k must be at least 1, got " + std::to_string(k));
        const std::int64_t kept = std::min(k, std::max<std::int64_t>(1, n_cols - 1));
        const Epilogue<T> e =
            py_border::make_epilogue<T>(formula, total, weight, shrink, min_support, support_shrink,
                                        support_offset, significance, amplification, threshold, 0);
        input.p = optional_view(p, "p", n_cols);
        input.q = optional_view(q, "q", n_cols);
        GramLists<T> lists;
        {
          const py::gil_scoped_release release;
          lists = gram_topk(input, kept, e, device, py_border::make_run(1));
        }
        return py::make_tuple(kept, to_array(std::move(lists.lengths)),
                              to_array(std::move(lists.indices)),
                              to_array(std::move(lists.scores)));
      },
      py::arg("indptr").noconvert(), py::arg("indices").noconvert(), py::arg("data").noconvert(),
      py::arg("column_indptr").noconvert(), py::arg("column_indices").noconvert(),
      py::arg("column_data").noconvert(), py::arg("k"), py::arg("formula"),
      py::arg("p").noconvert(), py::arg("q").noconvert(), py::arg("total"), py::arg("weight"),
      py::arg("shrink"), py::arg("min_support"), py::arg("support_shrink"),
      py::arg("support_offset"), py::arg("significance"), py::arg("amplification"),
      py::arg("threshold"), py::arg("device"),
      "The k best other columns of every column: (places, lengths, indices, scores).");
}

}  // namespace

PYBIND11_MODULE(AIMASS_CUDA_MODULE, m) {
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const DeviceMemoryError& error) {
      PyErr_SetString(PyExc_MemoryError, error.what());
    } catch (const DeviceError& error) {
      PyErr_SetString(PyExc_RuntimeError, error.what());
    } catch (const InvalidInput& error) {
      PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const Interrupted&) {  // the signal handler has already raised, or Ctrl-C was pressed
      if (!PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
    }
  });
  m.def(
      "device_info",
      [](int device) {
        const DeviceInfo info = device_info(device);
        py::dict facts;
        facts["name"] = info.name;
        facts["free_memory"] = info.free_memory;
        facts["total_memory"] = info.total_memory;
        facts["n_multiprocessors"] = info.n_multiprocessors;
        return facts;
      },
      py::arg("device"), "Name and memory of a device; RuntimeError where there is none.");
  bind_gram_topk<float>(m);
  bind_gram_topk<double>(m);
}

}  // namespace aimass::cuda
