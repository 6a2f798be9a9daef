// score_topk on a machine, a GPU or its emulation: memory, launches and transfers. The work is in
// score_tile.hpp.
//
// The items stay on the device from call to call. Queries with their filters travel there in
// blocks, and their lists back, on two streams, while the host prepares the next block.
#pragma once

#include <algorithm>

#include "score_tile.hpp"
#include "score_topk.hpp"
#include "travelling.hpp"
#include "two_streams.hpp"

namespace aimass::cuda {

// The queries of a launch; each block of threads takes every n-th tile of them.
template <class T>
struct ScoreLaunch {
  static constexpr int kThreads = 256;
  using Shared = ScoreShared<T>;

  ScoreProblem<T> a;
  ScoreScratch<T> scratch{};  // of the first block; those of the others follow

  template <class Block>
  AIMASS_DEVICE void operator()(Block& block, Shared& shared, void*, std::int64_t own,
                                std::int64_t n_blocks) const {
    const std::int64_t lists = own * kQueries * a.capacity;
    const ScoreScratch<T> mine{scratch.queries + own * a.f * kQueries, scratch.indices + lists,
                               scratch.values + lists, scratch.best + own * a.k,
                               scratch.best_values + own * a.k};
    for (std::int64_t first = own * kQueries; first < a.n_queries; first += n_blocks * kQueries)
      score_queries(block, a, first, mine, shared);
  }
};

template <class T, class Machine>
class ItemsOf : public ItemsOnDevice<T> {
 public:
  ItemsOf(const T* items, std::int64_t n, std::int64_t f, int number)
      : machine_(number), buffer_(planned(machine_, n, f), n * f) {
    machine_.copy_in(0, buffer_.data(), items, n * f);
    machine_.wait(0);
    this->device = number;
    this->n_items = n;
    this->n_factors = f;
    this->data = buffer_.data();
  }

 private:
  static Machine& planned(Machine& machine, std::int64_t n, std::int64_t f) {
    require_memory(machine.info(), n * f * static_cast<std::int64_t>(sizeof(T)), "an index");
    return machine;
  }

  Machine machine_;
  typename Machine::template Buffer<T> buffer_;
};

// The most entries that `rows` neighbouring rows have, blocks of them counted from the first one.
inline std::int64_t most_entries(const PatternInput& pattern, std::int64_t n, std::int64_t rows) {
  std::int64_t most = 0;
  if (pattern.begin == nullptr) return most;
  for (std::int64_t begin = 0; begin < n; begin += rows)
    most = std::max(most, pattern.begin[std::min(n, begin + rows)] - pattern.begin[begin]);
  return most;
}

struct ScorePlan {
  std::int64_t n_rows = 0;                     // queries of a block that travels
  std::int64_t n_excluded = 0, n_allowed = 0;  // entries of the filters of such a block, at most
  std::int64_t n_blocks = 0;                   // of threads, on each stream
};

// The largest blocks of queries that fit; MemoryError where a single query does not.
template <class T, class Machine>
ScorePlan score_plan(const Machine& machine, const ScoreInput<T>& input, std::int64_t n_items,
                     std::int64_t f, std::int64_t capacity) {
  // Limits of a block: queries, bytes of pinned memory, and multiply-adds, for Ctrl-C.
  constexpr std::int64_t kRows = 1 << 14, kPinned = 1 << 28;
  constexpr std::int64_t kWork = std::int64_t{1} << 40;
  const auto value = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t at_work = std::max<std::int64_t>(
      kWork / (n_items * f + 1), std::int64_t{4} * kQueries * machine.info().n_multiprocessors);
  const std::int64_t most_rows = std::clamp<std::int64_t>(
      std::min(kPinned / (f * value + input.k * (value + 4) + 1), at_work), 1, kRows);
  const std::int64_t each = kQueries * (f * value + capacity * (value + 4)) + input.k * (value + 4);
  ScorePlan plan;
  for (plan.n_rows = std::min(most_rows, input.n_queries);; plan.n_rows = (plan.n_rows + 3) / 4) {
    plan.n_excluded = most_entries(input.exclude, input.n_queries, plan.n_rows);
    plan.n_allowed = most_entries(input.allow, input.n_queries, plan.n_rows);
    const std::int64_t fixed =
        (input.biases == nullptr ? 0 : n_items * value) +
        2 * (plan.n_rows * (f * value + input.k * (value + 4)) + 16 * (plan.n_rows + 1) +
             4 * (plan.n_excluded + plan.n_allowed));
    if (plan.n_rows > 1 && fixed + 2 * each > machine.info().spare_memory()) continue;
    const std::int64_t n_tiles = (plan.n_rows + kQueries - 1) / kQueries;
    plan.n_blocks = n_blocks_at_work(machine.info(), fixed, 2 * each, n_tiles, "a block of lists");
    return plan;
  }
}

// One filter of the queries that travel on one stream.
template <class Machine>
class TravellingPattern {
 public:
  TravellingPattern(Machine& machine, const PatternInput& input, std::int64_t n_rows,
                    std::int64_t n_entries)
      : machine_(machine),
        input_(input),
        begin_(machine, input.begin == nullptr ? 0 : n_rows + 1),
        column_(machine, n_entries) {}

  void prepare(std::int64_t begin, std::int64_t end) {
    if (input_.begin == nullptr) return;
    const std::int64_t from = input_.begin[begin];
    n_rows_ = end - begin;
    n_entries_ = input_.begin[end] - from;
    for (std::int64_t i = 0; i <= n_rows_; ++i)
      begin_.host()[i] = input_.begin[begin + i] - from + machine_.first_offset();
    std::copy_n(input_.column + from, n_entries_, column_.host());
  }

  Pattern start(int stream) {
    if (input_.begin == nullptr) return {};
    begin_.send(stream, n_rows_ + 1);
    column_.send(stream, n_entries_);
    return {machine_.first_offset(), begin_.device(), column_.device()};
  }

 private:
  Machine& machine_;
  PatternInput input_;
  TravellingArray<std::int64_t, Machine> begin_;
  TravellingArray<std::int32_t, Machine> column_;
  std::int64_t n_rows_ = 0, n_entries_ = 0;
};

// Queries and lists that travel on one stream.
template <class T, class Machine>
struct ScoreTraveller {
  TravellingArray<T, Machine> queries;
  TravellingPattern<Machine> exclude, allow;
  TravellingArray<std::int32_t, Machine> indices;
  TravellingArray<T, Machine> scores;

  ScoreTraveller(Machine& machine, const ScoreInput<T>& input, std::int64_t f,
                 const ScorePlan& plan)
      : queries(machine, plan.n_rows * f),
        exclude(machine, input.exclude, plan.n_rows, plan.n_excluded),
        allow(machine, input.allow, plan.n_rows, plan.n_allowed),
        indices(machine, plan.n_rows * input.k),
        scores(machine, plan.n_rows * input.k) {}
};

template <class T, class Machine>
void score_topk_on(Machine& machine, const ScoreInput<T>& input, const ItemsOnDevice<T>& items,
                   const Run& run) {
  using Values = typename Machine::template Buffer<T>;
  using Indices = typename Machine::template Buffer<std::int32_t>;
  const std::int64_t n_queries = input.n_queries, k = input.k, f = items.n_factors;
  if (n_queries == 0 || k == 0) return;
  ScoreLaunch<T> work;
  work.a.n_items = items.n_items;
  work.a.f = f;
  work.a.k = k;
  work.a.capacity = k + 4 * machine.n_threads(ScoreLaunch<T>::kThreads);
  work.a.items = items.data;
  const ScorePlan plan = score_plan(machine, input, items.n_items, f, work.a.capacity);
  const Values biases(machine, input.biases == nullptr ? 0 : items.n_items);
  machine.copy_in(0, biases.data(), input.biases, input.biases == nullptr ? 0 : items.n_items);
  machine.wait(0);
  work.a.biases = input.biases == nullptr ? nullptr : biases.data();
  const std::int64_t n = plan.n_blocks, lists = n * kQueries * work.a.capacity;
  const Values tiles(machine, 2 * n * f * kQueries), values(machine, 2 * lists);
  const Values best_values(machine, 2 * n * k);
  const Indices indices(machine, 2 * lists), best(machine, 2 * n * k);
  ScoreTraveller<T, Machine> travellers[2] = {{machine, input, f, plan}, {machine, input, f, plan}};
  run.set_total(n_queries);
  const auto end_of = [&](std::int64_t b) { return std::min(n_queries, (b + 1) * plan.n_rows); };
  in_two_streams(
      machine, run, (n_queries + plan.n_rows - 1) / plan.n_rows,
      [&](std::int64_t b, int stream) {
        const std::int64_t begin = b * plan.n_rows, end = end_of(b);
        std::copy_n(input.queries + begin * f, (end - begin) * f,
                    travellers[stream].queries.host());
        travellers[stream].exclude.prepare(begin, end);
        travellers[stream].allow.prepare(begin, end);
      },
      [&](std::int64_t b, int stream) {
        ScoreTraveller<T, Machine>& mine = travellers[stream];
        work.a.n_queries = end_of(b) - b * plan.n_rows;
        mine.queries.send(stream, work.a.n_queries * f);
        work.a.queries = mine.queries.device();
        work.a.exclude = mine.exclude.start(stream);
        work.a.allow = mine.allow.start(stream);
        work.a.indices = mine.indices.device();
        work.a.scores = mine.scores.device();
        work.scratch = {tiles.data() + stream * n * f * kQueries, indices.data() + stream * lists,
                        values.data() + stream * lists, best.data() + stream * n * k,
                        best_values.data() + stream * n * k};
        const std::int64_t n_tiles = (work.a.n_queries + kQueries - 1) / kQueries;
        machine.launch(stream, std::min(n, n_tiles), 0, work);
        mine.indices.fetch(stream, work.a.n_queries * k);
        mine.scores.fetch(stream, work.a.n_queries * k);
      },
      [&](std::int64_t b, int stream) {
        const std::int64_t begin = b * plan.n_rows, count = end_of(b) - begin;
        std::copy_n(travellers[stream].indices.host(), count * k, input.indices + begin * k);
        std::copy_n(travellers[stream].scores.host(), count * k, input.scores + begin * k);
        run.add_done(count);
      });
}

}  // namespace aimass::cuda
