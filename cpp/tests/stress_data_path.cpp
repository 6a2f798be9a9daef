// The data path and the rating predictions under the sanitizers: random shapes, 1 to 5 threads,
// results compared between thread counts and with what is easy to know.
// Kernels: csr_check, coo_to_csr, csr_transpose, factorize_int64, factorize_bytes, knn_predict,
// slope_one_predict, list_gains.
#include <bit>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "../kernels/coo_to_csr.hpp"
#include "../kernels/csr_check.hpp"
#include "../kernels/csr_transpose.hpp"
#include "../kernels/factorize.hpp"
#include "../kernels/knn_predict.hpp"
#include "../kernels/list_gains.hpp"
#include "../kernels/slope_one_predict.hpp"
#include "stress.hpp"

namespace aimass::stress {

template <class T>
Matrix<T> transposed(const Run& run, const Matrix<T>& x) {
  Matrix<T> t{x.n_cols, x.n_rows, {}, {}, {}};
  t.indptr.resize(static_cast<std::size_t>(x.n_cols) + 1);
  t.indices.resize(x.indices.size());
  t.data.resize(x.data.size());
  csr_transpose(run, x.view(), t.indptr.data(), t.indices.data(), t.data.data());
  return t;
}

template <class T>
Matrix<T> stress_matrix(Rng& rng) {
  const std::int64_t n_rows = 1 + below(rng, 300), n_cols = 1 + below(rng, 200);
  const bool large = rng() % 8 == 0;  // several blocks and parts
  const auto n = static_cast<std::size_t>(below(rng, large ? 600'000 : 5'000));
  std::vector<std::int32_t> rows(n), cols(n);
  std::vector<T> data(n);
  std::vector<std::int64_t> times(n);
  for (std::size_t i = 0; i < n; ++i) {
    rows[i] = static_cast<std::int32_t>(below(rng, n_rows));
    cols[i] = static_cast<std::int32_t>(below(rng, below(rng, n_cols) + 1));
    data[i] = static_cast<T>(below(rng, 10)) / 2;
    times[i] = below(rng, 5);
  }
  const bool timed = rng() % 2 == 0;
  const auto rule = static_cast<Duplicates>(rng() % 7);
  auto convert = [&](int n_threads) {
    Matrix<T> x{n_rows, n_cols, {}, {}, {}};
    x.indptr.resize(static_cast<std::size_t>(n_rows) + 1);
    x.indices.resize(n);
    x.data.resize(n);
    std::vector<std::int64_t> kept(timed ? n : 0);
    const Coo<T> coo{
        static_cast<std::int64_t>(n),  n_rows, n_cols, rows.data(), cols.data(), data.data(),
        timed ? times.data() : nullptr};
    const CsrOut<T> out{x.indptr.data(), x.indices.data(), x.data.data(),
                        timed ? kept.data() : nullptr};
    const auto nnz = static_cast<std::size_t>(coo_to_csr(Run(n_threads), coo, rule, out));
    x.indices.resize(nnz);
    x.data.resize(nnz);
    return x;
  };
  Matrix<T> x = convert(1);
  expect(x == convert(2 + static_cast<int>(rng() % 4)), "coo_to_csr depends on threads");
  const CsrStatus status = csr_check(Run(1), x.view(), static_cast<std::int64_t>(x.indices.size()));
  expect(status.code == 0 && status.is_sorted && !status.has_duplicates, "coo_to_csr: not a CSR");
  const Matrix<T> t = transposed(Run(1 + static_cast<int>(rng() % 4)), x);
  expect(x == transposed(Run(2), t), "csr_transpose twice is not the matrix");
  return x;
}

// csr_check is to be safe on anything, so it gets anything.
void stress_garbage(Rng& rng) {
  std::vector<std::int64_t> indptr(1 + static_cast<std::size_t>(below(rng, 20)));
  std::vector<std::int32_t> indices(static_cast<std::size_t>(below(rng, 20)));
  std::vector<double> data(indices.size());
  for (auto& value : indptr) value = rng() % 2 ? below(rng, 20) : static_cast<std::int64_t>(rng());
  for (auto& value : indices) value = static_cast<std::int32_t>(rng());
  for (auto& value : data) value = std::bit_cast<double>(rng());
  const Csr<double> x{static_cast<std::int64_t>(indptr.size()) - 1, 10, indptr.data(),
                      indices.data(), data.data()};
  const CsrStatus status = csr_check(Run(1), x, static_cast<std::int64_t>(indices.size()));
  expect(status.code != 0 || indices.size() < 3, "csr_check took garbage for good");
}

void stress_factorize(Rng& rng) {
  const std::int64_t n = below(rng, rng() % 4 == 0 ? 300'000 : 3'000);
  const std::int64_t n_keys = 1 + below(rng, 2 * n + 1);
  const std::int64_t spread = rng() % 2 == 0 ? 1 : 1'000'000'000'007;
  std::vector<std::int64_t> values(static_cast<std::size_t>(n));
  std::vector<std::int32_t> offsets{0};
  std::vector<std::uint8_t> bytes;
  for (auto& value : values) {
    value = (below(rng, n_keys) - n_keys / 2) * spread;
    const std::string text =
        std::to_string(value).substr(0, static_cast<std::size_t>(below(rng, 25)));
    bytes.insert(bytes.end(), text.begin(), text.end());
    offsets.push_back(static_cast<std::int32_t>(bytes.size()));
  }
  bytes.shrink_to_fit();
  std::vector<std::int32_t> codes(values.size()), other(values.size());
  const int n_threads = 2 + static_cast<int>(rng() % 4);
  const auto uniques = factorize_int64(Run(1), values.data(), n, codes.data());
  expect(
      uniques == factorize_int64(Run(n_threads), values.data(), n, other.data()) && codes == other,
      "factorize_int64 depends on threads");
  for (std::size_t i = 0; i < values.size(); ++i) {
    expect(uniques[static_cast<std::size_t>(codes[i])] == values[i], "factorize_int64 is wrong");
  }
  const auto size = static_cast<std::int64_t>(bytes.size());
  const auto first = factorize_bytes(Run(1), offsets.data(), bytes.data(), size, n, codes.data());
  expect(first == factorize_bytes(Run(n_threads), offsets.data(), bytes.data(), size, n,
                                  other.data()) &&
             codes == other,
         "factorize_bytes depends on threads");
}

template <class T>
void stress_predict(Rng& rng) {
  const Matrix<T> x = stress_matrix<T>(rng);
  const Matrix<T> t = transposed(Run(1), x);
  const auto n = static_cast<std::size_t>(below(rng, 2'000));
  std::vector<std::int32_t> rows(n), cols(n);
  for (auto& row : rows) row = static_cast<std::int32_t>(below(rng, x.n_rows));
  for (auto& col : cols) col = static_cast<std::int32_t>(below(rng, x.n_cols));
  struct Answer {
    std::vector<T> a, b;
    std::vector<std::int32_t> n;
    explicit Answer(std::size_t size) : a(size), b(size), n(size) {}
    bool operator==(const Answer&) const = default;
  };
  Epilogue<T> epilogue;
  epilogue.formula = static_cast<Formula>(rng() % 8);
  epilogue.total = static_cast<double>(x.n_cols);
  epilogue.weight_p = epilogue.weight_q = 1;
  epilogue.shrink = static_cast<T>(rng() % 3);
  epilogue.support_shrink = static_cast<T>(rng() % 3);
  const std::int64_t k = 1 + below(rng, 50);
  const bool positive_only = rng() % 2 == 0;
  auto knn = [&](int n_threads) {
    Answer answer(n);
    const KnnPredict<T> problem{t.view(),
                                x.view(),
                                t.view(),
                                rows.data(),
                                cols.data(),
                                static_cast<std::int64_t>(n),
                                k,
                                1,
                                positive_only,
                                answer.a.data(),
                                answer.b.data(),
                                answer.n.data()};
    knn_predict(Run(n_threads), problem, epilogue);
    return answer;
  };
  auto slope_one = [&](int n_threads) {
    Answer answer(n);
    slope_one_predict(Run(n_threads), x.view(), t.view(), rows.data(), cols.data(),
                      static_cast<std::int64_t>(n), answer.a.data(), answer.n.data());
    return answer;
  };
  const int n_threads = 2 + static_cast<int>(rng() % 4);
  expect(knn(1) == knn(n_threads), "knn_predict depends on threads");
  expect(slope_one(1) == slope_one(n_threads), "slope_one_predict depends on threads");
}

template <class T>
void stress_gains(Rng& rng) {
  const Matrix<T> x = stress_matrix<T>(rng);
  const std::int64_t width = below(rng, 40);
  std::vector<std::int64_t> lists(static_cast<std::size_t>(x.n_rows * width));
  for (auto& item : lists) item = below(rng, x.n_cols + 2) - 1;
  auto gains = [&](int n_threads) {
    std::vector<double> out(lists.size());
    list_gains(Run(n_threads), lists.data(), width, x.view(), out.data());
    return out;
  };
  expect(gains(1) == gains(2 + static_cast<int>(rng() % 4)), "list_gains depends on threads");
}

template void stress_predict<float>(Rng&);
template void stress_predict<double>(Rng&);
template void stress_gains<float>(Rng&);
template void stress_gains<double>(Rng&);
template Matrix<float> stress_matrix<float>(Rng&);
template Matrix<float> transposed<float>(const Run&, const Matrix<float>&);
template Matrix<double> stress_matrix<double>(Rng&);
template Matrix<double> transposed<double>(const Run&, const Matrix<double>&);

}  // namespace aimass::stress
