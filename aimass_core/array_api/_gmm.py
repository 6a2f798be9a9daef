"""The two passes of a Gaussian mixture over its rows: sums of an E-step, and scores.

They are the kernels ``gmm_em_step`` and ``gmm_score`` in the array API: the rows stay where they
are, the parameters (a few kilobytes) go there and the sums come back in each pass. Time: 2 n K d
(d + 3) flops for full covariances as matrix products, so the speed is that of the library's batched
matrix product. Memory: blocks of rows within the budget of the device. Quadratic terms are summed
in the type of the rows within a block, and in float64 over the blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ._device import array_device, to_numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._device import Device

    Array = NDArray[np.float64]

__all__ = ["gmm_em_step", "gmm_score"]

_MIN_ROWS, _MAX_ROWS = 64, 1 << 16


def gmm_em_step(
    X: Any,
    shift: Array,
    scale: Array,
    sample_weight: Array | None,
    coefficients: Array | None,
    resp: Array | None,
    score_form: str,
    sums_form: str,
    hard: bool,
) -> tuple[Array, float]:
    """Return the sums of an E-step: features of rows, weighted by responsibilities.

    Parameters
    ----------
    X : array of shape (n, d)
        Rows in float32 or float64, of any library of the array API standard, on any device.
    shift, scale, sample_weight, coefficients, resp, score_form, sums_form, hard
        As in the kernel `aimass_core.kernels.gmm_em_step`, in NumPy.

    Returns
    -------
    sums : ndarray of float64, shape (n_components, n_features)
        As the kernel's.
    score : float
        As the kernel's.
    """
    device = array_device(X)
    xp = device.library
    d = X.shape[1]
    given: Any = resp if coefficients is None else coefficients.T
    n_components = given.shape[1]
    scores_of = (
        None if coefficients is None else _Scores(device, X.dtype, coefficients, score_form, d)
    )
    total = np.zeros((n_components, _n_features(sums_form, d)))
    log_likelihood = 0.0
    for begin, end in _parts(device, X, n_components):
        z = _standardized(device, X, begin, end, shift, scale)
        weight = None if sample_weight is None else device.array(sample_weight[begin:end])
        if scores_of is None:
            assert resp is not None
            r = xp.astype(device.array(resp[begin:end]), X.dtype)
        else:
            r, score = _responsibilities(device, scores_of(z), hard)
            score = xp.astype(score, xp.float64)
            log_likelihood += float(xp.sum(score if weight is None else score * weight))
        if weight is not None:
            r = r * xp.expand_dims(xp.astype(weight, X.dtype), axis=1)
        total += _sums(device, z, r, sums_form)
    return total, log_likelihood


def gmm_score(
    X: Any,
    shift: Array,
    scale: Array,
    coefficients: Array,
    common: Array | None,
    score_form: str,
    output: str,
) -> Any:
    """Return labels, responsibilities or log-densities of rows under a mixture.

    Parameters
    ----------
    X : array of shape (n, d)
        Rows in float32 or float64, of any library of the array API standard, on any device.
    shift, scale, coefficients, common, score_form, output
        As in the kernel `aimass_core.kernels.gmm_score`, in NumPy.

    Returns
    -------
    array
        As the kernel's, of the library and on the device of ``X``.
    """
    device = array_device(X)
    xp = device.library
    d = X.shape[1]
    scores_of = _Scores(device, X.dtype, coefficients, score_form, d)
    common_of = None if common is None else _Scores(device, X.dtype, common, "full", d)
    results = []
    for begin, end in _parts(device, X, len(coefficients)):
        z = _standardized(device, X, begin, end, shift, scale)
        scores = scores_of(z)
        if output == "labels":
            best = xp.astype(xp.argmax(scores, axis=1), xp.int64)
            unknown = xp.asarray(-1, dtype=xp.int64, device=device.place)
            results.append(xp.where(xp.isfinite(xp.max(scores, axis=1)), best, unknown))
            continue
        resp, score = _responsibilities(device, scores, hard=False)
        if output == "resp":
            results.append(resp)
            continue
        if common_of is not None:
            score = score + common_of(z)[:, 0]
        results.append(xp.astype(score, xp.float64))
    return results[0] if len(results) == 1 else xp.concat(results, axis=0)


class _Scores:
    """The scores of all components, as a function of standardised rows."""

    def __init__(self, device: Device, dtype: Any, coefficients: Array, form: str, d: int) -> None:
        self.xp, self.form, self.dtype = device.library, form, dtype
        move = self._mover(device, dtype)
        self.constant = move(coefficients[:, 0])
        self.linear = move(coefficients[:, 1 : 1 + d])
        quadratic = coefficients[:, 1 + d :]
        if form in ("triangular", "full"):
            matrices = np.zeros((len(coefficients), d, d))
            i, j = np.triu_indices(d)
            matrices[:, i, j] = quadratic
            quadratic = matrices
        self.quadratic = move(quadratic)

    @staticmethod
    def _mover(device: Device, dtype: Any) -> Any:
        xp = device.library
        return lambda values: xp.astype(device.array(values), dtype)

    def __call__(self, z: Any) -> Any:
        """Return the scores of rows, shape (n, n_components)."""
        xp = self.xp
        if self.form == "triangular":
            deviations = xp.expand_dims(z, axis=0) - xp.expand_dims(self.linear, axis=1)
            products = xp.matmul(deviations, self.quadratic)
            distances = xp.sum(products * products, axis=2)
            return xp.matrix_transpose(xp.expand_dims(self.constant, axis=1) - distances / 2)
        scores = xp.matmul(z, xp.matrix_transpose(self.linear))
        scores = scores + xp.expand_dims(self.constant, axis=0)
        if self.form == "spherical":
            squares = xp.sum(z * z, axis=1, keepdims=True)
            return scores + squares * xp.matrix_transpose(self.quadratic)
        if self.form == "diag":
            return scores + xp.matmul(z * z, xp.matrix_transpose(self.quadratic))
        if self.form == "full":
            rows = xp.expand_dims(z, axis=0)
            squares = xp.sum(xp.matmul(rows, self.quadratic) * rows, axis=2)
            return scores + xp.matrix_transpose(squares)
        return scores


def _n_features(form: str, d: int) -> int:
    """Return the number of features of a row."""
    return 1 + d + {"linear": 0, "spherical": 1, "diag": d, "full": d * (d + 1) // 2}[form]


def _parts(device: Device, X: Any, n_components: int) -> Iterator[tuple[int, int]]:
    """Yield the ends of blocks of rows that the memory of the device allows."""
    n, d = X.shape
    per_row = 8 * (3 * n_components * (d + 2) + 4 * d)  # deviations, products, responsibilities
    step = int(np.clip(device.budget // per_row, _MIN_ROWS, _MAX_ROWS))
    for begin in range(0, n, step):
        yield begin, min(n, begin + step)


def _standardized(device: Device, X: Any, begin: int, end: int, shift: Array, scale: Array) -> Any:
    """Return rows in standardised coordinates, computed in float64, in the type of the rows."""
    xp = device.library
    rows = xp.astype(X[begin:end, :], xp.float64)
    shift, scale = (xp.expand_dims(device.array(v), axis=0) for v in (shift, scale))
    return xp.astype((rows - shift) * scale, X.dtype)


def _responsibilities(device: Device, scores: Any, hard: bool) -> tuple[Any, Any]:
    """Return responsibilities, and the log of the sum of exp (hard: the best score) of each row."""
    xp = device.library
    best = xp.max(scores, axis=1, keepdims=True)
    if hard:
        labels = xp.expand_dims(xp.argmax(scores, axis=1), axis=1)
        components = xp.arange(scores.shape[1], dtype=labels.dtype, device=device.place)
        is_best = labels == xp.expand_dims(components, axis=0)
        return xp.astype(is_best, scores.dtype), best[:, 0]
    exponentials = xp.exp(scores - best)
    total = xp.sum(exponentials, axis=1, keepdims=True)
    return exponentials / total, (best + xp.log(total))[:, 0]


def _sums(device: Device, z: Any, r: Any, form: str) -> Array:
    """Return the sums of features of a block, weighted by ``r``, as float64 on the host."""
    xp = device.library
    by_component = xp.matrix_transpose(r)
    columns = [
        xp.expand_dims(xp.sum(xp.astype(r, xp.float64), axis=0), axis=1),
        xp.matmul(by_component, z),
    ]
    if form == "spherical":
        columns.append(xp.matmul(by_component, xp.sum(z * z, axis=1, keepdims=True)))
    elif form == "diag":
        columns.append(xp.matmul(by_component, z * z))
    elif form == "full":
        weighted = xp.expand_dims(by_component, axis=1) * xp.expand_dims(
            xp.matrix_transpose(z), axis=0
        )
        products = to_numpy(xp.matmul(weighted, xp.expand_dims(z, axis=0)))
        i, j = np.triu_indices(z.shape[1])
        host = [to_numpy(c).astype(np.float64) for c in columns]
        return np.hstack([*host, products[:, i, j].astype(np.float64)])
    return np.hstack([to_numpy(c).astype(np.float64) for c in columns])
