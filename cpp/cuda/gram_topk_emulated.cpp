// gram_topk with the bodies of the GPU kernels on the processor, for tests. The number of a device
// chooses the order of the threads of each phase and their number: device 3 n + o has 1, 7, 32 or
// 128 threads (n) in rising, falling or mixed order (o).
#include <algorithm>

#include "block.hpp"
#include "gram_column.hpp"
#include "gram_topk.hpp"

namespace aimass::cuda {

namespace {

constexpr int kSizes[] = {1, 7, 32, 128};
constexpr int kDevices = 12;

template <class T, class Sums>
void run_columns(const GramProblem<T>& a, HostBlock& block, GramLists<T>& lists, const Run& run) {
  const auto n = static_cast<std::size_t>(a.n_cols), k = static_cast<std::size_t>(a.k);
  std::vector<Sums> sums(n);
  std::vector<T> scores(n), values(k);
  std::vector<std::int32_t> indices(k);
  const GramScratch<T, Sums> scratch{sums.data(), scores.data(), indices.data(), values.data()};
  Selection shared;
  run.set_total(a.n_cols);
  for (std::int64_t column = 0; column < a.n_cols; ++column) {
    run.poll();
    const auto c = static_cast<std::size_t>(column);
    const GramList<T> list{&lists.indices[c * k], &lists.scores[c * k], &lists.lengths[c]};
    gram_column(block, a, column, scratch, shared, list);
    run.add_done(1);
  }
}

}  // namespace

DeviceInfo device_info(int device) {
  if (device < 0 || device >= kDevices)
    throw DeviceError("there is no device " + std::to_string(device));
  return {"emulated on the processor", 0, 0, 1};
}

template <class T>
GramLists<T> gram_topk(const GramInput<T>& input, std::int64_t k, const Epilogue<T>& e, int device,
                       const Run& run) {
  device_info(device);
  const std::int64_t n = input.rows.n_cols;
  GramProblem<T> a;
  a.n_cols = n;
  a.k = k;
  a.row_begin = input.rows.indptr;
  a.row_column = input.rows.indices;
  a.row_value = input.rows.data;
  a.column_begin = input.columns.indptr;
  a.column_row = input.columns.indices;
  a.column_value = input.columns.data;
  a.epilogue = e;
  a.epilogue.p = input.p;
  a.epilogue.q = input.q;
  GramLists<T> lists;
  const auto places = static_cast<std::size_t>(n * k);
  lists.lengths.resize(static_cast<std::size_t>(n));
  lists.indices.resize(places);
  lists.scores.resize(places);
  HostBlock block(kSizes[device / 3], static_cast<HostBlock::Order>(device % 3));
  switch (e.channels()) {
    case Channels::dot:
      run_columns<T, Dot<T>>(a, block, lists, run);
      break;
    case Channels::dot_count:
      run_columns<T, DotCount<T>>(a, block, lists, run);
      break;
    default:
      run_columns<T, Moments<T>>(a, block, lists, run);
  }
  return lists;
}

template GramLists<float> gram_topk(const GramInput<float>&, std::int64_t, const Epilogue<float>&,
                                    int, const Run&);
template GramLists<double> gram_topk(const GramInput<double>&, std::int64_t,
                                     const Epilogue<double>&, int, const Run&);

}  // namespace aimass::cuda
