"""Short texts of numbers and aligned tables, for the printed form of results."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["aligned", "counted", "interval_text", "p_value_text", "short_number"]


def short_number(value: float) -> str:
    """Return a number with four decimals, or four significant digits where these are too few.

    Parameters
    ----------
    value : float
        Any number, NaN included.

    Returns
    -------
    str
    """
    if math.isnan(value):
        return "nan"
    if value == 0 or 0.01 <= abs(value) < 1000:
        return f"{value:.4f}"
    if 1000 <= abs(value) < 1e9:
        return f"{value:,.1f}"
    return f"{value:.4g}"


def counted(n: int, noun: str, form: str = "") -> str:
    """Return a number with its noun, such as "1 user" and "2 users".

    Parameters
    ----------
    n : int
        A count.
    noun : str
        In the singular; "entry" becomes "entries".
    form : str, default=""
        Format of the number, such as ",".

    Returns
    -------
    str
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{n:{form}} {noun if n == 1 else plural}"


def interval_text(estimate: float, lower: float, upper: float) -> str:
    """Return an estimate with its limits in brackets, with decimals that suit their width.

    Parameters
    ----------
    estimate, lower, upper : float
        NaN limits mean that there is no interval.

    Returns
    -------
    str
    """
    if math.isnan(lower) and math.isnan(upper):
        return f"{short_number(estimate)} [no interval]"
    width = upper - lower
    if not (math.isfinite(width) and math.isfinite(estimate) and width > 0):
        return f"{short_number(estimate)} [{short_number(lower)}, {short_number(upper)}]"
    decimals = min(max(2 - math.floor(math.log10(width)), 0), 9)
    texts = [f"{value:,.{decimals}f}" for value in (estimate, lower, upper)]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"


def p_value_text(value: float) -> str:
    """Return ``"= 0.0123"`` or ``"< 0.0001"``.

    Parameters
    ----------
    value : float
        A p-value.

    Returns
    -------
    str
    """
    if math.isnan(value):
        return "= nan"
    return "< 0.0001" if value < 1e-4 else f"= {value:.4f}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as lines with aligned columns, the first to the left.

    Parameters
    ----------
    rows : sequence of sequence of str
        Rows of equal length.

    Returns
    -------
    str
    """
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
