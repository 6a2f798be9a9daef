#include "field_aware_scores.hpp"

#include <algorithm>

#include "field_aware_row.hpp"

namespace aimass {

namespace {

constexpr std::int64_t kBlock = 256;           // rows
constexpr std::int64_t kWorkOfPoll = 1 << 20;  // multiply-adds between two polls

}  // namespace

void field_aware_scores(const Run& run, const Csr<double>& rows, const FieldAwareModel& model,
                        double* scores) {
  const std::int64_t n_blocks = (rows.n_rows + kBlock - 1) / kBlock;
  parallel_for(run, n_blocks, [&](std::int64_t block, int) {
    FieldAwareRow<float> sums(rows, model.fields, model.n_fields, model.n_factors);
    std::int64_t work = 0;
    const std::int64_t end = std::min(rows.n_rows, (block + 1) * kBlock);
    for (std::int64_t row = block * kBlock; row < end; ++row) {
      sums.find_fields(row);
      scores[row] = sums.predict(row, model.intercept, model.linear, model.factors);
      work += (rows.end(row) - rows.begin(row)) * (sums.n_present() * model.n_factors + 1);
      if (work >= kWorkOfPoll) {
        run.poll();
        work = 0;
      }
    }
  });
}

}  // namespace aimass
