"""What every kind of column offers: learn, encode, names, and a state that a file can hold."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...exceptions import DamagedFileError
from .._column import Column
from .._factorize import factorize

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ._blocks import Block
    from ._cells import Cells

__all__ = ["ColumnEncoder", "ColumnOptions", "Learned", "codes_of", "wrong_cells"]


@dataclass(frozen=True)
class ColumnOptions:
    """How columns are encoded; the parameters of `Features`, and what a column overrides.

    Parameters
    ----------
    scale : {"standard", "robust", "none"}
        Of numeric columns and vectors.
    min_frequency : int
        Categories in fewer rows share the column "other".
    max_categories : int
        Columns with more categories are hashed, where the kind is not given.
    n_buckets : int
        Columns of a hashed column.
    separator : str or None
        Between the tags of a cell.
    max_terms : int
        Terms of a text column.
    n_threads : int
        Threads for numbering categories.
    parts : tuple of str
        Parts of dates.
    smoothing : float
        Rows of the mean that each category starts with in target encoding.
    n_folds : int
        Of cross-fitted target encoding.
    random_state : int, Generator or None
        Of these folds.
    decimal : str
        Decimal mark of numbers that are text.
    thousands : str or None
        What groups the digits of such numbers.
    date_format : str or None
        How dates are written that are text or numbers.
    target : ndarray of float64, shape (n,), optional
        What target encoding averages.
    is_text : bool
        Whether the cells come from a text file: there ``7`` may be a number or text.
    """

    scale: str = "standard"
    min_frequency: int = 1
    max_categories: int = 100_000
    n_buckets: int = 1 << 18
    separator: str | None = None
    max_terms: int = 20_000
    n_threads: int = 1
    parts: tuple[str, ...] = ("age", "month", "weekday")
    smoothing: float = 20.0
    n_folds: int = 5
    random_state: Any = 0
    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None
    target: NDArray[np.float64] | None = None
    is_text: bool = False


class ColumnEncoder:
    """Base of the kinds; a subclass is a frozen dataclass whose fields are its state."""

    kind: ClassVar[str]

    @property
    def width(self) -> int:
        """Number of encoded columns."""
        raise NotImplementedError

    @property
    def holds_text(self) -> bool:
        """Whether what was learned is text, so that a text file is read as text, too."""
        return False

    def names(self, source: str) -> list[str]:
        """Return the names of the encoded columns of the column called ``source``."""
        raise NotImplementedError

    def encode(self, cells: Cells, name: str, options: ColumnOptions) -> Block:
        """Return the encoded entries of a column."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Return the kind and the learned values, for a file."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {"kind": self.kind, **own}

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> Self:
        """Return the encoder of a state, refused where it is not complete."""
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        if set(state) != known | {"kind"}:
            raise DamagedFileError(f"a column of kind {cls.kind!r} is not complete")
        encoder = cls(**{name: state[name] for name in known})
        encoder.check()
        return encoder

    def check(self) -> None:
        """Raise ValueError where the learned values do not fit together (a damaged file)."""


Learned = tuple[ColumnEncoder, "Block"]


def codes_of(column: Column, name: str, n_threads: int) -> tuple[NDArray[np.int32], Column]:
    """Return the codes of all rows, null: -1, and the distinct values, ascending."""
    if column.kind == "float":
        column = Column("float", column.values.astype(np.float64), None, column.codes, column.null)
    return factorize(column, name, n_threads)


def wrong_cells(name: str, expected: str, cells: object) -> TypeError:
    """Return the error for a column whose cells do not fit its kind."""
    given = {"Lists": "lists", "Vectors": "vectors"}.get(type(cells).__name__)
    if given is None:
        given = f"values of kind {getattr(cells, 'kind', type(cells).__name__)!r}"
    return TypeError(f"{name} must hold {expected}, got {given}: give the column another kind")
