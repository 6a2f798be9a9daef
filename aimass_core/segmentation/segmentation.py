"""`segments` and `Segmentation`: from a customer table to named segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.registry import register
from ._fit import fit_segments
from ._fitted import FittedSegments

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..data.tables import Table
    from ._choose import Progress

__all__ = ["Segmentation", "segments"]


@register("segmentation")
class Segmentation(FittedSegments):
    """Customer segments by a Gaussian mixture, named, described and checked for stability.

    Columns are put on one scale, mixtures of 1 to `max_segments` components are compared by BIC
    or ICL, and the best one is described in the units of the table: sizes, what makes each segment
    different, how sure the memberships are, and whether the bootstrap finds the segments again.
    The fitted object holds aggregates only, no customer.

    Parameters
    ----------
    columns : list of str, optional
        Features, by name or pattern (``"f*"``). By default every column of numbers with at least
        three values, unless it is named as an id (``id``, ``..._id``); `notes_` says what was left
        out. All other columns of numbers or words serve the profiles.
    id : str, optional
        Column of customer ids, taken over into the output.
    n_segments : int, optional
        Number of segments; by default it is chosen.
    max_segments : int, default=10
        Largest number that is tried.
    criterion : {"bic", "icl"}, default="bic"
        What chooses. ICL asks for segments that do not overlap, and mostly takes fewer.
    covariance_type : {"auto", "full", "tied", "diag", "spherical"}, default="auto"
        Form of the segments; ``"auto"`` compares full, tied and diag.
    scaling : str or dict of str to str, default="auto"
        ``"standard"``, ``"robust"``, ``"log"`` or ``"auto"`` for all columns, or by column (the
        others: ``"auto"``). ``"auto"`` takes log for columns with at most 5 % negative values that
        are skewed to the right (skewness above 1, or 95 % quantile at least 20 times the 5 %
        quantile) and less so as logarithms; else robust for columns with values beyond 10 robust
        standard deviations; else standard.
    missing : {"error", "median", "drop", "marginalize"}, default="error"
        Nulls in a feature are refused, replaced by the column's median of the fit, their rows get
        no segment (-1), or the mixture goes by what is known of a row, which is exact and takes
        longer. Nulls elsewhere are skipped in the profiles.
    noise : float, default=0.0
        Above 0, outliers belong to no segment (-1, "outlier"): the mixture has a component of
        constant density for them, which starts with this share of the rows, at most 0.5, and
        learns its own.
    min_share : float, default=0.05
        No segment may be smaller; ignored when `n_segments` is given.
    min_spread : float, default=0.2
        No segment counts as narrower than this part of the overall spread in any column. Lower it
        to find narrow groups; BIC then rather takes many.
    n_init : int, default=20
        Random starts of each mixture besides that from k-means, also under the bootstrap.
    max_iter : int, default=200
        Iterations of EM.
    n_bootstrap : int, default=20
        Resamples for the stability; 0 leaves it out.
    random_state : int, default=0
        Of the starts and resamples.
    n_threads : int, optional
        By default the CPUs of this process.

    Attributes
    ----------
    names_ : list of str
        Name of each segment; segments are ordered by size, the largest first.
    keys_ : list of str
        "A", "B", ... for tables and pictures.
    sizes_ : ndarray of int64, shape (K,)
        Customers of each segment.
    n_outliers_ : int
        Customers that belong to none.
    weights_, means_, covariances_ : ndarray of float64
        The mixture, on the common scale.
    covariance_type_ : str
        Its form.
    columns_ : list of str
        The features.
    scaling_ : dict of str to str
        The kind of scale that each feature has.
    certainty_ : ndarray of float64, shape (K,)
        Mean probability with which the customers of a segment belong to it; the outliers last.
    stability_ : dict
        "rand" of shape (n_bootstrap,), "jaccard" of shape (n_bootstrap, K).
    selection_ : dict
        What was tried: "n_segments", "covariance_type", "bic", "icl", "smallest", "converged".
    numbers_, categories_ : dict
        The profiles; `profiles` gives them as one table.
    notes_ : list of str
        What was left out, and what to be careful about.

    Notes
    -----
    Whole numbers have no density, and a mixture could gain likelihood without bound by taking a
    segment for each value: for the fit, values that several customers share are spread evenly over
    their cell (up to half of the way to the next value, at most half a spread). Memberships and
    profiles are those of the values themselves.

    Time: ``3 max_segments`` mixtures on at most 20,000 rows, each from `n_init` + 1 starts, one on
    all rows, and `n_bootstrap` on at most 20,000; memory: three tables of float64. The result does
    not depend on the order of the rows, nor on the units of the columns beyond rounding.

    References
    ----------
    Fraley and Raftery, "Model-based clustering, discriminant analysis, and density estimation",
    JASA 97, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import segments
    >>> rng = np.random.default_rng(0)
    >>> spend = np.exp(np.r_[rng.normal(3, 0.3, 200), rng.normal(6, 0.3, 100)])
    >>> visits = np.r_[rng.normal(20, 2, 200), rng.normal(5, 2, 100)]
    >>> found = segments({"spend": spend, "visits": visits}, n_bootstrap=0)
    >>> found.names_
    ['very low spend, very high visits', 'very high spend, very low visits']
    >>> found.sizes_.tolist()
    [200, 100]
    """

    def __init__(
        self, *, columns: Sequence[str] | None = None, id: str | None = None,
        n_segments: int | None = None, max_segments: int = 10, criterion: str = "bic",
        covariance_type: str = "auto", scaling: str | Mapping[str, str] = "auto",
        missing: str = "error", noise: float = 0.0, min_share: float = 0.05,
        min_spread: float = 0.2, n_init: int = 20, max_iter: int = 200, n_bootstrap: int = 20,
        random_state: int = 0, n_threads: int | None = None,
    ) -> None:  # fmt: skip
        self.columns = columns
        self.id = id
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
        self.n_threads = n_threads

    def fit(self, table: Table, y: object = None, *, progress: Progress | None = None) -> Self:
        """Find, describe and check the segments.

        Parameters
        ----------
        table : table or path
            One row for each customer: pandas, polars, pyarrow, DuckDB or other Arrow table, mapping
            of arrays, 2-D array (columns "x0", "x1", ...), or a Parquet, CSV or Feather file.
        y : object
            Ignored; a Pipeline passes the target.
        progress : callable, optional
            Called with a title, how much is done, and of how much (0 if unknown).

        Returns
        -------
        Self
            The object itself.

        Raises
        ------
        ValueError
            For a table that cannot be segmented: no rows, no column that tells customers apart,
            infinite values, nulls with ``missing="error"``, two columns of one name, fewer
            different rows than segments.
        TypeError
            For a column named in `columns` that does not hold numbers.
        """
        fitted_with = self.get_params(deep=False)
        found = fit_segments(fitted_with, table, progress or (lambda title, done, total: None))
        for name, value in found.items():
            setattr(self, name, value)
        self._fitted_with = fitted_with
        self._restore()
        return self

    def fit_transform(self, table: Table, y: object = None) -> NDArray[np.float64]:
        """`fit` and `transform` in one call.

        Parameters
        ----------
        table : table or path
            Customers.
        y : object
            Ignored.

        Returns
        -------
        ndarray of float64, shape (n, K), with `noise` (n, K + 1)
            Soft memberships.
        """
        return self.fit(table).transform(table)


def segments(table: Table, **parameters: Any) -> Segmentation:
    """Segment a customer table: ``Segmentation(**parameters).fit(table)``.

    Parameters
    ----------
    table : table or path
        One row for each customer; see `Segmentation.fit`.
    **parameters
        Of `Segmentation`, and ``progress`` of its ``fit``.

    Returns
    -------
    Segmentation
        Fitted: print it, ask ``to_pandas(table)`` for each customer's segment, `profiles` for what
        makes the segments different, ``report("report.html", table)`` for all of it with pictures.

    Examples
    --------
    >>> from aimass_core import segments
    >>> found = segments({"spend": [1.0, 2.0, 1.5, 90.0, 95.0, 99.0]}, n_segments=2, n_bootstrap=0)
    >>> found.predict({"spend": [3.0, 80.0]}).tolist()
    [0, 1]
    """
    progress = parameters.pop("progress", None)
    return Segmentation(**parameters).fit(table, progress=progress)
