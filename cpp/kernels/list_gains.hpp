// Which items of ranked lists are relevant. Problem: for each user a list of items and a row of a
// canonical CSR with the relevant ones; the value that stands in the row is the gain of the item at
// its rank, 0 where there is none. All ranking metrics are formulas of these gains.
// Cost: a table of the catalogue for each thread, with the gains of one user at a time: O(1) for
// each rank and each relevant item. Where the lists are few for the catalogue, one binary search in
// the user's row for each rank, and one byte for each of its entries. An item that occurs more than
// once in a list has its gain at its first rank only. Users are independent, so the result does not
// depend on the number of threads.
#pragma once

#include <cstdint>

#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

// lists, gains: relevant.n_rows x width; items outside of [0, n_cols) are relevant to nobody.
template <class T>
void list_gains(const Run& run, const std::int64_t* lists, std::int64_t width,
                const Csr<T>& relevant, double* gains);

}  // namespace aimass
