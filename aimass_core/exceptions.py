"""Every exception and warning that is this package's own."""

from __future__ import annotations

__all__ = [
    "ConvergenceWarning",
    "DamagedFileError",
    "FewClustersWarning",
    "NotFittedError",
    "NumericalError",
]


class NotFittedError(ValueError, AttributeError):
    """Raised when a call needs a fitted model and ``fit`` was not called."""


class NumericalError(ArithmeticError):
    """Raised when a result is not a finite number; the message names row, cause and remedy.

    Parameters
    ----------
    reason : str
        The cause and the remedy. With a row, it continues the sentence that the row begins.
    row : int, optional
        The failing row of the input.
    what : str, default="row"
        What a row is called in the message, for example ``"user"``.

    Attributes
    ----------
    reason : str
        As given.
    row : int or None
        As given.

    Examples
    --------
    >>> from aimass_core.exceptions import NumericalError
    >>> error = NumericalError("has no finite solution; scale the values down", row=7, what="user")
    >>> print(error)
    user 7 has no finite solution; scale the values down
    >>> error.row
    7
    """

    def __init__(self, reason: str = "", *, row: int | None = None, what: str = "row") -> None:
        super().__init__(reason if row is None else f"{what} {row} {reason}")
        self.reason = reason
        self.row = row


class DamagedFileError(ValueError):
    """A saved file is cut short, altered, or not one of ours."""


class ConvergenceWarning(UserWarning):
    """Iterations ended before the requested tolerance was reached."""


class FewClustersWarning(UserWarning):
    """Intervals rest on so few clusters that their standard errors are uncertain."""
