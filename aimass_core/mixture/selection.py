"""The choice of the number of components and the covariance type by an information criterion."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.optional import import_optional
from ..base.progress import Event, Progress, logger
from ..base.validation import as_choice, as_float, as_int
from ..exceptions import ConvergenceWarning, NumericalError
from ._parameters import COVARIANCE_TYPES
from ._validation import as_matrix, as_weights, column_names
from .gaussian_mixture import GaussianMixture

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["Selection", "select"]

CRITERIA = ("bic", "icl", "aic")
TABLE_COLUMNS = (
    "n_components",
    "covariance_type",
    "bic",
    "icl",
    "aic",
    "log_likelihood",
    "smallest_share",
    "converged",
)
_DEFAULT_TYPES = ("full", "tied", "diag", "spherical")
_BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class Selection:
    """The result of `select`.

    Parameters
    ----------
    best : GaussianMixture
        The fitted model with the lowest criterion.
    table : dict of str to list
        Columns ``n_components``, ``covariance_type``, ``bic``, ``icl``, ``aic``,
        ``log_likelihood`` (mean of a row), ``smallest_share`` (of the rows that are assigned to a
        component), ``converged``; NaN where a fit failed. ``pandas.DataFrame`` takes it.
    criterion : str
        The criterion by which the best was chosen.
    best_row : int
        The row of the best mixture in the table.
    """

    best: GaussianMixture
    table: dict[str, list[Any]]
    criterion: str
    best_row: int = 0

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw the criterion over the number of components, one line for each covariance type.

        Parameters
        ----------
        path : path-like, optional
            File to save the picture to; its ending decides the format.

        Returns
        -------
        matplotlib.figure.Figure
            The picture.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        figure = import_optional("matplotlib.figure").Figure(figsize=(7, 4.5), layout="constrained")
        axes = figure.subplots()
        types = self.table["covariance_type"]
        for kind in dict.fromkeys(types):
            rows = [row for row, other in enumerate(types) if other == kind]
            counts = [self.table["n_components"][row] for row in rows]
            values = [self.table[self.criterion][row] for row in rows]
            axes.plot(counts, values, marker="o", label=kind)
        best_count, best_type = self.best.n_components, self.best.covariance_type
        label = f"best: {best_type}, {best_count}"
        axes.axvline(best_count, color="0.7", linestyle=":", label=label)
        axes.set_xlabel("number of components")
        axes.set_ylabel(f"{self.criterion.upper()} (lower is better)")
        axes.legend()
        if path is not None:
            figure.savefig(path)
        return figure


def select(
    X: Any,
    *,
    n_components: Iterable[int] = range(1, 11),
    covariance_types: Iterable[str] = _DEFAULT_TYPES,
    criterion: str = "bic",
    min_share: float = 0.0,
    sample_weight: Any = None,
    callback: Callable[[Event], Any] | None = None,
    verbose: bool = False,
    **parameters: Any,
) -> Selection:
    """Fit mixtures of all numbers of components and covariance types, and return the best.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Rows. For a sparse matrix give ``covariance_types`` of "diag", "tied_diag" and "spherical"
        only.
    n_components : iterable of int, default=1 to 10
        Numbers of components; those above the number of rows are left out.
    covariance_types : iterable of str, default=("full", "tied", "diag", "spherical")
        Covariance types, as of `GaussianMixture`.
    criterion : {"bic", "icl", "aic"}, default="bic"
        Criterion; the lowest value is best. ICL is BIC plus twice the entropy of the
        responsibilities. It prefers components that are well separated, where BIC counts the
        Gaussians that the density needs.
    min_share : float, default=0.0
        Smallest share of the rows that must be assigned to each component of the best mixture.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows.
    callback : callable, optional
        Called with an `Event` after each fit; its ``values`` hold the criteria, its ``model`` is
        the mixture. A true result ends the work with what has been fitted.
    verbose : bool, default=False
        Show a progress bar on standard error if the work takes more than two seconds.
    **parameters
        Parameters of `GaussianMixture` for every fit.

    Returns
    -------
    Selection
        The best model and the table of all, which it can plot.

    Raises
    ------
    ValueError
        If the criterion or a type is unknown, if there is nothing to try, or if no mixture has
        components of ``min_share``.
    NumericalError
        If every fit fails; a failed fit has NaN in the table.

    Notes
    -----
    Time: that of all fits. Memory: O(1) beyond them, the entropy is computed block by block.

    References
    ----------
    G. Schwarz, "Estimating the Dimension of a Model", Annals of Statistics 6, 1978. C. Biernacki,
    G. Celeux, G. Govaert, "Assessing a Mixture Model for Clustering with the Integrated Completed
    Likelihood", IEEE TPAMI 22, 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.mixture import select
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(m, 1, (200, 2)) for m in (0, 8, 16)])
    >>> selection = select(X, n_components=range(1, 6), random_state=0)
    >>> selection.best.n_components, selection.best.covariance_type
    (3, 'spherical')
    """
    criterion = as_choice(criterion, "criterion", CRITERIA)
    counts = [as_int(k, "n_components", minimum=1) for k in n_components]
    kinds = [as_choice(kind, "covariance_types", COVARIANCE_TYPES) for kind in covariance_types]
    min_share = as_float(min_share, "min_share", minimum=0, maximum=1)
    if not counts or not kinds:
        raise ValueError("n_components and covariance_types must name at least one value each")
    columns = column_names(X)
    if sp.issparse(X):
        X = sp.csr_array(X)
    else:
        X = as_matrix(X, allows_missing=parameters.get("missing") == "marginalize")
    n, d = X.shape
    weight = as_weights(sample_weight, n)
    if min(counts) > n:
        raise ValueError(f"n_components: the smallest is {min(counts)}, but X has only {n} rows")

    def fit(k: int, kind: str) -> GaussianMixture:
        model = GaussianMixture(k, covariance_type=kind, **parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(X, sample_weight=weight)

    cells = [(k, kind) for kind in kinds for k in counts if k <= n]
    with Progress("fitting mixtures", len(cells), callback=callback, verbose=verbose) as progress:
        table, models = fit_cells(X, cells, fit, weight, progress)
    rows = best_rows(table, criterion, min_share)
    if not rows:
        raise ValueError(
            f"no mixture of {min(counts)} to {max(counts)} components assigns at least "
            f"{min_share:.1%} of the rows to each of them: lower min_share or give fewer "
            "components"
        )
    best = models[rows[0]]
    assert best is not None
    best._note_columns(columns, d)
    logger.info(
        "select: %d components, covariance %s, by %s from %d mixtures",
        len(best.weights_),
        best.covariance_type,
        criterion,
        len(cells),
    )
    return Selection(best, table, criterion, rows[0])


def fit_cells(
    X: Any,
    cells: list[tuple[int, str]],
    fit: Callable[[int, str], GaussianMixture],
    weight: NDArray[np.float64] | None,
    progress: Progress,
) -> tuple[dict[str, list[Any]], list[GaussianMixture | None]]:
    """Fit a mixture for each cell, and return the table of their criteria and the mixtures.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n, d)
        Rows.
    cells : list of (int, str)
        Numbers of components and covariance types.
    fit : callable
        Fits a mixture of a cell to the rows.
    weight : ndarray of float64, shape (n,), or None
        Weights of the rows.
    progress : Progress
        Reports each cell; its callback may end the work after some.

    Returns
    -------
    table : dict of str to list
        Columns `TABLE_COLUMNS`.
    models : list of GaussianMixture or None
        None where a fit failed.

    Raises
    ------
    NumericalError
        If every fit fails.
    """
    table: dict[str, list[Any]] = {name: [] for name in TABLE_COLUMNS}
    models: list[GaussianMixture | None] = []
    failure: NumericalError | None = None
    for number, (k, kind) in enumerate(cells, 1):
        row: dict[str, Any] = {"n_components": k, "covariance_type": kind}
        model = None
        try:
            model = fit(k, kind)
            row |= _criteria(model, X, weight)
        except NumericalError as error:
            failure = error
        for name in TABLE_COLUMNS:
            table[name].append(row.get(name, np.nan))
        models.append(model)
        values = {name: float(row.get(name, np.nan)) for name in ("n_components", *CRITERIA)}
        if progress.step(number, values, model):
            break
    if all(model is None for model in models):
        raise NumericalError(f"no fit succeeded; the last one: {failure}")
    return table, models


def best_rows(table: dict[str, list[Any]], criterion: str, min_share: float) -> list[int]:
    """Return the rows of the table whose components are large enough, the best first."""
    values = np.array(table[criterion], dtype=np.float64)
    shares = np.nan_to_num(table["smallest_share"], nan=-1.0)
    order = np.argsort(values, kind="stable")
    return [int(row) for row in order if np.isfinite(values[row]) and shares[row] >= min_share]


def _criteria(model: GaussianMixture, X: Any, weight: Any) -> dict[str, Any]:
    """Return the criteria of a fitted mixture, block by block."""
    total = entropy = n = 0.0
    k = len(model.weights_)
    assigned = np.zeros(k + 1)  # the last one: outliers
    for begin in range(0, X.shape[0], _BLOCK_ROWS):
        part = X[begin : begin + _BLOCK_ROWS]
        w = np.ones(part.shape[0]) if weight is None else weight[begin : begin + _BLOCK_ROWS]
        resp = model.predict_proba(part).astype(np.float64)
        total += float(w @ model.score_samples(part))
        entropy -= float(w @ (resp * np.log(np.maximum(resp, 1e-300))).sum(axis=1))
        assigned += np.bincount(resp.argmax(axis=1), w, minlength=k + 1)
        n += float(w.sum())
    n_parameters = model._n_parameters()
    bic = -2 * total + n_parameters * np.log(n)
    return {
        "bic": bic,
        "icl": bic + 2 * entropy,
        "aic": -2 * total + 2 * n_parameters,
        "log_likelihood": total / n,
        "smallest_share": float(assigned[:k].min() / n),
        "converged": model.converged_,
    }
