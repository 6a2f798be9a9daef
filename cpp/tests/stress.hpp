// What the parts of the stress program share. Each part is a source file of its own, so that they
// compile side by side and after a change only those that depend on it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "../kernels/csr.hpp"
#include "../kernels/parallel.hpp"

namespace aimass::stress {

using Rng = std::mt19937_64;

inline void expect(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "stress: %s\n", what);
  std::abort();
}

inline std::int64_t below(std::mt19937_64& rng, std::int64_t n) {
  return static_cast<std::int64_t>(rng() % static_cast<std::uint64_t>(n));
}

template <class T>
struct Matrix {
  std::int64_t n_rows = 0, n_cols = 0;
  std::vector<std::int64_t> indptr;
  std::vector<std::int32_t> indices;
  std::vector<T> data;

  Csr<T> view() const { return {n_rows, n_cols, indptr.data(), indices.data(), data.data()}; }
  friend bool operator==(const Matrix&, const Matrix&) = default;
};

// Random triplets as a canonical CSR; checks coo_to_csr and csr_transpose on the way.
template <class T>
Matrix<T> stress_matrix(Rng& rng);
template <class T>
Matrix<T> transposed(const Run& run, const Matrix<T>& x);

// For float and double.
template <class T>
void stress_gram(Rng& rng);
template <class T>
void stress_spgemm(Rng& rng);
template <class T>
void stress_score(Rng& rng);
template <class T>
void stress_reverse(Rng& rng);
template <class T>
void stress_als(Rng& rng);
template <class T>
void stress_fm(Rng& rng);
template <class T>
void stress_mixtures(Rng& rng);
template <class T>
void stress_triangles(Rng& rng);
template <class T>
void stress_sgd(Rng& rng);
template <class T>
void stress_ratings(Rng& rng);
template <class T>
void stress_embeddings(Rng& rng);
template <class T>
void stress_linear(Rng& rng);
template <class T>
void stress_predict(Rng& rng);
template <class T>
void stress_gains(Rng& rng);
void stress_resample(Rng& rng);
void stress_garbage(Rng& rng);
void stress_factorize(Rng& rng);

}  // namespace aimass::stress
