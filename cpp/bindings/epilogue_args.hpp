// The arguments by which Python says what score the sums of a pair have, in one place: each
// similarity kernel takes them after its own.
#pragma once

#include "../kernels/epilogue.hpp"
#include "arrays.hpp"

namespace aimass::py_border {

template <class T>
const T* optional_view(const Optional<T>& array, const char* name, std::int64_t length) {
  if (!array) return nullptr;
  require_1d(*array, name, length);
  return array->data();
}

template <class T>
struct EpilogueArgs {
  const std::string& formula;
  const Optional<T>& p;
  const Optional<T>& q;
  double total;
  const std::pair<double, double>& weight;
  double shrink;
  std::int64_t min_support;
  double support_shrink, support_offset, significance, amplification, threshold;
  std::uintptr_t function;

  Epilogue<T> view(std::int64_t n_rows, std::int64_t n_candidates) const {
    Epilogue<T> e;
    e.formula = formula_of(formula);
    e.p = optional_view(p, "p", n_rows);
    e.q = optional_view(q, "q", n_candidates);
    e.total = total;
    e.weight_p = static_cast<T>(weight.first);
    e.weight_q = static_cast<T>(weight.second);
    e.shrink = static_cast<T>(shrink);
    e.min_support = static_cast<T>(min_support);
    e.support_shrink = static_cast<T>(support_shrink);
    e.support_offset = static_cast<T>(support_offset);
    e.significance = static_cast<T>(significance);
    e.amplification = static_cast<T>(amplification);
    e.threshold = static_cast<T>(threshold);
    e.custom = reinterpret_cast<typename Epilogue<T>::Custom>(function);
    require(
        (e.formula == Formula::custom) == (function != 0),
        "function must be the address of a C function when formula is 'custom', and 0 otherwise");
    return e;
  }
};

// Binds kernel(its own arguments..., score, n_threads, report); `names` are those of its own
// arguments.
template <class T, class Result, class... Own, class... Names>
void def_scored(py::module_& m, const char* name, const char* doc,
                Result (*kernel)(const EpilogueArgs<T>&, const Run&, Own...),
                const Names&... names) {
  static_assert(sizeof...(Own) == sizeof...(Names), "one name for each argument");
  m.def(
      name,
      [kernel](Own... own, const std::string& formula, const Optional<T>& p, const Optional<T>& q,
               double total, const std::pair<double, double>& weight, double shrink,
               std::int64_t min_support, double support_shrink, double support_offset,
               double significance, double amplification, double threshold, std::uintptr_t function,
               int n_threads, const py::object& report) -> Result {
        return kernel({formula, p, q, total, weight, shrink, min_support, support_shrink,
                       support_offset, significance, amplification, threshold, function},
                      make_run(n_threads, report), own...);
      },
      names..., py::arg("formula"), exact("p"), exact("q"), py::arg("total"), py::arg("weight"),
      py::arg("shrink"), py::arg("min_support"), py::arg("support_shrink"),
      py::arg("support_offset"), py::arg("significance"), py::arg("amplification"),
      py::arg("threshold"), py::arg("function"), py::arg("n_threads"), report_argument(), doc);
}

}  // namespace aimass::py_border
