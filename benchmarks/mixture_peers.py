"""Adapters for bench_gmm: one EM step by other libraries, from given parameters to the next."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from peers import require
from scipy.linalg import solve_triangular


class Start(NamedTuple):
    """Parameters of a mixture in scikit-learn's shapes."""

    covariance_type: str
    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray


def sklearn_step(X: np.ndarray, begin: Start, n_threads: int) -> Start:
    """The two halves of scikit-learn's own iteration."""
    module = require("sklearn.mixture", "scikit-learn")
    model = module.GaussianMixture(len(begin.weights), covariance_type=begin.covariance_type)
    compute = require("sklearn.mixture._gaussian_mixture")._compute_precision_cholesky
    model.weights_, model.means_ = begin.weights.astype(X.dtype), begin.means.astype(X.dtype)
    model.covariances_ = begin.covariances.astype(X.dtype)
    model.precisions_cholesky_ = compute(model.covariances_, begin.covariance_type)
    _, log_resp = model._e_step(X)
    model._m_step(X, log_resp)
    return Start(begin.covariance_type, model.weights_, model.means_, model.covariances_)


def onedal_step(X: np.ndarray, begin: Start, n_threads: int) -> Start:
    """One iteration of oneDAL's EM through daal4py (full and diagonal)."""
    daal = require("daal4py", "scikit-learn-intelex")
    daal.daalinit(n_threads)
    full = begin.covariance_type == "full"
    algorithm = daal.em_gmm(
        nComponents=len(begin.weights),
        fptype="float" if X.dtype == np.float32 else "double",
        maxIterations=1,
        accuracyThreshold=0.0,
        covarianceStorage="full" if full else "diagonal",
        regularizationFactor=1e-6,
    )
    covariances = list(begin.covariances) if full else [c[None] for c in begin.covariances]
    result = algorithm.compute(X, begin.weights[None], begin.means, covariances)
    found = np.array(result.covariances)
    return Start(
        begin.covariance_type,
        result.weights[0],
        result.means,
        found if full else found.reshape(begin.covariances.shape),
    )


def numpy_step(X: np.ndarray, begin: Start, n_threads: int) -> Start:
    """BLAS as well as it can be used: one product per component on blocks of rows."""
    k, d = begin.means.shape
    kind = begin.covariance_type
    stacked = {"full": begin.covariances, "tied": begin.covariances[None]}.get(kind)
    if stacked is not None:
        lower = np.linalg.cholesky(stacked)
        roots = [solve_triangular(c, np.eye(d), lower=True).T.astype(X.dtype) for c in lower]
    else:
        variances = begin.covariances if kind == "diag" else begin.covariances[:, None]
        precision = np.broadcast_to(1 / variances, (k, d))
    counts, first = np.zeros(k), np.zeros((k, d))
    second: Any = np.zeros((k, d, d) if kind == "full" else (d, d) if kind == "tied" else (k, d))
    for at in range(0, len(X), 4096):
        x = X[at : at + 4096]
        scores = np.empty((len(x), k))
        if stacked is not None:
            for c in range(k):
                root = roots[c if kind == "full" else 0]
                y = x @ root - (begin.means[c] @ root).astype(X.dtype)
                scores[:, c] = -0.5 * np.einsum("ij,ij->i", y, y) + np.log(np.diag(root)).sum()
        else:
            scores[:] = -0.5 * (
                (x * x) @ precision.T
                - 2 * x @ (precision * begin.means).T
                + (precision * begin.means**2).sum(axis=1)
            ) + 0.5 * np.log(precision).sum(axis=1)
        scores += np.log(begin.weights)
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        resp = scores.astype(X.dtype)
        counts += resp.sum(axis=0)
        first += resp.T @ x
        if kind == "full":
            for c in range(k):
                second[c] += (resp[:, c : c + 1] * x).T @ x
        elif kind == "tied":
            second += x.T @ x
        else:
            second += resp.T @ (x * x)
    return _moments(kind, counts, first, second, len(X))


def torch_step(X: np.ndarray, begin: Start, n_threads: int) -> Start:
    """PyTorch in its batch form: all components of a block of rows in one product."""
    torch = require("torch")
    torch.set_num_threads(n_threads)
    kind, (k, d) = begin.covariance_type, begin.means.shape
    x_all = torch.from_numpy(X)
    own = {"dtype": x_all.dtype}
    means = torch.tensor(begin.means, **own)
    covariances = torch.tensor(begin.covariances, dtype=torch.float64)
    if kind in ("full", "tied"):
        lower = torch.linalg.cholesky(covariances.reshape(-1, d, d))
        roots = torch.linalg.solve_triangular(
            lower, torch.eye(d, dtype=torch.float64).expand_as(lower), upper=False
        ).transpose(1, 2)
        log_det = torch.diagonal(roots, dim1=1, dim2=2).log().sum(dim=1).to(**own)
        roots = roots.contiguous().to(**own)
    else:
        precision = (1 / covariances.reshape(k, -1)).expand(k, d).to(**own)
        log_det = 0.5 * precision.log().sum(dim=1)
    counts = torch.zeros(k, dtype=torch.float64)
    first = torch.zeros((k, d), dtype=torch.float64)
    shape = {"full": (k, d, d), "tied": (d, d)}.get(kind, (k, d))
    second = torch.zeros(shape, dtype=torch.float64)
    constant = torch.tensor(np.log(begin.weights), **own) + log_det
    rows = max(256, (1 << 21) // (k * d)) if kind == "full" else 8192  # k x rows x d numbers
    with torch.inference_mode():
        for at in range(0, len(X), rows):
            x = x_all[at : at + rows]
            if kind in ("full", "tied"):
                y = x @ roots - means[:, None] @ roots  # (k, rows, d); tied: one root for all
                scores = constant - 0.5 * (y * y).sum(dim=2).T
            else:
                scores = constant - 0.5 * (
                    (x * x) @ precision.T
                    - 2 * x @ (precision * means).T
                    + (precision * means**2).sum(dim=1)
                )
            resp = torch.softmax(scores, dim=1)
            counts += resp.sum(dim=0)
            first += resp.T @ x
            if kind == "full":
                second += (resp.T[:, :, None] * x).transpose(1, 2) @ x
            elif kind == "tied":
                second += x.T @ x
            else:
                second += resp.T @ (x * x)
    counts, first, second = (part.numpy() for part in (counts, first, second))
    return _moments(kind, counts, first, second, len(X))


def _moments(kind: str, counts: np.ndarray, first: np.ndarray, second: np.ndarray, n: int) -> Start:
    """The M-step out of sums."""
    means = first / counts[:, None]
    if kind == "full":
        covariances = second / counts[:, None, None] - means[:, :, None] * means[:, None]
        covariances += 1e-6 * np.eye(means.shape[1])
    elif kind == "tied":
        covariances = (second - (means * counts[:, None]).T @ means) / n
        covariances += 1e-6 * np.eye(means.shape[1])
    else:
        covariances = second / counts[:, None] - means**2 + 1e-6
        if kind == "spherical":
            covariances = covariances.mean(axis=1)
    return Start(kind, counts / counts.sum(), means, covariances)


STEPS = {
    "peer:sklearn": sklearn_step,
    "peer:onedal": onedal_step,
    "peer:numpy": numpy_step,
    "peer:torch": torch_step,
}
