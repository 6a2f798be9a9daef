r"""Categories as one number each: how frequent they are, or the mean of a target in their rows.

The target of a row must not be part of its own encoding, else a model learns from a feature that
new rows do not have. The rows of the fit are therefore encoded out of fold: with K random folds,
the value of category c in fold f is the smoothed mean over the rows of c outside of f,

.. math:: v_{c,f} = \frac{\sum_{i \in c \setminus f} y_i + m \bar y_{-f}}{n_{c \setminus f} + m},

where :math:`\bar y_{-f}` is the mean outside of the fold and m is ``smoothing``. Other rows get the
value over all rows of the fit. Cost: O(n + K x categories).

References
----------
Micci-Barreca, D., "A preprocessing scheme for high-cardinality categorical attributes in
classification and prediction problems", SIGKDD Explorations 3(1), 2001.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...base.random import as_generator
from .._column import Column
from ..idmap import IdMap
from ._blocks import OneEach
from ._categories import TEXT_KINDS, report_new, rows_of_categories
from ._encoder import ColumnEncoder, ColumnOptions, codes_of, wrong_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ._blocks import Block
    from ._cells import Cells

    Floats = NDArray[np.float64]

__all__ = ["FrequencyEncoder", "TargetEncoder"]


@dataclass(frozen=True)
class _ValueEncoder(ColumnEncoder):
    """One column: the standardised value of the category of each row."""

    categories: IdMap
    values: Floats  # of the categories, then of nulls and of new ones
    center: float
    scale: float

    @property
    def width(self) -> int:
        """One."""
        return 1

    @property
    def holds_text(self) -> bool:
        """Whether the categories are text."""
        return self.categories.kind in TEXT_KINDS

    def encode(self, cells: Cells, name: str, options: ColumnOptions) -> Block:
        """Return the value of each row by what was learned from all rows of the fit."""
        if not isinstance(cells, Column):
            raise wrong_cells(name, "one category in each cell", cells)
        codes, distinct = codes_of(cells, name, options.n_threads)
        n = len(self.categories)
        rows = rows_of_categories(self.categories, distinct, name, options.is_text)
        report_new(rows, codes, name)
        rows = np.append(np.where(rows >= 0, rows, n + 1), n)  # code -1, null, is the last
        return self._standardised(self.values[rows[codes]])

    def _standardised(self, values: Floats) -> Block:
        scaled = ((values - self.center) / self.scale).astype(np.float32)
        return OneEach(np.zeros(len(scaled), dtype=np.int32), scaled, True)

    @classmethod
    def _of(cls, categories: IdMap, values: Floats, of_rows: Floats) -> Self | None:
        """Return the encoder whose values of the rows have mean 0 and deviation 1."""
        scale = float(of_rows.std()) if len(of_rows) else 0.0
        if scale < 1e-12:
            return None
        return cls(categories, values, float(of_rows.mean()), scale)

    def check(self) -> None:
        """Raise ValueError for values that do not fit the categories."""
        good = self.values.shape == (len(self.categories) + 2,) and self.scale > 0
        if not good or not np.isfinite(self.values).all():
            raise ValueError("a column of values that do not fit its categories")


@dataclass(frozen=True)
class FrequencyEncoder(_ValueEncoder):
    """The logarithm of 1 + the number of rows of the fit that have the category."""

    kind: ClassVar[str] = "frequency"

    def names(self, source: str) -> list[str]:
        """Return ``source:frequency``."""
        return [f"{source}:frequency"]

    @classmethod
    def learn(cls, cells: Cells, name: str, options: ColumnOptions) -> FrequencyEncoder | None:
        """Count the rows of each category; None where all are equally frequent."""
        if not isinstance(cells, Column):
            raise wrong_cells(name, "one category in each cell", cells)
        codes, distinct = codes_of(cells, name, options.n_threads)
        counts = np.bincount(codes[codes >= 0], minlength=distinct.n_entries)
        n_null = len(codes) - int(counts.sum())
        values = np.log1p(np.concatenate([counts, [n_null, 0]]).astype(np.float64))
        return cls._of(IdMap._of(distinct), values, values[codes_or_null(codes, len(counts))])


def codes_or_null(codes: NDArray[np.int32], n: int) -> NDArray[np.int64]:
    """Return codes with n in place of -1."""
    return np.where(codes < 0, n, codes).astype(np.int64)


@dataclass(frozen=True)
class TargetEncoder(_ValueEncoder):
    """The smoothed mean of the target in the rows that have the category."""

    kind: ClassVar[str] = "target"

    def names(self, source: str) -> list[str]:
        """Return ``source:target``."""
        return [f"{source}:target"]

    @classmethod
    def learn(cls, cells: Cells, name: str, options: ColumnOptions) -> Any:
        """Average the target by category; return the encoder and the out-of-fold block."""
        if not isinstance(cells, Column):
            raise wrong_cells(name, "one category in each cell", cells)
        y = options.target
        if y is None:
            raise TypeError(
                f"{name} has the kind 'target': give fit the target of each row, fit(table, y)"
            )
        codes, distinct = codes_of(cells, name, options.n_threads)
        n = distinct.n_entries + 1  # nulls are a category
        rows = codes_or_null(codes, n - 1)
        folds = min(options.n_folds, max(len(y), 1))
        fold = np.arange(len(y)) % folds
        as_generator(options.random_state).shuffle(fold)
        keys = rows * folds + fold
        sums = np.bincount(keys, weights=y, minlength=n * folds).reshape(n, folds)
        counts = np.bincount(keys, minlength=n * folds).reshape(n, folds).astype(np.float64)
        values = _smoothed(sums.sum(axis=1), counts.sum(axis=1), options.smoothing)
        outside = _smoothed(
            sums.sum(axis=1, keepdims=True) - sums,
            counts.sum(axis=1, keepdims=True) - counts,
            options.smoothing,
        )
        of_rows = outside[rows, fold]
        mean = float(y.mean()) if len(y) else 0.0
        encoder = cls._of(IdMap._of(distinct), np.append(values, mean), of_rows)
        return None if encoder is None else (encoder, encoder._standardised(of_rows))


def _smoothed(sums: Floats, counts: Floats, smoothing: float) -> Floats:
    """Return the mean of each category, shrunk to the mean of all."""
    total = np.maximum(counts.sum(axis=0), 1.0)
    smoothed: Floats = (sums + smoothing * (sums.sum(axis=0) / total)) / np.maximum(
        counts + smoothing, 1e-12
    )
    return smoothed
