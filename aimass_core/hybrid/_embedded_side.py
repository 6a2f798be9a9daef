"""One side of a ranking model: rows whose factors are sums of embeddings, in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.csr import transpose, with_scipy_indices
from ..base.validation import csr_parts, wrap_csr
from ..factorization._sgd_state import aligned_zeros, padded
from ._design import has_features, normalized_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    # factors, biases, accumulators of both, counts: as the kernels take them.
    Arrays = tuple[Array, Array, Array, Array, Array]

__all__ = ["EmbeddedSide"]


class Weights:
    """Weights of the embeddings of each row: its own and those of its features.

    Parameters
    ----------
    n_rows, n_features : int
        Rows and features.
    dtype : dtype
        Of the weights.
    """

    def __init__(self, n_rows: int, n_features: int, dtype: Any) -> None:
        self.own = np.ones(n_rows, dtype)
        empty = np.empty(0, dtype=np.int32), np.empty(0, dtype)
        self.of_features = np.zeros(n_rows + 1, dtype=np.int64), *empty
        self.transposed = np.zeros(n_features + 1, dtype=np.int64), *empty

    @property
    def has_features(self) -> bool:
        """Whether any row has a feature."""
        return len(self.of_features[1]) > 0

    def set_features(self, features: sp.csr_array, share: float, n_threads: int) -> None:
        """Give features a share of the squared weights of the rows that have some."""
        scaled = normalized_rows(features)
        data = (scaled.data * np.sqrt(share)).astype(self.own.dtype)
        weights = wrap_csr(scaled.indptr, scaled.indices, data, scaled.shape)
        self.own[has_features(features)] = np.sqrt(1 - share)
        self.of_features = csr_parts(weights)
        self.transposed = csr_parts(transpose(weights, n_threads))


class EmbeddingSums:
    """Embeddings of rows and of features with their accumulators, and sums of some rows.

    Parameters
    ----------
    own : ndarray of shape (n, width)
        Embeddings of the rows themselves.
    table : ndarray of shape (n_features, width)
        Embeddings of the features.
    weights : Weights
        Weights of both.
    n_threads : int
        Threads to use.
    """

    def __init__(self, own: Array, table: Array, weights: Weights, n_threads: int) -> None:
        self.own, self.table = own, table
        self._squares = np.ones_like(own), np.ones_like(table)
        self._weights, self._n_threads = weights, n_threads
        self._buffers: list[Array] = []

    def _embeddings(self) -> tuple[Array, Array, Array, Array, Array]:
        return self._weights.own, self.own, self._squares[0], self.table, self._squares[1]

    def open(self, rows: NDArray[np.int32]) -> tuple[Array, Array]:
        """Return factors and accumulators of rows, to be moved by steps."""
        if not self._buffers or len(self._buffers[0]) < len(rows):
            shape = len(rows), self.own.shape[1]
            self._buffers = [aligned_zeros(shape, self.own.dtype) for _ in range(4)]
        factors, squares, *before = (buffer[: len(rows)] for buffer in self._buffers)
        if not self._weights.has_features:  # steps move the embeddings themselves
            for table, out in ((self.own, factors), (self._squares[0], squares)):
                np.take(table, rows, axis=0, out=out, mode="clip")
            return factors, squares
        self._sum(rows, factors, squares)
        for copy, original in zip(before, (factors, squares), strict=True):
            np.copyto(copy, original)
        return factors, squares

    def _sum(self, rows: NDArray[np.int32], factors: Array, squares: Array) -> None:
        weights = self._weights.of_features
        kernels.embedding_sums(self._embeddings(), weights, rows, factors, squares, self._n_threads)

    def close(self, rows: NDArray[np.int32]) -> None:
        """Give the embeddings what steps did to the rows since `open`."""
        factors, squares, *before = (buffer[: len(rows)] for buffer in self._buffers)
        if not self._weights.has_features:
            self.own[rows], self._squares[0][rows] = factors, squares
            return
        kernels.embedding_moves(
            self._embeddings(),
            self._weights.transposed,
            rows,
            factors,
            squares,
            before[0],
            before[1],
            self._n_threads,
        )

    def learned(self) -> Array:
        """Return the sums of all rows."""
        factors, squares = np.empty_like(self.own), np.empty_like(self.own)
        self._sum(np.arange(len(self.own), dtype=np.int32), factors, squares)
        return factors


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
    grew through the others. Both are kernels: `embedding_sums` and `embedding_moves`.

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
        self._weights = Weights(n, self.n_features, dtype)
        if features is not None and self.n_features and share > 0:
            self._weights.set_features(features, share, n_threads)
        own_rows = aligned_zeros((n, width), dtype)
        own_rows[:, : self.n_factors] = own
        table = aligned_zeros((self.n_features, width), dtype)
        table[:, : self.n_factors] = of_features
        self._factors = EmbeddingSums(own_rows, table, self._weights, n_threads)
        self._biases: EmbeddingSums | None = None
        if has_biases:
            own_rows, table = np.zeros((n, 1), dtype), np.zeros((self.n_features, 1), dtype)
            self._biases = EmbeddingSums(own_rows, table, self._weights, n_threads)

    @staticmethod
    def sums_of_features(features: sp.csr_array, table: Array, share: float) -> Array:
        """Return the weighted sums of the embeddings of features, one row for each row."""
        scaled = normalized_rows(features)
        product: Array = with_scipy_indices(scaled) @ (np.sqrt(share) * table.astype(np.float64))
        return product.astype(table.dtype)

    def leave_out_own(self, rows: NDArray[np.bool_]) -> None:
        """Give rows without a positive no embedding of their own: it would stay random."""
        self._factors.own[rows] = 0
        self._weights.own[rows] = 0

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
        self._factors.table[:, : self.n_factors] = of_features
        known = [(self._factors.own[:, : self.n_factors], factors, of_features)]
        if self._biases is not None and bias is not None and feature_bias is not None:
            self._biases.table[:, 0] = feature_bias
            known.append((self._biases.own, bias, feature_bias))
        for new, old, table in known:
            old = old.reshape(len(old), -1).astype(np.float64)
            if features is not None and len(table):
                share = 1 - float(self._weights.own.min()) ** 2
                table = table.reshape(len(table), -1)
                old = old - self.sums_of_features(features, table, share)
            weight = np.maximum(self._weights.own[rows].astype(np.float64), 1e-6)
            new[rows] = old / weight[:, None]

    # ---- training ----------------------------------------------------------------------------

    def open(self, rows: NDArray[np.int32]) -> Arrays:
        """Return the arrays that a kernel trains for some rows, in ascending order."""
        factors, squares = self._factors.open(rows)
        dtype = factors.dtype
        bias, bias_squares = np.zeros((0, 1), dtype), np.zeros((0, 1), dtype)
        if self._biases is not None:
            bias, bias_squares = self._biases.open(rows)
        counts = np.zeros(0, dtype=np.int32)
        return factors, bias[:, 0], squares[None], bias_squares.reshape(1, -1), counts

    def close(self, rows: NDArray[np.int32]) -> None:
        """Give the embeddings what a kernel did to the rows since `open`."""
        self._factors.close(rows)
        if self._biases is not None:
            self._biases.close(rows)

    # ---- results -----------------------------------------------------------------------------

    def learned(self) -> tuple[Array, Array]:
        """Return the factors and biases of all rows."""
        factors = self._factors.learned()
        bias = np.zeros(len(factors), factors.dtype)
        if self._biases is not None:
            bias = self._biases.learned()[:, 0].copy()
        return np.ascontiguousarray(factors[:, : self.n_factors]), bias

    def of_features(self) -> tuple[Array, Array]:
        """Return the embeddings and biases of features."""
        table = self._factors.table
        bias = np.zeros(self.n_features, table.dtype)
        if self._biases is not None:
            bias = self._biases.table[:, 0].copy()
        return np.ascontiguousarray(table[:, : self.n_factors]), bias
