// Steps on squared errors of ratings. Compiled once per ISA level with AIMASS_LEVEL defined;
// internal linkage but for the table.
#include "rating_kernels.hpp"
#include "levels.hpp"
#include "sgd_vectors.hpp"

namespace {

constexpr Index kAhead = 4;  // entries that a prefetch runs ahead

template <class T>
[[gnu::always_inline]] inline void fetch(const T* row, Index width) {
  const char* p = reinterpret_cast<const char*>(row);
  for (Index b = 0; b < width * static_cast<Index>(sizeof(T)); b += 64)
    __builtin_prefetch(p + b, 1);
}

template <class T>
[[gnu::always_inline]] inline T dot(const T* a, const T* b, Index nv) {
  V<T> even = {}, odd = {};
  Index v = 0;
  for (; v + 1 < nv; v += 2) {
    even += at(a, v) * at(b, v);
    odd += at(a, v + 1) * at(b, v + 1);
  }
  if (v < nv) even += at(a, v) * at(b, v);
  return lane_sum<T>(even + odd);
}

template <class T>
void bias_step(const RatingSide<T>& side, T* bias, T error) {
  if (bias != nullptr) *bias += side.bias_rate * (error - side.bias_penalty * *bias);
}

// The most first pairs of n that no two of share a row.
[[gnu::always_inline]] inline Index n_independent(const RatingPair* pairs, Index n) {
  for (Index g = 1; g < n; ++g) {
    bool shared = false;
    for (Index h = 0; h < g; ++h)
      shared |= (pairs[g].user == pairs[h].user) | (pairs[g].item == pairs[h].item);
    if (shared) return g;
  }
  return n;
}

template <class T>
[[gnu::always_inline]] inline double steps_of_width(const RatingSide<T>& all_users,
                                                    const RatingSide<T>& all_items,
                                                    const Index width, T mean,
                                                    const RatingPair* pairs, const T* ratings,
                                                    Index n) {
  // Copies of the function's own: stores of factors cannot change them, so they stay in registers.
  const RatingSide<T> users = all_users, items = all_items;
  const Index nv = width / Simd<T>::lanes;
  const T keep_x = 1 - users.rate * users.penalty, keep_y = 1 - items.rate * items.penalty;
  double sum = 0;
  for (Index s = 0, m = 0; s < n; s += m) {
    m = n_independent(pairs + s, n - s < kGroup ? n - s : kGroup);
    T errors[kGroup];
    for (Index g = 0; g < m; ++g) {
      const Index e = s + g, u = pairs[e].user, i = pairs[e].item;
      if (e + kAhead < n) {
        fetch(users.factors + pairs[e + kAhead].user * width, width);
        fetch(items.factors + pairs[e + kAhead].item * width, width);
      }
      T error =
          ratings[e] - mean - dot<T>(users.factors + u * width, items.factors + i * width, nv);
      if (users.biases != nullptr) error -= users.biases[u];
      if (items.biases != nullptr) error -= items.biases[i];
      errors[g] = error;
    }
    for (Index g = 0; g < m; ++g) {
      const Index u = pairs[s + g].user, i = pairs[s + g].item;
      const T error = errors[g];
      sum += static_cast<double>(error) * static_cast<double>(error);
      if (users.biases != nullptr) bias_step(users, users.biases + u, error);
      if (items.biases != nullptr) bias_step(items, items.biases + i, error);
      T *x = users.factors + u * width, *y = items.factors + i * width;
      const T move_x = users.rate * error, move_y = items.rate * error;
      for (Index v = 0; v < nv; ++v) {
        const V<T> xv = at(x, v), yv = at(y, v);
        at(x, v) = keep_x * xv + move_x * yv;
        at(y, v) = keep_y * yv + move_y * xv;
      }
    }
  }
  return sum;
}

template <class T>
double steps(const RatingSide<T>& users, const RatingSide<T>& items, Index width, T mean,
             const RatingPair* pairs, const T* ratings, Index n) {
  return width == kUsualWidth
             ? steps_of_width<T>(users, items, kUsualWidth, mean, pairs, ratings, n)
             : steps_of_width<T>(users, items, width, mean, pairs, ratings, n);
}

template <class T, bool has_p>
double implicit_steps(const ImplicitUser<T>& user, const RatingSide<T>& users,
                      const RatingSide<T>& items, const RatingSide<T>& implicit, Index width,
                      T mean, const std::int32_t* indices, const T* ratings, Index n) {
  const Index nv = width / Simd<T>::lanes;
  T *p = user.p, *z = user.z;
  const T keep_p = 1 - users.rate * users.penalty, keep_q = 1 - items.rate * items.penalty;
  const T keep_z = 1 - implicit.rate * implicit.penalty;
  double sum = 0;
  for (Index e = 0; e < n; ++e) {
    if (e + kAhead < n) fetch(items.factors + indices[e + kAhead] * width, width);
    T* q = items.factors + indices[e] * width;
    T* bi = items.biases == nullptr ? nullptr : items.biases + indices[e];
    V<T> acc = {};
    for (Index v = 0; v < nv; ++v) {
      if constexpr (has_p) {
        acc += at(q, v) * (at(p, v) + at(z, v));
      } else {
        acc += at(q, v) * at(z, v);
      }
    }
    T error = ratings[e] - mean - lane_sum<T>(acc);
    if (user.bias != nullptr) error -= *user.bias;
    if (bi != nullptr) error -= *bi;
    sum += static_cast<double>(error) * static_cast<double>(error);
    bias_step(users, user.bias, error);
    bias_step(items, bi, error);
    const T move_p = users.rate * error, move_q = items.rate * error;
    const T move_z = user.gain * implicit.rate * error;
    for (Index v = 0; v < nv; ++v) {
      const V<T> qv = at(q, v), zv = at(z, v);
      V<T> whole = zv;
      if constexpr (has_p) {
        const V<T> pv = at(p, v);
        whole += pv;
        at(p, v) = keep_p * pv + move_p * qv;
      }
      at(q, v) = keep_q * qv + move_q * whole;
      at(z, v) = keep_z * zv + move_z * qv;
    }
  }
  return sum;
}

template <class T>
double implicit(const ImplicitUser<T>& user, const RatingSide<T>& users, const RatingSide<T>& items,
                const RatingSide<T>& side, Index width, T mean, const std::int32_t* indices,
                const T* ratings, Index n) {
  return user.p == nullptr
             ? implicit_steps<T, false>(user, users, items, side, width, mean, indices, ratings, n)
             : implicit_steps<T, true>(user, users, items, side, width, mean, indices, ratings, n);
}

template <class T>
void gather(const T* rows, Index width, const std::int32_t* indices, const T* coefficient, Index n,
            T* out) {
  for (Index k = 0; k < n; ++k) {
    if (k + kAhead < n) fetch(rows + indices[k + kAhead] * width, width);
    const T* row = rows + indices[k] * width;
    const T c = coefficient == nullptr ? T{1} : coefficient[k];
    for (Index v = 0; v < width / Simd<T>::lanes; ++v) at(out, v) += c * at(row, v);
  }
}

template <class T>
void scatter(T* rows, Index width, const std::int32_t* indices, const T* coefficient, Index n,
             T scale, const T* x) {
  for (Index k = 0; k < n; ++k) {
    if (k + kAhead < n) fetch(rows + indices[k + kAhead] * width, width);
    T* row = rows + indices[k] * width;
    const T c = coefficient[k];
    for (Index v = 0; v < width / Simd<T>::lanes; ++v)
      at(row, v) = scale * at(row, v) + c * at(x, v);
  }
}

template <class T>
constexpr RatingKernels<T> kKernels{steps<T>, implicit<T>, gather<T>, scatter<T>};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(RatingTable, rating_table) = {kKernels<float>, kKernels<double>};

}  // namespace aimass::simd
