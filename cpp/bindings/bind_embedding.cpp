#include "../kernels/embedding_sums.hpp"
#include "arrays.hpp"

namespace aimass::py_border {
namespace {

// own_weights (n_rows,), own, own_squares (n_rows, width), table, squares (n_features, width).
template <class T>
using EmbeddingArgs = std::tuple<Array<T>, Array<T>, Array<T>, Array<T>, Array<T>>;

// indptr, indices, data.
template <class T>
using CsrArgs = std::tuple<Array<std::int64_t>, Array<std::int32_t>, Array<T>>;

template <class T>
Embeddings<T> embeddings_of(EmbeddingArgs<T>& args) {
  auto& [own_weights, own, own_squares, table, squares] = args;
  require(own.ndim() == 2 && table.ndim() == 2, "own and table must be 2-D");
  const std::int64_t n = own.shape(0), n_features = table.shape(0), width = own.shape(1);
  require(width >= 1 && n <= INT32_MAX && n_features <= INT32_MAX,
          "embeddings must have at least one column, and rows that fit int32");
  require_1d(own_weights, "own_weights", n);
  require_2d(own_squares, "own_squares", n, width);
  require_2d(table, "table", n_features, width);
  require_2d(squares, "squares", n_features, width);
  return {n,
          n_features,
          width,
          own_weights.data(),
          own.mutable_data(),
          own_squares.mutable_data(),
          table.mutable_data(),
          squares.mutable_data()};
}

template <class T>
EmbeddedRows<T> rows_of(const Array<std::int32_t>& rows, Array<T>& factors, Array<T>& accumulators,
                        const Embeddings<T>& embeddings) {
  require(rows.ndim() == 1, "rows must be 1-D");
  const std::int64_t n = rows.shape(0);
  for (std::int64_t k = 0; k < n; ++k) {
    const std::int32_t row = rows.data()[k];
    require(row >= 0 && row < embeddings.n_rows && (k == 0 || rows.data()[k - 1] < row),
            "rows must ascend within [0, n_rows)");
  }
  require_2d(factors, "factors", n, embeddings.width);
  require_2d(accumulators, "accumulators", n, embeddings.width);
  return {rows.data(), n, factors.mutable_data(), accumulators.mutable_data()};
}

template <class T>
Csr<T> weights_of(const CsrArgs<T>& args, std::int64_t n_rows, std::int64_t n_cols) {
  const auto& [indptr, indices, data] = args;
  const Csr<T> weights = csr_view(indptr, indices, data, n_cols);
  require(weights.n_rows == n_rows, "weights must have " + std::to_string(n_rows) + " rows");
  return weights;
}

template <class T>
void bind_embedding_for(py::module_& m) {
  m.def(
      "embedding_sums",
      [](EmbeddingArgs<T> embeddings, const CsrArgs<T>& weights, const Array<std::int32_t>& rows,
         Array<T> factors, Array<T> accumulators, int n_threads) {
        const Embeddings<T> e = embeddings_of<T>(embeddings);
        const Csr<T> w = weights_of<T>(weights, e.n_rows, e.n_features);
        const EmbeddedRows<T> r = rows_of(rows, factors, accumulators, e);
        const py::gil_scoped_release release;
        embedding_sums(make_run(n_threads), e, w, r);
      },
      exact("embeddings"), exact("weights"), exact("rows"), exact("factors"), exact("accumulators"),
      py::arg("n_threads"),
      "Factors of rows that are sums of embeddings, and their accumulators; both are written.");
  m.def(
      "embedding_moves",
      [](EmbeddingArgs<T> embeddings, const CsrArgs<T>& transposed, const Array<std::int32_t>& rows,
         Array<T> factors, Array<T> accumulators, const Array<T>& factors_before,
         const Array<T>& accumulators_before, int n_threads) {
        const Embeddings<T> e = embeddings_of<T>(embeddings);
        const Csr<T> t = weights_of<T>(transposed, e.n_features, e.n_rows);
        const EmbeddedRows<T> r = rows_of(rows, factors, accumulators, e);
        require_2d(factors_before, "factors_before", r.n, e.width);
        require_2d(accumulators_before, "accumulators_before", r.n, e.width);
        const py::gil_scoped_release release;
        embedding_moves(make_run(n_threads), e, t, r, factors_before.data(),
                        accumulators_before.data());
      },
      exact("embeddings"), exact("transposed"), exact("rows"), exact("factors"),
      exact("accumulators"), exact("factors_before"), exact("accumulators_before"),
      py::arg("n_threads"),
      "Give embeddings the moves of their rows; the arrays of embeddings, factors and accumulators "
      "are changed.");
}

}  // namespace

void bind_embedding(py::module_& m) {
  bind_embedding_for<float>(m);
  bind_embedding_for<double>(m);
}

}  // namespace aimass::py_border
