// The kernels for GPUs on `Machine`, which the source that includes this file defines: a GPU, or
// its emulation.
#pragma once

#include "als_run.hpp"
#include "bpr_run.hpp"
#include "gram_run.hpp"
#include "score_run.hpp"

namespace aimass::cuda {

template <class T>
GramLists<T> gram_topk(const GramInput<T>& input, std::int64_t k, const Epilogue<T>& e, int device,
                       const Run& run) {
  Machine machine(device);
  return gram_topk_on(machine, input, k, e, run);
}

template <class T>
void als_solve(const AlsInput<T>& input, int device, const Run& run) {
  Machine machine(device);
  als_solve_on(machine, input, run);
}

template <class T>
std::unique_ptr<ItemsOnDevice<T>> items_on_device(const T* items, std::int64_t n_items,
                                                  std::int64_t n_factors, int device) {
  return std::make_unique<ItemsOf<T, Machine>>(items, n_items, n_factors, device);
}

template <class T>
void score_topk(const ScoreInput<T>& input, const ItemsOnDevice<T>& items, const Run& run) {
  Machine machine(items.device);
  score_topk_on(machine, input, items, run);
}

template <class T>
EpochSums bpr_epoch(const PairwiseProblem<T>& problem, int device, const Run& run) {
  Machine machine(device);
  return bpr_epoch_on(machine, problem, run);
}

template GramLists<float> gram_topk(const GramInput<float>&, std::int64_t, const Epilogue<float>&,
                                    int, const Run&);
template GramLists<double> gram_topk(const GramInput<double>&, std::int64_t,
                                     const Epilogue<double>&, int, const Run&);
template void als_solve(const AlsInput<float>&, int, const Run&);
template void als_solve(const AlsInput<double>&, int, const Run&);
template std::unique_ptr<ItemsOnDevice<float>> items_on_device(const float*, std::int64_t,
                                                               std::int64_t, int);
template std::unique_ptr<ItemsOnDevice<double>> items_on_device(const double*, std::int64_t,
                                                                std::int64_t, int);
template void score_topk(const ScoreInput<float>&, const ItemsOnDevice<float>&, const Run&);
template void score_topk(const ScoreInput<double>&, const ItemsOnDevice<double>&, const Run&);
template EpochSums bpr_epoch(const PairwiseProblem<float>&, int, const Run&);
template EpochSums bpr_epoch(const PairwiseProblem<double>&, int, const Run&);

}  // namespace aimass::cuda
