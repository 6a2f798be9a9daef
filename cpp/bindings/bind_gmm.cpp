#include <tuple>

#include "../kernels/gmm_em_step.hpp"
#include "../kernels/gmm_score.hpp"
#include "gmm_args.hpp"

namespace aimass::py_border {
namespace {

template <class T>
void bind_gmm_for(py::module_& m) {
  m.def(
      "gmm_em_step",
      [](const Array<T>& X, const Doubles& shift, const Doubles& scale,
         const std::optional<Doubles>& sample_weight, const std::optional<Doubles>& coefficients,
         const std::optional<Doubles>& resp, const std::string& score_form,
         const std::string& sums_form, bool hard, int n_threads) {
        const GmmRows<T> rows = rows_view(X, shift, scale, sample_weight);
        require(coefficients.has_value() != resp.has_value(),
                "give either coefficients or resp, not both");
        const Form form = parse_form(sums_form, "sums_form");
        std::optional<ScoreModel> model;
        if (coefficients)
          model.emplace(*coefficients, score_form, rows.d, hard || form != Form::full);
        if (resp)
          require(resp->ndim() == 2 && resp->shape(0) == rows.n && resp->shape(1) >= 1,
                  "resp must have one row per row of X and one column per component");
        const GmmAssignment to{resp ? resp->data() : nullptr,
                               model && model->coefficients ? &*model->coefficients : nullptr,
                               model && model->triangular ? &*model->triangular : nullptr,
                               (coefficients ? *coefficients : *resp).shape(coefficients ? 0 : 1),
                               hard};
        Doubles sums({to.n_components, n_features(form, rows.d)});
        double* const out = sums.mutable_data();
        double score = 0;
        {
          const py::gil_scoped_release release;
          score = gmm_em_step(make_run(n_threads), rows, to, form, out);
        }
        return std::tuple(sums, score);
      },
      exact("X"), exact("shift"), exact("scale"), exact("sample_weight"), exact("coefficients"),
      exact("resp"), py::arg("score_form"), py::arg("sums_form"), py::arg("hard"),
      py::arg("n_threads"),
      "Sums of the features weighted by responsibilities, and the sum of the scores.");
  m.def(
      "gmm_score",
      [](const Array<T>& X, const Doubles& shift, const Doubles& scale, const Doubles& coefficients,
         const std::optional<Doubles>& common, const std::string& score_form,
         const std::string& output, int n_threads) -> py::object {
        const GmmRows<T> rows = rows_view(X, shift, scale, std::nullopt);
        const ScoreModel model(coefficients, score_form, rows.d, common.has_value());
        std::optional<Coefficients> added;
        if (common) added = coefficients_view(*common, "full", rows.d, "common");
        require(!added || added->n_components() == 1, "common must have one row");
        const bool want_labels = output == "labels", want_score = output == "score";
        require(want_labels || want_score || output == "resp",
                "output must be labels, score or resp, got '" + output + "'");
        Array<std::int64_t> labels(want_labels ? rows.n : 0);
        Doubles score(want_score ? rows.n : 0);
        Array<T> resp({want_labels || want_score ? 0 : rows.n, coefficients.shape(0)});
        const GmmScores<T> out{want_labels ? labels.mutable_data() : nullptr,
                               want_score ? score.mutable_data() : nullptr, resp.mutable_data()};
        {
          const py::gil_scoped_release release;
          if (model.triangular)
            gmm_score(make_run(n_threads), rows, *model.triangular, out);
          else
            gmm_score(make_run(n_threads), rows, *model.coefficients, added ? &*added : nullptr,
                      out);
        }
        if (want_labels) return labels;
        if (want_score) return score;
        return resp;
      },
      exact("X"), exact("shift"), exact("scale"), exact("coefficients"), exact("common"),
      py::arg("score_form"), py::arg("output"), py::arg("n_threads"),
      "Labels, log-densities or responsibilities of rows.");
}

}  // namespace

void bind_gmm(py::module_& m) {
  bind_gmm_for<float>(m);
  bind_gmm_for<double>(m);
}

}  // namespace aimass::py_border
