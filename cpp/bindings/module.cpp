// The list of what _core exports. One bind_<topic>.cpp per line.
#include "../kernels/errors.hpp"
#include "../simd/simd.hpp"
#include "arrays.hpp"

namespace py = pybind11;

namespace aimass::py_border {
void bind_csr(py::module_& m);
void bind_factorize(py::module_& m);
void bind_similarity(py::module_& m);
void bind_predict(py::module_& m);
void bind_als(py::module_& m);
void bind_sgd(py::module_& m);
void bind_embedding(py::module_& m);
void bind_rating(py::module_& m);
void bind_retrieval(py::module_& m);
void bind_gmm(py::module_& m);
void bind_linear(py::module_& m);
void bind_resample(py::module_& m);
void bind_fm(py::module_& m);
}  // namespace aimass::py_border

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  m.doc() = "Native kernels of aimass_core. Private: call them through the package.";
  aimass::simd::init();  // raises when AIMASS_ISA names a level this machine lacks

  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const aimass::Interrupted&) {
      // The signal handler has already set KeyboardInterrupt (or what it raised).
      if (!PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
    } catch (const aimass::InvalidInput& e) {
      PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const aimass::NumericalFailure& e) {
      const py::object type = py::module_::import("aimass_core.exceptions").attr("NumericalError");
      const py::object row = e.row < 0 ? py::object(py::none()) : py::object(py::int_(e.row));
      const py::object error = type(e.what(), py::arg("row") = row);
      PyErr_SetObject(type.ptr(), error.ptr());
    } catch (const std::length_error& e) {  // a size that no memory could hold
      PyErr_SetString(PyExc_MemoryError, e.what());
    }
  });

  m.def("isa", &aimass::simd::level, "ISA level in use: 'baseline', 'v3' or 'v4'.");
  m.def("isa_available", &aimass::simd::available, "ISA levels this machine can run.");
  m.def("force_isa", &aimass::simd::force, py::arg("level"),
        "Switch to another level for tests; not to be called while a kernel runs.");

  aimass::py_border::bind_csr(m);
  aimass::py_border::bind_factorize(m);
  aimass::py_border::bind_similarity(m);
  aimass::py_border::bind_predict(m);
  aimass::py_border::bind_als(m);
  aimass::py_border::bind_sgd(m);
  aimass::py_border::bind_embedding(m);
  aimass::py_border::bind_rating(m);
  aimass::py_border::bind_retrieval(m);
  aimass::py_border::bind_gmm(m);
  aimass::py_border::bind_linear(m);
  aimass::py_border::bind_resample(m);
  aimass::py_border::bind_fm(m);
}
