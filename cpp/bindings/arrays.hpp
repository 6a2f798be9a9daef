// The border: typed NumPy arrays in, views out. The only file that includes pybind11's NumPy and
// STL headers.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../kernels/csr.hpp"
#include "../kernels/errors.hpp"
#include "../kernels/parallel.hpp"

namespace aimass::py_border {

namespace py = pybind11;

// Exact dtype, C-contiguous; bind with py::arg().noconvert() so that nothing is copied silently.
template <class T>
using Array = py::array_t<T, py::array::c_style>;

template <class T>
using Optional = std::optional<Array<T>>;

// An array argument that is taken as it is or refused, never converted.
inline py::arg exact(const char* name) {
  py::arg argument(name);
  argument.noconvert();
  return argument;
}

inline void require(bool ok, const std::string& message) {
  if (!ok) throw InvalidInput(message);
}
inline void require(bool ok, const char* message) {  // no string is made when all is well
  if (!ok) throw InvalidInput(message);
}

// Handles signals (Ctrl-C) and calls report(done, total), where `state` is a Python function and
// the kernel counts. True when either has raised; the exception is set then. Called by the kernel's
// own thread without the GIL.
inline bool must_stop(const void* state, std::int64_t done, std::int64_t total) {
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) return true;
  if (state == nullptr || total == 0) return false;
  try {
    (*static_cast<const py::object*>(state))(done, total);
  } catch (py::error_already_set& error) {
    error.restore();
    return true;
  } catch (const std::exception&) {  // there was no memory for the arguments
    if (PyErr_Occurred() == nullptr) PyErr_NoMemory();
    return true;
  }
  return false;
}

inline Run make_run(int n_threads) {
  prepare_to_throw();  // kernels throw on this thread too
  return Run(n_threads, &must_stop);
}

// `report` is None, or a function of the units that are complete and of all, which is called about
// ten times a second while the kernel runs. It must live as long as the run.
inline Run make_run(int n_threads, const py::object& report) {
  prepare_to_throw();
  return Run(n_threads, &must_stop, report.is_none() ? nullptr : &report);
}

// The last argument of kernels that count what is complete.
inline py::arg_v report_argument() { return py::arg("report") = py::none(); }

template <class T>
void require_1d(const Array<T>& array, const char* name, std::int64_t length) {
  if (array.ndim() == 1 && array.shape(0) == length) return;
  throw InvalidInput(std::string(name) + " must be 1-D of length " + std::to_string(length) +
                     ", got " + std::to_string(array.ndim()) + "-D of size " +
                     std::to_string(array.size()));
}

template <class T>
void require_2d(const Array<T>& array, const char* name, std::int64_t rows, std::int64_t columns) {
  require(array.ndim() == 2 && array.shape(0) == rows && array.shape(1) == columns,
          std::string(name) + " must have shape (" + std::to_string(rows) + ", " +
              std::to_string(columns) + ")");
}

// O(1) checks only; values are checked by aimass_core._validation.
template <class T>
Csr<T> csr_view(const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
                const Array<T>& data, std::int64_t n_cols) {
  require(indptr.ndim() == 1 && indptr.shape(0) >= 1, "indptr must be 1-D with n_rows + 1 entries");
  const std::int64_t n_rows = indptr.shape(0) - 1;
  require(indices.ndim() == 1 && data.ndim() == 1 && indices.shape(0) == data.shape(0),
          "indices and data must be 1-D of equal length");
  require(indptr.data()[0] == 0 && indptr.data()[n_rows] == indices.shape(0),
          "indptr must start at 0 and end at len(indices)");
  require(n_cols >= 0 && n_cols <= INT32_MAX, "n_cols must fit int32");
  require(n_rows <= INT32_MAX, "the number of rows must fit int32");
  return {n_rows, n_cols, indptr.data(), indices.data(), data.data()};
}

// A matrix and its transpose have to be of one shape and size; more is the caller's word.
template <class T>
void require_transpose(const Csr<T>& x, const Csr<T>& t, const char* name) {
  require(x.n_rows == t.n_cols && x.n_cols == t.n_rows && x.nnz() == t.nnz(),
          std::string(name) + " is not the transpose of its matrix: shapes or sizes differ");
}

// Gives a vector to NumPy without copying it.
template <class T>
Array<T> to_array(std::vector<T>&& values) {
  auto owner = std::make_unique<std::vector<T>>(std::move(values));
  const py::capsule free(owner.get(), [](void* p) { delete static_cast<std::vector<T>*>(p); });
  const std::vector<T>* kept = owner.release();
  return Array<T>({static_cast<py::ssize_t>(kept->size())}, {sizeof(T)}, kept->data(), free);
}

}  // namespace aimass::py_border
