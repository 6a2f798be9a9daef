// Steps of ranking losses. Compiled once per ISA level with AIMASS_LEVEL defined; internal linkage
// but for the table.
#include "sgd_kernels.hpp"
#include "levels.hpp"
#include "sgd_vectors.hpp"

namespace {

constexpr Index kAhead = 4;  // pairs, or items of a list, that a prefetch runs ahead
constexpr Index kFew = 4;    // items scored at once where fewer than the most are left

// Of n items: their scores, the same for any n.
template <Index n, bool with_norms, class T>
void score_group(const SgdRows<T>& items, Index width, const T* x, const std::int32_t* indices,
                 T* out, T* norms) {
  const T* y[n];
  V<T> sums[n] = {}, squares[n] = {};
  for (Index i = 0; i < n; ++i) y[i] = items.factors + indices[i] * width;
  for (Index v = 0; v < width / Simd<T>::lanes; ++v) {
    const V<T> xv = at(x, v);
    for (Index i = 0; i < n; ++i) {
      const V<T> yv = at(y[i], v);
      sums[i] += xv * yv;
      if constexpr (with_norms) squares[i] += yv * yv;
    }
  }
  for (Index i = 0; i < n; ++i) {
    const T bias = items.biases == nullptr ? T{0} : items.biases[indices[i]];
    out[i] = lane_sum<T>(sums[i]) + bias;
    if constexpr (with_norms) norms[i] = lane_sum<T>(squares[i]);
  }
}

template <bool with_norms, class T>
void score_items(const SgdRows<T>& items, Index width, const T* x, const std::int32_t* indices,
                 Index n, T* out, T* norms) {
  constexpr Index kMost = with_norms ? 4 : 8;  // as many as registers hold
  Index k = 0;
  for (; k + kMost <= n; k += kMost) {
    score_group<kMost, with_norms>(items, width, x, indices + k, out + k, norms + k);
  }
  for (; k + kFew <= n; k += kFew) {
    score_group<kFew, with_norms>(items, width, x, indices + k, out + k, norms + k);
  }
  for (; k < n; ++k) {
    score_group<1, with_norms>(items, width, x, indices + k, out + k, norms + k);
  }
}

template <class T>
void scores(const SgdRows<T>& items, Index width, const T* x, const std::int32_t* indices, Index n,
            T* out, T* norms) {
  if (norms == nullptr) {
    score_items<false>(items, width, x, indices, n, out, out);
  } else {
    score_items<true>(items, width, x, indices, n, out, norms);
  }
}

// The arguments are copies of the caller's own: what stores of factors might change would be read
// again for each vector.
template <SgdRule rule, class T>
[[gnu::always_inline]] inline void take_pair_step(const SgdRows<T> users, const SgdRows<T> items,
                                                  Index width, const SgdSteps<T> steps,
                                                  const SgdPenalties<T> penalties, SgdPair pair,
                                                  T slope) {
  const Index u = pair.user, i = pair.positive, j = pair.negative;
  T *x = users.factors + u * width, *p = items.factors + i * width, *q = items.factors + j * width;
  const T rate_u = rate_of<rule>(steps, steps.rate, users.steps, u);
  const T rate_i = rate_of<rule>(steps, steps.rate, items.steps, i);
  const T rate_j = rate_of<rule>(steps, steps.rate, items.steps, j);
  const Index nv = width / Simd<T>::lanes;
  if constexpr (rule == SgdRule::sgd) {
    const T move = steps.rate * slope, keep_x = 1 - steps.rate * penalties.user;
    const T keep_p = 1 - steps.rate * penalties.positive;
    const T keep_q = 1 - steps.rate * penalties.negative;
    for (Index v = 0; v < nv; ++v) {
      const V<T> xv = at(x, v), pv = at(p, v), qv = at(q, v), step = move * xv;
      at(x, v) = keep_x * xv + move * (pv - qv);
      at(p, v) = keep_p * pv + step;
      at(q, v) = keep_q * qv - step;
    }
  } else {
    T *x1 = row_of(users.first, u, width), *x2 = row_of(users.second, u, width);
    T *p1 = row_of(items.first, i, width), *p2 = row_of(items.second, i, width);
    T *q1 = row_of(items.first, j, width), *q2 = row_of(items.second, j, width);
    for (Index v = 0; v < nv; ++v) {
      const V<T> xv = at(x, v), pv = at(p, v), qv = at(q, v);
      const V<T> dx = slope * (pv - qv) - penalties.user * xv;
      const V<T> dp = slope * xv - penalties.positive * pv;
      const V<T> dq = -slope * xv - penalties.negative * qv;
      at(x, v) = moved<rule>(steps, rate_u, dx, xv, vector_of(x1, v), vector_of(x2, v));
      at(p, v) = moved<rule>(steps, rate_i, dp, pv, vector_of(p1, v), vector_of(p2, v));
      at(q, v) = moved<rule>(steps, rate_j, dq, qv, vector_of(q1, v), vector_of(q2, v));
    }
  }
  const T ratio = steps.bias_rate / steps.rate;
  move_bias<rule>(steps, items, i, rate_i * ratio, slope, penalties.bias);
  move_bias<rule>(steps, items, j, rate_j * ratio, -slope, penalties.bias);
}

template <SgdRule rule, class T>
void pair_step(const SgdRows<T>& users, const SgdRows<T>& items, Index width,
               const SgdSteps<T>& steps, const SgdPenalties<T>& penalties, const SgdPair& pair,
               T slope) {
  take_pair_step<rule, T>(users, items, width, steps, penalties, pair, slope);
}

// The most first pairs of n that no two of share a row.
[[gnu::always_inline]] inline Index n_independent(const SgdPair* pair, Index n) {
  for (Index g = 1; g < n; ++g) {
    const SgdPair now = pair[g];
    bool shared = false;
    for (Index h = 0; h < g; ++h) {
      const SgdPair other = pair[h];
      shared |= (now.user == other.user) | (now.positive == other.positive) |
                (now.positive == other.negative) | (now.negative == other.positive) |
                (now.negative == other.negative);
    }
    if (shared) return g;
  }
  return n;
}

// The score of the positive less that of the negative.
template <class T>
[[gnu::always_inline]] inline T difference(const SgdRows<T>& users, const SgdRows<T>& items,
                                           Index width, SgdPair pair) {
  const T* x = users.factors + pair.user * width;
  const T* p = items.factors + pair.positive * width;
  const T* q = items.factors + pair.negative * width;
  const Index nv = width / Simd<T>::lanes;
  V<T> even = {}, odd = {};
  Index v = 0;
  for (; v + 1 < nv; v += 2) {
    even += at(x, v) * (at(p, v) - at(q, v));
    odd += at(x, v + 1) * (at(p, v + 1) - at(q, v + 1));
  }
  if (v < nv) even += at(x, v) * (at(p, v) - at(q, v));
  const T d = lane_sum<T>(even + odd);
  return items.biases == nullptr ? d
                                 : d + items.biases[pair.positive] - items.biases[pair.negative];
}

// Of differences d, with e = exp(-|d|): the slope 1 / (1 + exp(d)), 1 + e, and -min(d, 0).
template <class T>
[[gnu::always_inline]] inline void logistic(const T* differences, T* slopes, T* ones_and_small,
                                            T* losses) {
  const Group<T> zero = {}, one = zero + T{1};
  Group<T> d, small;
  __builtin_memcpy(&d, differences, sizeof(d));
  exponentials(d > zero ? -d : d, small);
  const Group<T> sum = one + small, slope = (d > zero ? small : one) / sum;
  const Group<T> part = d > zero ? zero : -d;  // NaN goes on and is found
  __builtin_memcpy(slopes, &slope, sizeof(slope));
  __builtin_memcpy(ones_and_small, &sum, sizeof(sum));
  __builtin_memcpy(losses, &part, sizeof(part));
}

template <SgdRule rule, class T>
[[gnu::always_inline]] inline void pairs_of_width(const SgdRows<T>& all_users,
                                                  const SgdRows<T>& all_items, const Index width,
                                                  const SgdSteps<T>& all_steps,
                                                  const SgdPenalties<T>& all_penalties,
                                                  const SgdPair* pair, Index n, SgdTally* tally) {
  const SgdRows<T> users = all_users, items = all_items;
  const SgdSteps<T> steps = all_steps;
  const SgdPenalties<T> penalties = all_penalties;
  double loss = 0;
  T product = 1;  // of 1 + exp(-|d|): at most 2^64 before its logarithm is taken
  Index n_correct = 0;
  for (Index s = 0, m = 0; s < n; s += m) {
    m = n_independent(pair + s, n - s < kGroup ? n - s : kGroup);
    T differences[kGroup] = {}, slopes[kGroup], ones_and_small[kGroup], losses[kGroup];
    for (Index g = 0; g < m; ++g) {
      if (s + g + kAhead < n) {
        const SgdPair& next = pair[s + g + kAhead];
        prefetch<rule>(users, next.user, width);
        prefetch<rule>(items, next.positive, width);
        prefetch<rule>(items, next.negative, width);
      }
      differences[g] = difference(users, items, width, pair[s + g]);
    }
    logistic(differences, slopes, ones_and_small, losses);
    for (Index g = 0; g < m; ++g) {
      product *= ones_and_small[g];
      if (((s + g) & 63) == 63) {
        loss += __builtin_log(static_cast<double>(product));
        product = 1;
      }
      loss += losses[g];
      n_correct += differences[g] > 0;
      take_pair_step<rule, T>(users, items, width, steps, penalties, pair[s + g], slopes[g]);
    }
  }
  tally->loss += loss + __builtin_log(static_cast<double>(product));
  tally->n_correct += n_correct;
}

template <SgdRule rule, class T>
void pairs(const SgdRows<T>& users, const SgdRows<T>& items, Index width, const SgdSteps<T>& steps,
           const SgdPenalties<T>& penalties, const SgdPair* pair, Index n, SgdTally* tally) {
  if (rule == SgdRule::sgd && width == kUsualWidth) {
    pairs_of_width<rule, T>(users, items, kUsualWidth, steps, penalties, pair, n, tally);
  } else {
    pairs_of_width<rule, T>(users, items, width, steps, penalties, pair, n, tally);
  }
}

template <SgdRule rule, class T>
void list_step(const SgdRows<T>& users, const SgdRows<T>& items, Index width,
               const SgdSteps<T>& steps, const SgdPenalties<T>& penalties, std::int32_t user,
               const SgdList<T>& list, T* direction) {
  const Index u = user, nv = width / Simd<T>::lanes;
  T* x = users.factors + u * width;
  for (Index v = 0; v < nv; ++v) {
    at(direction, v) = (list.self_user - penalties.user) * at(x, v);
  }
  const T ratio = steps.bias_rate / steps.rate;
  for (Index k = 0; k < list.n; ++k) {
    if (k + kAhead < list.n) prefetch<rule>(items, list.items[k + kAhead], width);
    const Index i = list.items[k];
    const T own = list.own[k];
    const T penalty = k < list.n_positives ? penalties.positive : penalties.negative;
    const T self = (list.self == nullptr ? T{0} : list.self[k]) - penalty;
    T* y = items.factors + i * width;
    T *y1 = row_of(items.first, i, width), *y2 = row_of(items.second, i, width);
    const T rate = rate_of<rule>(steps, steps.rate, items.steps, i);
    for (Index v = 0; v < nv; ++v) {
      const V<T> xv = at(x, v), yv = at(y, v);
      at(direction, v) += own * yv;
      at(y, v) =
          moved<rule>(steps, rate, own * xv + self * yv, yv, vector_of(y1, v), vector_of(y2, v));
    }
    move_bias<rule>(steps, items, i, rate * ratio, list.bias_moves[k], penalties.bias);
  }
  T *x1 = row_of(users.first, u, width), *x2 = row_of(users.second, u, width);
  const T rate = rate_of<rule>(steps, steps.rate, users.steps, u);
  for (Index v = 0; v < nv; ++v) {
    const V<T> xv = at(x, v), step = at(direction, v);
    at(x, v) = moved<rule>(steps, rate, step, xv, vector_of(x1, v), vector_of(x2, v));
  }
  move_bias<rule>(steps, users, u, rate * ratio, list.user_bias_move, penalties.bias);
}

// NOLINTBEGIN(bugprone-macro-parentheses): the argument is the name of a template
#define AIMASS_ALL_RULES(kernel)                                                       \
  {kernel<SgdRule::sgd, T>, kernel<SgdRule::momentum, T>, kernel<SgdRule::adagrad, T>, \
   kernel<SgdRule::adam, T>}
// NOLINTEND(bugprone-macro-parentheses)

template <class T>
constexpr SgdKernels<T> kKernels{scores<T>, AIMASS_ALL_RULES(pairs), AIMASS_ALL_RULES(pair_step),
                                 AIMASS_ALL_RULES(list_step)};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(SgdTable, sgd_table) = {kKernels<float>, kKernels<double>};

}  // namespace aimass::simd
