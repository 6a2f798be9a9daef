"""One side of a ranking model: rows whose factors are sums of embeddings, in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.csr import take_rows, transpose, with_scipy_indices
from ..base.validation import wrap_csr
from ..factorization._sgd_state import aligned_zeros, padded
from ._design import has_features, normalized_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    # factors, biases, accumulators of both, counts: as the kernels take them.
    Arrays = tuple[Array, Array, Array, Array, Array]

__all__ = ["EmbeddedSide"]

_SMALLEST = 1e-6  # of r, so that a row without embeddings hardly moves


class EmbeddedSide:
    r"""Rows with factors :math:`q_i = \sum_f w_{if} e_f`, trained in parts of an epoch by AdaGrad.

    Row i has the embeddings of its features, with weights of squares that add up to ``share``, and
    one of its own, with weight :math:`\sqrt{1 - share}`. A part of an epoch moves the factors of
    rows, which `open` computes, by the steps of a kernel. `close` gives the embeddings the moves:
    with accumulators :math:`s_f` of squared gradients, a gradient g of row i moves the row by

    .. math:: \eta \, r_i \, g, \quad r_i = \sum_f w_{if}^2 / \sqrt{s_f},

    so `open` also gives the kernel the accumulators :math:`r_i^{-2}`, and `close` moves embedding f
    by :math:`\sum_i w_{if} \Delta q_i / (r_i \sqrt{s_f})`. For a row that is alone with all its
    features, and for a row without features, this is AdaGrad step by step. An embedding that many
    rows share is moved by all of them at once; its step is shortened by how much its accumulator
    grew through the others.

    Parameters
    ----------
    own : ndarray of shape (n, f)
        First embeddings of the rows themselves.
    of_features : ndarray of shape (n_features, f)
        First embeddings of the features.
    features : csr_array of shape (n, n_features) or None
        Features of the rows.
    share : float
        Share of the features in the squared weights of a row that has some.
    has_biases : bool
        Whether embeddings have biases.
    n_threads : int
        Threads to use.
    """

    def __init__(
        self,
        own: Array,
        of_features: Array,
        features: sp.csr_array | None,
        share: float,
        has_biases: bool,
        n_threads: int,
    ) -> None:
        n, self.n_factors = own.shape
        self.n_features = len(of_features)
        dtype, width = own.dtype, padded(self.n_factors)
        self._own = aligned_zeros((n, width), dtype)
        self._own[:, : self.n_factors] = own
        self._table = aligned_zeros((self.n_features, width), dtype)
        self._table[:, : self.n_factors] = of_features
        self._own_squares = np.ones_like(self._own)
        self._table_squares = np.ones_like(self._table)
        n_biases = n if has_biases else 0
        self._own_bias, self._own_bias_squares = np.zeros(n_biases, dtype), np.ones(n_biases, dtype)
        n_biases = self.n_features if has_biases else 0
        self._table_bias = np.zeros(n_biases, dtype)
        self._table_bias_squares = np.ones(n_biases, dtype)
        self._weights: sp.csr_array | None = None
        self._own_weight = np.ones((n, 1), dtype)
        if features is not None and self.n_features and share > 0:
            self._own_weight[has_features(features)] = np.sqrt(1 - share)
            self._set_weights(features, share, n_threads)

    def _set_weights(self, features: sp.csr_array, share: float, n_threads: int) -> None:
        dtype = self._own.dtype
        scaled = normalized_rows(features)
        data = (scaled.data * np.sqrt(share)).astype(dtype)
        weights = wrap_csr(scaled.indptr, scaled.indices, data, scaled.shape)
        transposed = transpose(weights, n_threads)
        self._counts = np.maximum(np.diff(transposed.indptr), 1)[:, None].astype(dtype)
        self._weights, self._transposed = weights, with_scipy_indices(transposed)
        self._squared = with_scipy_indices(
            wrap_csr(weights.indptr, weights.indices, data**2, weights.shape)
        )
        self._squared_transposed = with_scipy_indices(
            wrap_csr(transposed.indptr, transposed.indices, transposed.data**2, transposed.shape)
        )

    @staticmethod
    def sums_of_features(features: sp.csr_array, table: Array, share: float) -> Array:
        """Return the weighted sums of the embeddings of features, one row for each row."""
        scaled = normalized_rows(features)
        product: Array = with_scipy_indices(scaled) @ (np.sqrt(share) * table.astype(np.float64))
        return product.astype(table.dtype)

    def leave_out_own(self, rows: NDArray[np.bool_]) -> None:
        """Give rows without a positive no embedding of their own: it would stay random."""
        self._own[rows] = 0
        self._own_weight[rows] = 0

    def adopt(
        self,
        factors: Array,
        of_features: Array,
        bias: Array | None,
        feature_bias: Array | None,
        features: sp.csr_array | None,
        rows: NDArray[np.int64],
    ) -> None:
        """Start from the embeddings of a fitted model, whose rows are at ``rows`` here."""
        self._table[:, : self.n_factors] = of_features
        if feature_bias is not None and len(self._table_bias):
            self._table_bias[:] = feature_bias
        for new, old, table in (
            (self._own[:, : self.n_factors], factors, of_features),
            (self._own_bias[:, None], bias, feature_bias),
        ):
            if old is None or not new.size:
                continue
            old = old.reshape(len(old), -1).astype(np.float64)
            if features is not None and table is not None and len(table):
                share = 1 - float(self._own_weight.min()) ** 2
                table = table.reshape(len(table), -1)
                old = old - self.sums_of_features(features, table, share)
            weight = np.maximum(self._own_weight[rows].astype(np.float64), 1e-6)
            new[rows] = old / weight

    # ---- training ----------------------------------------------------------------------------

    def open(self, rows: NDArray[np.int64] | None) -> Arrays:
        """Return the arrays that a kernel trains for some rows; None: all."""
        factors, first = self._sums(rows, *self._factor_arrays())
        dtype = factors.dtype
        bias, bias_first = np.zeros(0, dtype), np.zeros(0, dtype)
        if len(self._own_bias):
            sums, squares = self._sums(rows, *self._bias_arrays())
            bias, bias_first = sums[:, 0].copy(), squares[:, 0].copy()
        self._before = factors.copy(), first.copy(), bias.copy(), bias_first.copy()
        return factors, bias, first[None], bias_first[None], np.zeros(0, dtype=np.int32)

    def close(self, arrays: Arrays, rows: NDArray[np.int64] | None) -> None:
        """Update the embeddings by the changes that a kernel made to the sums of the rows."""
        factors, bias, first, bias_first, _ = arrays
        before, first_before, bias_before, bias_first_before = self._before
        self._update(
            rows, factors - before, first[0] - first_before, first_before, *self._factor_arrays()
        )
        if len(bias):
            self._update(
                rows,
                (bias - bias_before)[:, None],
                (bias_first[0] - bias_first_before)[:, None],
                bias_first_before[:, None],
                *self._bias_arrays(),
            )

    def _factor_arrays(self) -> tuple[Array, Array, Array, Array]:
        return self._own, self._own_squares, self._table, self._table_squares

    def _bias_arrays(self) -> tuple[Array, Array, Array, Array]:
        return (
            self._own_bias[:, None],
            self._own_bias_squares[:, None],
            self._table_bias[:, None],
            self._table_bias_squares[:, None],
        )

    def _sums(
        self,
        rows: NDArray[np.int64] | None,
        own: Array,
        own_squares: Array,
        table: Array,
        squares: Array,
    ) -> tuple[Array, Array]:
        """Return the factors of rows and the accumulators that stand for their embeddings."""
        index = slice(None) if rows is None else rows
        weight = self._own_weight[index]
        factors = own[index] * weight
        r = weight**2 / np.sqrt(own_squares[index])
        if self._weights is not None:
            weights, squared = self._weights, self._squared
            if rows is not None:
                weights, squared = take_rows(weights, rows), take_rows(squared, rows)
            factors += with_scipy_indices(weights) @ table
            r += with_scipy_indices(squared) @ (1 / np.sqrt(squares))
        return factors, 1 / np.maximum(r, _SMALLEST) ** 2

    def _update(
        self,
        rows: NDArray[np.int64] | None,
        change: Array,
        growth: Array,
        first: Array,
        own: Array,
        own_squares: Array,
        table: Array,
        squares: Array,
    ) -> None:
        """Update embeddings in place from the changes of rows and of their accumulators."""
        index = slice(None) if rows is None else rows
        weight = self._own_weight[index]
        gradient = change * np.sqrt(first)  # change / r
        own[index] += weight * gradient / np.sqrt(own_squares[index])
        own_squares[index] += weight**2 * growth
        if self._weights is None:
            return
        if rows is not None:
            gradient, growth = self._expanded(gradient, rows), self._expanded(growth, rows)
        grown = self._squared_transposed @ growth
        shortened = np.sqrt((squares + grown / self._counts) / (squares + grown))
        table += (self._transposed @ gradient) / np.sqrt(squares) * shortened
        squares += grown

    def _expanded(self, values: Array, rows: NDArray[np.int64]) -> Array:
        """Return an array of all rows from that of some; the others are 0."""
        out = np.zeros((len(self._own), values.shape[1]), values.dtype)
        out[rows] = values
        return out

    # ---- results -----------------------------------------------------------------------------

    def learned(self) -> tuple[Array, Array]:
        """Return the factors and biases of all rows."""
        factors, _ = self._sums(None, *self._factor_arrays())
        bias = np.zeros(len(factors), factors.dtype)
        if len(self._own_bias):
            bias = self._sums(None, *self._bias_arrays())[0][:, 0].copy()
        return np.ascontiguousarray(factors[:, : self.n_factors]), bias

    def of_features(self) -> tuple[Array, Array]:
        """Return the embeddings and biases of features."""
        bias = self._table_bias.copy()
        if not len(bias):
            bias = np.zeros(self.n_features, self._table.dtype)
        return np.ascontiguousarray(self._table[:, : self.n_factors]), bias
