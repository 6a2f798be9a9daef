#include "slope_one_predict.hpp"

#include <cstdint>
#include <vector>

#include "grouped_queries.hpp"
#include "partition.hpp"

namespace aimass {

template <class T>
void slope_one_predict(const Run& run, const Csr<T>& ratings, const Csr<T>& ratings_t,
                       const std::int32_t* users, const std::int32_t* items, std::int64_t n_queries,
                       T* sum_dev, std::int32_t* n_used) {
  struct Deviation {
    double sum, n;
    void add(T x, T y) {
      sum += static_cast<double>(x) - static_cast<double>(y);
      n += 1;
    }
  };
  check_bounds(run, users, n_queries, ratings.n_rows, "query_user");
  check_bounds(run, items, n_queries, ratings.n_cols, "query_item");
  const GroupedQueries groups =
      group_queries(items, n_queries, ratings.n_cols,
                    [&](std::int64_t item) { return count_paths(ratings_t, ratings, item); });
  std::vector<std::vector<Deviation>> scratch(static_cast<std::size_t>(run.n_threads()));
  for_each_group(
      run, groups, items,
      [&](std::int64_t item, const std::int64_t* begin, const std::int64_t* end, int thread) {
        auto& deviations = scratch[static_cast<std::size_t>(thread)];
        if (deviations.empty()) {
          deviations.assign(static_cast<std::size_t>(ratings.n_cols), Deviation{0, 0});
        }
        add_paths(run, ratings_t, ratings, item, deviations.data());
        for (; begin < end; ++begin) {
          const std::int64_t user = users[*begin];
          double sum = 0;
          std::int32_t n = 0;
          for (std::int64_t i = ratings.begin(user); i < ratings.end(user); ++i) {
            const Deviation& deviation = deviations[static_cast<std::size_t>(ratings.indices[i])];
            if (deviation.n == 0) continue;
            sum += deviation.sum / deviation.n;
            ++n;
          }
          sum_dev[*begin] = static_cast<T>(sum);
          n_used[*begin] = n;
        }
        const std::int64_t n_paths = count_paths(ratings_t, ratings, item);
        for_each_touched(ratings_t, ratings, item, n_paths,
                         [&](std::int64_t j) { deviations[static_cast<std::size_t>(j)] = {0, 0}; });
      });
}

template void slope_one_predict(const Run& run, const Csr<float>& ratings,
                                const Csr<float>& ratings_t, const std::int32_t* users,
                                const std::int32_t* items, std::int64_t n_queries, float* sum_dev,
                                std::int32_t* n_used);
template void slope_one_predict(const Run& run, const Csr<double>& ratings,
                                const Csr<double>& ratings_t, const std::int32_t* users,
                                const std::int32_t* items, std::int64_t n_queries, double* sum_dev,
                                std::int32_t* n_used);

}  // namespace aimass
