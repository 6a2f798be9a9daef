#include "../kernels/resample.hpp"
#include "../kernels/standard_normal.hpp"
#include "arrays.hpp"

namespace aimass::py_border {
namespace {

constexpr std::int64_t kMaxRows = std::int64_t{1} << 31;

Replicates replicates_of(std::uint64_t seed, std::uint64_t first, std::int64_t n,
                         const std::string& law) {
  require(n >= 0, "n_replicates must be at least 0");
  if (law == "poisson") return {seed, first, n, Resampling::poisson};
  if (law == "multinomial") return {seed, first, n, Resampling::multinomial};
  require(law == "signs", "law must be one of poisson, multinomial, signs, got " + law);
  return {seed, first, n, Resampling::signs};
}

}  // namespace

void bind_resample(py::module_& m) {
  m.def(
      "resampled_sums",
      [](const Array<double>& columns, std::uint64_t seed, std::uint64_t first_replicate,
         std::int64_t n_replicates, const std::string& law, int n_threads) {
        require(columns.ndim() == 2, "columns must be 2-D (n_columns x n_rows)");
        const std::int64_t n_columns = columns.shape(0), n_rows = columns.shape(1);
        require(n_rows < kMaxRows, "columns must have fewer than 2^31 rows");
        const Replicates replicates = replicates_of(seed, first_replicate, n_replicates, law);
        Array<double> sums({n_replicates, n_columns});
        double* out = sums.mutable_data();
        const py::gil_scoped_release release;
        resampled_sums(make_run(n_threads), columns.data(), n_rows, n_columns, replicates, out);
        return sums;
      },
      exact("columns"), py::arg("seed"), py::arg("first_replicate"), py::arg("n_replicates"),
      py::arg("law"), py::arg("n_threads"),
      "Weighted sums of columns under the random row weights of each replicate.");
  m.def(
      "resampling_weights",
      [](std::int64_t n_rows, std::uint64_t seed, std::uint64_t first_replicate,
         std::int64_t n_replicates, const std::string& law, int n_threads) {
        require(n_rows >= 0 && n_rows < kMaxRows, "n_rows must be within [0, 2^31)");
        const Replicates replicates = replicates_of(seed, first_replicate, n_replicates, law);
        Array<std::int16_t> weights({n_replicates, n_rows});
        std::int16_t* out = weights.mutable_data();
        const py::gil_scoped_release release;
        resampling_weights(make_run(n_threads), n_rows, replicates, out);
        return weights;
      },
      py::arg("n_rows"), py::arg("seed"), py::arg("first_replicate"), py::arg("n_replicates"),
      py::arg("law"), py::arg("n_threads"), "The random row weights of each replicate.");
  m.def(
      "standard_normal",
      [](std::uint64_t key, Array<double> out, int n_threads) {
        double* values = out.mutable_data();
        const py::gil_scoped_release release;
        standard_normal(make_run(n_threads), key, out.size(), values);
      },
      py::arg("key"), exact("out"), py::arg("n_threads"),
      "Fill an array with standard normal random numbers of a key.");
}

}  // namespace aimass::py_border
