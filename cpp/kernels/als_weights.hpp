// What every row of one side of alternating least squares minimises, and how:
//   x' (gramian + ridge I) x - 2 linear'x
//   + sum over the row's entries of (weight (y'x)^2 - 2 target y'x)
// An entry of value v, preferences:  weight = alpha |v| + weight_shift,
//                                    target = alpha v + target_shift if v > 0, else 0;
//                                    a stored zero is no entry.
//                       else values:  weight = weight_shift, target = v.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "portable.hpp"

namespace aimass {

struct AlsWeights {
  double alpha, weight_shift, target_shift;
  bool preferences;

  // Whether every weight is zero, so that all rows have one matrix.
  bool none() const { return weight_shift == 0 && (alpha == 0 || !preferences); }

  template <class T>
  void of(const T* data, std::int64_t n, T* weight, T* target) const {
    if (!preferences) {
      std::fill(weight, weight + n, static_cast<T>(weight_shift));
      std::copy(data, data + n, target);
      return;
    }
    const T a = static_cast<T>(alpha), w = static_cast<T>(weight_shift),
            t = static_cast<T>(target_shift);
    for (std::int64_t i = 0; i < n; ++i) of_preference(data[i], a, w, t, weight[i], target[i]);
  }

  // The weight and the target of one entry.
  template <class T>
  AIMASS_DEVICE void of(T value, T& weight, T& target) const {
    if (preferences) {
      of_preference(value, static_cast<T>(alpha), static_cast<T>(weight_shift),
                    static_cast<T>(target_shift), weight, target);
    } else {
      weight = static_cast<T>(weight_shift);
      target = value;
    }
  }

 private:
  template <class T>
  AIMASS_DEVICE static void of_preference(T value, T a, T w, T t, T& weight, T& target) {
    const T scaled = a * std::abs(value);
    weight = value != 0 ? scaled + w : T{0};
    target = value > 0 ? scaled + t : T{0};
  }
};

enum class AlsSolver { cholesky, cg, pcg, subspace, nonnegative };

}  // namespace aimass
