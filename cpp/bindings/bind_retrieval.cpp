// score_topk, reverse_topk: the best items of queries, the users whom an item reaches.
#include "../kernels/reverse_topk.hpp"
#include "../kernels/score_topk.hpp"
#include "arrays.hpp"

namespace aimass::py_border {

namespace {

template <class T>
PackedItems<T> packed_items(const Array<T>& panels, const Array<T>& biases,
                            const Array<std::int32_t>& order, const Array<double>& norms,
                            const Array<double>& offsets, const Array<std::uint8_t>& codes,
                            const Array<double>& grids, std::int64_t n_items) {
  static_assert(simd::kPanelCols == 48, "see the message");
  require(panels.ndim() == 3 && panels.shape(2) == simd::kPanelCols,
          "panels must have shape (n_panels, depth, 48)");
  const std::int64_t n_panels = panels.shape(0), n_places = n_panels * simd::kPanelCols;
  require(n_items >= 0 && n_items <= INT32_MAX && n_places <= INT32_MAX,
          "n_items and the places in panels must fit int32");
  require_1d(biases, "biases", n_places);
  require_1d(order, "order", n_places);
  require_1d(norms, "norms", n_panels);
  require_1d(offsets, "offsets", n_panels);
  const std::int64_t depth = panels.shape(1);
  const std::int64_t n_groups = (depth + simd::kCodeGroup - 1) / simd::kCodeGroup;
  const bool coded = codes.size() > 0 && simd::code_table().most > 0;
  require(codes.size() == 0 || (depth <= simd::kMaxCodeDepth &&
                                codes.size() == n_places * n_groups * simd::kCodeGroup),
          "codes must have shape (n_panels, depth / 4 rounded up, cols, 4), or be empty");
  require(codes.size() == 0 || grids.size() == n_panels * simd::kGridFields,
          "grids must have shape (n_panels, 8)");
  return {n_items,       depth,          n_panels,
          panels.data(), biases.data(),  order.data(),
          norms.data(),  offsets.data(), coded ? codes.data() : nullptr,
          grids.data()};
}

Pattern pattern(const Optional<std::int64_t>& indptr, const Optional<std::int32_t>& indices,
                const std::string& name, std::int64_t n_rows) {
  if (!indptr && !indices) return {};
  require(indptr.has_value() == indices.has_value(),
          name + "_indptr and " + name + "_indices must be given together");
  if (!indptr || !indices) return {};
  require_1d(*indptr, (name + "_indptr").c_str(), n_rows + 1);
  require(indices->ndim() == 1, name + "_indices must be 1-D");
  return {indptr->data(), indices->data(), indices->shape(0)};
}

template <class T>
void bind_retrieval_for(py::module_& m) {
  m.def(
      "score_topk",
      [](const Array<T>& queries, const Array<T>& panels, const Array<T>& biases,
         const Array<std::int32_t>& order, const Array<double>& norms, const Array<double>& offsets,
         const Array<std::uint8_t>& codes, const Array<double>& grids, std::int64_t n_items,
         std::int64_t k, const Optional<std::int64_t>& exclude_indptr,
         const Optional<std::int32_t>& exclude_indices, const Optional<std::int64_t>& allow_indptr,
         const Optional<std::int32_t>& allow_indices, int n_threads) {
        const PackedItems<T> items =
            packed_items(panels, biases, order, norms, offsets, codes, grids, n_items);
        if (queries.ndim() != 2 || queries.shape(1) != items.depth)
          throw InvalidInput("queries must have shape (n_queries, " + std::to_string(items.depth) +
                             ")");
        if (k < 1) throw InvalidInput("k must be at least 1, got " + std::to_string(k));
        const std::int64_t n = queries.shape(0);
        const Filter filter{pattern(exclude_indptr, exclude_indices, "exclude", n),
                            pattern(allow_indptr, allow_indices, "allow", n)};
        Array<std::int32_t> indices({n, k});
        Array<T> scores({n, k});
        std::int32_t* out_indices = indices.mutable_data();
        T* out_scores = scores.mutable_data();
        {
          const py::gil_scoped_release release;
          score_topk(queries.data(), n, items, k, filter, out_indices, out_scores,
                     make_run(n_threads));
        }
        return py::make_tuple(indices, scores);
      },
      exact("queries"), exact("panels"), exact("biases"), exact("order"), exact("norms"),
      exact("offsets"), exact("codes"), exact("grids"), py::arg("n_items"), py::arg("k"),
      exact("exclude_indptr"), exact("exclude_indices"), exact("allow_indptr"),
      exact("allow_indices"), py::arg("n_threads"),
      "The k best items of every query: (indices, scores), padded (-1, -inf).");

  m.def(
      "reverse_topk",
      [](const Array<T>& queries, const Array<T>& biases, const Array<std::int32_t>& items,
         const Array<T>& panels, const Array<std::int32_t>& order, const Array<T>& thresholds,
         const Array<std::int32_t>& ties, const Array<double>& limits, std::int64_t n_users,
         const Optional<std::int64_t>& exclude_indptr,
         const Optional<std::int32_t>& exclude_indices, int n_threads) {
        require(panels.ndim() == 3 && panels.shape(2) == simd::kPanelCols,
                "panels must have shape (n_panels, depth, cols)");
        const std::int64_t n_panels = panels.shape(0), depth = panels.shape(1);
        const std::int64_t n_places = n_panels * simd::kPanelCols;
        require(n_users >= 0 && n_users <= n_places && n_places <= INT32_MAX,
                "n_users must be at most the places in panels, and these must fit int32");
        require(queries.ndim() == 2 && queries.shape(1) == depth,
                "queries must have shape (n_queries, " + std::to_string(depth) + ")");
        const std::int64_t n = queries.shape(0);
        require_1d(biases, "biases", n);
        require_1d(items, "items", n);
        require_1d(order, "order", n_places);
        require_1d(thresholds, "thresholds", n_places);
        require_1d(ties, "ties", n_places);
        require(limits.ndim() == 2 && limits.shape(0) == n_panels && limits.shape(1) == 3,
                "limits must have shape (n_panels, 3)");
        const AskedItems<T> asked{n, queries.data(), biases.data(), items.data(),
                                  pattern(exclude_indptr, exclude_indices, "exclude", n)};
        const PackedUsers<T> users{n_users,       depth,        n_panels,
                                   panels.data(), order.data(), thresholds.data(),
                                   ties.data(),   limits.data()};
        ReverseTopK<T> result;
        {
          const py::gil_scoped_release release;
          result = reverse_topk(asked, users, make_run(n_threads));
        }
        return py::make_tuple(to_array(std::move(result.indptr)), to_array(std::move(result.users)),
                              to_array(std::move(result.scores)));
      },
      exact("queries"), exact("biases"), exact("items"), exact("panels"), exact("order"),
      exact("thresholds"), exact("ties"), exact("limits"), py::arg("n_users"),
      exact("exclude_indptr"), exact("exclude_indices"), py::arg("n_threads"),
      "The users whose thresholds an item reaches: (indptr, users, scores), best first.");
}

}  // namespace

void bind_retrieval(py::module_& m) {
  bind_retrieval_for<float>(m);
  bind_retrieval_for<double>(m);
}

}  // namespace aimass::py_border
