"""Segmentation: from a customer table to named segments with profiles and a report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.estimator import Estimator
from ..base.optional import import_optional
from ..base.registry import register
from ..base.text import aligned
from ..base.transform_output import TransformOutput
from ..data.readers import ReadOptions
from ..data.tables import open_table
from ..mixture._parameters import covariance_shape
from . import _pictures, _report
from ._fit import fit_segments, scaled_columns
from ._mixture import as_noise, rebuilt
from ._scaling import Scale
from ._table import read_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.progress import Event
    from ..data.tables import Table

    Floats = NDArray[np.float64]

__all__ = ["Segmentation", "segments"]

_BLOCK_ROWS = 1 << 16


@register("segmentation")
class Segmentation(TransformOutput, Estimator):
    """Customer segments by a Gaussian mixture: named, described and checked for stability.

    Columns are put on one scale, mixtures of 1 to `max_segments` components are compared by BIC or
    ICL, and the best one is described in the units of the table: sizes, what makes each segment
    different, how certain the memberships are, and whether the bootstrap finds the segments again.
    The fitted object holds aggregates only, no customer.

    Parameters
    ----------
    columns : list of str, optional
        Quantities that form the segments, by name or pattern (``"f*"``). By default every column
        of numbers with at least three values, unless it is a code or identifier by its name (such
        as ``customer_id``, ``zip``, ``store number``, ``region``) or by its values (row numbers).
        `notes_` says what was left out and why. All other columns of numbers or of few words serve
        the profiles.
    include : list of str, optional
        Columns to take as quantities in spite of these rules.
    categorical : list of str, optional
        Columns of words, flags or codes that form the segments as categories: each segment has a
        probability for each of their values. Nulls and unknown values are left out of the
        likelihood.
    id : str, optional
        Column of customer ids, which the output repeats, or the name of the index of a pandas
        table.
    unit : str, default="customers"
        What a row stands for, in the report and in messages: "customers", "sessions", ...
    n_segments : int, optional
        Number of segments; by default it is chosen.
    max_segments : int, default=10
        Largest number that is tried.
    criterion : {"bic", "icl"}, default="bic"
        Criterion of the choice. ICL asks for segments that do not overlap, and mostly takes fewer.
    covariance_type : {"auto", "full", "tied", "diag", "tied_diag", "spherical"}, default="auto"
        Shape of the segments. ``"auto"`` compares full, tied and diag, as far as there are more
        rows than the matrices of a shape have columns.
    scaling : str or dict of str to str, default="auto"
        ``"standard"``, ``"robust"``, ``"log"`` or ``"auto"`` for all columns, or by column (the
        others: ``"auto"``). ``"auto"`` takes log for columns with at most 5 % negative values that
        are skewed to the right (skewness above 1, or 95 % quantile at least 20 times the 5 %
        quantile) and less so as logarithms; otherwise robust for columns with values beyond 10
        robust standard deviations; otherwise standard.
    missing : {"error", "median", "drop", "marginalize"}, default="error"
        Nulls in a quantity are an error, are replaced by the column's median of the fit, leave
        their rows without a segment (-1), or are left out of the likelihood, which is exact and
        takes longer. Nulls in other columns are skipped in the profiles.
    noise : float, default=0.0
        Above 0, outliers belong to no segment (-1, "outlier"): the mixture has a component of
        constant density for them, which starts with this share of the rows, at most 0.5, and
        learns its own.
    min_share : float, default=0.05
        Smallest share of the rows that may be assigned to a segment in the end; ignored if
        `n_segments` is given.
    min_spread : float, default=0.2
        No segment counts as narrower than this share of the overall standard deviation in any
        column. Lower it to find narrow groups; BIC then tends to take many.
    n_init : int, default=20
        Number of random starts of each mixture besides that from k-means, also in the bootstrap.
    max_iter : int, default=200
        Maximum number of iterations of EM.
    n_bootstrap : int, default=20
        Number of resamples for the stability; 0 makes none.
    random_state : int, Generator or None, default=0
        Seed of the starts and resamples.
    verbose : bool, default=False
        Show a progress bar on standard error for stages of more than two seconds.
    callback : callable, optional
        Called with an `Event` after each step of each stage. A true result ends the stage: fewer
        mixtures are compared, or fewer resamples drawn.
    n_threads : int, optional
        Number of threads; by default the CPUs of this process.

    Attributes
    ----------
    names_ : list of str
        Name of each segment; the largest segment comes first. No name equals or contains another.
    keys_ : list of str
        Letters for tables and pictures: "A", "B", ..., or those of the previous segments.
    sizes_ : ndarray of int64, shape (K,)
        Number of customers of each segment.
    n_outliers_ : int
        Number of customers that belong to no segment.
    weights_, means_, covariances_ : ndarray of float64
        The mixture, on the common scale.
    covariance_type_ : str
        Its covariance type.
    columns_ : list of str
        The quantities that form the segments.
    category_columns_ : dict of str to list of str
        The categories that form the segments, and their values.
    scaling_ : dict of str to str
        The kind of scale of each quantity.
    certainty_ : ndarray of float64, shape (K,)
        Mean probability with which the customers of a segment belong to it; the outliers last.
    stability_ : dict
        "rand" of shape (n_bootstrap,), "jaccard" of shape (n_bootstrap, K).
    selection_ : dict
        What was tried: "n_segments", "covariance_type", "bic", "icl", "smallest_share",
        "converged".
    numbers_, categories_ : dict
        The profiles; `profiles` returns them as one table.
    drift_ : dict
        Empty without previous segments, otherwise: "changed", the share of customers whose segment
        is not the match of their previous one; "psi", the population stability index of the
        previous segments (below 0.1 small, above 0.25 large); and for each previous "segment" its
        "previous_share", "share" and "jaccard" index with its match.
    notes_ : list of str
        What was left out, and what to be careful about.

    Notes
    -----
    Whole numbers have no density, and a mixture could gain likelihood without bound by taking a
    segment for each value. For the fit, values that several customers share are spread evenly over
    their cell (up to half of the way to the next value, at most half a standard deviation).
    Memberships and profiles are those of the values themselves.

    Time: ``3 max_segments`` mixtures on at most 20,000 rows, each from `n_init` + 1 starts, one on
    all rows, and `n_bootstrap` on at most 20,000. Memory: three tables of float64. The result does
    not depend on the order of the rows, nor on the units of the columns beyond rounding.

    References
    ----------
    C. Fraley, A. E. Raftery, "Model-Based Clustering, Discriminant Analysis, and Density
    Estimation", JASA 97, 2002. L. Hunt, M. Jorgensen, "Mixture model clustering using the MULTIMIX
    program", Australian & New Zealand Journal of Statistics 41, 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import segments
    >>> rng = np.random.default_rng(0)
    >>> spend = np.exp(np.r_[rng.normal(3, 0.3, 200), rng.normal(6, 0.3, 100)])
    >>> visits = np.r_[rng.normal(20, 2, 200), rng.normal(5, 2, 100)]
    >>> model = segments({"spend": spend, "visits": visits}, n_bootstrap=0)
    >>> model.names_
    ['very low spend, very high visits', 'very high spend, very low visits']
    >>> model.sizes_.tolist()
    [200, 100]
    """

    _state: ClassVar[tuple[str, ...]] = (
        "names_",
        "keys_",
        "sizes_",
        "weights_",
        "means_",
        "covariances_",
        "covariance_type_",
        "columns_",
        "category_columns_",
        "_category_probabilities",
        "_scales",
        "certainty_",
        "stability_",
        "selection_",
        "chosen_",
        "numbers_",
        "categories_",
        "drift_",
        "notes_",
        "n_outliers_",
        "_noise",
    )

    names_: list[str]
    keys_: list[str]
    sizes_: NDArray[np.int64]
    weights_: Floats
    means_: Floats
    covariances_: Floats
    covariance_type_: str
    columns_: list[str]
    category_columns_: dict[str, list[str]]
    certainty_: Floats
    stability_: dict[str, Floats]
    selection_: dict[str, Any]
    chosen_: int
    numbers_: dict[str, Any]
    categories_: dict[str, Any]
    drift_: dict[str, Any]
    notes_: list[str]
    scaling_: dict[str, str]
    n_outliers_: int
    _category_probabilities: dict[str, Floats]
    _scales: dict[str, Any]
    _noise: dict[str, Any]
    _scale_by_column: dict[str, Scale]
    _mixture: Any
    _fitted_with: dict[str, Any]

    def __init__(
        self,
        *,
        columns: Sequence[str] | None = None,
        include: Sequence[str] | None = None,
        categorical: Sequence[str] | None = None,
        id: str | None = None,
        unit: str = "customers",
        n_segments: int | None = None,
        max_segments: int = 10,
        criterion: str = "bic",
        covariance_type: str = "auto",
        scaling: str | Mapping[str, str] = "auto",
        missing: str = "error",
        noise: float = 0.0,
        min_share: float = 0.05,
        min_spread: float = 0.2,
        n_init: int = 20,
        max_iter: int = 200,
        n_bootstrap: int = 20,
        random_state: Any = 0,
        verbose: bool = False,
        callback: Callable[[Event], Any] | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.columns = columns
        self.include = include
        self.categorical = categorical
        self.id = id
        self.unit = unit
        self.n_segments = n_segments
        self.max_segments = max_segments
        self.criterion = criterion
        self.covariance_type = covariance_type
        self.scaling = scaling
        self.missing = missing
        self.noise = noise
        self.min_share = min_share
        self.min_spread = min_spread
        self.n_init = n_init
        self.max_iter = max_iter
        self.n_bootstrap = n_bootstrap
        self.random_state = random_state
        self.verbose = verbose
        self.callback = callback
        self.n_threads = n_threads

    # ---- learning --------------------------------------------------------------------------------

    def fit(self, table: Table, y: object = None, *, previous: Segmentation | None = None) -> Self:
        """Find, describe and check the segments.

        Parameters
        ----------
        table : table or path
            One row for each customer: pandas, polars, pyarrow, DuckDB or other Arrow table, mapping
            of arrays, 2-D array (columns "x0", "x1", ...), or a Parquet, CSV or Feather file.
        y : object
            Ignored; a Pipeline passes the target.
        previous : Segmentation, optional
            Fitted segments of an earlier run. Matching segments take over their letters, and
            `drift_` says how much has changed. The table must have their columns.

        Returns
        -------
        Self
            The object itself. If this raises, it keeps its former state.

        Raises
        ------
        ValueError
            For a table that cannot be segmented: fewer than 10 rows with known features, no column
            that tells customers apart, infinite values, nulls with ``missing="error"``, two columns
            of one name, fewer different rows than segments.
        TypeError
            For a column named in `columns` that does not hold numbers.
        """
        if previous is not None and not isinstance(previous, Segmentation):
            raise TypeError(
                f"previous must be a fitted Segmentation, got {type(previous).__name__}"
            )
        fitted_with = self.get_params(deep=False)
        for name, value in fit_segments(fitted_with, table, previous).items():
            setattr(self, name, value)
        self._fitted_with = fitted_with
        self._restore()
        return self

    def fit_transform(self, table: Table, y: object = None) -> Any:
        """Fit the segments, and return the memberships of the same customers.

        Parameters
        ----------
        table : table or path
            Customers, as in `fit`.
        y : object
            Ignored; a Pipeline passes the target.

        Returns
        -------
        ndarray of float64, shape (n, K), with `noise` (n, K + 1)
            Probability of each segment.
        """
        return self.fit(table).transform(table)

    # ---- answers for customers -------------------------------------------------------------------

    def predict(self, table: Table) -> NDArray[np.int64]:
        """Return the most probable segment of each row.

        Parameters
        ----------
        table : table or path
            Customers, with the columns of the fit.

        Returns
        -------
        ndarray of int64, shape (n,)
            Position in `names_`; -1 for a row without a segment: an outlier, or dropped for a null.
        """
        p, _ = self._memberships(table)
        best = np.nan_to_num(p, nan=-1.0).argmax(axis=1)
        return np.where(np.isnan(p[:, 0]) | (best == len(self.names_)), -1, best)

    def predict_proba(self, table: Table) -> Floats:
        """Return the probability of each segment for each row.

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
        return self._memberships(table)[0]

    def transform(self, table: Table) -> Any:
        """Return the same as `predict_proba`, for a Pipeline.

        Parameters
        ----------
        table : table or path
            Customers, with the columns of the fit.

        Returns
        -------
        ndarray of float64, shape (n, K), with `noise` (n, K + 1)
            Probability of each segment; a data frame after ``set_output(transform="pandas")``.
        """
        return self._as_output(table, self.predict_proba(table))

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the columns of `transform`.

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

    def assigned(self, table: Table, *, id: str | None = None) -> dict[str, NDArray[Any]]:
        """Return the segment of each customer, as columns.

        Parameters
        ----------
        table : table or path
            Customers, with the columns of the fit.
        id : str, optional
            Column of ids; by default that of the fit.

        Returns
        -------
        dict of str to ndarray
            The id column (without one: "row"), "segment" ("A", "B", ...), "name", "probability" of
            that segment, and "p_A", "p_B", ...: the memberships. With `noise` there is the segment
            "outlier" of the name "outliers", and "p_outlier". Rows that were dropped for a null
            have None and NaN. pandas, polars and pyarrow take it as a table.

        Raises
        ------
        ValueError
            For a column that is missing, holds infinity, or a null with ``missing="error"``.
        TypeError
            For a column of text where numbers are needed.
        """
        self._check_fitted()
        id = self._fitted_with["id"] if id is None else id
        p, ids = self._memberships(table, id)
        has_segment = ~np.isnan(p[:, 0])
        best = np.where(has_segment, np.where(np.isnan(p), -1.0, p).argmax(axis=1), -1)
        names = [*self.names_, "outliers"][: len(self._labels)]
        texts = {
            column: np.array([*words, None], dtype=object)[best]
            for column, words in (("segment", self._labels), ("name", names))
        }
        probability = np.where(has_segment, p[np.arange(len(p)), best], np.nan)
        taken = {"segment", "name", "probability"} | {f"p_{key}" for key in self._labels}
        first = "row" if id is None else str(id)
        return {
            f"{first}_" if first in taken else first: np.arange(len(p)) if ids is None else ids,
            **texts,
            "probability": probability,
            **{f"p_{key}": p[:, j] for j, key in enumerate(self._labels)},
        }

    def to_arrow(self, table: Table, *, id: str | None = None) -> Any:
        """Return the segment of each customer as a pyarrow table; see `assigned`.

        Parameters
        ----------
        table : table or path
            Customers, with the columns of the fit.
        id : str, optional
            Column of ids; by default that of the fit.

        Returns
        -------
        pyarrow.Table
            One row for each customer; the segment and its name as dictionaries of strings.

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        """
        pa = import_optional("pyarrow")
        columns = {}
        for name, values in self.assigned(table, id=id).items():
            array = pa.array(values, from_pandas=True)
            if name in ("segment", "name"):
                array = array.cast(pa.string()).dictionary_encode()
            columns[name] = array
        return pa.table(columns)

    def to_pandas(self, table: Table, *, id: str | None = None) -> Any:
        """Return the segment of each customer as a pandas data frame; see `assigned`.

        Parameters
        ----------
        table : table or path
            Customers, with the columns of the fit.
        id : str, optional
            Column of ids; by default that of the fit.

        Returns
        -------
        pandas.DataFrame
            One row for each customer.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return import_optional("pandas").DataFrame(self.assigned(table, id=id))

    def to_polars(self, table: Table, *, id: str | None = None) -> Any:
        """Return the segment of each customer as a polars data frame; see `assigned`.

        Parameters
        ----------
        table : table or path
            Customers, with the columns of the fit.
        id : str, optional
            Column of ids; by default that of the fit.

        Returns
        -------
        polars.DataFrame
            One row for each customer.

        Raises
        ------
        ImportError
            If polars is not installed.
        """
        pl = import_optional("polars")
        columns = self.assigned(table, id=id)
        return pl.DataFrame(
            {n: v.tolist() if v.dtype == object else v for n, v in columns.items()}, strict=False
        )

    def _scaled(self, table: Table, id: str | None) -> tuple[Floats, Any, Any]:
        """Return rows on the common scale, which of them are complete, and their ids."""
        self._check_fitted()
        numbers, codes, ids = read_rows(table, self.columns_, self.category_columns_, id)
        missing = self._fitted_with["missing"]
        Z, is_complete = scaled_columns(numbers, codes, self._scale_by_column, missing)
        return Z, is_complete, ids

    def _memberships(self, table: Table, id: str | None = None) -> tuple[Floats, Any]:
        """Return memberships (n, K), with rows of NaN where a null was dropped, and the ids."""
        Z, is_complete, ids = self._scaled(table, id)
        p = np.full((len(Z), len(self._labels)), np.nan)
        for rows in _blocks(np.flatnonzero(is_complete)):
            p[rows] = self._mixture.predict_proba(Z[rows])
        return p, ids

    def _drawable(self, table: Table) -> tuple[Floats, NDArray[np.int64]]:
        """Return rows without nulls on the common scale, and their segments."""
        Z, is_complete, _ = self._scaled(table, None)
        Z = Z[is_complete]
        Z = Z[~np.isnan(Z[:, : len(self.columns_)]).any(axis=1)]
        labels = self._mixture.predict(Z) if len(Z) else np.empty(0, dtype=np.int64)
        return Z[:, : len(self.columns_)], labels

    # ---- descriptions ----------------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """Return the segments as columns, one row each; with `noise`, the outliers come last.

        Returns
        -------
        dict
            "segment" ("A", ...), "name", "size", "share", "certainty" (mean probability of
            belonging) and "stability" (mean Jaccard index under the bootstrap; NaN without one).
        """
        self._check_fitted()
        sizes = np.append(self.sizes_, self.n_outliers_)[: len(self._labels)]
        jaccard = self.stability_["jaccard"]
        stability = np.full(len(self._labels), np.nan)
        if len(jaccard):
            stability = np.asarray(np.nanmean(jaccard, axis=0))
        return {
            "segment": self._labels,
            "name": [*self.names_, "outliers"][: len(self._labels)],
            "size": sizes,
            "share": sizes / sizes.sum(),
            "certainty": self.certainty_.copy(),
            "stability": stability,
        }

    def profiles(self) -> dict[str, Any]:
        """Return what makes each segment different: a row for each segment and column (or word).

        Returns
        -------
        dict
            "segment", "name", "column", "value" (the word; None for numbers), "effect"
            (standardised difference from the rest), "inside" and "rest" (means, or shares of the
            word), "median" and "overall_median" (NaN for words); the largest effects of each
            segment first. pandas, polars and pyarrow take it as a table.
        """
        self._check_fitted()
        numbers, words = self.numbers_, self.categories_
        m, w = len(numbers["column"]), len(words["column"])
        columns = np.array([*numbers["column"], *words["column"]], dtype=object)
        values = np.array([*[None] * m, *words["value"]], dtype=object)
        no_median = np.full(w, np.nan)
        rows: dict[str, list[Any]] = {}
        for i, key in enumerate(self.keys_):
            effect = np.concatenate([numbers["effect"][i], words["effect"][i]])
            order = np.argsort(-np.abs(effect), kind="stable")
            block = {
                "segment": np.full(m + w, key, dtype=object),
                "name": np.full(m + w, self.names_[i], dtype=object),
                "column": columns,
                "value": values,
                "effect": effect,
                "inside": np.concatenate([numbers["mean"][i], words["share"][i]]),
                "rest": np.concatenate([numbers["rest_mean"][i], words["rest_share"][i]]),
                "median": np.concatenate([numbers["median"][i], no_median]),
                "overall_median": np.concatenate([numbers["overall_median"], no_median]),
            }
            for name, part in block.items():
                rows.setdefault(name, []).append(part[order])
        return {name: np.concatenate(parts) for name, parts in rows.items()}

    def _cells(self) -> list[list[str]]:
        """Return the summary as text, with a header."""
        rows = self.summary()
        cells = [["", "segment", self._fitted_with["unit"], "share", "certainty", "stability"]]
        for i, key in enumerate(rows["segment"]):
            stability = rows["stability"][i]
            cells.append(
                [
                    key,
                    rows["name"][i],
                    f"{rows['size'][i]:,}",
                    f"{rows['share'][i]:.1%}",
                    f"{rows['certainty'][i]:.2f}",
                    "-" if np.isnan(stability) else f"{stability:.2f}",
                ]
            )
        return cells

    def __str__(self) -> str:
        if not self.__sklearn_is_fitted__():
            return repr(self)
        cells = self._cells()
        width = max(len(row[1]) for row in cells)
        return aligned([[row[0], row[1].ljust(width), *row[2:]] for row in cells])

    def _repr_html_(self) -> str:
        if not self.__sklearn_is_fitted__():
            return f"<pre>{escape(repr(self))}</pre>"
        header, *rows = self._cells()
        lines = ["".join(f"<th>{escape(cell)}</th>" for cell in header)]
        lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        return f"<table>{body}</table>"

    def picture(
        self,
        kind: str,
        path: str | os.PathLike[str] | None = None,
        *,
        table: Table = None,
        axes: tuple[int, int] = (1, 2),
        dark: bool = False,
    ) -> bytes:
        """Return a picture of the segments as PNG.

        Parameters
        ----------
        kind : {"map", "profile", "selection"}
            The plane of two leading axes with ellipses that hold half and 90 % of each segment;
            the effect sizes of the columns; BIC and ICL over the number of segments.
        path : str or path-like, optional
            File to write; it appears only when it is complete.
        table : table or path, optional
            Customers for the map; at most 3,000 are drawn. Without it there are ellipses alone.
        axes : pair of int, default=(1, 2)
            Axes of the map; 1 is the axis that separates the segments best.
        dark : bool, default=False
            Whether the background is dark.

        Returns
        -------
        bytes
            The PNG.

        Raises
        ------
        ImportError
            If matplotlib is not installed (``pip install 'aimass_core[plot]'``).
        """
        self._check_fitted()
        points = None if table is None else self._drawable(table)
        content = _pictures.picture(self, kind, points, axes, dark)
        if path is not None:
            _report.write_file(path, content)
        return content

    def report(
        self,
        path: str | os.PathLike[str],
        table: Table = None,
        *,
        title: str | None = None,
    ) -> None:
        """Write everything about the segments as one HTML file.

        Parameters
        ----------
        path : str or path-like
            The file; it appears only when it is complete. It holds its pictures, needs no network
            and no script, and follows the light or dark setting of its reader.
        table : table or path, optional
            Customers for the maps; at most 3,000 become points. Without it there are ellipses
            alone.
        title : str, optional
            The heading, by default "Customer segments" (or of another `unit`).

        Raises
        ------
        ImportError
            If matplotlib is not installed (``pip install 'aimass_core[plot]'``).
        OSError
            If the file can't be written.
        """
        self._check_fitted()
        points = None if table is None else self._drawable(table)
        _report.write_file(path, _report.page(self, points, title).encode("utf-8", "replace"))

    # ---- state -----------------------------------------------------------------------------------

    @property
    def _labels(self) -> list[str]:
        """Return the names of the columns of `predict_proba`."""
        return [*self.keys_, "outlier"] if self._noise else self.keys_

    def _fitted_parameters(self) -> dict[str, Any]:
        """Return the parameters of the fit, as a file can hold them."""
        parameters = self._fitted_with | {"callback": None}
        if not isinstance(parameters["random_state"], (int, np.integer)):
            parameters["random_state"] = None
        return parameters

    def _restore(self) -> None:
        """Derive what is not stored; refuse arrays that do not fit together."""
        if not hasattr(self, "_fitted_with"):  # from a file
            self._fitted_with = self.get_params(deep=False)
        for name in ("names_", "keys_", "columns_", "notes_"):
            setattr(self, name, list(getattr(self, name)))
        self.category_columns_ = {n: list(v) for n, v in self.category_columns_.items()}
        k, d = len(self.names_), len(self.columns_)
        stored, tables = self._scales, self._category_probabilities
        sizes = [len(labels) for labels in self.category_columns_.values()]
        if (
            len(self.keys_) != k
            or self.means_.shape != (k, d)
            or self.weights_.shape != (k,)
            or self.sizes_.shape != (k,)
            or self.covariances_.shape != covariance_shape(self.covariance_type_, k, d)
            or any(len(stored[name]) != d for name in stored)
            or list(tables) != list(self.category_columns_)
            or [table.shape for table in tables.values()] != [(k, size) for size in sizes]
        ):
            raise ValueError("the parts of the segmentation have shapes that do not fit")
        fields = ("kind", "unit", "center", "spread", "median")
        parts = zip(*(stored[name] for name in fields), strict=True)
        self._scale_by_column = {
            name: Scale(kind, *map(float, rest))
            for name, (kind, *rest) in zip(stored["column"], parts, strict=True)
        }
        self.scaling_ = {name: scale.kind for name, scale in self._scale_by_column.items()}
        if self._noise:
            as_noise(self._noise).check(d)
        allows_missing = self._fitted_with["missing"] == "marginalize" or bool(tables)
        self._mixture = rebuilt(
            self.covariance_type_,
            self.weights_,
            self.means_,
            self.covariances_,
            as_noise(self._noise) if self._noise else None,
            list(tables.values()),
            "marginalize" if allows_missing else "error",
        )


def segments(
    table: Table, *, previous: Segmentation | None = None, **parameters: Any
) -> Segmentation:
    """Segment a customer table with ``Segmentation(**parameters).fit(table)``.

    Parameters
    ----------
    table : table or path
        One row for each customer; see `Segmentation.fit`.
    previous : Segmentation, optional
        Fitted segments of an earlier run, whose letters matching segments take over.
    **parameters
        Parameters of `Segmentation`, and arguments of `Interactions.from_table` from ``format`` on
        that say how a file or a database is read, such as ``decimal=","``.

    Returns
    -------
    Segmentation
        Fitted. Print it for a summary; ``to_pandas(table)`` has each customer's segment,
        `profiles` what makes the segments different, ``report("report.html", table)`` all of it
        with pictures.

    Examples
    --------
    >>> from aimass_core import segments
    >>> spend = [1.0, 2.0, 1.5, 1.2, 2.1, 1.7, 90.0, 95.0, 99.0, 91.0, 97.0, 93.0]
    >>> model = segments({"spend": spend}, n_segments=2, n_bootstrap=0)
    >>> model.predict({"spend": [3.0, 80.0]}).tolist()
    [0, 1]
    """
    names = ReadOptions.names_of_fields()
    reading = {name: parameters.pop(name) for name in names if name in parameters}
    model = Segmentation(**parameters)
    if reading:
        table = open_table(table, **reading)
    return model.fit(table, previous=previous)


def _blocks(rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    for begin in range(0, len(rows), _BLOCK_ROWS):
        yield rows[begin : begin + _BLOCK_ROWS]
