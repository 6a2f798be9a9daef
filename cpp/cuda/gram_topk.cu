// gram_topk on a device: memory, launches and transfers. The work is in gram_column.hpp.
//
// The matrix and its transpose stay on the device; blocks of threads take columns one after
// another, some thousand columns a launch, so that Ctrl-C ends the work soon. All memory is planned
// and compared with what is free before any is taken.
#include <cuda_runtime.h>

#include <algorithm>

#include "block.hpp"
#include "gram_column.hpp"
#include "gram_topk.hpp"

namespace aimass::cuda {

namespace {

constexpr int kThreads = 256;          // of a block
constexpr std::int64_t kChunk = 2048;  // columns of a launch

void check(cudaError_t status, const char* action) {
  if (status == cudaSuccess) return;
  throw DeviceError(std::string("CUDA failed to ") + action + ": " + cudaGetErrorString(status));
}

template <class T>
class Buffer {
 public:
  explicit Buffer(std::int64_t size) {
    const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(size, 1)) * sizeof(T);
    check(cudaMalloc(reinterpret_cast<void**>(&data_), bytes), "allocate memory");
  }
  Buffer(const T* host, std::int64_t size) : Buffer(size) {
    check(
        cudaMemcpy(data_, host, static_cast<std::size_t>(size) * sizeof(T), cudaMemcpyHostToDevice),
        "copy to the device");
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { cudaFree(data_); }

  T* data() const { return data_; }
  void copy_to(T* host, std::int64_t size) const {
    check(
        cudaMemcpy(host, data_, static_cast<std::size_t>(size) * sizeof(T), cudaMemcpyDeviceToHost),
        "copy from the device");
  }

 private:
  T* data_ = nullptr;
};

template <class T, class Sums>
__global__ void gram_columns(GramProblem<T> a, std::int64_t begin, std::int64_t end, Sums* sums,
                             T* scores, std::int32_t* indices, T* values, std::int32_t* out_indices,
                             T* out_scores, std::int32_t* out_lengths) {
  __shared__ Selection shared;
  DeviceBlock block;
  const std::int64_t own = blockIdx.x;
  const GramScratch<T, Sums> scratch{sums + own * a.n_cols, scores + own * a.n_cols,
                                     indices + own * a.k, values + own * a.k};
  for (std::int64_t column = begin + own; column < end; column += gridDim.x) {
    const std::int64_t place = column - begin;
    const GramList<T> list{out_indices + place * a.k, out_scores + place * a.k,
                           out_lengths + place};
    gram_column(block, a, column, scratch, shared, list);
    __syncthreads();
  }
}

// The number of blocks at work, limited by the memory that each of them needs.
template <class T, class Sums>
std::int64_t n_blocks(const DeviceInfo& info, const GramInput<T>& input, std::int64_t k) {
  const std::int64_t n = input.rows.n_cols, m = input.rows.n_rows, nnz = input.rows.nnz();
  const auto entry = static_cast<std::int64_t>(sizeof(T) + sizeof(std::int32_t));
  const std::int64_t chunk = std::min(kChunk, n);
  const std::int64_t fixed = 2 * nnz * entry + 8 * (n + m + 2) + chunk * (k * entry + 4) +
                             2 * n * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t each = n * static_cast<std::int64_t>(sizeof(Sums) + sizeof(T)) + k * entry;
  const std::int64_t spare = info.free_memory - info.free_memory / 16;  // the driver needs some
  const std::int64_t fitting = (spare - fixed) / std::max<std::int64_t>(each, 1);
  if (spare <= fixed || fitting < 1)
    throw DeviceMemoryError("similarity needs " + std::to_string((fixed + each) >> 20) +
                            " MiB on the device, where " + std::to_string(spare >> 20) +
                            " MiB are free: compute on the processor");
  return std::min({fitting, chunk, static_cast<std::int64_t>(4 * info.n_multiprocessors)});
}

template <class T, class Sums>
GramLists<T> run_columns(const GramInput<T>& input, std::int64_t k, const Epilogue<T>& e,
                         const DeviceInfo& info, const Run& run) {
  const std::int64_t n = input.rows.n_cols;
  GramLists<T> lists;
  if (n == 0) return lists;
  const std::int64_t blocks = n_blocks<T, Sums>(info, input, k);
  const std::int64_t chunk = std::min(kChunk, n), nnz = input.rows.nnz();
  const Buffer<std::int64_t> row_begin(input.rows.indptr, input.rows.n_rows + 1);
  const Buffer<std::int32_t> row_column(input.rows.indices, nnz);
  const Buffer<T> row_value(input.rows.data, nnz);
  const Buffer<std::int64_t> column_begin(input.columns.indptr, n + 1);
  const Buffer<std::int32_t> column_row(input.columns.indices, nnz);
  const Buffer<T> column_value(input.columns.data, nnz);
  const Buffer<T> p(input.p, input.p ? n : 0), q(input.q, input.q ? n : 0);
  GramProblem<T> a;
  a.n_cols = n;
  a.k = k;
  a.row_begin = row_begin.data();
  a.row_column = row_column.data();
  a.row_value = row_value.data();
  a.column_begin = column_begin.data();
  a.column_row = column_row.data();
  a.column_value = column_value.data();
  a.epilogue = e;
  a.epilogue.p = input.p ? p.data() : nullptr;
  a.epilogue.q = input.q ? q.data() : nullptr;
  const Buffer<Sums> sums(blocks * n);
  const Buffer<T> scores(blocks * n), values(blocks * k), out_scores(chunk * k);
  const Buffer<std::int32_t> indices(blocks * k), out_indices(chunk * k), out_lengths(chunk);
  lists.lengths.resize(static_cast<std::size_t>(n));
  lists.indices.resize(static_cast<std::size_t>(n * k));
  lists.scores.resize(static_cast<std::size_t>(n * k));
  run.set_total(n);
  for (std::int64_t begin = 0; begin < n; begin += chunk) {
    run.poll();
    const std::int64_t end = std::min(n, begin + chunk);
    gram_columns<T, Sums><<<static_cast<unsigned>(blocks), kThreads>>>(
        a, begin, end, sums.data(), scores.data(), indices.data(), values.data(),
        out_indices.data(), out_scores.data(), out_lengths.data());
    check(cudaGetLastError(), "start a kernel");
    check(cudaDeviceSynchronize(), "run a kernel");
    out_lengths.copy_to(lists.lengths.data() + begin, end - begin);
    out_indices.copy_to(lists.indices.data() + begin * k, (end - begin) * k);
    out_scores.copy_to(lists.scores.data() + begin * k, (end - begin) * k);
    run.add_done(end - begin);
  }
  return lists;
}

}  // namespace

DeviceInfo device_info(int device) {
  int n_devices = 0;
  check(cudaGetDeviceCount(&n_devices), "find a device");
  if (device < 0 || device >= n_devices)
    throw DeviceError("there is no device " + std::to_string(device) + " of " +
                      std::to_string(n_devices));
  check(cudaSetDevice(device), "choose the device");
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device), "describe the device");
  std::size_t free_bytes = 0, total_bytes = 0;
  check(cudaMemGetInfo(&free_bytes, &total_bytes), "read its free memory");
  return {properties.name, static_cast<std::int64_t>(free_bytes),
          static_cast<std::int64_t>(total_bytes), properties.multiProcessorCount};
}

template <class T>
GramLists<T> gram_topk(const GramInput<T>& input, std::int64_t k, const Epilogue<T>& e, int device,
                       const Run& run) {
  const DeviceInfo info = device_info(device);
  switch (e.channels()) {
    case Channels::dot:
      return run_columns<T, Dot<T>>(input, k, e, info, run);
    case Channels::dot_count:
      return run_columns<T, DotCount<T>>(input, k, e, info, run);
    default:
      return run_columns<T, Moments<T>>(input, k, e, info, run);
  }
}

template GramLists<float> gram_topk(const GramInput<float>&, std::int64_t, const Epilogue<float>&,
                                    int, const Run&);
template GramLists<double> gram_topk(const GramInput<double>&, std::int64_t,
                                     const Epilogue<double>&, int, const Run&);

}  // namespace aimass::cuda
