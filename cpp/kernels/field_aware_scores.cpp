#include "field_aware_scores.hpp"

#include <algorithm>

#include "field_aware_row.hpp"

namespace aimass {

void field_aware_scores(const Run& run, const Csr<double>& rows, const FieldAwareModel& model,
                        double* scores) {
  constexpr std::int64_t kRows = 256;  // of a block
  const std::int64_t n_blocks = (rows.n_rows + kRows - 1) / kRows;
  parallel_for(run, n_blocks, [&](std::int64_t block, int) {
    FieldAwareRow<float> sums(rows, model.fields, model.n_fields, model.n_factors);
    std::int64_t work = 0;
    const std::int64_t end = std::min(rows.n_rows, (block + 1) * kRows);
    for (std::int64_t row = block * kRows; row < end; ++row) {
      sums.find_fields(row);
      scores[row] = sums.predict(row, model.intercept, model.linear, model.factors);
      work += (rows.end(row) - rows.begin(row)) * (sums.n_present() * model.n_factors + 1);
      if (work >= kFieldAwareWork) {
        run.poll();
        work = 0;
      }
    }
  });
}

}  // namespace aimass
