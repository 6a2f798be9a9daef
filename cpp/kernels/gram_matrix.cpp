#include "gram_matrix.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "buffer.hpp"
#include "gram_dense.hpp"
#include "gram_layout.hpp"
#include "gram_tasks.hpp"

namespace aimass {

namespace gram_matrix_detail {

// One thread's scratch and the sums of one task, written to one of the two places of each pair.
template <class T>
class Writer {
 public:
  static constexpr std::int64_t kLanes = GramLayout<T>::kLanes;

  Writer(const GramLayout<T>& a, const DensePlan& dense, T* out, const Run& run)
      : a_(a), dense_(dense), out_(out), run_(run) {}

  void work(const gram_topk_detail::Task& task) {
    const std::int64_t i0 = a_.group_begin(task.begin), i1 = a_.group_begin(task.end);
    const bool lanes = i0 < a_.grouped, has_dense = i0 < dense_.width;
    if (has_dense && lanes) stripe_.compute(a_, dense_, {i0, i1}, {i0, dense_.width}, run_);
    if (has_dense && !lanes) stripe_.compute(a_, dense_, {i0, i1}, {a_.grouped, i1}, run_);
    for (std::int64_t g = task.begin; g < task.end; ++g) {
      run_.poll();
      if (lanes) {
        group(g, has_dense);
      } else {
        column(g, has_dense);
      }
    }
  }

 private:
  struct alignas(simd::kLaneBytes) Line {
    T lane[kLanes];
  };

  T* row_of(std::int64_t label) {
    return out_ + a_.col_of[static_cast<std::size_t>(label)] * a_.n_cols;
  }

  // The pairs (i, j), i in the group, j beyond i, into row i.
  void group(std::int64_t g, bool has_dense) {
    const simd::Kernels<T>& kernels = simd::kernels<T>();
    const std::int64_t i0 = a_.group_begin(g);
    if (!lines_.data()) lines_ = Buffer<Line>(a_.n_cols);
    std::fill(lines_.data() + i0, lines_.data() + a_.n_cols, Line{});
    for (std::int64_t j = i0; has_dense && j < dense_.width; ++j)
      std::copy_n(stripe_.sums_of(j) + (i0 - stripe_.begin()), kLanes, lines_[j].lane);
    const std::uint32_t* const row_end = dense_.row_end_data();
    a_.each_row(g, row_end, run_, [&](const GroupEntry& entry, const RowEntry<T>* row) {
      const RowEntry<T>* const stop = a_.row_begin(entry.row + std::int64_t{1});
      const RowEntry<T>* tail = row + entry.pos;
      Line x{};
      for (const RowEntry<T>* own = tail; own != stop && own->col - i0 < kLanes; ++own)
        x.lane[own->col - i0] = own->value;
      if (row_end) tail = std::max(tail, row + row_end[entry.row]);
      if (tail < stop) kernels.axpy_lanes(x.lane, tail, stop - tail, lines_[0].lane);
    });
    for (std::int64_t l = 0; l < kLanes; ++l) {
      T* const row = row_of(i0 + l);
      for (std::int64_t j = i0 + l + 1; j < a_.n_cols; ++j)
        row[a_.col_of[static_cast<std::size_t>(j)]] = lines_[j].lane[l];
    }
  }

  // The pairs (i, j) of a single column i and the single columns j before it, into row i.
  void column(std::int64_t g, bool has_dense) {
    const simd::Kernels<T>& kernels = simd::kernels<T>();
    const std::int64_t i = a_.group_begin(g);
    if (sums_.empty()) sums_.assign(static_cast<std::size_t>(a_.n_cols), T(0));
    if (notes_.empty()) notes_.resize(static_cast<std::size_t>(a_.n_cols));
    for (std::int64_t j = a_.grouped; has_dense && j < i; ++j)
      sums_[static_cast<std::size_t>(j)] = stripe_.sums_of(j)[i - stripe_.begin()];
    const std::uint32_t* const row_end = dense_.row_end_data();
    const std::uint32_t* const grouped = a_.row_grouped.data();
    std::int64_t n_notes = 0;
    bool noted = !has_dense;
    a_.each_row(g, grouped, run_, [&](const GroupEntry& entry, const RowEntry<T>* row) {
      if (row_end && entry.pos < row_end[entry.row]) return;
      const RowEntry<T>* const begin = row + grouped[entry.row];
      const std::int64_t n = row + entry.pos - begin;
      // A column may be noted more than once, when its sum comes back to zero.
      noted = noted && n_notes + n <= static_cast<std::int64_t>(notes_.size());
      if (!noted) return kernels.axpy(row[entry.pos].value, begin, n, sums_.data());
      std::int32_t* const end =
          kernels.axpy_note(row[entry.pos].value, begin, n, sums_.data(), notes_.data() + n_notes);
      n_notes = end - notes_.data();
    });
    T* const row = row_of(i);
    const auto deliver = [&](std::int64_t j) {
      row[a_.col_of[static_cast<std::size_t>(j)]] += sums_[static_cast<std::size_t>(j)];
      sums_[static_cast<std::size_t>(j)] = T(0);
    };
    if (noted) {
      for (std::int64_t c = 0; c < n_notes; ++c) deliver(notes_[static_cast<std::size_t>(c)]);
    } else {
      for (std::int64_t j = a_.grouped; j < i; ++j) deliver(j);
    }
  }

  const GramLayout<T>& a_;
  const DensePlan& dense_;
  T* const out_;
  const Run& run_;
  DenseStripe<T> stripe_;
  Buffer<Line> lines_;
  std::vector<T> sums_;
  std::vector<std::int32_t> notes_;
};

// Each pair stands in one of its two places, the other holds zero.
template <class T>
void make_symmetric(const Run& run, std::int64_t n, T* out) {
  constexpr std::int64_t kTile = 64;
  const std::int64_t n_tiles = (n + kTile - 1) / kTile;
  parallel_for(run, n_tiles, [&](std::int64_t tile, int) {
    const std::int64_t i0 = tile * kTile, i1 = std::min(n, i0 + kTile);
    for (std::int64_t j0 = i0; j0 < n; j0 += kTile) {
      const std::int64_t j1 = std::min(n, j0 + kTile);
      for (std::int64_t i = i0; i < i1; ++i)
        for (std::int64_t j = std::max(j0, i + 1); j < j1; ++j)
          out[i * n + j] = out[j * n + i] = out[i * n + j] + out[j * n + i];
      run.poll();
    }
  });
}

}  // namespace gram_matrix_detail

template <class T>
void gram_matrix(const Run& run, const Csr<T>& in, T* out) {
  namespace d = gram_matrix_detail;
  const std::int64_t n = in.n_cols;
  parallel_for(run, n, [&](std::int64_t row, int) { std::fill_n(out + row * n, n, T(0)); });
  const GramLayout<T> a = gram_layout(in, Scales<T>{}, true, run);
  const DensePlan dense = plan_dense(a, run);
  const auto tasks = gram_topk_detail::tasks_of(a, dense.width);
  std::vector<std::unique_ptr<d::Writer<T>>> writers(static_cast<std::size_t>(run.n_threads()));
  run.set_total(a.group_begin_entry(a.n_groups()));
  parallel_for(run, static_cast<std::int64_t>(tasks.size()), [&](std::int64_t task, int thread) {
    auto& writer = writers[static_cast<std::size_t>(thread)];
    if (!writer) writer = std::make_unique<d::Writer<T>>(a, dense, out, run);
    writer->work(tasks[static_cast<std::size_t>(task)]);
    run.add_done(gram_topk_detail::n_entries(a, tasks[static_cast<std::size_t>(task)]));
  });
  d::make_symmetric(run, n, out);
  std::vector<double> diagonal(static_cast<std::size_t>(n), 0.0);
  for (std::int64_t e = 0; e < in.nnz(); ++e)
    diagonal[static_cast<std::size_t>(in.indices[e])] +=
        static_cast<double>(in.data[e]) * static_cast<double>(in.data[e]);
  for (std::int64_t i = 0; i < n; ++i)
    out[i * n + i] = static_cast<T>(diagonal[static_cast<std::size_t>(i)]);
}

template void gram_matrix(const Run& run, const Csr<float>& in, float* out);
template void gram_matrix(const Run& run, const Csr<double>& in, double* out);

}  // namespace aimass
