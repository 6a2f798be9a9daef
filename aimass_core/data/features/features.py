"""From a table of attributes to a sparse matrix that models take: `Features`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...base.csr import with_scipy_indices
from ...base.estimator import Estimator
from ...base.progress import logger
from ...base.registry import register
from ...base.threads import resolve_n_threads
from ...base.validation import as_choice, as_csr, as_int, suggest
from ...exceptions import DamagedFileError
from .._column import Column
from ..idmap import IdMap
from ._blocks import join_blocks
from ._categories import CategoryEncoder
from ._cells import Lists, Vectors
from ._encoder import ColumnEncoder, ColumnOptions
from ._numeric import NumericEncoder, VectorEncoder
from ._table import RawTable, is_matrix, read_features
from ._tags import TagEncoder, usual_separator
from .feature_table import FeatureTable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ._blocks import Block
    from ._cells import Cells

__all__ = ["Features"]

_ENCODERS: dict[str, Any] = {
    cls.kind: cls for cls in (NumericEncoder, CategoryEncoder, TagEncoder, VectorEncoder)
}
_KINDS = (*_ENCODERS, "skip")


@register("features")
class Features(Estimator):
    """Encode a table of attributes of items or users as a sparse matrix.

    Every column of the table becomes one or more columns of the matrix, by its kind:

    - "numeric": standardised, with a column of its own for nulls;
    - "categorical": one column for each category, and one for nulls;
    - "tags": several categories in a cell, as a list or as text with a separator;
    - "embedding": vectors of one length, as they are;
    - "skip": left out.

    Parameters
    ----------
    columns : dict of str to str or dict, or list of str, optional
        The columns to use, and their kinds; a dict such as ``{"kind": "numeric", "scale":
        "robust"}`` overrides parameters for one column. A list, or the kind "auto", chooses the
        kind by type and number of values. Default: all columns, "auto".
    id_column : str or False, optional
        The column of ids. False: the rows have no ids and are in the order of the fit. Default:
        the column that the interactions name, an index of pandas, or a usual name ("item_id").
    scale : {"standard", "robust", "none"}, default="standard"
        Numeric columns: less the mean, divided by the standard deviation; less the median, divided
        by the interquartile range; or as they are.
    min_frequency : int, default=1
        Categories and tags in fewer rows share one column ("other"), as new ones do.
    max_categories : int, default=100000
        A column with more categories is left out, unless its kind is given.
    separator : str, optional
        Between the tags of a cell. Default: one of ``|``, ``;`` and ``,`` where it is used.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Never changes the result.

    Attributes
    ----------
    columns_ : dict of str to dict
        Kind and learned values of each encoded column.
    skipped_ : dict of str to str
        Columns that are left out, and why.
    names : tuple of str
        Names of the encoded columns.
    groups : ndarray of int32, shape (n_features,)
        Number of the column of the table that each encoded column comes from.

    Examples
    --------
    >>> from aimass_core.data import Features
    >>> movies = {
    ...     "item_id": ["a", "b", "c"],
    ...     "genres": ["Drama|Crime", "Drama", None],
    ...     "year": [1994, 1999, 2004],
    ... }
    >>> table = Features().fit_transform(movies)
    >>> table.names
    ('genres=Crime', 'genres=Drama', 'genres=null', 'year')
    >>> table.rows_of(["b"]).toarray().round(2).tolist()
    [[0.0, 1.0, 0.0, 0.0]]
    """

    _state: ClassVar[tuple[str, ...]] = ("columns_", "skipped_", "matrix_names_", "matrix_groups_")

    columns_: dict[str, dict[str, Any]]
    skipped_: dict[str, str]
    matrix_names_: Any
    matrix_groups_: Any

    def __init__(
        self,
        columns: Any = None,
        *,
        id_column: Any = None,
        scale: str = "standard",
        min_frequency: int = 1,
        max_categories: int = 100_000,
        separator: str | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.columns = columns
        self.id_column = id_column
        self.scale = scale
        self.min_frequency = min_frequency
        self.max_categories = max_categories
        self.separator = separator
        self.n_threads = n_threads

    # ---- learning ----------------------------------------------------------------------------

    def fit(self, table: Any, y: None = None, *, id_name: str | None = None) -> Self:
        """Learn how the columns of a table are encoded.

        Parameters
        ----------
        table : table, path, sparse matrix or 2-D array
            pandas, polars, Arrow, DuckDB, a dict of columns, a structured array or a file. A
            matrix is encoded already: its columns are the features.
        y : None
            Must be None; scikit-learn passes it.
        id_name : str, optional
            Name of the column of ids, where ``id_column`` is not given.

        Returns
        -------
        Self
            The object itself. If this raises, the object stays what it was.

        Raises
        ------
        ValueError, TypeError
            For columns that do not exist, or whose cells do not fit their kind.
        """
        self._learn(table, id_name)
        return self

    def fit_transform(
        self, table: Any, y: None = None, *, id_name: str | None = None
    ) -> FeatureTable:
        """Learn from a table and encode the same table.

        Parameters
        ----------
        table, y, id_name
            As in `fit`.

        Returns
        -------
        FeatureTable
            The rows in the order of the table.
        """
        return self._learn(table, id_name)

    def transform(self, table: Any, *, id_name: str | None = None) -> FeatureTable:
        """Encode a table as the one of the fit was.

        Parameters
        ----------
        table, id_name
            As in `fit`. Further columns have no effect.

        Returns
        -------
        FeatureTable
            Categories that the fit did not have are counted as rare ones ("other"), or have no
            entry.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            For missing columns, and cells that do not fit their kind.
        """
        self._check_fitted()
        if self.matrix_names_ is not None or is_matrix(table):
            return self._of_encoded(table)
        raw = read_features(table, list(self.columns_), self.id_column, id_name)
        blocks, widths = [], []
        for name, encoder in self._encoders.items():
            options = self._options_of(self._given(name))
            blocks.append(encoder.encode(raw.columns[name], f"column {name!r}", options))
            widths.append(encoder.width)
        return self._table_of(raw, blocks, widths, self)

    # ---- what was learned --------------------------------------------------------------------

    @cached_property
    def _encoders(self) -> dict[str, ColumnEncoder]:
        return {name: _encoder_of(state) for name, state in self.columns_.items()}

    @cached_property
    def _learned_names(self) -> tuple[str, ...]:
        if self.matrix_names_ is not None:
            return tuple(self.matrix_names_)
        return tuple(n for name, e in self._encoders.items() for n in e.names(name))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the encoded columns."""
        self._check_fitted()
        return self._learned_names

    @property
    def groups(self) -> NDArray[np.int32]:
        """Number of the column of the table that each encoded column comes from."""
        self._check_fitted()
        if self.matrix_groups_ is not None:
            groups: NDArray[np.int32] = self.matrix_groups_
            return groups
        widths = [encoder.width for encoder in self._encoders.values()]
        return np.repeat(np.arange(len(widths), dtype=np.int32), widths)

    def _facts(self) -> dict[str, str]:
        kinds = [state["kind"] for state in self.columns_.values()]
        counted = ", ".join(f"{kinds.count(k)} {k}" for k in dict.fromkeys(kinds))
        facts = {"columns": counted or "a matrix", "features": f"{len(self.names):,}"}
        if self.skipped_:
            facts["left out"] = "; ".join(f"{n} ({why})" for n, why in self.skipped_.items())
        return facts

    def _restore(self) -> None:
        self._fitted_with = self.get_params(deep=False)
        if not all(isinstance(part, dict) for part in (self.columns_, self.skipped_)):
            raise DamagedFileError("the columns of features are not complete")
        n = len(self.names)
        if len(self.groups) != n:
            raise DamagedFileError(f"{len(self.groups)} groups for {n} features")

    @classmethod
    def _of_matrix(cls, n_features: int, names: Any = None, groups: Any = None) -> Features:
        """Return the encoder of a matrix that is encoded already."""
        if names is None:
            names = [str(i) for i in range(n_features)]
        names = tuple(str(name) for name in names)
        if len(names) != n_features:
            raise ValueError(f"names has {len(names)} names, but matrix has {n_features} columns")
        groups = np.zeros(n_features) if groups is None else np.asarray(groups)
        if groups.shape != (n_features,):
            raise ValueError(f"groups must have shape ({n_features},), got {groups.shape}")
        fresh = cls()
        fresh._adopt(cls(), {}, {}, names, groups.astype(np.int32))
        return fresh

    # ---- helpers -----------------------------------------------------------------------------

    def _adopt(
        self, fresh: Features, columns: Any, skipped: Any, names: Any = None, groups: Any = None
    ) -> None:
        fresh.columns_, fresh.skipped_ = columns, skipped
        fresh.matrix_names_, fresh.matrix_groups_ = names, groups
        self.__dict__.pop("_encoders", None)
        self.__dict__.pop("_learned_names", None)
        self._adopt_state(fresh)

    def _of_encoded(self, table: Any) -> FeatureTable:
        """Return a matrix of encoded features with the names of the fit."""
        if not is_matrix(table):
            raise TypeError(
                "the features of the fit were a matrix, so give a matrix of the same columns, or "
                f"FeatureTable(ids, matrix); got {type(table).__name__}"
            )
        matrix = as_csr(table, "table", dtype=np.float32)
        if matrix.shape[1] != len(self.names):
            raise ValueError(
                f"table has {matrix.shape[1]} columns, but the features of the fit have "
                f"{len(self.names)}"
            )
        return FeatureTable(None, with_scipy_indices(matrix), encoder=self)

    def _learn(self, table: Any, id_name: str | None) -> FeatureTable:
        self._check_parameters()
        fresh = type(self)(**self.get_params(deep=False))
        if is_matrix(table):
            matrix = as_csr(table, "table", dtype=np.float32)
            names = tuple(str(i) for i in range(matrix.shape[1]))
            self._adopt(fresh, {}, {}, names, np.zeros(len(names), dtype=np.int32))
            return FeatureTable(None, with_scipy_indices(matrix), encoder=self)
        raw = read_features(table, self._wanted(), self.id_column, id_name)
        if not raw.columns:
            raise ValueError("the table has no column of features beside the ids")
        encoders: dict[str, ColumnEncoder] = {}
        skipped: dict[str, str] = {}
        blocks, widths = [], []
        for name, cells in raw.columns.items():
            kind, reason = self._kind_of(name, cells)
            learned = None if kind == "skip" else self._learn_column(name, kind, cells)
            if learned is None:
                skipped[name] = reason or "one value only"
                continue
            encoders[name] = learned[0]
            blocks.append(learned[1])
            widths.append(learned[0].width)
        for name, reason in skipped.items():
            logger.info("Features: column %r is left out: %s", name, reason)
        self._adopt(fresh, {name: e.state() for name, e in encoders.items()}, skipped)
        return self._table_of(raw, blocks, widths, self)

    def _learn_column(self, name: str, kind: str, cells: Cells) -> Any:
        """Return the encoder of a column and its block, None where it has one value only."""
        options = self._options_of(self._given(name))
        label = f"column {name!r}"
        learned = _ENCODERS[kind].learn(cells, label, options)
        if learned is None or isinstance(learned, tuple):
            return learned
        return learned, learned.encode(cells, label, options)

    def _table_of(
        self, raw: RawTable, blocks: list[Block], widths: list[int], encoder: Features
    ) -> FeatureTable:
        matrix = with_scipy_indices(join_blocks(blocks, widths, raw.n_rows))
        ids = None if raw.ids is None else _unique_ids(raw, self.n_threads)
        return FeatureTable(ids, matrix, encoder=encoder)

    def _wanted(self) -> list[str] | None:
        return None if self.columns is None else list(self.columns)

    def _given(self, name: str) -> dict[str, Any]:
        """Return what ``columns`` says about a column."""
        if not isinstance(self.columns, Mapping):
            return {"kind": "auto"}
        given = self.columns[name]
        return dict(given) if isinstance(given, Mapping) else {"kind": given}

    def _options_of(self, given: dict[str, Any]) -> ColumnOptions:
        options = {
            "scale": self.scale,
            "min_frequency": self.min_frequency,
            "max_categories": self.max_categories,
            "separator": self.separator,
            **{name: value for name, value in given.items() if name != "kind"},
        }
        return ColumnOptions(n_threads=resolve_n_threads(self.n_threads), **options)

    def _check_parameters(self) -> None:
        if self.columns is not None and (
            isinstance(self.columns, (str, bytes))
            or not isinstance(self.columns, (Mapping, list, tuple))
        ):
            raise TypeError(
                "columns must be a dict of column to kind, or a list of columns, got "
                f"{self.columns!r}"
            )
        for name in self.columns or ():
            given = self._given(name)
            as_choice(given.get("kind", "auto"), f"the kind of column {name!r}", (*_KINDS, "auto"))
            options = {
                "scale": self.scale,
                "min_frequency": self.min_frequency,
                "max_categories": self.max_categories,
                "separator": self.separator,
            }
            for option in given.keys() - {"kind"} - options.keys():
                raise ValueError(
                    f"columns: column {name!r} has no option {option!r}{suggest(option, options)}; "
                    f"the options are {', '.join(options)}"
                )
            _check_options({**options, **given})
        _check_options(
            {
                "scale": self.scale,
                "min_frequency": self.min_frequency,
                "max_categories": self.max_categories,
                "separator": self.separator,
            }
        )

    def _kind_of(self, name: str, cells: Cells) -> tuple[str, str]:
        """Return the kind of a column, and why it is left out."""
        kind = self._given(name).get("kind", "auto")
        if kind != "auto":
            return kind, "as columns says" if kind == "skip" else ""
        if isinstance(cells, Vectors):
            return "embedding", ""
        if isinstance(cells, Lists):
            return "tags", ""
        if cells.kind == "null":
            return "skip", "nulls only"
        if cells.kind in ("int", "uint", "float", "decimal"):
            return "numeric", ""
        if cells.kind == "bool":
            return "categorical", ""
        if cells.kind in ("str", "bytes"):
            return self._kind_of_text(cells)
        return "skip", f"values of kind {cells.kind}"

    def _kind_of_text(self, cells: Column) -> tuple[str, str]:
        from ._encoder import codes_of

        _, distinct = codes_of(cells, "column", resolve_n_threads(self.n_threads))
        if self.separator is not None or usual_separator(distinct) is not None:
            return "tags", ""
        if distinct.n_entries > self.max_categories:
            return "skip", f"{distinct.n_entries:,} categories"
        return "categorical", ""


def _check_options(options: dict[str, Any]) -> None:
    as_choice(options["scale"], "scale", ("standard", "robust", "none"))
    as_int(options["min_frequency"], "min_frequency", minimum=1)
    as_int(options["max_categories"], "max_categories", minimum=1)
    separator = options["separator"]
    if separator is not None and (not isinstance(separator, str) or not separator):
        raise TypeError(f"separator must be text, such as '|', got {separator!r}")


def _encoder_of(state: dict[str, Any]) -> ColumnEncoder:
    cls = _ENCODERS.get(state.get("kind", ""))
    if cls is None:
        raise DamagedFileError(f"there is no kind of column {state.get('kind')!r}")
    encoder: ColumnEncoder = cls.of_state(state)
    return encoder


def _unique_ids(raw: RawTable, n_threads: int | None) -> IdMap:
    """Return the ids of the rows as a map in their order, refused where one is null or repeated."""
    label = f"the column of ids {raw.id_name!r}" if raw.id_name else "the ids"
    column = raw.ids
    if not isinstance(column, Column):
        raise TypeError(f"{label} must hold one id in each cell, got lists")
    if column.null is not None:
        raise ValueError(
            f"{label} holds {int(column.null.sum())} nulls, the first in row "
            f"{int(column.null.argmax())}: drop these rows"
        )
    codes, ids = IdMap._number(column, label, resolve_n_threads(n_threads))
    if len(ids) < len(codes):
        counts = np.bincount(codes, minlength=len(ids))
        twice = np.flatnonzero(counts > 1)
        shown = ", ".join(repr(i) for i in ids.take(twice[:3]).ids.tolist())
        raise ValueError(
            f"{label} holds {len(twice)} ids more than once (such as {shown}): give each id one "
            "row, with several tags in one cell"
        )
    return ids.take(codes.astype(np.int64)).named(raw.id_name)
