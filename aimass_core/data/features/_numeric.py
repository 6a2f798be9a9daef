"""Numeric columns, standardised; vectors as dense columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._column import Column, unsigned
from .._text import numbers_of_text
from ._blocks import Dense, OneEach
from ._cells import vectors_of
from ._encoder import ColumnEncoder, ColumnOptions, wrong_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._blocks import Block
    from ._cells import Cells

__all__ = ["NumericEncoder", "VectorEncoder", "numbers_of"]


def numbers_of(
    cells: Cells, name: str, options: ColumnOptions
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return one number per row, and which rows are null.

    Raises
    ------
    TypeError, ValueError
        For text that is no number, infinity, and cells of another kind.
    """
    if not isinstance(cells, Column):
        raise wrong_cells(name, "numbers", cells)
    if cells.kind == "null":
        return np.zeros(cells.n_rows), np.ones(cells.n_rows, dtype=bool)
    if cells.kind == "str":
        cells = numbers_of_text(cells, name, options.decimal, options.thousands, lambda text: "")
    if cells.kind not in ("int", "uint", "float", "bool", "decimal"):
        raise wrong_cells(name, "numbers", cells)
    numbers = cells.numbers()
    if cells.kind == "uint":
        numbers = unsigned(numbers)
    if numbers.dtype.kind != "f":
        numbers = numbers.astype(np.float64)
    infinite = np.isinf(numbers)
    if cells.null is not None:
        infinite &= ~cells.null
    if infinite.any():
        raise ValueError(
            f"{name} holds infinity in row {int(infinite.argmax())}: correct it, or make it null"
        )
    return numbers, cells.null


@dataclass(frozen=True)
class NumericEncoder(ColumnEncoder):
    """(x - center) / scale, and an indicator for null.

    A row has one entry: its value, or 1 in the column of nulls.
    """

    kind: ClassVar[str] = "numeric"

    center: float
    scale: float
    has_null: bool

    @classmethod
    def learn(cls, cells: Cells, name: str, options: ColumnOptions) -> NumericEncoder | None:
        """Learn center and scale; None for a column that has one value only."""
        numbers, null = numbers_of(cells, name, options)
        known = numbers if null is None else numbers[~null]
        if not len(known):
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            center, scale = _center_and_scale(known.astype(np.float64, copy=False), options.scale)
        if not np.isfinite([center, scale]).all():
            raise ValueError(
                f"{name} holds numbers up to {np.abs(known).max():.3g}, which are too large to be "
                "scaled: correct them, or make them null"
            )
        has_null = null is not None and bool(null.any())
        if scale == 0.0:
            return None
        return cls(center, scale, has_null)

    @property
    def width(self) -> int:
        """One, and one for nulls."""
        return 1 + self.has_null

    def names(self, source: str) -> list[str]:
        """Return the name of the column, and ``source=null``."""
        return [source, f"{source}=null"][: self.width]

    def encode(self, cells: Cells, name: str, options: ColumnOptions) -> Block:
        """Return standardised values.

        Raises
        ------
        ValueError
            For a number that is not finite in float32 once it is scaled.
        """
        numbers, null = numbers_of(cells, name, options)
        with np.errstate(over="ignore", invalid="ignore"):
            values = ((numbers - self.center) / self.scale).astype(np.float32)
        is_bad = ~np.isfinite(values)
        if null is not None:
            is_bad &= ~null
        if is_bad.any():
            row = int(is_bad.argmax())
            raise ValueError(
                f"{name} holds {numbers[row]:.3g} in row {row}, which is too large for float32 "
                "once it is scaled: correct it, or make it null"
            )
        if null is None:
            return OneEach(np.zeros(len(values), dtype=np.int32), values, True)
        if self.has_null:
            values[null] = 1.0
            return OneEach(null.astype(np.int32), values, True)
        columns = np.where(null, np.int32(-1), np.int32(0))
        return OneEach(columns, values)

    def check(self) -> None:
        """Raise ValueError for a center or scale that is no number."""
        if not (np.isfinite(self.center) and np.isfinite(self.scale) and self.scale > 0):
            raise ValueError("a numeric column with a scale that is not above 0")


def _center_and_scale(known: NDArray[np.float64], scale: str) -> tuple[float, float]:
    """Return what is subtracted and what is divided by; 0 for one value only."""
    low, high = float(known.min()), float(known.max())
    if low == high:
        return low, 0.0
    if scale == "none":
        return 0.0, 1.0
    if scale == "robust":
        lower, center, upper = (float(q) for q in np.quantile(known, [0.25, 0.5, 0.75]))
        if upper > lower:
            return center, upper - lower
        known = known - center  # most values are equal: the mean absolute deviation still differs
        return center, float(np.abs(known).mean())
    middle = 0.5 * low + 0.5 * high  # shifted first: no cancellation where values are large
    shifted = known - middle
    mean = float(shifted.mean())
    deviation = float(np.sqrt(np.square(shifted - mean).mean()))
    return middle + mean, deviation


@dataclass(frozen=True)
class VectorEncoder(ColumnEncoder):
    """Vectors as they are, or standardised."""

    kind: ClassVar[str] = "embedding"

    center: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def learn(cls, cells: Cells, name: str, options: ColumnOptions) -> VectorEncoder | None:
        """Learn the mean and the deviation of each dimension, where they are used."""
        vectors = vectors_of(cells, name)
        known = vectors.values if vectors.null is None else vectors.values[~vectors.null]
        n_dimensions = vectors.values.shape[1]
        if not len(known) or not n_dimensions:
            return None
        if vectors.null is None and (known == known[0]).all():
            return None
        center, scale = np.zeros(n_dimensions), np.ones(n_dimensions)
        if options.scale == "standard":
            center = known.mean(axis=0, dtype=np.float64)
            scale = known.std(axis=0, dtype=np.float64)
            scale[scale == 0] = 1.0
        return cls(center.astype(np.float32), scale.astype(np.float32))

    @property
    def width(self) -> int:
        """Number of dimensions."""
        return len(self.center)

    def names(self, source: str) -> list[str]:
        """Return ``source[0]``, ``source[1]``, ..."""
        return [f"{source}[{i}]" for i in range(self.width)]

    def encode(self, cells: Cells, name: str, options: ColumnOptions) -> Block:
        """Return the vectors; rows of nulls have no entries."""
        vectors = vectors_of(cells, name)
        kept = None if vectors.null is None else ~vectors.null
        if kept is not None and not kept.any():
            return Dense(np.zeros((vectors.n_rows, self.width), dtype=np.float32), kept)
        if vectors.values.shape[1] != self.width:
            raise ValueError(
                f"{name} has vectors of length {vectors.values.shape[1]}, but those of the fit "
                f"have {self.width}"
            )
        with np.errstate(over="ignore"):
            values = ((vectors.values - self.center) / self.scale).astype(np.float32)
        is_bad = ~np.isfinite(values).all(axis=1)
        if is_bad.any():
            row = int(is_bad.argmax())
            raise ValueError(
                f"{name} holds {np.abs(vectors.values[row]).max():.3g} in row {row}, which is too "
                "large for float32: scale the vectors down"
            )
        return Dense(values, kept)

    def check(self) -> None:
        """Raise ValueError for arrays that do not fit together."""
        center, scale = self.center, self.scale
        if center.ndim != 1 or center.shape != scale.shape or not (scale > 0).all():
            raise ValueError("a column of vectors with arrays of wrong shapes or values")
