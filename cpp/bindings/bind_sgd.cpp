#include "../kernels/listwise_epoch.hpp"
#include "../kernels/pairwise_epoch.hpp"
#include "sgd_args.hpp"

namespace aimass::py_border {
namespace {

PairwiseLoss pairwise_loss_named(const std::string& name) {
  if (name == "bpr") return PairwiseLoss::bpr;
  if (name == "warp") return PairwiseLoss::warp;
  require(name == "kos", "loss must be one of bpr, warp, kos, got " + name);
  return PairwiseLoss::kos;
}

ListwiseLoss listwise_loss_named(const std::string& name) {
  if (name == "softmax") return ListwiseLoss::softmax;
  if (name == "logistic") return ListwiseLoss::logistic;
  require(name == "contrastive", "loss must be one of softmax, logistic, contrastive, got " + name);
  return ListwiseLoss::contrastive;
}

using SumsTuple = std::tuple<double, std::int64_t, std::int64_t, std::int64_t>;

SumsTuple as_tuple(const EpochSums& sums) {
  return {sums.loss, sums.n_steps, sums.n_correct, sums.n_skipped};
}

template <class T>
void bind_sgd_for(py::module_& m) {
  m.def(
      "pairwise_epoch",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         SgdSideArgs<T> users, SgdSideArgs<T> items, const SgdStepArgs& steps,
         const SgdPenaltyArgs& penalties, const Array<double>& weights, const std::string& loss,
         std::int64_t n_candidates, std::int64_t n_positives, std::int64_t k_positive,
         double margin, std::int64_t n_strata, std::uint64_t seed, std::uint64_t epoch,
         int n_threads) {
        PairwiseProblem<T> p{};
        p.width = sgd_width<T>(users);
        require(std::get<0>(items).ndim() == 2, "item factors must be 2-D");
        p.x = csr_pattern<T>(indptr, indices, std::get<0>(items).shape(0));
        p.rule = rule_named(std::get<0>(steps));
        p.users = sgd_rows<T>(users, "user", p.x.n_rows, p.width, p.rule);
        p.items = sgd_rows<T>(items, "item", p.x.n_cols, p.width, p.rule);
        std::vector<T> corrections;
        p.steps = sgd_steps<T>(steps, corrections);
        p.penalties = sgd_penalties<T>(penalties);
        if (weights.size() > 0) {
          require_1d(weights, "weights", p.x.n_cols);
          p.weights = weights.data();
        }
        p.loss = pairwise_loss_named(loss);
        require(n_candidates >= 1 && n_candidates <= 1 << 20,
                "n_candidates must be within [1, 1048576]");
        require(k_positive >= 1 && n_positives >= k_positive && n_positives <= 1 << 20,
                "k_positive must be within [1, n_positives]");
        p.n_candidates = n_candidates;
        p.n_positives = n_positives;
        p.k_positive = k_positive;
        p.margin = margin;
        require(n_strata >= 1 && n_strata <= 1 << 12, "n_strata must be within [1, 4096]");
        p.n_strata = n_strata;
        p.seed = seed;
        p.epoch = epoch;
        EpochSums sums;
        {
          const py::gil_scoped_release release;
          sums = pairwise_epoch(make_run(n_threads), p);
        }
        return as_tuple(sums);
      },
      exact("indptr"), exact("indices"), exact("users"), exact("items"), py::arg("steps"),
      py::arg("penalties"), exact("weights"), py::arg("loss"), py::arg("n_candidates"),
      py::arg("n_positives"), py::arg("k_positive"), py::arg("margin"), py::arg("n_strata"),
      py::arg("seed"), py::arg("epoch"), py::arg("n_threads"),
      "One epoch of a pairwise ranking loss; the arrays of users and items are changed.");
}

template <class T>
void bind_listwise_for(py::module_& m) {
  m.def(
      "listwise_epoch",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         SgdSideArgs<T> users, SgdSideArgs<T> items, const SgdStepArgs& steps,
         const SgdPenaltyArgs& penalties, const Array<double>& weights, const std::string& loss,
         bool cosine, std::int64_t n_negatives, double temperature, double margin,
         double negative_weight, std::int64_t n_strata, std::uint64_t seed, std::uint64_t epoch,
         int n_threads) {
        ListwiseProblem<T> p{};
        p.width = sgd_width<T>(users);
        require(std::get<0>(items).ndim() == 2, "item factors must be 2-D");
        p.x = csr_pattern<T>(indptr, indices, std::get<0>(items).shape(0));
        p.rule = rule_named(std::get<0>(steps));
        p.users = sgd_rows<T>(users, "user", p.x.n_rows, p.width, p.rule);
        p.items = sgd_rows<T>(items, "item", p.x.n_cols, p.width, p.rule);
        std::vector<T> corrections;
        p.steps = sgd_steps<T>(steps, corrections);
        p.penalties = sgd_penalties<T>(penalties);
        if (weights.size() > 0) {
          require_1d(weights, "weights", p.x.n_cols);
          p.weights = weights.data();
        }
        p.loss = listwise_loss_named(loss);
        p.cosine = cosine;
        require(!cosine || p.items.biases == nullptr, "cosines and item biases exclude each other");
        require(n_negatives >= 1 && n_negatives <= 1 << 16,
                "n_negatives must be within [1, 65536]");
        p.n_negatives = n_negatives;
        require(temperature > 0, "temperature must be above 0");
        p.temperature = temperature;
        p.margin = margin;
        require(negative_weight >= 0, "negative_weight must be at least 0");
        p.negative_weight = negative_weight;
        require(n_strata >= 1 && n_strata <= 1 << 12, "n_strata must be within [1, 4096]");
        p.n_strata = n_strata;
        p.seed = seed;
        p.epoch = epoch;
        EpochSums sums;
        {
          const py::gil_scoped_release release;
          sums = listwise_epoch(make_run(n_threads), p);
        }
        return as_tuple(sums);
      },
      exact("indptr"), exact("indices"), exact("users"), exact("items"), py::arg("steps"),
      py::arg("penalties"), exact("weights"), py::arg("loss"), py::arg("cosine"),
      py::arg("n_negatives"), py::arg("temperature"), py::arg("margin"), py::arg("negative_weight"),
      py::arg("n_strata"), py::arg("seed"), py::arg("epoch"), py::arg("n_threads"),
      "One epoch of a ranking loss over lists; the arrays of users and items are changed.");
}

}  // namespace

void bind_sgd(py::module_& m) {
  bind_sgd_for<float>(m);
  bind_sgd_for<double>(m);
  bind_listwise_for<float>(m);
  bind_listwise_for<double>(m);
}

}  // namespace aimass::py_border
