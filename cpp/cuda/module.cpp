// The extension _cuda, or _cuda_emulated, which runs the same bodies on the processor for tests.
#include <algorithm>

#include "../bindings/arrays.hpp"
#include "../bindings/epilogue_args.hpp"
#include "../bindings/sgd_args.hpp"
#include "als_solve.hpp"
#include "bpr_epoch.hpp"
#include "gram_topk.hpp"
#include "score_topk.hpp"
#if defined(AIMASS_CUDA_IS_EMULATED)
#include "emulation.hpp"
#endif

namespace aimass::cuda {

namespace {

namespace py = pybind11;
using py_border::Array;
using py_border::EpilogueArgs;
using py_border::exact;
using py_border::to_array;

// Places for each column, and lengths, indices and scores of the lists.
template <class T>
using Lists = std::tuple<std::int64_t, Array<std::int32_t>, Array<std::int32_t>, Array<T>>;

template <class T>
Lists<T> bound_gram_topk(const EpilogueArgs<T>& score, const Run& run,
                         const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
                         const Array<T>& data, const Array<std::int64_t>& column_indptr,
                         const Array<std::int32_t>& column_indices, const Array<T>& column_data,
                         std::int64_t k, int device) {
  py_border::require(column_indptr.ndim() == 1 && column_indptr.shape(0) >= 1,
                     "column_indptr must be 1-D with n_cols + 1 entries");
  py_border::require(k >= 1, "k must be at least 1, got " + std::to_string(k));
  const std::int64_t n_cols = column_indptr.shape(0) - 1;
  GramInput<T> input;
  input.rows = py_border::csr_view(indptr, indices, data, n_cols);
  input.columns =
      py_border::csr_view(column_indptr, column_indices, column_data, input.rows.n_rows);
  py_border::require_transpose(input.rows, input.columns, "columns");
  const Epilogue<T> e = score.view(n_cols, n_cols);
  py_border::require(e.custom == nullptr, "a function of the caller cannot run on a device");
  input.p = e.p;
  input.q = e.q;
  const std::int64_t kept = std::min(k, std::max<std::int64_t>(1, n_cols - 1));
  GramLists<T> lists;
  {
    const py::gil_scoped_release release;
    lists = gram_topk(input, kept, e, device, run);
  }
  return {kept, to_array(std::move(lists.lengths)), to_array(std::move(lists.indices)),
          to_array(std::move(lists.scores))};
}

template <class T>
void bind_gram_topk(py::module_& m) {
  py_border::def_scored<T>(
      m, "gram_topk",
      "The k best other columns of every column of a scaled CSR matrix and its "
      "transpose: (places, lengths, indices, scores).",
      &bound_gram_topk<T>, exact("indptr"), exact("indices"), exact("data"), exact("column_indptr"),
      exact("column_indices"), exact("column_data"), py::arg("k"), py::arg("device"));
}

AlsSolver solver_named(const std::string& name) {
  if (name == "cholesky") return AlsSolver::cholesky;
  if (name == "cg") return AlsSolver::cg;
  if (name == "pcg") return AlsSolver::pcg;
  if (name == "subspace") return AlsSolver::subspace;
  py_border::require(name == "nonnegative", "there is no solver " + name);
  return AlsSolver::nonnegative;
}

template <class T>
void bind_als_solve(py::module_& m) {
  using Optional = py_border::Optional<T>;
  m.def(
      "als_solve",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         const Array<T>& data, const Array<T>& factors, const Array<T>& gramian,
         const Array<T>& start, const Array<T>& ridge, const Array<T>& linear,
         const Optional& inverse, double resolved, double alpha, double weight_shift,
         double target_shift, bool preferences, const std::string& solver, std::int64_t n_steps,
         std::int64_t block_size, int device) {
        py_border::require(factors.ndim() == 2 && factors.shape(1) >= 1,
                           "factors must be 2-D with at least one column");
        AlsInput<T> input;
        const std::int64_t f = factors.shape(1);
        input.rows = py_border::csr_view(indptr, indices, data, factors.shape(0));
        const std::int64_t n = input.rows.n_rows;
        py_border::require_2d(gramian, "gramian", f, f);
        py_border::require_2d(start, "start", n, f);
        py_border::require_1d(ridge, "ridge", n);
        const bool has_linear = linear.ndim() == 2 && linear.shape(0) > 0 && n > 0;
        py_border::require_2d(linear, "linear", has_linear ? n : linear.shape(0), f);
        input.solver = solver_named(solver);
        py_border::require((input.solver == AlsSolver::pcg) == inverse.has_value(),
                           "inverse must be given for solver 'pcg', and for no other");
        if (inverse) py_border::require_2d(*inverse, "inverse", f, f);
        py_border::require(n_steps >= 1, "n_steps must be at least 1");
        py_border::require(block_size >= 1, "block_size must be at least 1");
        input.factors = factors.data();
        input.n_factors = f;
        input.gramian = gramian.data();
        input.start = start.data();
        input.ridge = ridge.data();
        input.linear = has_linear ? linear.data() : nullptr;
        input.inverse = inverse ? inverse->data() : nullptr;
        input.resolved = resolved;
        input.weights = {alpha, weight_shift, target_shift, preferences};
        input.n_steps = n_steps;
        input.block_size = input.solver == AlsSolver::subspace ? std::min(block_size, f) : 0;
        Array<T> solution({n, f});
        input.solution = solution.mutable_data();
        const py::gil_scoped_release release;
        als_solve(input, device, py_border::make_run(1));
        return solution;
      },
      exact("indptr"), exact("indices"), exact("data"), exact("factors"), exact("gramian"),
      exact("start"), exact("ridge"), exact("linear"), exact("inverse"), py::arg("resolved"),
      py::arg("alpha"), py::arg("weight_shift"), py::arg("target_shift"), py::arg("preferences"),
      py::arg("solver"), py::arg("n_steps"), py::arg("block_size"), py::arg("device"),
      "Factors of every row, the other side's being fixed: one half-step of least squares.");
}

PatternInput pattern(const py_border::Optional<std::int64_t>& indptr,
                     const py_border::Optional<std::int32_t>& indices, std::int64_t n_queries) {
  py_border::require(indptr.has_value() == indices.has_value(),
                     "indptr and indices of a filter must be given together");
  if (!indptr || !indices) return {};
  py_border::require_1d(*indptr, "indptr of a filter", n_queries + 1);
  py_border::require(indptr->data()[0] == 0 && indices->ndim() == 1 &&
                         indptr->data()[n_queries] == indices->shape(0),
                     "indptr of a filter must start at 0 and end at len(indices)");
  return {indptr->data(), indices->data()};
}

template <class T>
void bind_score_topk(py::module_& m, const char* name_of_items) {
  using OptionalPart = py_border::Optional<std::int64_t>;
  using OptionalIndices = py_border::Optional<std::int32_t>;
  [[maybe_unused]] const py::class_<ItemsOnDevice<T>> of_items(m, name_of_items,
                                                               "Items that stay on a device.");
  m.def(
      "items_on_device",
      [](const Array<T>& items, int device) {
        py_border::require(items.ndim() == 2 && items.shape(0) >= 1 && items.shape(1) <= INT32_MAX,
                           "items must be 2-D, factors x items, with at least one factor");
        const py::gil_scoped_release release;
        return items_on_device(items.data(), items.shape(1), items.shape(0), device);
      },
      exact("items"), py::arg("device"), "Items, factors x items, copied to a device.");
  m.def(
      "score_topk",
      [](const Array<T>& queries, const ItemsOnDevice<T>& items,
         const py_border::Optional<T>& biases, std::int64_t k, const OptionalPart& exclude_indptr,
         const OptionalIndices& exclude_indices, const OptionalPart& allow_indptr,
         const OptionalIndices& allow_indices) {
        py_border::require(k >= 1, "k must be at least 1");
        py_border::require(queries.ndim() == 2, "queries must be 2-D");
        ScoreInput<T> input;
        input.n_queries = queries.shape(0);
        input.k = k;
        py_border::require_2d(queries, "queries", input.n_queries, items.n_factors);
        input.queries = queries.data();
        input.biases = py_border::optional_view(biases, "biases", items.n_items);
        input.exclude = pattern(exclude_indptr, exclude_indices, input.n_queries);
        input.allow = pattern(allow_indptr, allow_indices, input.n_queries);
        Array<std::int32_t> indices({input.n_queries, k});
        Array<T> scores({input.n_queries, k});
        input.indices = indices.mutable_data();
        input.scores = scores.mutable_data();
        {
          const py::gil_scoped_release release;
          score_topk(input, items, py_border::make_run(1));
        }
        return std::make_pair(indices, scores);
      },
      exact("queries"), py::arg("items"), exact("biases"), py::arg("k"), exact("exclude_indptr"),
      exact("exclude_indices"), exact("allow_indptr"), exact("allow_indices"),
      "The k best items of every query: (indices, scores), padded with (-1, -inf).");
}

template <class T>
void bind_bpr_epoch(py::module_& m) {
  m.def(
      "bpr_epoch",
      [](const Array<std::int64_t>& indptr, const Array<std::int32_t>& indices,
         py_border::SgdSideArgs<T> users, py_border::SgdSideArgs<T> items,
         const py_border::SgdStepArgs& steps, const py_border::SgdPenaltyArgs& penalties,
         const Array<double>& weights, std::int64_t n_candidates, std::int64_t n_strata,
         std::uint64_t seed, std::uint64_t epoch, int n_threads, int device) {
        PairwiseProblem<T> p{};
        p.width = py_border::sgd_width<T>(users);
        py_border::require(std::get<0>(items).ndim() == 2, "item factors must be 2-D");
        p.x = py_border::csr_pattern<T>(indptr, indices, std::get<0>(items).shape(0));
        p.rule = py_border::rule_named(std::get<0>(steps));
        p.users = py_border::sgd_rows<T>(users, "user", p.x.n_rows, p.width, p.rule);
        p.items = py_border::sgd_rows<T>(items, "item", p.x.n_cols, p.width, p.rule);
        std::vector<T> corrections;
        p.steps = py_border::sgd_steps<T>(steps, corrections);
        p.penalties = py_border::sgd_penalties<T>(penalties);
        if (weights.size() > 0) {
          py_border::require_1d(weights, "weights", p.x.n_cols);
          p.weights = weights.data();
        }
        p.loss = PairwiseLoss::bpr;
        py_border::require(n_candidates >= 1 && n_candidates <= 1 << 20,
                           "n_candidates must be within [1, 1048576]");
        py_border::require(n_strata >= 1 && n_strata <= 1 << 12,
                           "n_strata must be within [1, 4096]");
        p.n_candidates = n_candidates;
        p.n_strata = n_strata;
        p.seed = seed;
        p.epoch = epoch;
        EpochSums sums;
        {
          const py::gil_scoped_release release;
          sums = bpr_epoch(p, device, py_border::make_run(n_threads));
        }
        return std::make_tuple(sums.loss, sums.n_steps, sums.n_correct, sums.n_skipped);
      },
      exact("indptr"), exact("indices"), exact("users"), exact("items"), py::arg("steps"),
      py::arg("penalties"), exact("weights"), py::arg("n_candidates"), py::arg("n_strata"),
      py::arg("seed"), py::arg("epoch"), py::arg("n_threads"), py::arg("device"),
      "One epoch of BPR; the arrays of users and items are changed.");
}

}  // namespace

PYBIND11_MODULE(AIMASS_CUDA_MODULE, m) {
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const DeviceMemoryError& error) {
      PyErr_SetString(PyExc_MemoryError, error.what());
    } catch (const DeviceError& error) {
      PyErr_SetString(PyExc_RuntimeError, error.what());
    } catch (const NumericalFailure& error) {
      const py::object type = py::module_::import("aimass_core.exceptions").attr("NumericalError");
      const py::object row =
          error.row < 0 ? py::object(py::none()) : py::object(py::int_(error.row));
      const py::object raised = type(error.what(), py::arg("row") = row);
      PyErr_SetObject(type.ptr(), raised.ptr());
    } catch (const InvalidInput& error) {
      PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const Interrupted&) {  // the signal handler has already raised, or Ctrl-C was pressed
      if (!PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
    }
  });
  m.def(
      "device_info",
      [](int device) {
        const DeviceInfo info = device_info(device);
        py::dict facts;
        facts["name"] = info.name;
        facts["free_memory"] = info.free_memory;
        facts["total_memory"] = info.total_memory;
        facts["n_multiprocessors"] = info.n_multiprocessors;
        return facts;
      },
      py::arg("device"), "Name and memory of a device; RuntimeError where there is none.");
  bind_gram_topk<float>(m);
  bind_gram_topk<double>(m);
  bind_als_solve<float>(m);
  bind_als_solve<double>(m);
  bind_score_topk<float>(m, "ItemsOnDevice32");
  bind_score_topk<double>(m, "ItemsOnDevice64");
  bind_bpr_epoch<float>(m);
  bind_bpr_epoch<double>(m);
#if defined(AIMASS_CUDA_IS_EMULATED)
  m.def("set_free_memory", &set_free_memory, py::arg("n_bytes"), "Memory of emulated devices.");
#endif
}

}  // namespace aimass::cuda
