"""Which number of components and which covariance type: one call, one table, one picture."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.validation import as_choice, as_int
from ..exceptions import ConvergenceWarning, NumericalError
from ._forms import COVARIANCE_TYPES
from ._input import as_matrix, as_weights, column_names
from .gaussian_mixture import GaussianMixture

if TYPE_CHECKING:
    import os

__all__ = ["Selection", "select"]

CRITERIA = ("bic", "icl", "aic")
_ROWS = 65_536


@dataclass(frozen=True)
class Selection:
    """The outcome of `select`.

    Parameters
    ----------
    best : GaussianMixture
        The fitted model with the lowest criterion.
    table : dict of str to list
        Columns ``n_components``, ``covariance_type``, ``bic``, ``icl``, ``aic``, ``log_likelihood``
        (mean of a row), ``converged``; NaN where a fit failed. Ready for ``pandas.DataFrame``.
    criterion : str
        By which the best was chosen.
    """

    best: GaussianMixture
    table: dict[str, list[Any]]
    criterion: str

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw the criterion over the number of components, one line per covariance type.

        Parameters
        ----------
        path : path-like, optional
            Where to save the picture; the ending says in which format.

        Returns
        -------
        matplotlib.figure.Figure
            The picture.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise ImportError("a picture needs matplotlib: pip install matplotlib") from None
        figure = Figure(figsize=(7, 4.5), layout="constrained")
        axes = figure.subplots()
        types = list(dict.fromkeys(self.table["covariance_type"]))
        for kind in types:
            rows = [i for i, other in enumerate(self.table["covariance_type"]) if other == kind]
            axes.plot(
                [self.table["n_components"][i] for i in rows],
                [self.table[self.criterion][i] for i in rows], marker="o", label=kind,
            )  # fmt: skip
        k, kind = self.best.n_components, self.best.covariance_type
        axes.axvline(k, color="0.7", linestyle=":", label=f"best: {kind}, {k}")
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
    covariance_types: Iterable[str] = COVARIANCE_TYPES,
    criterion: str = "bic",
    sample_weight: Any = None,
    **parameters: Any,
) -> Selection:
    """Fit every number of components and covariance type, and take the best.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Rows. Sparse: give ``covariance_types`` of "diag" and "spherical" only.
    n_components : iterable of int, default=1 to 10
        Numbers to try; those above the number of rows are left out.
    covariance_types : iterable of str, default=all four
        Types to try.
    criterion : {"bic", "icl", "aic"}, default="bic"
        What has to be low. ICL is BIC plus twice the entropy of the memberships: it prefers
        segments that are well apart, where BIC counts the Gaussians that a density needs.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows.
    **parameters
        Of `GaussianMixture`, for every fit.

    Returns
    -------
    Selection
        The best model, the table of all and their plot.

    Raises
    ------
    ValueError
        For an unknown criterion or type, or nothing to try.
    NumericalError
        Where not one fit succeeds; single failures are noted as NaN.

    Notes
    -----
    Time: that of all fits. Memory: O(1) beyond them, the entropy is taken block by block.

    References
    ----------
    G. Schwarz, "Estimating the Dimension of a Model", 1978. C. Biernacki, G. Celeux, G. Govaert,
    "Assessing a Mixture Model for Clustering with the Integrated Completed Likelihood", 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.mixture import select
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(m, 1, (200, 2)) for m in (0, 8, 16)])
    >>> chosen = select(X, n_components=range(1, 6), random_state=0)
    >>> chosen.best.n_components, chosen.best.covariance_type
    (3, 'spherical')
    """
    criterion = as_choice(criterion, "criterion", CRITERIA)
    counts = [as_int(k, "n_components", minimum=1) for k in n_components]
    kinds = [as_choice(kind, "covariance_types", COVARIANCE_TYPES) for kind in covariance_types]
    if not counts or not kinds:
        raise ValueError("n_components and covariance_types must name at least one value each")
    columns = column_names(X)
    if sp.issparse(X):
        X = sp.csr_array(X)
    else:
        X = as_matrix(X, missing=parameters.get("missing") == "marginalize")
    n, d = X.shape
    weight = as_weights(sample_weight, n)
    if min(counts) > n:
        raise ValueError(f"n_components: the least is {min(counts)}, but X has only {n} rows")
    counts = [k for k in counts if k <= n]
    names = ("n_components", "covariance_type", "bic", "icl", "aic", "log_likelihood", "converged")
    table: dict[str, list[Any]] = {name: [] for name in names}
    best, best_value, failure = None, np.inf, ""
    for kind in kinds:
        for k in counts:
            model = GaussianMixture(k, covariance_type=kind, **parameters)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    model.fit(X, sample_weight=weight)
                row = _criteria(model, X, weight)
            except NumericalError as error:
                row, failure = {}, str(error)
            row |= {"n_components": k, "covariance_type": kind}
            for name in names:
                table[name].append(row.get(name, np.nan))
            if row.get(criterion, np.inf) < best_value:
                best, best_value = model, row[criterion]
    if best is None:
        raise NumericalError(f"no fit succeeded; the last one: {failure}")
    best._note_columns(columns, d)
    return Selection(best, table, criterion)


def _criteria(model: GaussianMixture, X: Any, weight: Any) -> dict[str, Any]:
    total = entropy = n = 0.0
    for begin in range(0, X.shape[0], _ROWS):
        part = X[begin : begin + _ROWS]
        w = np.ones(part.shape[0]) if weight is None else weight[begin : begin + _ROWS]
        resp = model.predict_proba(part).astype(np.float64)
        total += float(w @ model.score_samples(part))
        entropy -= float(w @ (resp * np.log(np.maximum(resp, 1e-300))).sum(axis=1))
        n += float(w.sum())
    price = model._n_parameters()
    bic = -2 * total + price * np.log(n)
    return {
        "bic": bic, "icl": bic + 2 * entropy, "aic": -2 * total + 2 * price,
        "log_likelihood": total / n, "converged": model.converged_,
    }  # fmt: skip
