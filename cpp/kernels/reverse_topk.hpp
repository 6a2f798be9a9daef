// Exact reverse top-k: for each asked item, the users in whose top k it stands.
//
// After Amagata and Hara, Reverse Maximum Inner Product Search (WWW 2021, Simpfer): users in
// panels, with what a score has to reach for each user; a panel is pruned when the item is too
// short for all of its users. Where Simpfer keeps lower bounds of the k-th scores and verifies what
// passes, here these are the k-th scores themselves, which score_topk finds at about the cost of
// bounds; so what passes is the answer. Scores have the very bits of score_topk, so ties are
// decided alike. Time: O(n_items * unpruned users * depth + answer log answer). Memory: the answer.
#pragma once

#include <cstdint>
#include <vector>

#include "parallel.hpp"
#include "score_filter.hpp"

namespace aimass {

template <class T>
struct AskedItems {
  std::int64_t n;
  const T* factors;           // n x depth
  const T* biases;            // n
  const std::int32_t* items;  // n: their numbers, for ties
  Pattern exclude;            // n rows: users that are not asked for
};

template <class T>
struct PackedUsers {
  std::int64_t n_users, depth, n_panels;
  const T* panels;            // n_panels x depth x kPanelCols
  const std::int32_t* order;  // n_panels x kPanelCols: the user at a position
  const T* thresholds;        // n_panels x kPanelCols: the k-th score; nan where no user is
  const std::int32_t* ties;   // n_panels x kPanelCols: the k-th item, itself included
  // n_panels x 3: least threshold / norm of a panel's users, least norm, largest norm.
  const double* limits;
};

template <class T>
struct ReverseTopK {
  std::vector<std::int64_t> indptr;
  std::vector<std::int32_t> users;
  std::vector<T> scores;
};

template <class T>
ReverseTopK<T> reverse_topk(const AskedItems<T>& asked, const PackedUsers<T>& users,
                            const Run& run);

}  // namespace aimass
