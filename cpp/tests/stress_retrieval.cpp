// Retrieval kernels on random factors for the stress program.
#include <cmath>
#include <cstdint>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "../kernels/reverse_topk.hpp"
#include "../kernels/score_topk.hpp"
#include "stress.hpp"

namespace aimass::stress {

// Random items in panels, already in order of norm because they are scaled down one after another.
template <class T>
struct Items {
  explicit Items(Rng& rng)
      : n(below(rng, 300)),
        depth(below(rng, 4) == 0 ? 125 + below(rng, 40) : below(rng, 20)),
        n_panels((n + kCols - 1) / kCols),
        n_groups((depth + 3) / 4),
        panels(static_cast<std::size_t>(n_panels * depth * kCols + 1)),
        biases(static_cast<std::size_t>(n_panels * kCols), -std::numeric_limits<T>::infinity()),
        order(biases.size(), -1),
        norms(static_cast<std::size_t>(n_panels), 1e9),
        offsets(norms.size(), 4),
        codes(static_cast<std::size_t>(n_panels * n_groups * kCols * 4), 128) {
    for (auto& x : panels) x = static_cast<T>(below(rng, 9)) - T(4);
    for (std::int64_t p = 0; p < n_panels; ++p) {
      for (std::int64_t l = 0; l < depth; ++l)
        for (std::int64_t c = 0; c < kCols; ++c)
          codes[static_cast<std::size_t>(((p * n_groups + l / 4) * kCols + c) * 4 + l % 4)] =
              static_cast<std::uint8_t>(
                  128 + panels[static_cast<std::size_t>((p * depth + l) * kCols + c)]);
      const double length = 4 * std::sqrt(static_cast<double>(depth));
      const double grid[] = {1, 0, length, 4, length, length, length, length};
      grids.insert(grids.end(), grid, grid + simd::kGridFields);
    }
    for (std::int64_t i = 0; i < n; ++i) {
      order[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(n - 1 - i);
      biases[static_cast<std::size_t>(i)] = static_cast<T>(below(rng, 4));
    }
  }
  PackedItems<T> view(bool coded = true) const {
    coded &= simd::code_table().most > 0;
    return {n,
            depth,
            n_panels,
            panels.data(),
            biases.data(),
            order.data(),
            norms.data(),
            offsets.data(),
            coded ? codes.data() : nullptr,
            grids.data()};
  }

  static constexpr std::int64_t kCols = simd::kPanelCols;
  std::int64_t n, depth, n_panels, n_groups;
  std::vector<T> panels, biases;
  std::vector<std::int32_t> order;
  std::vector<double> norms, offsets;
  std::vector<std::uint8_t> codes;
  std::vector<double> grids;
};

template <class T>
void stress_score(Rng& rng) {
  const Items<T> items(rng);
  const std::int64_t n = below(rng, 150), k = 1 + below(rng, 80);
  std::vector<T> queries(static_cast<std::size_t>(n * items.depth));
  for (auto& x : queries) x = static_cast<T>(below(rng, 9)) - T(4);
  std::vector<std::int64_t> indptr{0};
  std::vector<std::int32_t> lists;
  for (std::int64_t r = 0; r < n; ++r) {
    for (std::int64_t i = 0; items.n > 0 && i < below(rng, 30); ++i)
      lists.push_back(static_cast<std::int32_t>(below(rng, items.n)));
    indptr.push_back(static_cast<std::int64_t>(lists.size()));
  }
  const Pattern pattern{indptr.data(), lists.data(), static_cast<std::int64_t>(lists.size())};
  Filter filter;
  if (rng() % 2 == 0) filter.exclude = pattern;
  if (rng() % 3 == 0) filter.allow = pattern;
  auto topk = [&](int n_threads, bool coded = true) {
    std::vector<std::int32_t> indices(static_cast<std::size_t>(n * k));
    std::vector<T> scores(indices.size());
    score_topk(queries.data(), n, items.view(coded), k, filter, indices.data(), scores.data(),
               Run(n_threads));
    return std::pair(indices, scores);
  };
  expect(topk(1) == topk(2 + static_cast<int>(rng() % 4)), "score_topk depends on threads");
  expect(topk(1) == topk(1, false), "score_topk depends on codes");
}

// Random users instead of items, random thresholds, no pruning but by what is not a number.
template <class T>
void stress_reverse(Rng& rng) {
  const Items<T> packed(rng);
  const std::int64_t n = below(rng, 40);
  const std::vector<T> thresholds(packed.biases.size(), static_cast<T>(below(rng, 9)));
  const std::vector<std::int32_t> ties(packed.biases.size(), 20),
      numbers(static_cast<std::size_t>(n), static_cast<std::int32_t>(below(rng, 40)));
  std::vector<std::int32_t> order(packed.order);
  for (auto& user : order) user = std::max(user, 0);
  const std::vector<double> limits(static_cast<std::size_t>(3 * packed.n_panels),
                                   static_cast<double>(below(rng, 5)));
  std::vector<T> factors(static_cast<std::size_t>(n * packed.depth), T(1));
  const std::vector<T> biases(static_cast<std::size_t>(n), T(2));
  std::vector<std::int64_t> indptr{0};
  std::vector<std::int32_t> lists;
  for (std::int64_t r = 0; r < n; ++r) {
    for (std::int64_t i = 0; packed.n > 0 && i < below(rng, 30); ++i)
      lists.push_back(static_cast<std::int32_t>(below(rng, packed.n)));
    indptr.push_back(static_cast<std::int64_t>(lists.size()));
  }
  const AskedItems<T> asked{n,
                            factors.data(),
                            biases.data(),
                            numbers.data(),
                            {indptr.data(), lists.data(), static_cast<std::int64_t>(lists.size())}};
  const PackedUsers<T> users{packed.n,     packed.depth,      packed.n_panels, packed.panels.data(),
                             order.data(), thresholds.data(), ties.data(),     limits.data()};
  auto reverse = [&](int n_threads) {
    const ReverseTopK<T> out = reverse_topk(asked, users, Run(n_threads));
    return std::tuple(out.indptr, out.users, out.scores);
  };
  expect(reverse(1) == reverse(2 + static_cast<int>(rng() % 4)), "reverse_topk depends on threads");
}

template void stress_score<float>(Rng&);
template void stress_score<double>(Rng&);
template void stress_reverse<float>(Rng&);
template void stress_reverse<double>(Rng&);

}  // namespace aimass::stress
