// Problem: stochastic gradient steps on rows (items, users) whose factors are sums of embeddings,
//   q_i = v_i o_i + sum_f w_if e_f,
// with o_i of the row alone and e_f of a feature that many rows share. A step that moves every
// embedding of a row costs as many row updates as the row has features, and threads would meet in
// the features. Here the steps of a part of an epoch move the sums, as if they were factors:
//   embedding_sums   computes the factors of rows, and the accumulators of AdaGrad that stand for
//                    all embeddings of a row: a gradient g moves the row by rate r_i g, with
//                    r_i = v_i^2 / sqrt(s_i) + sum_f w_if^2 / sqrt(s_f), so they are r_i^-2.
//   embedding_moves  gives the embeddings what the steps did to the rows. The gradients of row i
//                    add up to (change of q_i) / r_i; embedding f moves by w_if / sqrt(s_f) of it.
//                    One that many rows share is moved by all of them at once; its move is
//                    shortened by how much its accumulator grew through the others.
// For a row that is alone with all its features this is AdaGrad step by step.
// Cost: O((nnz + rows + features) width) each. Memory: one table of features.
// Threads change no bit: rows and features are each written by one thread, in a fixed order of
// sums. Kula, Metadata embeddings for user and item cold-start recommendations (CBRecSys 2015);
// Duchi, Hazan & Singer, Adaptive subgradient methods for online learning (JMLR 2011).
#pragma once

#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

// All embeddings of one side with their accumulators of squared gradients.
template <class T>
struct Embeddings {
  std::int64_t n_rows, n_features, width;
  const T* own_weights;  // of each row
  T *own, *own_squares;  // rows x width
  T *table, *squares;    // features x width
};

// Some rows of the side: those that steps may move.
template <class T>
struct EmbeddedRows {
  const std::int32_t* numbers;
  std::int64_t n;
  T *factors, *accumulators;  // n x width
};

// Writes factors and accumulators of the rows. weights: rows of the side x features.
template <class T>
void embedding_sums(const Run& run, const Embeddings<T>& embeddings, const Csr<T>& weights,
                    const EmbeddedRows<T>& rows);

// Changes the embeddings; leaves gradients and growths in `rows`. transposed: features x rows.
template <class T>
void embedding_moves(const Run& run, const Embeddings<T>& embeddings, const Csr<T>& transposed,
                     const EmbeddedRows<T>& rows, const T* factors_before,
                     const T* accumulators_before);

}  // namespace aimass
