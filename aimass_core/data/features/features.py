"""From a table of attributes to a sparse matrix that models take: `Features`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...base.csr import with_scipy_indices
from ...base.estimator import Estimator
from ...base.progress import logger
from ...base.registry import register
from ...base.text import counted
from ...base.threads import resolve_n_threads
from ...base.validation import as_choice, as_csr, as_float, as_int, suggest
from ...exceptions import DamagedFileError
from .._column import Column
from ..idmap import IdMap
from ._blocks import join_blocks
from ._categories import CategoryEncoder
from ._cells import without_words
from ._dates import DATE_PARTS, DateEncoder
from ._encoder import ColumnEncoder, ColumnOptions
from ._flags import FlagEncoder
from ._hashed import HashEncoder
from ._kinds import choose_kind
from ._numeric import NumericEncoder, VectorEncoder
from ._table import RawTable, is_matrix, read_features
from ._tags import TagEncoder
from ._terms import TextEncoder
from ._values import FrequencyEncoder, TargetEncoder
from .feature_table import FeatureTable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ._blocks import Block
    from ._cells import Cells

__all__ = ["Features"]

_ENCODERS: dict[str, Any] = {
    cls.kind: cls
    for cls in (
        NumericEncoder,
        FlagEncoder,
        CategoryEncoder,
        TagEncoder,
        TextEncoder,
        DateEncoder,
        VectorEncoder,
        HashEncoder,
        FrequencyEncoder,
        TargetEncoder,
    )
}
_KINDS = (*_ENCODERS, "skip")


@register("features")
class Features(Estimator):
    """Encode a table of attributes of items or users as a sparse matrix.

    Every column of the table becomes one or more columns of the matrix, by its kind:

    - "numeric": standardised, with a column of its own for nulls;
    - "flag": an entry where a column of booleans, or of 0 and 1, is true;
    - "categorical": one column for each category, and one for nulls;
    - "tags": several categories in a cell, as a list, as text with a separator, or as a dict of
      weights;
    - "text": terms weighted by TF-IDF, as scikit-learn's ``TfidfVectorizer`` weights them;
    - "date": age in years, and month, weekday or hour as points on a circle;
    - "embedding": vectors of one length, as they are;
    - "hash": categories hashed to a fixed number of columns;
    - "frequency": one column, the logarithm of the number of rows that have the category;
    - "target": one column, the mean target of the rows that have the category, out of fold in
      `fit_transform`;
    - "skip": left out.

    Parameters
    ----------
    columns : dict of str to str or dict, or list of str, optional
        The columns to use, and their kinds; a dict such as ``{"kind": "numeric", "scale":
        "robust"}`` overrides parameters for one column. A list, or the kind "auto", chooses the
        kind by type, values and name. Default: all columns, "auto".
    id_column : str or False, optional
        The column of ids. False: the rows have no ids and are in the order of the fit. Default:
        the column that the interactions name, an index of pandas, or a usual name ("item_id").
    scale : {"standard", "robust", "none"}, default="standard"
        Numeric columns: less the mean, divided by the standard deviation; less the median, divided
        by the interquartile range; or as they are. Vectors are scaled only where ``columns`` says
        so.
    min_frequency : int, default=1
        Categories in fewer rows share one column ("other"), as new ones do; tags and terms in
        fewer rows are left out.
    max_categories : int, default=100000
        A column with more categories is hashed, unless its kind is given.
    n_buckets : int, default=262144
        Columns of a hashed column.
    max_terms : int, default=20000
        Terms of a text column; the most frequent ones are kept.
    separator : str, optional
        Between the tags of a cell. Default: one of ``|``, ``;`` and ``,`` where it is used.
    parts : tuple of str, default=("age", "month", "weekday")
        Parts of dates, of "age", "year", "month", "weekday" and "hour".
    date_format : str, optional
        How dates are written that are text or numbers: a format of `datetime.strptime`, "s", "ms",
        "us" or "ns" for numbers since 1970, or "excel". Default: ISO 8601; numbers are years, or
        days such as 20240131.
    decimal : str, default="."
        Decimal mark of numeric columns that are text.
    thousands : str, optional
        What groups the digits in such columns.
    null_values : tuple of str, default=()
        Words that stand for null in columns of text, such as "n/a".
    smoothing : float, default=20.0
        Target encoding: rows of the overall mean that each category starts with.
    n_folds : int, default=5
        Folds of target encoding.
    random_state : int, Generator or None, default=0
        Seed of these folds.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Never changes the result.

    Attributes
    ----------
    columns_ : dict of str to dict
        Kind and learned values of each encoded column.
    skipped_ : dict of str to str
        Columns that are left out, and why.
    leaks_ : dict of str to float
        Features that alone tell the target of the fit apart (an area under the ROC curve above
        0.99), and the area. Empty where no target was given.
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

    _state: ClassVar[tuple[str, ...]] = (
        "columns_",
        "skipped_",
        "leaks_",
        "matrix_names_",
        "matrix_groups_",
    )

    columns_: dict[str, dict[str, Any]]
    skipped_: dict[str, str]
    leaks_: dict[str, float]
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
        n_buckets: int = 1 << 18,
        max_terms: int = 20_000,
        separator: str | None = None,
        parts: tuple[str, ...] = ("age", "month", "weekday"),
        date_format: str | None = None,
        decimal: str = ".",
        thousands: str | None = None,
        null_values: tuple[str, ...] = (),
        smoothing: float = 20.0,
        n_folds: int = 5,
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.columns = columns
        self.id_column = id_column
        self.scale = scale
        self.min_frequency = min_frequency
        self.max_categories = max_categories
        self.n_buckets = n_buckets
        self.max_terms = max_terms
        self.separator = separator
        self.parts = parts
        self.date_format = date_format
        self.decimal = decimal
        self.thousands = thousands
        self.null_values = null_values
        self.smoothing = smoothing
        self.n_folds = n_folds
        self.random_state = random_state
        self.n_threads = n_threads

    # ---- learning ----------------------------------------------------------------------------

    def fit(self, table: Any, y: Any = None, *, id_name: str | None = None) -> Self:
        """Learn how the columns of a table are encoded.

        Parameters
        ----------
        table : table, path, sparse matrix or 2-D array
            pandas, polars, Arrow, DuckDB, a dict of columns, a structured array or a file. A
            matrix is encoded already: its columns are the features.
        y : array-like of float, shape (n,), optional
            Target of each row, for columns of the kind "target" and for `leaks_`.
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
        self._learn(table, y, id_name)
        return self

    def fit_transform(
        self, table: Any, y: Any = None, *, id_name: str | None = None
    ) -> FeatureTable:
        """Learn from a table and encode the same table.

        Parameters
        ----------
        table, y, id_name
            As in `fit`.

        Returns
        -------
        FeatureTable
            The rows in the order of the table. It differs from ``fit(table, y).transform(table)``
            in columns of the kind "target", which are encoded out of fold.
        """
        return self._learn(table, y, id_name)

    def transform(self, table: Any, *, id_name: str | None = None) -> FeatureTable:
        """Encode a table as the one of the fit was.

        Parameters
        ----------
        table, id_name
            As in `fit`. Further columns have no effect. In a text file, cells such as ``123`` are
            text where the categories, tags or terms of the fit are text, else numbers.

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
        texts = {name for name, encoder in self._encoders.items() if encoder.holds_text}
        raw = read_features(table, list(self.columns_), self.id_column, id_name, texts)
        blocks, widths = [], []
        for name, encoder in self._encoders.items():
            options = replace(self._options_of(name, encoder.kind), is_text=raw.is_text)
            cells = self._with_nulls(name, raw.columns[name])
            blocks.append(encoder.encode(cells, f"column {name!r}", options))
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
    def n_features(self) -> int:
        """Number of encoded columns."""
        self._check_fitted()
        if self.matrix_names_ is not None:
            return len(self.matrix_names_)
        return sum(encoder.width for encoder in self._encoders.values())

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
        facts = {"columns": counted or "a matrix", "features": f"{self.n_features:,}"}
        if self.skipped_:
            facts["left out"] = "; ".join(f"{n} ({why})" for n, why in self.skipped_.items())
        return facts

    def _restore(self) -> None:
        self._fitted_with = self.get_params(deep=False)
        if not all(isinstance(part, dict) for part in (self.columns_, self.skipped_)):
            raise DamagedFileError("the columns of features are not complete")
        if len(self.groups) != self.n_features:
            raise DamagedFileError(f"{len(self.groups)} groups for {self.n_features} features")

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
        fresh.columns_, fresh.skipped_, fresh.leaks_ = columns, skipped, {}
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
        if matrix.shape[1] != self.n_features:
            raise ValueError(
                f"table has {matrix.shape[1]} columns, but the features of the fit have "
                f"{self.n_features}"
            )
        return FeatureTable(None, with_scipy_indices(matrix), encoder=self)

    def _learn(self, table: Any, y: Any, id_name: str | None) -> FeatureTable:
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
        target = None if y is None else _as_target(y, raw.n_rows)
        encoders: dict[str, ColumnEncoder] = {}
        skipped: dict[str, str] = {}
        blocks, widths = [], []
        for name, given in raw.columns.items():
            cells = self._with_nulls(name, given)
            kind, reason = self._kind_of(name, cells)
            learned = None if kind == "skip" else self._learn_column(name, kind, cells, target)
            if learned is None:
                skipped[name] = reason or "one value only"
                continue
            encoders[name] = learned[0]
            blocks.append(learned[1])
            widths.append(learned[0].width)
        for name, reason in skipped.items():
            logger.info("Features: column %r is left out: %s", name, reason)
        self._adopt(fresh, {name: e.state() for name, e in encoders.items()}, skipped)
        encoded = self._table_of(raw, blocks, widths, self)
        if target is not None and len(target) and np.ptp(target) > 0:
            self.leaks_ = encoded.leaks(target)
            for name, area in self.leaks_.items():
                logger.warning("Features: %r alone tells the target apart (AUC %.3f)", name, area)
        return encoded

    def _learn_column(self, name: str, kind: str, cells: Cells, target: Any) -> Any:
        """Return the encoder of a column and its block, None where it has one value only."""
        options = self._options_of(name, kind, target)
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
        given = next(value for key, value in self.columns.items() if str(key) == name)
        return dict(given) if isinstance(given, Mapping) else {"kind": given}

    def _parameters_of_columns(self) -> dict[str, Any]:
        """Return the parameters that ``columns`` can override."""
        names = (
            "scale",
            "min_frequency",
            "max_categories",
            "n_buckets",
            "max_terms",
            "separator",
            "parts",
            "date_format",
            "decimal",
            "thousands",
            "null_values",
            "smoothing",
            "n_folds",
            "random_state",
        )
        return {name: getattr(self, name) for name in names}

    def _options_of(self, name: str, kind: str, target: Any = None) -> ColumnOptions:
        options = self._parameters_of_columns()
        if kind == "embedding":
            options["scale"] = "none"
        options |= {n: value for n, value in self._given(name).items() if n != "kind"}
        options["parts"] = tuple(options["parts"])
        del options["null_values"]
        return ColumnOptions(n_threads=resolve_n_threads(self.n_threads), target=target, **options)

    def _with_nulls(self, name: str, cells: Cells) -> Cells:
        """Return a column in which the words of ``null_values`` are null."""
        words = self._given(name).get("null_values", self.null_values)
        return without_words(cells, words, f"column {name!r}") if words else cells

    def _check_parameters(self) -> None:
        options = self._parameters_of_columns()
        _check_options(options)
        if self.columns is None:
            return
        if not isinstance(self.columns, (Mapping, list, tuple)):
            raise TypeError(
                "columns must be a dict of column to kind, or a list of columns, got "
                f"{self.columns!r}"
            )
        for name in map(str, self.columns):
            given = self._given(name)
            as_choice(given.get("kind", "auto"), f"the kind of column {name!r}", (*_KINDS, "auto"))
            for option in given.keys() - {"kind"} - options.keys():
                raise ValueError(
                    f"columns: column {name!r} has no option {option!r}{suggest(option, options)}; "
                    f"the options are {', '.join(options)}"
                )
            _check_options({**options, **given})

    def _kind_of(self, name: str, cells: Cells) -> tuple[str, str]:
        """Return the kind of a column, and why it is left out."""
        kind = self._given(name).get("kind", "auto")
        if kind != "auto":
            return kind, "as columns says" if kind == "skip" else ""
        return choose_kind(name, cells, self._options_of(name, kind))


def _check_options(options: dict[str, Any]) -> None:
    as_choice(options["scale"], "scale", ("standard", "robust", "none"))
    for name in ("min_frequency", "max_categories", "n_buckets", "max_terms"):
        as_int(options[name], name, minimum=1, maximum=2**31 - 2)
    as_int(options["n_folds"], "n_folds", minimum=2)
    as_float(options["smoothing"], "smoothing", minimum=0.0)
    separator = options["separator"]
    if separator is not None and (not isinstance(separator, str) or not separator):
        raise TypeError(f"separator must be text, such as '|', got {separator!r}")
    parts = options["parts"]
    if isinstance(parts, str) or not isinstance(parts, (list, tuple)) or not parts:
        raise TypeError(f"parts must be a tuple of parts of dates, got {parts!r}")
    for part in parts:
        as_choice(part, "parts", DATE_PARTS)
    _check_text_options(options)


def _check_text_options(options: dict[str, Any]) -> None:
    """Check how numbers, dates and nulls are written."""
    for name in ("decimal", "thousands"):
        mark = options[name]
        if (mark is not None or name == "decimal") and (
            not isinstance(mark, str) or len(mark) != 1
        ):
            raise ValueError(f"{name} must be one character, got {mark!r}")
    if options["decimal"] == options["thousands"]:
        raise ValueError(f"decimal and thousands must differ, got {options['decimal']!r} for both")
    if not isinstance(options["date_format"], (str, type(None))):
        raise TypeError(
            f"date_format must be text, such as '%d.%m.%Y', got {options['date_format']!r}"
        )
    words = options["null_values"]
    if not isinstance(words, (list, tuple)) or not all(isinstance(w, str) for w in words):
        raise TypeError(f"null_values must be a tuple of words, got {words!r}")


def _as_target(y: Any, n: int) -> NDArray[np.float64]:
    """Return the target of each row."""
    target = np.asarray(y)
    if target.dtype.kind not in "biuf" or target.shape != (n,):
        raise ValueError(
            f"y must hold one number for each of the {n} rows of the table, got {target.dtype} of "
            f"shape {target.shape}"
        )
    target = target.astype(np.float64)
    if not np.isfinite(target).all():
        raise ValueError("y holds NaN or infinity: drop these rows")
    return target


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
    if column.null is not None and len(column.null):
        raise ValueError(
            f"{label} holds {counted(int(column.null.sum()), 'null')}, the first in row "
            f"{int(column.null.argmax())}: drop these rows"
        )
    codes, ids = IdMap._number(column, label, resolve_n_threads(n_threads))
    if len(ids) < len(codes):
        counts = np.bincount(codes, minlength=len(ids))
        twice = np.flatnonzero(counts > 1)
        shown = ", ".join(repr(i) for i in ids.take(twice[:3]).ids.tolist())
        raise ValueError(
            f"{label} holds {len(twice)} {'id' if len(twice) == 1 else 'ids'} more than once "
            f"(such as {shown}): give each id one row, with several tags in one cell"
        )
    return ids.take(codes.astype(np.int64)).named(raw.id_name)
