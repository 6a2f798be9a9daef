// The extension _cuda, or _cuda_emulated, which runs the same bodies on the processor for tests.
#include <algorithm>

#include "../bindings/arrays.hpp"
#include "../bindings/epilogue_args.hpp"
#include "gram_topk.hpp"

namespace aimass::cuda {

namespace {

namespace py = pybind11;
using py_border::Array;
using py_border::EpilogueArgs;
using py_border::exact;
using py_border::to_array;

// Places for each column, and lengths, indices and scores of the lists.
template <class T>
using Lists = std::tuple<std::int64_t, Array<std::int32_t>, Array<std::int32_t>, Array<T>>;

template <class T>
Lists<T> bound_gram_topk(const EpilogueArgs<T>& score, const Run& run,
                         const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
                         const Array<T>& data, const Array<std::int64_t>& column_indptr,
                         const Array<std::int32_t>& column_indices, const Array<T>& column_data,
                         std::int64_t k, int device) {
  py_border::require(column_indptr.ndim() == 1 && column_indptr.shape(0) >= 1,
                     "column_indptr must be 1-D with n_cols + 1 entries");
  py_border::require(k >= 1, "k must be at least 1, got " + std::to_string(k));
  const std::int64_t n_cols = column_indptr.shape(0) - 1;
  GramInput<T> input;
  input.rows = py_border::csr_view(indptr, indices, data, n_cols);
  input.columns =
      py_border::csr_view(column_indptr, column_indices, column_data, input.rows.n_rows);
  py_border::require_transpose(input.rows, input.columns, "columns");
  const Epilogue<T> e = score.view(n_cols, n_cols);
  py_border::require(e.custom == nullptr, "a function of the caller cannot run on a device");
  input.p = e.p;
  input.q = e.q;
  const std::int64_t kept = std::min(k, std::max<std::int64_t>(1, n_cols - 1));
  GramLists<T> lists;
  {
    const py::gil_scoped_release release;
    lists = gram_topk(input, kept, e, device, run);
  }
  return {kept, to_array(std::move(lists.lengths)), to_array(std::move(lists.indices)),
          to_array(std::move(lists.scores))};
}

template <class T>
void bind_gram_topk(py::module_& m) {
  py_border::def_scored<T>(
      m, "gram_topk",
      "The k best other columns of every column of a scaled CSR matrix and its "
      "transpose: (places, lengths, indices, scores).",
      &bound_gram_topk<T>, exact("indptr"), exact("indices"), exact("data"), exact("column_indptr"),
      exact("column_indices"), exact("column_data"), py::arg("k"), py::arg("device"));
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
