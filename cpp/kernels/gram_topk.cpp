#include "gram_topk.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "gram_dense.hpp"
#include "gram_group.hpp"
#include "gram_layout.hpp"
#include "gram_scan.hpp"
#include "gram_tasks.hpp"
#include "neighbor_lists.hpp"

namespace aimass {

namespace gram_topk_detail {

// One thread's scratch and the work on one task.
template <class T, class Sums>
class Worker {
 public:
  Worker(const ScanShared<T>& shared, const DensePlan& dense, const Run& run)
      : shared_(shared), dense_(dense), run_(run) {}

  void work(const Task& task) {
    const GramLayout<T>& a = shared_.a;
    const std::int64_t i0 = a.group_begin(task.begin), i1 = a.group_begin(task.end);
    const bool lanes = i0 < a.grouped;
    const bool has_dense = i0 < dense_.width;
    if (has_dense && lanes) stripe_.compute(a, dense_, {i0, i1}, {i0, dense_.width}, run_);
    if (has_dense && !lanes) stripe_.compute(a, dense_, {i0, i1}, {a.grouped, i1}, run_);
    for (std::int64_t g = task.begin; g < task.end; ++g) {
      run_.poll();
      if constexpr (std::is_same_v<Sums, Dot<T>>) {
        if (lanes) {
          group(g, has_dense);
          continue;
        }
      }
      column(g, has_dense);
    }
  }

  void deliver() {
    if (column_) column_->deliver();
    if (group_) group_->deliver();
  }

 private:
  void group(std::int64_t g, bool has_dense) {
    if (!group_) group_ = std::make_unique<GroupScan<T>>(shared_);
    if (has_dense) group_->start_from(stripe_, shared_.a.group_begin(g), dense_.width);
    group_->accumulate(g, dense_.row_end_data(), run_);
    group_->finish(g, run_);
  }

  void column(std::int64_t g, bool has_dense) {
    const GramLayout<T>& a = shared_.a;
    const std::int64_t i = a.group_begin(g);
    if (!column_) column_ = std::make_unique<ColumnScan<T, Sums>>(shared_);
    // Expected products: a row that holds a random entry has squares / nnz entries.
    const auto nnz = static_cast<double>(a.nnz());
    const auto entries = static_cast<double>(a.group_begin_entry(g + 1) - a.group_begin_entry(g));
    const double before =
        static_cast<double>(a.group_begin_entry(g) - a.group_begin_entry(a.group_of(a.grouped))) /
        nnz;
    const double products = entries == 0 ? 0 : entries * before * a.squares / nnz;
    const bool note = !has_dense && products * 8 < static_cast<double>(i - a.grouped);
    if constexpr (std::is_same_v<Sums, Dot<T>>)
      for (std::int64_t j = a.grouped; has_dense && j < i; ++j)
        column_->sums()[j].d = stripe_.sums_of(j)[i - stripe_.begin()];
    column_->accumulate(g, dense_.row_end_data(), note, run_);
    column_->finish(i, products);
  }

  const ScanShared<T>& shared_;
  const DensePlan& dense_;
  const Run& run_;
  std::unique_ptr<ColumnScan<T, Sums>> column_;
  std::unique_ptr<GroupScan<T>> group_;
  DenseStripe<T> stripe_;
};

template <class T, class Sums>
GramTopK<T> run_tasks(const Csr<T>& input, const Scales<T>& scales, std::int64_t k,
                      const Epilogue<T>& e, const Run& run) {
  constexpr bool kDot = std::is_same_v<Sums, Dot<T>>;
  GramLayout<T> a = gram_layout(input, scales, kDot, run);
  const DensePlan dense = kDot ? plan_dense(a, run) : DensePlan{};
  const std::int64_t most = std::max<std::int64_t>(1, a.n_cols - 1);
  NeighborLists<T> lists(a.n_cols, std::min(k, most), e.threshold);
  const ScanShared<T> shared(a, e, lists);
  std::vector<std::unique_ptr<Worker<T, Sums>>> workers(static_cast<std::size_t>(run.n_threads()));
  const std::vector<Task> tasks = tasks_of(a, dense.width);
  run.set_total(a.group_begin_entry(a.n_groups()));
  parallel_for(run, static_cast<std::int64_t>(tasks.size()), [&](std::int64_t task, int thread) {
    auto& worker = workers[static_cast<std::size_t>(thread)];
    if (!worker) worker = std::make_unique<Worker<T, Sums>>(shared, dense, run);
    worker->work(tasks[static_cast<std::size_t>(task)]);
    run.add_done(n_entries(a, tasks[static_cast<std::size_t>(task)]));
  });
  parallel_for(run, run.n_threads(), [&](std::int64_t thread, int) {
    auto& worker = workers[static_cast<std::size_t>(thread)];
    if (worker) worker->deliver();
    worker.reset();
  });
  a.row = {};  // their memory is free for the result
  a.group = {};
  return lists.join(a.col_of.data(), run);
}

}  // namespace gram_topk_detail

template <class T>
GramTopK<T> gram_topk(const Csr<T>& a, const Scales<T>& scales, std::int64_t k,
                      const Epilogue<T>& e, const Run& run) {
  namespace d = gram_topk_detail;
  switch (e.channels()) {
    case Channels::dot:
      return d::run_tasks<T, Dot<T>>(a, scales, k, e, run);
    case Channels::dot_count:
      return d::run_tasks<T, DotCount<T>>(a, scales, k, e, run);
    default:
      return d::run_tasks<T, Moments<T>>(a, scales, k, e, run);
  }
}

template GramTopK<float> gram_topk(const Csr<float>& a, const Scales<float>& scales, std::int64_t k,
                                   const Epilogue<float>& e, const Run& run);
template GramTopK<double> gram_topk(const Csr<double>& a, const Scales<double>& scales,
                                    std::int64_t k, const Epilogue<double>& e, const Run& run);

}  // namespace aimass
