#include "../kernels/implicit_rating_epoch.hpp"
#include "../kernels/rating_epoch.hpp"
#include "sgd_args.hpp"

namespace aimass::py_border {
namespace {

// Of users, items, user biases and item biases, and of implicit factors.
using Four = std::tuple<double, double, double, double>;
using Five = std::tuple<double, double, double, double, double>;

// factors: (n, width), or (0, width) where the model has none. All arrays are changed.
template <class T>
simd::RatingSide<T> rating_side(Array<T>& factors, Array<T>& biases, const std::string& name,
                                std::int64_t n, std::int64_t width, double rate, double bias_rate,
                                double penalty, double bias_penalty) {
  require_2d(factors, (name + "_factors").c_str(), factors.shape(0) == 0 ? 0 : n, width);
  require(biases.ndim() == 1 && (biases.shape(0) == n || biases.shape(0) == 0),
          name + "_biases must be 1-D of length " + std::to_string(n) + " or 0");
  return {factors.shape(0) == 0 ? nullptr : factors.mutable_data(),
          biases.shape(0) == 0 ? nullptr : biases.mutable_data(),
          static_cast<T>(rate),
          static_cast<T>(bias_rate),
          static_cast<T>(penalty),
          static_cast<T>(bias_penalty)};
}

template <class T>
std::int64_t width_of(const Array<T>& user_factors, const Array<T>& item_factors) {
  require(user_factors.ndim() == 2 && item_factors.ndim() == 2, "factors must be 2-D");
  const std::int64_t width = item_factors.shape(1);
  require(
      width >= simd::kSgdPad && width <= 1 << 14 && width % simd::kSgdPad == 0,
      "factors must have a multiple of 16 columns, at most 16384, got " + std::to_string(width));
  return width;
}

template <class T>
void bind_rating_for(py::module_& m) {
  m.def(
      "rating_epoch",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         const Array<T>& data, Array<T> user_factors, Array<T> item_factors, Array<T> user_biases,
         Array<T> item_biases, double mean, const Four& rates, const Four& penalties,
         const std::string& order, std::int64_t n_strata, std::uint64_t seed, std::uint64_t epoch,
         int n_threads) {
        RatingProblem<T> p{};
        p.width = width_of(user_factors, item_factors);
        p.x = csr_view(indptr, indices, data, item_factors.shape(0));
        require(user_factors.shape(0) == p.x.n_rows, "user_factors must have a row for each user");
        p.users =
            rating_side(user_factors, user_biases, "user", p.x.n_rows, p.width, std::get<0>(rates),
                        std::get<2>(rates), std::get<0>(penalties), std::get<2>(penalties));
        p.items =
            rating_side(item_factors, item_biases, "item", p.x.n_cols, p.width, std::get<1>(rates),
                        std::get<3>(rates), std::get<1>(penalties), std::get<3>(penalties));
        p.mean = mean;
        p.shuffled = order == "shuffled";
        require(p.shuffled || order == "stored", "order must be shuffled or stored, got " + order);
        require(n_strata >= 1 && n_strata <= 1 << 12, "n_strata must be within [1, 4096]");
        p.n_strata = n_strata;
        p.seed = seed;
        p.epoch = epoch;
        const py::gil_scoped_release release;
        return rating_epoch(make_run(n_threads), p);
      },
      exact("indptr"), exact("indices"), exact("data"), exact("user_factors"),
      exact("item_factors"), exact("user_biases"), exact("item_biases"), py::arg("mean"),
      py::arg("rates"), py::arg("penalties"), py::arg("order"), py::arg("n_strata"),
      py::arg("seed"), py::arg("epoch"), py::arg("n_threads"),
      "One epoch of biased matrix factorisation; factors and biases are changed.");
  m.def(
      "implicit_rating_epoch",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         const Array<T>& data, Array<T> user_factors, Array<T> item_factors,
         Array<T> implicit_factors, Array<T> residual_factors, Array<T> user_biases,
         Array<T> item_biases, double mean, const Five& rates, const Five& penalties,
         std::uint64_t epoch, int n_threads) {
        ImplicitRatingProblem<T> p{};
        p.width = width_of(user_factors, item_factors);
        p.x = csr_view(indptr, indices, data, item_factors.shape(0));
        p.users =
            rating_side(user_factors, user_biases, "user", p.x.n_rows, p.width, std::get<0>(rates),
                        std::get<2>(rates), std::get<0>(penalties), std::get<2>(penalties));
        p.items =
            rating_side(item_factors, item_biases, "item", p.x.n_cols, p.width, std::get<1>(rates),
                        std::get<3>(rates), std::get<1>(penalties), std::get<3>(penalties));
        require_2d(implicit_factors, "implicit_factors", p.x.n_cols, p.width);
        p.implicit.factors = implicit_factors.mutable_data();
        p.implicit.rate = static_cast<T>(std::get<4>(rates));
        p.implicit.penalty = static_cast<T>(std::get<4>(penalties));
        if (residual_factors.size() > 0) {
          require_2d(residual_factors, "residual_factors", p.x.n_cols, p.width);
          p.residual_factors = residual_factors.mutable_data();
        }
        p.mean = mean;
        p.epoch = epoch;
        const py::gil_scoped_release release;
        return implicit_rating_epoch(make_run(n_threads), p);
      },
      exact("indptr"), exact("indices"), exact("data"), exact("user_factors"),
      exact("item_factors"), exact("implicit_factors"), exact("residual_factors"),
      exact("user_biases"), exact("item_biases"), py::arg("mean"), py::arg("rates"),
      py::arg("penalties"), py::arg("epoch"), py::arg("n_threads"),
      "One epoch of SVD++ or asymmetric SVD; factors and biases are changed.");
}

}  // namespace

void bind_rating(py::module_& m) {
  bind_rating_for<float>(m);
  bind_rating_for<double>(m);
}

}  // namespace aimass::py_border
