// Problem: Slope One deviations for (user, item) pairs: over the items j of the user that share a
// user with the item, the sum of dev(item, j) = mean over common users of (r_item - r_j), and how
// many j there are. Cost: one row of deviations per distinct item asked for (an addition per path
// item -> user -> item) and O(items of the user) per query; never n_items x n_items.
// Memory per thread: O(n_items). The result does not depend on the number of threads.
// Lemire & Maclachlan, Slope One predictors for online rating-based collaborative filtering (2005).
#pragma once

#include <cstdint>

#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

// As in Surprise the item itself, with deviation 0, counts among the j when the user has it.
template <class T>
void slope_one_predict(const Run& run, const Csr<T>& ratings, const Csr<T>& ratings_t,
                       const std::int32_t* users, const std::int32_t* items, std::int64_t n_queries,
                       T* sum_dev, std::int32_t* n_used);

}  // namespace aimass
