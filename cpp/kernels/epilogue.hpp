// From sums over common entries to a score. Problem: every neighbourhood kernel accumulates a few
// sums per pair (row r, candidate c) and turns them into one score; this is the one place that
// knows how. Cost: a few operations per candidate; logarithms only where the formula has them. A
// pair that is not a candidate gets NaN, so `score >= threshold` drops it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "errors.hpp"
#include "pair_sums.hpp"
#include "portable.hpp"

namespace aimass {

enum class Formula {
  product,
  ratio,
  llr,
  pmi,
  npmi,
  corated_cosine,
  corated_pearson,
  corated_msd,
  custom
};

inline Formula formula_of(const std::string& name) {
  constexpr const char* kNames[] = {
      "product",        "ratio",           "llr",         "pmi",   "npmi",
      "corated_cosine", "corated_pearson", "corated_msd", "custom"};
  for (int i = 0; i < 9; ++i)
    if (name == kNames[i]) return static_cast<Formula>(i);
  throw InvalidInput("formula: unknown name '" + name + "'");
}

template <class T>
struct Epilogue {
  // void f(const T* dot, const T* n, const T* p_row, const T* q, T* out, int64_t m)
  using Custom = void (*)(const T*, const T*, const T*, const T*, T*, std::int64_t);

  Formula formula = Formula::product;
  const T* p = nullptr;  // per row; null: all ones
  const T* q = nullptr;  // per candidate; null: all ones
  double total = 0;
  T weight_p = 0, weight_q = 0, shrink = 0;
  T min_support = 0, support_shrink = 0, support_offset = 0, significance = 0, amplification = 1;
  T threshold = -std::numeric_limits<T>::infinity();
  Custom custom = nullptr;

  AIMASS_DEVICE T p_of(std::int64_t row) const { return p ? p[row] : T(1); }
  AIMASS_DEVICE T q_of(std::int64_t candidate) const { return q ? q[candidate] : T(1); }

  bool uses_support() const { return min_support > 1 || support_shrink > 0 || significance > 0; }

  // Which sums the formula and the post-processing need. Counting formulas read n from d.
  Channels channels() const {
    switch (formula) {
      case Formula::product:
      case Formula::ratio:
        return uses_support() ? Channels::dot_count : Channels::dot;
      case Formula::llr:
      case Formula::pmi:
      case Formula::npmi:
        return Channels::dot;
      case Formula::custom:
        return Channels::dot_count;
      default:
        return Channels::moments;
    }
  }
};

namespace epilogue_detail {

template <class T>
constexpr T kNone = std::numeric_limits<T>::quiet_NaN();

AIMASS_DEVICE inline double x_log_x(double x) { return x > 0 ? x * std::log(x) : 0.0; }

// Dunning's G2 of the 2x2 table (n, p - n; q - n, total - p - q + n); 0 without positive
// association. T. Dunning, Accurate methods for the statistics of surprise and coincidence, 1993.
AIMASS_DEVICE inline double log_likelihood_ratio(double n, double p, double q, double total) {
  if (n * total <= p * q) return 0.0;
  const double cells = x_log_x(n) + x_log_x(p - n) + x_log_x(q - n) + x_log_x(total - p - q + n);
  const double margins = x_log_x(p) + x_log_x(total - p) + x_log_x(q) + x_log_x(total - q);
  return std::max(0.0, 2.0 * (cells - margins + x_log_x(total)));
}

// A variance below the rounding of its sums counts as zero: the correlation is then 0.
template <class T>
AIMASS_DEVICE double pearson(const Moments<T>& s) {
  constexpr double kRounding = std::max(1e-12, 16.0 * std::numeric_limits<T>::epsilon());
  const double n = s.n, sx = s.sx, sy = s.sy, sxx = s.sxx, syy = s.syy;
  const double vx = n * sxx - sx * sx;
  const double vy = n * syy - sy * sy;
  if (vx <= kRounding * n * sxx || vy <= kRounding * n * syy) return 0.0;
  return (n * s.sxy - sx * sy) / std::sqrt(vx * vy);
}

// Mean squared difference over common entries, as a similarity.
template <class T>
AIMASS_DEVICE double msd_similarity(const Moments<T>& s) {
  const double sum = static_cast<double>(s.sxx) - 2.0 * s.sxy + s.syy;
  return 1.0 / (1.0 + std::max(0.0, sum) / s.n);
}

// The number of common entries; for a Dot (counting formulas, or nobody asks) the dot itself.
template <class T>
AIMASS_DEVICE T count_of(const Dot<T>& s) {
  return s.d;
}
template <class Sums>
AIMASS_DEVICE auto count_of(const Sums& s) {
  return s.n;
}

// d + weight_p (p - d) + weight_q (q - d) + shrink, the contrast model of A. Tversky, Features of
// similarity, 1977. Where d <= p, q, as in counts of binary entries, all terms have one sign and
// nothing cancels; (1 - weight_p - weight_q) d + weight_p p + weight_q q would lose as many digits
// as the weights have. With equal weights, p and q may change places without changing a bit.
template <class T>
AIMASS_DEVICE T ratio_denominator(const Epilogue<T>& e, T p, T q, T d) {
  return (d + e.shrink) + (e.weight_p * (p - d) + e.weight_q * (q - d));
}

template <class T, class Sums>
AIMASS_DEVICE T formula_dot(const Epilogue<T>& e, T p, T q, const Sums& s) {
  if (s.d == T(0)) return kNone<T>;
  switch (e.formula) {
    case Formula::product:
      return s.d / (p * q + e.shrink);
    case Formula::ratio:
      return s.d / ratio_denominator(e, p, q, s.d);
    case Formula::llr:
      return static_cast<T>(log_likelihood_ratio(s.d, p, q, e.total));
    default: {
      const double n = s.d;
      const double pmi = std::log(n * e.total / (static_cast<double>(p) * q));
      return static_cast<T>(e.formula == Formula::pmi ? pmi : pmi / -std::log(n / e.total));
    }
  }
}

// In double: the sums of integer ratings are exact and their products stay so.
template <class T>
AIMASS_DEVICE T formula_moments(const Epilogue<T>& e, const Moments<T>& s) {
  if (s.n == T(0)) return kNone<T>;
  switch (e.formula) {
    case Formula::corated_cosine:
      return static_cast<T>(s.sxy / std::sqrt(static_cast<double>(s.sxx) * s.syy));
    case Formula::corated_pearson:
      return static_cast<T>(pearson(s));
    default:
      return static_cast<T>(msd_similarity(s));
  }
}

template <class T>
AIMASS_DEVICE T post(const Epilogue<T>& e, T score, T n) {
  if (e.min_support > T(1) && n < e.min_support) return kNone<T>;
  if (e.support_shrink > T(0)) {
    const T extra = n - e.support_offset;
    score = extra > T(0) ? score * extra / (extra + e.support_shrink) : score * T(0);
  }
  if (e.significance > T(0)) score *= std::min(n, e.significance) / e.significance;
  if (e.amplification != T(1))
    score = std::copysign(std::pow(std::abs(score), e.amplification), score);
  return std::isfinite(score) && score >= e.threshold ? score + T(0) : kNone<T>;
}

}  // namespace epilogue_detail

// The score of one pair by a built-in formula; NaN when it is not a candidate.
template <class Sums, class T = typename Sums::Value>
AIMASS_DEVICE T score_of(const Epilogue<T>& e, T p, T q, const Sums& s) {
  namespace d = epilogue_detail;
  T score;
  if constexpr (requires { s.sxy; }) {
    score = d::formula_moments(e, s);
  } else {
    score = d::formula_dot(e, p, q, s);
  }
  return d::post(e, score, static_cast<T>(d::count_of(s)));
}

// Scores of m candidates of one row. sums[i], q[i] belong to candidate i.
template <class Sums, class T = typename Sums::Value>
void score_block(const Epilogue<T>& e, T p, const T* q, const Sums* sums, std::int64_t m, T* out) {
  if constexpr (requires {
                  sums->d;
                  sums->n;
                }) {
    if (e.formula == Formula::custom) {
      constexpr std::int64_t kBlock = 256;
      T d[kBlock], n[kBlock];
      for (std::int64_t begin = 0; begin < m; begin += kBlock) {
        const std::int64_t size = std::min(kBlock, m - begin);
        for (std::int64_t i = 0; i < size; ++i) {
          d[i] = sums[begin + i].d;
          n[i] = sums[begin + i].n;
        }
        e.custom(d, n, &p, q + begin, out + begin, size);
        for (std::int64_t i = 0; i < size; ++i)
          out[begin + i] = epilogue_detail::post(e, out[begin + i], n[i]);
      }
      return;
    }
  }
  if constexpr (std::is_same_v<Sums, Dot<T>>) {
    if (e.formula == Formula::product && e.amplification == T(1)) {  // without branches
      for (std::int64_t i = 0; i < m; ++i) {
        const T score = sums[i].d / (p * q[i] + e.shrink);
        const bool kept = (sums[i].d != T(0)) & (score >= e.threshold) &
                          (std::abs(score) <= std::numeric_limits<T>::max());
        out[i] = kept ? score + T(0) : epilogue_detail::kNone<T>;
      }
      return;
    }
  }
  for (std::int64_t i = 0; i < m; ++i) out[i] = score_of(e, p, q[i], sums[i]);
}

}  // namespace aimass
