// From the arguments that all similarity kernels share to an Epilogue.
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
Epilogue<T> make_epilogue(const std::string& formula, double total,
                          const std::pair<double, double>& weight, double shrink,
                          std::int64_t min_support, double support_shrink, double support_offset,
                          double significance, double amplification, double threshold,
                          std::uintptr_t function) {
  Epilogue<T> e;
  e.formula = formula_of(formula);
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
  require((e.formula == Formula::custom) == (function != 0),
          "function must be the address of a C function when formula is 'custom', and 0 otherwise");
  return e;
}

}  // namespace aimass::py_border
