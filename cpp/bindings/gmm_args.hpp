// Arguments that the bindings of Gaussian mixtures share: checked in O(1) and turned into views.
#pragma once

#include "../kernels/gmm_triangles.hpp"
#include "arrays.hpp"

namespace aimass::py_border {

using Doubles = Array<double>;

template <class T>
GmmRows<T> rows_view(const Array<T>& X, const Doubles& shift, const Doubles& scale,
                     const std::optional<Doubles>& sample_weight) {
  require(X.ndim() == 2 && X.shape(1) >= 1, "X must be 2-D with at least one column");
  require_1d(shift, "shift", X.shape(1));
  require_1d(scale, "scale", X.shape(1));
  if (sample_weight) require_1d(*sample_weight, "sample_weight", X.shape(0));
  const double* const weights = sample_weight ? sample_weight->data() : nullptr;
  return {X.data(), X.shape(0), X.shape(1), shift.data(), scale.data(), weights};
}

inline void require_features(const Doubles& coefficients, Form form, const std::string& form_name,
                             std::int64_t d, const char* name) {
  require(coefficients.ndim() == 2 && coefficients.shape(0) >= 1 &&
              coefficients.shape(1) == n_features(form, d),
          std::string(name) + " must have one row per component and " +
              std::to_string(n_features(form, d)) + " columns for the form '" + form_name + "'");
}

inline Coefficients coefficients_view(const Doubles& coefficients, const std::string& form,
                                      std::int64_t d, const char* name) {
  const Form parsed = parse_form(form, "score_form");
  require_features(coefficients, parsed, form, d, name);
  return {parsed, d, coefficients.shape(0), coefficients.data()};
}

// Coefficients of scores in either shape: one of the two is there.
struct ScoreModel {
  ScoreModel(const Doubles& given, const std::string& form, std::int64_t d, bool as_features) {
    if (form != kTriangular) {
      coefficients.emplace(coefficients_view(given, form, d, "coefficients"));
      return;
    }
    require_features(given, Form::full, form, d, "coefficients");
    const TriangularRows rows{given.shape(0), d, given.data()};
    if (as_features)
      coefficients.emplace(rows.features());
    else
      triangular = rows;
  }

  std::optional<Coefficients> coefficients;
  std::optional<TriangularRows> triangular;
};

}  // namespace aimass::py_border
