// From the arguments that all kernels of stochastic gradient methods share to their structs.
#pragma once

#include <array>
#include <cmath>
#include <tuple>

#include "../simd/sgd_kernels.hpp"
#include "arrays.hpp"

namespace aimass::py_border {

// factors (n, width), biases (n,), state (slots, n, width), bias_state (slots, n), steps (n,); an
// array of length 0 stands for one that the model or the rule lacks. All are changed in place.
template <class T>
using SgdSideArgs = std::tuple<Array<T>, Array<T>, Array<T>, Array<T>, Array<std::int32_t>>;

// rule, learning_rate, bias_learning_rate, momentum, decay, epsilon.
using SgdStepArgs = std::tuple<std::string, double, double, double, double, double>;

// Of users, positive items, negative items and biases.
using SgdPenaltyArgs = std::tuple<double, double, double, double>;

inline simd::SgdRule rule_named(const std::string& name) {
  if (name == "sgd") return simd::SgdRule::sgd;
  if (name == "momentum") return simd::SgdRule::momentum;
  if (name == "adagrad") return simd::SgdRule::adagrad;
  require(name == "adam", "rule must be one of sgd, momentum, adagrad, adam, got " + name);
  return simd::SgdRule::adam;
}

template <class T>
simd::SgdRows<T> sgd_rows(SgdSideArgs<T>& side, const std::string& name, std::int64_t n,
                          std::int64_t width, simd::SgdRule rule) {
  auto& [factors, biases, state, bias_state, steps] = side;
  require_2d(factors, (name + " factors").c_str(), n, width);
  require(biases.ndim() == 1 && (biases.shape(0) == n || biases.shape(0) == 0),
          name + " biases must be 1-D of length " + std::to_string(n) + " or 0");
  const std::int64_t slots = rule == simd::SgdRule::sgd ? 0 : rule == simd::SgdRule::adam ? 2 : 1;
  require(state.ndim() == 3 && state.shape(0) == slots && state.shape(1) == n &&
              state.shape(2) == width,
          name + " state must have shape (" + std::to_string(slots) + ", n, width)");
  require(bias_state.ndim() == 2 && bias_state.shape(0) == slots &&
              bias_state.shape(1) == biases.shape(0),
          name + " bias_state must have shape (" + std::to_string(slots) + ", number of biases)");
  const bool counts = rule == simd::SgdRule::adam;
  require_1d(steps, (name + " steps").c_str(), counts ? n : 0);
  simd::SgdRows<T> rows{};
  rows.factors = factors.mutable_data();
  if (slots > 0) rows.first = state.mutable_data();
  if (slots > 1) rows.second = rows.first + n * width;
  if (biases.shape(0) > 0) {
    rows.biases = biases.mutable_data();
    if (slots > 0) rows.bias_first = bias_state.mutable_data();
    if (slots > 1) rows.bias_second = rows.bias_first + n;
  }
  if (counts) rows.steps = steps.mutable_data();
  return rows;
}

template <class T>
std::int64_t sgd_width(const SgdSideArgs<T>& users) {
  const auto& factors = std::get<0>(users);
  require(factors.ndim() == 2, "factors must be 2-D");
  const std::int64_t width = factors.shape(1);
  require(
      width >= simd::kSgdPad && width <= 1 << 14 && width % simd::kSgdPad == 0,
      "factors must have a multiple of 16 columns, at most 16384, got " + std::to_string(width));
  return width;
}

// What the steps of adam are multiplied by, by the number of steps before.
template <class T>
std::vector<T> adam_corrections(double momentum, double decay) {
  constexpr int kMany = 1 << 14;
  std::vector<T> corrections;
  double m = 1, s = 1;
  for (int n = 0; n < kMany; ++n) {
    m *= momentum;
    s *= decay;
    corrections.push_back(static_cast<T>(std::sqrt(1 - s) / (1 - m)));
    if (m < 1e-9 && s < 1e-9) break;
  }
  return corrections;
}

template <class T>
simd::SgdSteps<T> sgd_steps(const SgdStepArgs& args, std::vector<T>& corrections) {
  const auto& [rule, rate, bias_rate, momentum, decay, epsilon] = args;
  require(rate > 0 && bias_rate >= 0, "learning rates must be above 0");
  require(momentum >= 0 && momentum < 1 && decay >= 0 && decay < 1,
          "momentum and decay must be within [0, 1)");
  if (rule_named(rule) == simd::SgdRule::adam) corrections = adam_corrections<T>(momentum, decay);
  return {static_cast<T>(rate),
          static_cast<T>(bias_rate),
          static_cast<T>(momentum),
          static_cast<T>(decay),
          static_cast<T>(epsilon),
          corrections.data(),
          static_cast<std::int64_t>(corrections.size())};
}

template <class T>
simd::SgdPenalties<T> sgd_penalties(const SgdPenaltyArgs& args) {
  const auto& [user, positive, negative, bias] = args;
  return {static_cast<T>(user), static_cast<T>(positive), static_cast<T>(negative),
          static_cast<T>(bias)};
}

// Rows and columns of a matrix whose values are not read; checked as by csr_view.
template <class T>
Csr<T> csr_pattern(const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
                   std::int64_t n_cols) {
  require(indptr.ndim() == 1 && indptr.shape(0) >= 1, "indptr must be 1-D with n_rows + 1 entries");
  const std::int64_t n_rows = indptr.shape(0) - 1;
  require(indices.ndim() == 1 && indptr.data()[0] == 0 && indptr.data()[n_rows] == indices.shape(0),
          "indptr must start at 0 and end at len(indices)");
  return {n_rows, n_cols, indptr.data(), indices.data(), nullptr};
}

}  // namespace aimass::py_border
