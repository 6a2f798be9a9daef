"""Encoded features of items or users by id: `FeatureTable`."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ...base.arrays import column_names
from ...base.csr import take_rows_or_empty, with_scipy_indices
from ...base.html import table as html_table
from ...base.progress import logger
from ...base.registry import register
from ...base.validation import as_csr, as_float
from ._leaks import areas_of_features, classes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..idmap import IdMap
    from .features import Features

__all__ = ["FeatureTable"]

_SHOWN_ROWS, _SHOWN_FEATURES = 10, 8


@register("feature-table")
class FeatureTable:
    """Features of items or users: a sparse matrix, the ids of its rows, the names of its columns.

    `Features` makes one from a table; make one yourself from a matrix and ids that you have.

    Parameters
    ----------
    ids : IdMap, array-like of ids, or None
        Ids of the rows, each once. None: rows are known by number.
    matrix : sparse matrix or 2-D array of shape (n, n_features)
        The features; stored as float32.
    names : sequence of str, optional
        Names of the columns, such as "genre=Drama". Default: those of the encoder, those of a
        table of pandas, polars or Arrow given as ``matrix`` where all are strings, else the numbers
        of the columns.
    groups : array of int32, shape (n_features,), optional
        Number of the column of the table that each feature comes from. Default: all 0.
    encoder : Features, optional
        What encoded the table, which can encode further rows.

    Raises
    ------
    ValueError
        For an id that occurs twice, and lengths that do not fit together.

    Examples
    --------
    >>> from aimass_core.data import FeatureTable
    >>> table = FeatureTable(["tea", "pie"], [[1, 0, 2.5], [0, 1, 4]], ["hot", "food", "price"])
    >>> table
    FeatureTable(2 rows x 3 features)
    >>> table.rows_of(["pie", "jam"]).toarray().tolist()
    [[0.0, 1.0, 4.0], [0.0, 0.0, 0.0]]
    """

    def __init__(
        self,
        ids: Any,
        matrix: Any,
        names: Sequence[str] | None = None,
        groups: Any = None,
        *,
        encoder: Features | None = None,
    ) -> None:
        if names is None and encoder is None and not sp.issparse(matrix):
            own_names = column_names(matrix)
            names = None if own_names is None else own_names.tolist()
        own = as_csr(matrix, "matrix", dtype=np.float32)
        self.matrix: sp.csr_array = with_scipy_indices(copy.copy(own))  # a given one stays
        self.ids = _as_ids(ids, self.matrix.shape[0])
        if encoder is None:
            from .features import Features

            encoder = Features._of_matrix(self.matrix.shape[1], names, groups)
        elif encoder.n_features != self.matrix.shape[1]:
            raise ValueError(
                f"matrix has {self.matrix.shape[1]} columns, but encoder makes {encoder.n_features}"
            )
        self.encoder = encoder

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, of length n_features."""
        return self.encoder.names

    @property
    def groups(self) -> NDArray[np.int32]:
        """Number of the column of the table that each feature comes from."""
        return self.encoder.groups

    @property
    def n_features(self) -> int:
        """Number of columns of the matrix."""
        return int(self.matrix.shape[1])

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    def rows_of(self, ids: Any) -> sp.csr_array:
        """Return the features of some ids.

        Parameters
        ----------
        ids : id or array-like of ids
            Row numbers where the table has no ids.

        Returns
        -------
        csr_array of float32, shape (n, n_features)
            A row without entries for an id without features; the log says how many there are.
        """
        if self.ids is None:
            rows = np.atleast_1d(np.asarray(ids))
            if rows.dtype.kind not in "iu":
                raise TypeError(
                    f"ids must be row numbers, because the table has no ids; got {rows.dtype}"
                )
            rows = np.where((rows >= 0) & (rows < len(self)), rows, -1).astype(np.int64)
        else:
            rows = self.ids.get(ids)
        n_missing = int(np.count_nonzero(rows < 0))
        if n_missing:
            logger.info("features: %d of %d ids have none", n_missing, len(rows))
        return with_scipy_indices(take_rows_or_empty(self.matrix, rows))

    def leaks(self, y: Any, *, threshold: float = 0.99) -> dict[str, float]:
        """Return the features that alone tell the target apart, as one that contains it would.

        Parameters
        ----------
        y : array-like of shape (n,)
            Target of each row: one of two labels, or numbers, of which those above the median are
            told from the others. Examples: whether an item sold in the test period, its mean
            rating.
        threshold : float, default=0.99
            Smallest area under the ROC curve that is reported.

        Returns
        -------
        dict of str to float
            Name of the feature to its area under the curve (or that of its negative), largest
            first.

        Raises
        ------
        ValueError
            For a target of another length, or one that is the same in all rows.

        Examples
        --------
        >>> from aimass_core.data import FeatureTable
        >>> table = FeatureTable(None, [[1, 9], [0, 8], [1, 2], [0, 1]], ["new", "sales"])
        >>> table.leaks([1, 1, 0, 0])
        {'sales': 1.0}
        """
        limit = as_float(threshold, "threshold", minimum=0.5, maximum=1.0)
        areas = areas_of_features(self.matrix, classes_of(y, len(self)))
        columns = np.flatnonzero(areas >= limit)
        if not len(columns):  # the names of millions of features are not made
            return {}
        columns = columns[np.argsort(-areas[columns], kind="stable")]
        names = self.names
        return {names[column]: float(areas[column]) for column in columns.tolist()}

    def __repr__(self) -> str:
        return f"FeatureTable({len(self):,} rows x {self.n_features:,} features)"

    def _repr_html_(self) -> str:
        """Return the first rows for a notebook: the id, and its features by name."""
        rows = []
        ids = np.arange(len(self)) if self.ids is None else self.ids.ids
        names = self.names
        for row in range(min(len(self), _SHOWN_ROWS)):
            begin, end = self.matrix.indptr[row : row + 2].tolist()
            shown = [
                names[column] if value == 1 else f"{names[column]}: {value:.3g}"
                for column, value in zip(
                    self.matrix.indices[begin:end][:_SHOWN_FEATURES].tolist(),
                    self.matrix.data[begin:end][:_SHOWN_FEATURES].tolist(),
                    strict=True,
                )
            ]
            more = end - begin - len(shown)
            rows.append((ids[row], ", ".join(shown) + (f", and {more} more" if more else "")))
        left = len(self) - len(rows)
        more_rows = f"<p>and {left:,} more rows</p>" if left else ""
        head = f"<p><strong>FeatureTable</strong>: {len(self):,} rows, {self.n_features:,} features"
        return f"{head}</p>{html_table(('id', 'features'), rows)}{more_rows}"


def _as_ids(ids: Any, n: int) -> IdMap | None:
    """Return the ids of the rows as a map in the order of the rows."""
    from ..idmap import IdMap

    if ids is None:
        return None
    if not isinstance(ids, IdMap):
        numbered, codes = IdMap.from_values(ids)
        counts = np.bincount(codes, minlength=len(numbered))
        if len(counts) and counts.max() > 1:
            twice = np.flatnonzero(counts > 1)
            shown = ", ".join(repr(i) for i in numbered.take(twice[:3]).ids.tolist())
            raise ValueError(
                f"{len(twice)} {'id occurs' if len(twice) == 1 else 'ids occur'} more than once "
                f"(such as {shown}): give each id one row, with several tags in one cell"
            )
        ids = numbered.take(codes.astype(np.int64))
    if len(ids) != n:
        raise ValueError(f"ids has {len(ids)} ids, but matrix has {n} rows")
    checked: IdMap = ids
    return checked
