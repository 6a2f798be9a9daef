"""Tables of HTML for notebooks. Text is escaped; there is no script and no style sheet."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["describe", "details", "named_values", "results", "table"]


def table(header: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table; numbers are aligned to the right.

    Parameters
    ----------
    header : sequence of str
        Titles of the columns.
    rows : iterable of sequences
        Cells, as texts or numbers.

    Returns
    -------
    str
    """
    head = "".join(f"<th>{html.escape(str(title))}</th>" for title in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def named_values(values: Mapping[str, Any], *, bold: Iterable[str] = ()) -> str:
    """Return a table of two columns without a header.

    Parameters
    ----------
    values : mapping of str to object
        Names and what stands beside them.
    bold : iterable of str
        Names whose rows are emphasised.

    Returns
    -------
    str
    """
    emphasised = set(bold)
    rows = []
    for name, value in values.items():
        text = html.escape(str(value))
        shown = f"<b>{text}</b>" if name in emphasised else text
        rows.append(
            f'<tr><th style="text-align:left">{html.escape(name)}</th>'
            f'<td style="text-align:left">{shown}</td></tr>'
        )
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def details(summary: str, content: str) -> str:
    """Return content that the reader opens.

    Parameters
    ----------
    summary : str
        Text that is always shown.
    content : str
        HTML.

    Returns
    -------
    str
    """
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"


def results(
    rows: Sequence[Sequence[str]], notes: Iterable[str] = (), *, left: Iterable[int] = (0,)
) -> str:
    """Return a table of results, whose cells are texts of numbers, with notes below it.

    Parameters
    ----------
    rows : sequence of sequences of str
        Cells; the first row holds the titles. An interval in brackets is set in small type.
    notes : iterable of str
        Lines below the table.
    left : iterable of int, default (0,)
        Columns that are aligned to the left; the others are aligned to the right.

    Returns
    -------
    str
    """
    at_left = set(left)

    def line(row: Sequence[str], kind: str) -> str:
        cells = []
        for column, cell in enumerate(row):
            value, bracket, interval = html.escape(cell).partition(" [")
            text = f"{value}<br><small>[{interval}</small>" if bracket else value
            style = "left" if column in at_left else "right;white-space:nowrap"
            cells.append(f'<{kind} style="text-align:{style}">{text}</{kind}>')
        return f"<tr>{''.join(cells)}</tr>"

    body = "".join(line(row, "td") for row in rows[1:])
    below = "<br>".join(map(html.escape, notes))
    return (
        f'<div style="overflow-x:auto"><table><thead>{line(rows[0], "th")}</thead>'
        f"<tbody>{body}</tbody></table></div>"
        f"{f'<p>{below}</p>' if below else ''}"
    )


def describe(value: Any) -> str:
    """Return a short text of a value: an array by type and shape, another object by its repr.

    Parameters
    ----------
    value : object
        A parameter or a learned attribute.

    Returns
    -------
    str
    """
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None and shape != ():
        size = " x ".join(f"{n:,}" for n in shape)
        stored = getattr(value, "nnz", None)
        entries = f", {stored:,} entries" if stored is not None else ""
        return f"{type(value).__name__} of {dtype}, {size}{entries}"
    text = f"{float(value):.6g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _cell(value: Any) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    text = f"{value:,}" if isinstance(value, int) and is_number else str(value)
    side = "right" if is_number else "left"
    return f'<td style="text-align:{side}">{html.escape(text)}</td>'
