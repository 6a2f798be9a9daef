// What the kernels of Gaussian mixtures share: the features of a row, the layout of a block and the
// scratch of a thread. gmm_em_step.hpp has the essay.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "../simd/mixture.hpp"
#include "buffer.hpp"
#include "denormals.hpp"
#include "errors.hpp"
#include "ordered_sum.hpp"

namespace aimass {

namespace mixture = simd::mixture;

// Features of a standardised row z, in the order of the arrays that callers see: 1, z, and then
// nothing | |z|^2 | z_i^2 | z_i z_j for i <= j, row by row of the upper triangle. "triangular" is
// no form of features but another way to give scores of the full form: see gmm_full_block.hpp.
enum class Form { linear, spherical, diag, full };
constexpr const char* kTriangular = "triangular";

inline Form parse_form(const std::string& name, const char* argument) {
  constexpr std::pair<const char*, Form> kForms[] = {{"linear", Form::linear},
                                                     {"spherical", Form::spherical},
                                                     {"diag", Form::diag},
                                                     {"full", Form::full}};
  for (const auto& [word, form] : kForms)
    if (name == word) return form;
  throw InvalidInput(std::string(argument) + " must be linear, spherical, diag or full, got '" +
                     name + "'");
}

// Number of features, the constant included.
inline std::int64_t n_features(Form form, std::int64_t d) {
  switch (form) {
    case Form::linear:
      return 1 + d;
    case Form::spherical:
      return 2 + d;
    case Form::diag:
      return 1 + 2 * d;
    default:
      return 1 + d + d * (d + 1) / 2;
  }
}

// The features of a form in the kernels' order (see simd/mixture.hpp).
class Layout {
 public:
  Layout(Form form, std::int64_t d) : form_(form), d_(d) {
    f_.d = d;
    f_.square = form == Form::spherical;
    f_.size = n_features(form, d) - 1 - (f_.square ? 1 : 0);
    f_.stride = (d + d / 2 + 1 + mixture::kPadding) / 8 * 8;
  }

  const mixture::Features& features() const { return f_; }

  // Place of the kernels' feature number f among the features that callers see.
  std::int64_t place(std::int64_t f) const {
    if (f < d_ || form_ != Form::full) return 1 + f;
    const std::int64_t s = f / d_ - 1, i = f % d_, j = (i + s) % d_;
    const std::int64_t low = std::min(i, j), high = std::max(i, j);
    return 1 + d_ + low * d_ - low * (low - 1) / 2 + (high - low);
  }

 private:
  Form form_;
  std::int64_t d_;
  mixture::Features f_{};
};

// Coefficients of n_components scores, packed for the micro-kernel.
class Coefficients {
 public:
  Coefficients(Form form, std::int64_t d, std::int64_t n_components, const double* values)
      : layout_(form, d), n_components_(n_components) {
    if (form == Form::diag) diag_.assign(values, values + n_components * n_features(form, d));
    const mixture::Features& f = layout_.features();
    const std::int64_t tile = mixture::kernels().tile, given = n_features(form, d);
    const std::int64_t total = f.size + (f.square ? 1 : 0);
    packed_.resize(static_cast<std::size_t>((n_components + tile - 1) / tile * tile * total));
    constants_.resize(static_cast<std::size_t>(n_components));
    for (std::int64_t k = 0; k < n_components; ++k) {
      constants_[static_cast<std::size_t>(k)] = values[k * given];
      double* to = packed_.data() + k / tile * tile * total + k % tile;
      for (std::int64_t c = 0; c < total; ++c)
        to[c * tile] = values[k * given + (c < f.size ? layout_.place(c) : given - 1)];
    }
  }

  const mixture::Features& features() const { return layout_.features(); }
  std::int64_t n_components() const { return n_components_; }
  // As they were given, of the form diag; else empty.
  const std::vector<double>& diag() const { return diag_; }

  void scores(const double* columns, const double* squares, double* out, double* scratch) const {
    mixture::kernels().scores(features(), n_components_, packed_.data(), constants_.data(), columns,
                              squares, out, scratch);
  }

 private:
  Layout layout_;
  std::int64_t n_components_;
  std::vector<double> packed_, constants_, diag_;
};

// Rows to work on: values are finite, the weights (or null for ones) not negative.
template <class T>
struct GmmRows {
  const T* x;
  std::int64_t n, d;
  const double* shift;
  const double* scale;
  const double* weights;
};

// One block of rows and what is computed of it; each thread has one.
struct Block {
  Block(std::int64_t d, std::int64_t stride, std::int64_t n_components)
      : stride_(stride),
        rows(zeros(mixture::kRows * stride + mixture::kPadding)),
        columns(zeros(mixture::kRows * d)),
        squares(zeros(mixture::kRows)),
        weights(zeros(mixture::kRows)),
        scores(zeros(mixture::kRows * n_components)),
        score_of_row(zeros(mixture::kRows)),
        scratch(zeros(mixture::kernels().scratch)),
        labels(static_cast<std::size_t>(mixture::kRows)) {}

  template <class T>
  void read(const GmmRows<T>& x, std::int64_t begin, std::int64_t n) {
    const mixture::Kernels& kernels = mixture::kernels();
    mixture::Pack<T> pack;
    if constexpr (sizeof(T) == sizeof(float))
      pack = kernels.pack_f32;
    else
      pack = kernels.pack_f64;
    pack(x.x + begin * x.d, n, x.d, x.shift, x.scale, stride_, rows.data(), columns.data(),
         squares.data());
    weigh(x, begin, n);
  }

  template <class T>
  void weigh(const GmmRows<T>& x, std::int64_t begin, std::int64_t n) {
    for (std::int64_t b = 0; b < mixture::kRows; ++b)  // rows behind the end weigh nothing
      weights[b] = b >= n ? 0.0 : x.weights == nullptr ? 1.0 : x.weights[begin + b];
  }

 private:
  std::int64_t stride_;

 public:
  Buffer<double> rows, columns, squares, weights, scores, score_of_row, scratch;
  std::vector<std::int64_t> labels;
};

// Place of component k of row b among scores and responsibilities.
inline std::int64_t score_at(std::int64_t b, std::int64_t k, std::int64_t n_components) {
  const std::int64_t group = mixture::kernels().group;
  return (b / group * n_components + k) * group + b % group;
}

}  // namespace aimass
