"""Every exception and warning that is this package's own."""

from __future__ import annotations

__all__ = ["ConvergenceWarning", "DamagedFileError", "NotFittedError", "NumericalError"]


class NotFittedError(ValueError, AttributeError):
    """A model was asked for an answer before ``fit``."""


class NumericalError(ArithmeticError):
    """A computation left the finite numbers; the message names row, cause and remedy."""


class DamagedFileError(ValueError):
    """A saved file is cut short, altered, or not one of ours."""


class ConvergenceWarning(UserWarning):
    """Iterations ended before the asked tolerance was reached."""
