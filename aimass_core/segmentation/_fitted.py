"""What a fitted segmentation holds and answers; `segmentation` has its parameters and its fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.estimator import Estimator
from . import _assign, _describe, _report
from ._mixture import as_noise, rebuilt
from ._scaling import Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data.tables import Table

    Floats = NDArray[np.float64]

__all__ = ["FittedSegments"]


class FittedSegments(Estimator):
    """The state of `Segmentation`, and everything that is asked of it after the fit."""

    _state: ClassVar[tuple[str, ...]] = (
        "names_", "sizes_", "weights_", "means_", "covariances_", "covariance_type_", "columns_",
        "_scales", "certainty_", "stability_", "selection_", "chosen_", "numbers_", "categories_",
        "notes_", "n_outliers_", "_noise",
    )  # fmt: skip

    names_: list[str]
    sizes_: NDArray[np.int64]
    weights_: Floats
    means_: Floats
    covariances_: Floats
    covariance_type_: str
    columns_: list[str]
    certainty_: Floats
    stability_: dict[str, Floats]
    selection_: dict[str, Any]
    chosen_: int
    numbers_: dict[str, Any]
    categories_: dict[str, Any]
    notes_: list[str]
    scaling_: dict[str, str]
    n_outliers_: int
    _scales: dict[str, Any]
    _noise: dict[str, Any]
    _scale_of: dict[str, Scale]
    _mixture: Any
    _fitted_with: dict[str, Any]

    assigned = _assign.assigned
    to_arrow = _assign.to_arrow
    to_pandas = _assign.to_pandas
    to_polars = _assign.to_polars
    summary = _describe.summary
    profiles = _describe.profiles
    picture = _report.picture
    report = _report.report

    def __str__(self) -> str:
        return _describe.text(self) if self.__sklearn_is_fitted__() else repr(self)

    def _fitted_parameters(self) -> dict[str, Any]:
        return self._fitted_with

    def _restore(self) -> None:
        """Derive what is not stored; refuse arrays that do not fit together."""
        if not hasattr(self, "_fitted_with"):  # from a file
            self._fitted_with = self.get_params(deep=False)
        self.names_, self.columns_ = list(self.names_), list(self.columns_)
        self.notes_ = list(self.notes_)
        k, d = len(self.names_), len(self.columns_)
        stored = self._scales
        shapes = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}
        if (
            self.means_.shape != (k, d)
            or self.weights_.shape != (k,)
            or self.sizes_.shape != (k,)
            or self.covariances_.shape != shapes.get(self.covariance_type_)
            or any(len(stored[name]) != d for name in stored)
        ):
            raise ValueError("the parts of the segmentation have shapes that do not fit")
        parts = zip(*(stored[n] for n in ("kind", "unit", "center", "spread", "median")))
        self._scale_of = {
            name: Scale(kind, *map(float, rest))
            for name, (kind, *rest) in zip(stored["column"], parts)
        }
        self.scaling_ = {name: scale.kind for name, scale in self._scale_of.items()}
        if self._noise:
            as_noise(self._noise).check(d)
        self._mixture = rebuilt(
            self.weights_, self.means_, self.covariances_, self.covariance_type_,
            "marginalize" if self._fitted_parameters()["missing"] == "marginalize" else "error",
            self._noise,
        )  # fmt: skip

    @property
    def keys_(self) -> list[str]:
        """Letters for the segments: "A", "B", ..., "Z", "AA", ..."""
        letters = [chr(ord("A") + i) for i in range(26)]
        return [("" if i < 26 else letters[i // 26 - 1]) + letters[i % 26]
                for i in range(len(self.names_))]  # fmt: skip

    def predict(self, table: Table) -> NDArray[np.int64]:
        """The most probable segment of each row.

        Parameters
        ----------
        table : table or path
            Customers, with the columns of the fit.

        Returns
        -------
        ndarray of int64, shape (n,)
            Place in `names_`; -1 for a row without a segment: an outlier, or dropped for a null.
        """
        p, _ = _assign.memberships(self, table)
        best = np.nan_to_num(p, nan=-1.0).argmax(axis=1)
        return np.where(np.isnan(p[:, 0]) | (best == len(self.names_)), -1, best)

    def predict_proba(self, table: Table) -> Floats:
        """The probability of each segment for each row.

        Parameters
        ----------
        table : table or path
            Customers, with the columns of the fit.

        Returns
        -------
        ndarray of float64, shape (n, K), with `noise` (n, K + 1)
            Rows sum to 1, or are NaN where a null was dropped; the last column of noise is that of
            the outliers.
        """
        return _assign.memberships(self, table)[0]

    def transform(self, table: Table) -> Floats:
        """`predict_proba` under the name by which a Pipeline asks.

        Parameters
        ----------
        table : table or path
            Customers, with the columns of the fit.

        Returns
        -------
        ndarray of float64, shape (n, K), with `noise` (n, K + 1)
            Soft memberships.
        """
        return self.predict_proba(table)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Names of the columns of `transform`.

        Parameters
        ----------
        input_features : object
            Ignored; a Pipeline passes the names of the input.

        Returns
        -------
        ndarray of object, shape (K,), with `noise` (K + 1,)
            "segment_A", "segment_B", ..., "segment_outlier".
        """
        self._check_fitted()
        return np.array([f"segment_{key}" for key in self._labels], dtype=object)

    @property
    def _labels(self) -> list[str]:
        """What the columns of `predict_proba` are called."""
        return [*self.keys_, "outlier"] if self._noise else self.keys_
