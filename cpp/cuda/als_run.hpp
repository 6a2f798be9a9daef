// als_solve on a machine, a GPU or its emulation: memory, launches and transfers. The work is in
// als_row.hpp.
//
// The other side's factors stay on the device; rows travel there in blocks, and their factors back,
// on two streams, while the host prepares the next block (two_streams.hpp). To prepare a block is
// to copy its entries and to put its rows in the order of their numbers of entries, longest first,
// so that the blocks of threads end at about the same time. Rows with nothing to fit are left out.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "../kernels/errors.hpp"
#include "als_row.hpp"
#include "als_solve.hpp"
#include "travelling.hpp"
#include "two_streams.hpp"

namespace aimass::cuda {

// The rows of a launch; each block of threads takes every n-th one of those in `order`.
template <class T>
struct AlsLaunch {
  static constexpr int kThreads = 128;
  using Shared = DotShared<T>;

  AlsCommon<T> common;
  AlsRows<T> rows;
  const std::int32_t* order = nullptr;
  std::int64_t n_rows = 0;
  AlsScratch<T> scratch{};        // of the first block; those of the others follow
  bool is_matrix_shared = false;  // it is in the shared memory of the block

  template <class Block>
  AIMASS_DEVICE void operator()(Block& block, Shared& shared, void* more, std::int64_t own,
                                std::int64_t n_blocks) const {
    const std::int64_t f = common.f, size = common.block_size;
    const AlsScratch<T> mine{
        is_matrix_shared ? static_cast<T*>(more) : scratch.matrix + own * f * f,
        scratch.part + own * size * size, scratch.vectors + own * 7 * f};
    for (std::int64_t place = own; place < n_rows; place += n_blocks)
      solve_als_row(block, common, rows, order[place], mine, shared);
  }
};

// Rows [begin, end) that travel together.
struct AlsPart {
  std::int64_t begin, end;
};

struct AlsPlan {
  std::vector<AlsPart> parts;
  std::int64_t most_rows = 0, most_entries = 0;  // of a part
  std::int64_t n_blocks = 0;                     // of threads, on each stream
};

// Parts of at most `most_rows` rows and, unless one row has more, `most_entries` entries.
template <class T>
AlsPlan als_parts(const Csr<T>& rows, std::int64_t most_rows, std::int64_t most_entries) {
  AlsPlan plan;
  for (std::int64_t begin = 0, end = 0; begin < rows.n_rows; begin = end) {
    end = begin + 1;
    while (end < rows.n_rows && end - begin < most_rows &&
           rows.indptr[end + 1] - rows.indptr[begin] <= most_entries)
      ++end;
    plan.parts.push_back({begin, end});
    plan.most_rows = std::max(plan.most_rows, end - begin);
    plan.most_entries = std::max(plan.most_entries, rows.indptr[end] - rows.indptr[begin]);
  }
  return plan;
}

// The largest parts with which a sixteenth of a part's blocks of threads fits; MemoryError where
// even single rows do not.
template <class T, class Machine>
AlsPlan als_plan(const Machine& machine, const AlsInput<T>& input, bool is_matrix_shared) {
  // Limits of a part: rows, entries, bytes of pinned memory, and multiply-adds, for Ctrl-C.
  constexpr std::int64_t kRows = 1 << 16, kEntries = 1 << 22, kPinned = 1 << 28;
  constexpr std::int64_t kWork = std::int64_t{1} << 40;
  const auto value = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t f = input.n_factors, size = input.block_size;
  const std::int64_t most_rows = std::clamp<std::int64_t>(
      std::min(kPinned / ((3 * f + 1) * value), kWork / (f * f * f)), 1, kRows);
  const std::int64_t most_entries = std::clamp<std::int64_t>(kWork / (f * f), 1, kEntries);
  const std::int64_t fixed = (input.rows.n_cols + 2 * f) * f * value;
  const std::int64_t each = value * ((is_matrix_shared ? 0 : f * f) + size * size + 7 * f);
  for (std::int64_t divisor = 1;; divisor *= 4) {
    AlsPlan plan = als_parts(input.rows, std::max<std::int64_t>(1, most_rows / divisor),
                             std::max<std::int64_t>(1, most_entries / divisor));
    const std::int64_t of_row = (3 * f + 1) * value + 12;
    const std::int64_t travelling =
        2 * (plan.most_rows * of_row + 8 + plan.most_entries * (value + 4));
    const bool is_smallest = plan.most_rows <= 1;
    const std::int64_t wanted =
        std::min<std::int64_t>(plan.most_rows, 4 * machine.info().n_multiprocessors);
    const std::int64_t enough =
        fixed + travelling + 2 * each * std::max<std::int64_t>(1, wanted / 16);
    if (!is_smallest && enough > machine.info().spare_memory()) continue;
    plan.n_blocks = n_blocks_at_work(machine.info(), fixed + travelling, 2 * each,
                                     std::max<std::int64_t>(plan.most_rows, 1), "ALS");
    return plan;
  }
}

// Buffers of the host and of the device for the rows that travel on one stream.
template <class T, class Machine>
class AlsTraveller {
 public:
  AlsTraveller(Machine& machine, const AlsInput<T>& input, const AlsPlan& plan)
      : machine_(machine),
        input_(input),
        begin_(machine, plan.most_rows + 1),
        order_(machine, plan.most_rows),
        column_(machine, plan.most_entries),
        value_(machine, plan.most_entries),
        rows_(machine, plan.most_rows * (2 * input.n_factors + 1)),
        solution_(machine, plan.most_rows * input.n_factors) {}

  void prepare(const AlsPart& part) {
    const std::int64_t n = part.end - part.begin, f = input_.n_factors;
    const std::int64_t from = input_.rows.indptr[part.begin];
    for (std::int64_t i = 0; i <= n; ++i)
      begin_.host()[i] = input_.rows.indptr[part.begin + i] - from + machine_.first_offset();
    n_entries_ = input_.rows.indptr[part.end] - from;
    std::copy_n(input_.rows.indices + from, n_entries_, column_.host());
    std::copy_n(input_.rows.data + from, n_entries_, value_.host());
    T* rows = rows_.host();
    rows = std::copy_n(input_.ridge + part.begin, n, rows);
    rows = std::copy_n(input_.start + part.begin * f, n * f, rows);
    if (input_.linear != nullptr) std::copy_n(input_.linear + part.begin * f, n * f, rows);
    n_needed_ = 0;
    for (std::int64_t i = 0; i < n; ++i)
      if (is_needed(part.begin + i)) order_.host()[n_needed_++] = static_cast<std::int32_t>(i);
    const std::int64_t* begin = begin_.host();
    std::stable_sort(order_.host(), order_.host() + n_needed_,
                     [begin](std::int32_t a, std::int32_t b) {
                       return begin[a + 1] - begin[a] > begin[b + 1] - begin[b];
                     });
  }

  void start(const AlsPart& part, int stream, AlsLaunch<T> work, std::int64_t n_blocks,
             std::int64_t shared_bytes) {
    if (n_needed_ == 0) return;
    const std::int64_t n = part.end - part.begin, f = input_.n_factors;
    begin_.send(stream, n + 1);
    order_.send(stream, n_needed_);
    column_.send(stream, n_entries_);
    value_.send(stream, n_entries_);
    rows_.send(stream, n * ((input_.linear == nullptr ? 1 : 2) * f + 1));
    const T* rows = rows_.device();
    work.rows = {machine_.first_offset(),
                 begin_.device(),
                 column_.device(),
                 value_.device(),
                 rows + n,
                 input_.linear == nullptr ? nullptr : rows + n + n * f,
                 rows,
                 solution_.device()};
    work.order = order_.device();
    work.n_rows = n_needed_;
    machine_.launch(stream, std::min(n_blocks, n_needed_), shared_bytes, work);
    solution_.fetch(stream, n * f);
  }

  // Returns the first row without a finite solution, or -1.
  std::int64_t finish(const AlsPart& part) const {
    const std::int64_t n = part.end - part.begin, f = input_.n_factors;
    std::fill_n(input_.solution + part.begin * f, n * f, T{0});
    std::int64_t failed = -1;
    for (std::int64_t place = 0; place < n_needed_; ++place) {
      const std::int64_t row = order_.host()[place];
      const T* solved = solution_.host() + row * f;
      const bool is_finite = std::all_of(solved, solved + f, [](T v) { return std::isfinite(v); });
      if (!is_finite && (failed < 0 || part.begin + row < failed)) failed = part.begin + row;
      std::copy_n(solved, f, input_.solution + (part.begin + row) * f);
    }
    return failed;
  }

 private:
  template <class Value>
  using Array = TravellingArray<Value, Machine>;

  bool is_needed(std::int64_t row) const {
    const std::int64_t f = input_.n_factors;
    for (std::int64_t e = input_.rows.begin(row); e < input_.rows.end(row); ++e) {
      T weight, target;
      input_.weights.of(input_.rows.data[e], weight, target);
      if (target != 0) return true;
    }
    const T* linear = input_.linear;
    return linear != nullptr &&
           std::any_of(linear + row * f, linear + (row + 1) * f, [](T v) { return v != 0; });
  }

  Machine& machine_;
  const AlsInput<T>& input_;
  std::int64_t n_entries_ = 0, n_needed_ = 0;
  Array<std::int64_t> begin_;
  Array<std::int32_t> order_, column_;
  Array<T> value_, rows_, solution_;  // rows_: ridge, start, linear
};

template <class T, class Machine>
void als_solve_on(Machine& machine, const AlsInput<T>& input, const Run& run) {
  using Values = typename Machine::template Buffer<T>;
  if (input.rows.n_rows == 0) return;
  const std::int64_t f = input.n_factors, n_cols = input.rows.n_cols;
  const auto matrix_bytes = f * f * static_cast<std::int64_t>(sizeof(T));
  const bool is_matrix_shared = matrix_bytes <= machine.shared_memory();
  const AlsPlan plan = als_plan(machine, input, is_matrix_shared);
  const Values factors(machine, n_cols * f), gramian(machine, f * f), inverse(machine, f * f);
  machine.copy_in(0, factors.data(), input.factors, n_cols * f);
  machine.copy_in(0, gramian.data(), input.gramian, f * f);
  machine.copy_in(0, inverse.data(), input.inverse, input.inverse == nullptr ? 0 : f * f);
  machine.wait(0);
  AlsLaunch<T> work;
  work.common = {f,
                 factors.data(),
                 gramian.data(),
                 inverse.data(),
                 static_cast<T>(input.resolved),
                 input.weights,
                 input.solver,
                 input.n_steps,
                 input.block_size};
  work.is_matrix_shared = is_matrix_shared;
  const std::int64_t n = plan.n_blocks, size = input.block_size;
  const Values matrices(machine, is_matrix_shared ? 0 : 2 * n * f * f);
  const Values blocks(machine, 2 * n * size * size), vectors(machine, 2 * n * 7 * f);
  AlsTraveller<T, Machine> travellers[2] = {{machine, input, plan}, {machine, input, plan}};
  run.set_total(input.rows.n_rows);
  const auto part_of = [&](std::int64_t block) {
    return plan.parts[static_cast<std::size_t>(block)];
  };
  in_two_streams(
      machine, run, static_cast<std::int64_t>(plan.parts.size()),
      [&](std::int64_t block, int stream) { travellers[stream].prepare(part_of(block)); },
      [&](std::int64_t block, int stream) {
        const std::int64_t own = stream * n;
        work.scratch = {is_matrix_shared ? nullptr : matrices.data() + own * f * f,
                        blocks.data() + own * size * size, vectors.data() + own * 7 * f};
        travellers[stream].start(part_of(block), stream, work, n,
                                 is_matrix_shared ? matrix_bytes : 0);
      },
      [&](std::int64_t block, int stream) {
        const std::int64_t failed = travellers[stream].finish(part_of(block));
        if (failed >= 0) throw NumericalFailure(failed, "has no finite solution");
        run.add_done(part_of(block).end - part_of(block).begin);
      });
}

}  // namespace aimass::cuda
