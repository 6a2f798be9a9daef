#include "../kernels/factorize.hpp"

#include <tuple>

#include "arrays.hpp"

namespace aimass::py_border {
namespace {

template <class Offset>
void bind_bytes(py::module_& m) {
  m.def(
      "factorize_bytes",
      [](const Array<Offset>& offsets, const Array<std::uint8_t>& data, int n_threads) {
        require(offsets.ndim() == 1 && offsets.shape(0) >= 1,
                "offsets must be 1-D with one entry more than there are strings");
        require_1d(data, "data", data.size());
        const std::int64_t n = offsets.shape(0) - 1;
        Array<std::int32_t> codes(n);
        std::int32_t* const to = codes.mutable_data();
        std::vector<std::int64_t> first;
        {
          const py::gil_scoped_release release;
          first =
              factorize_bytes(make_run(n_threads), offsets.data(), data.data(), data.size(), n, to);
        }
        return std::tuple(codes, to_array(std::move(first)));
      },
      exact("offsets"), exact("data"), py::arg("n_threads"),
      "Codes of strings in bytewise order, and the first row of each: (codes, first).");
}

}  // namespace

void bind_factorize(py::module_& m) {
  m.def(
      "factorize_int64",
      [](const Array<std::int64_t>& values, int n_threads) {
        const std::int64_t n = values.size();
        require_1d(values, "values", n);
        Array<std::int32_t> codes(n);
        std::int32_t* const to = codes.mutable_data();
        std::vector<std::int64_t> uniques;
        {
          const py::gil_scoped_release release;
          uniques = factorize_int64(make_run(n_threads), values.data(), n, to);
        }
        return std::tuple(codes, to_array(std::move(uniques)));
      },
      exact("values"), py::arg("n_threads"),
      "Codes of integers in ascending order, and the distinct values: (codes, uniques).");
  bind_bytes<std::int64_t>(m);
  bind_bytes<std::int32_t>(m);
}

}  // namespace aimass::py_border
