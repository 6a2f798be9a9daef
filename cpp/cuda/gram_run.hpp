// gram_topk on a machine, a GPU or its emulation: memory, launches and transfers. The work is in
// gram_column.hpp.
//
// The matrix and its transpose stay on the device; blocks of threads take columns one after
// another, some thousand columns a launch, so that Ctrl-C ends the work soon. All memory is planned
// and compared with what is free before any is taken.
#pragma once

#include "gram_column.hpp"
#include "gram_topk.hpp"

namespace aimass::cuda {

// The columns of a launch; each block takes every n-th one.
template <class T, class Sums>
struct GramColumns {
  static constexpr int kThreads = 256;
  using Shared = Selection;

  GramProblem<T> a;
  std::int64_t begin, end;
  GramScratch<T, Sums> scratch;  // of the first block; those of the others follow
  GramList<T> lists;             // of the first column

  template <class Block>
  AIMASS_DEVICE void operator()(Block& block, Shared& shared, void*, std::int64_t own,
                                std::int64_t n_blocks) const {
    const GramScratch<T, Sums> mine{scratch.sums + own * a.n_cols, scratch.scores + own * a.n_cols,
                                    scratch.indices + own * a.k, scratch.values + own * a.k};
    for (std::int64_t column = begin + own; column < end; column += n_blocks) {
      const std::int64_t place = column - begin;
      gram_column(block, a, column, mine, shared,
                  GramList<T>{lists.indices + place * a.k, lists.scores + place * a.k,
                              lists.length + place});
    }
  }
};

// A matrix in the memory of the device.
template <class T, class Machine>
struct MatrixOnDevice {
  typename Machine::template Buffer<std::int64_t> begin;
  typename Machine::template Buffer<std::int32_t> index;
  typename Machine::template Buffer<T> value;

  MatrixOnDevice(Machine& machine, const Csr<T>& a)
      : begin(machine, a.n_rows + 1), index(machine, a.nnz()), value(machine, a.nnz()) {
    std::vector<std::int64_t> offsets(a.indptr, a.indptr + a.n_rows + 1);
    for (std::int64_t& offset : offsets) offset += machine.first_offset();
    machine.copy_in(0, begin.data(), offsets.data(), a.n_rows + 1);
    machine.copy_in(0, index.data(), a.indices, a.nnz());
    machine.copy_in(0, value.data(), a.data, a.nnz());
    machine.wait(0);
  }
};

template <class T, class Sums, class Machine>
GramLists<T> gram_columns_on(Machine& machine, const GramInput<T>& input, std::int64_t k,
                             const Epilogue<T>& e, const Run& run) {
  constexpr std::int64_t kColumns = 2048;  // of a launch
  using Values = typename Machine::template Buffer<T>;
  using Indices = typename Machine::template Buffer<std::int32_t>;
  const std::int64_t n = input.rows.n_cols, m = input.rows.n_rows, nnz = input.rows.nnz();
  GramLists<T> lists;
  if (n == 0) return lists;
  const auto entry = static_cast<std::int64_t>(sizeof(T) + sizeof(std::int32_t));
  const std::int64_t chunk = std::min(kColumns, n);
  const std::int64_t fixed = 2 * nnz * entry + 8 * (n + m + 2) + chunk * (k * entry + 4) +
                             2 * n * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t each = n * static_cast<std::int64_t>(sizeof(Sums) + sizeof(T)) + k * entry;
  const std::int64_t blocks = n_blocks_at_work(machine.info(), fixed, each, chunk, "similarity");
  const MatrixOnDevice<T, Machine> rows(machine, input.rows), columns(machine, input.columns);
  const Values p(machine, input.p ? n : 0), q(machine, input.q ? n : 0);
  machine.copy_in(0, p.data(), input.p, input.p ? n : 0);
  machine.copy_in(0, q.data(), input.q, input.q ? n : 0);
  const typename Machine::template Buffer<Sums> sums(machine, blocks * n);
  const Values scores(machine, blocks * n), values(machine, blocks * k);
  const Values out_scores(machine, chunk * k);
  const Indices indices(machine, blocks * k), out_indices(machine, chunk * k);
  const Indices out_lengths(machine, chunk);
  GramColumns<T, Sums> work;
  work.a.n_cols = n;
  work.a.k = k;
  work.a.first = machine.first_offset();
  work.a.row_begin = rows.begin.data();
  work.a.row_column = rows.index.data();
  work.a.row_value = rows.value.data();
  work.a.column_begin = columns.begin.data();
  work.a.column_row = columns.index.data();
  work.a.column_value = columns.value.data();
  work.a.epilogue = e;
  work.a.epilogue.p = input.p ? p.data() : nullptr;
  work.a.epilogue.q = input.q ? q.data() : nullptr;
  work.scratch = {sums.data(), scores.data(), indices.data(), values.data()};
  work.lists = {out_indices.data(), out_scores.data(), out_lengths.data()};
  lists.lengths.resize(static_cast<std::size_t>(n));
  lists.indices.resize(static_cast<std::size_t>(n * k));
  lists.scores.resize(static_cast<std::size_t>(n * k));
  run.set_total(n);
  for (work.begin = 0; work.begin < n; work.begin = work.end) {
    run.poll();
    work.end = std::min(n, work.begin + chunk);
    const std::int64_t begin = work.begin, count = work.end - begin;
    machine.launch(0, std::min(blocks, count), 0, work);
    machine.copy_out(0, lists.lengths.data() + begin, out_lengths.data(), count);
    machine.copy_out(0, lists.indices.data() + begin * k, out_indices.data(), count * k);
    machine.copy_out(0, lists.scores.data() + begin * k, out_scores.data(), count * k);
    machine.wait(0);
    run.add_done(count);
  }
  return lists;
}

template <class T, class Machine>
GramLists<T> gram_topk_on(Machine& machine, const GramInput<T>& input, std::int64_t k,
                          const Epilogue<T>& e, const Run& run) {
  switch (e.channels()) {
    case Channels::dot:
      return gram_columns_on<T, Dot<T>>(machine, input, k, e, run);
    case Channels::dot_count:
      return gram_columns_on<T, DotCount<T>>(machine, input, k, e, run);
    default:
      return gram_columns_on<T, Moments<T>>(machine, input, k, e, run);
  }
}

}  // namespace aimass::cuda
