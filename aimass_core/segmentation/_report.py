"""One HTML file that says everything about the segments: no script, nothing loaded from outside."""

from __future__ import annotations

import base64
import os
import secrets
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from . import _pictures
from ._assign import scaled_features
from ._describe import SMALL, differences, shown, signed, summary
from ._pictures import DARK, Theme, colour
from ._style import STYLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..data.tables import Table
    from ._fitted import FittedSegments

    Floats = NDArray[np.float64]

__all__ = ["picture", "report"]

_KINDS = ("map", "profile", "selection")
_STABLE = ((0.85, "highly stable"), (0.75, "stable"), (0.6, "a pattern, its border is unsure"))


def _write(path: Path, content: bytes) -> None:
    """The whole file or none."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def picture(
    self: FittedSegments,
    kind: str,
    path: str | os.PathLike[str] | None = None,
    *,
    table: Table = None,
    axes: tuple[int, int] = (1, 2),
    dark: bool = False,
) -> bytes:
    """A picture of the segments as PNG.

    Parameters
    ----------
    kind : {"map", "profile", "selection"}
        The plane of two leading axes with ellipses that hold half and 90 % of each segment; the
        effect sizes of the columns; BIC and ICL over the number of segments.
    path : str or path-like, optional
        Where to write it; it appears only when it is complete.
    table : table or path, optional
        Customers for the map; at most 3,000 are drawn. Without it there are ellipses alone.
    axes : pair of int, default=(1, 2)
        Of the map; 1 is the axis that separates the segments best.
    dark : bool, default=False
        Light ink on dark paper.

    Returns
    -------
    bytes
        The PNG.

    Raises
    ------
    ImportError
        Where matplotlib is not installed (``pip install 'aimass_core[plot]'``).
    """
    from ..base.validation import as_choice, as_int

    as_choice(kind, "kind", _KINDS)
    self._check_fitted()
    theme = DARK if dark else Theme()
    if kind == "profile":
        content = _pictures.profile_picture(self, theme)
    elif kind == "selection":
        content = _pictures.selection_picture(self, theme)
    else:
        d = len(self.columns_)
        first, second = (as_int(a, "axes", minimum=1, maximum=min(3, max(d, 2))) - 1 for a in axes)
        if first == second:
            raise ValueError(f"axes must be two different axes, got {axes!r}")
        Z = None if table is None else scaled_features(self, table)
        content = _pictures.map_picture(self, Z, (first, second), theme)
    if path is not None:
        _write(Path(path), content)
    return content


def report(
    self: FittedSegments,
    path: str | os.PathLike[str],
    table: Table = None,
    *,
    title: str = "Customer segments",
) -> None:
    """Write all about the segments as one HTML file.

    Parameters
    ----------
    path : str or path-like
        The file; it appears only when it is complete. It holds its pictures, needs no network and
        no script, and follows the light or dark setting of its reader.
    table : table or path, optional
        Customers for the maps; at most 3,000 become points. Without it there are ellipses alone.
    title : str, default="Customer segments"
        The heading.

    Raises
    ------
    ImportError
        Where matplotlib is not installed (``pip install 'aimass_core[plot]'``).
    OSError
        Where the file can't be written.
    """
    self._check_fitted()
    Z = None if table is None else scaled_features(self, table)
    parts = [_head(self, title), _cards(self), _maps(self, Z), _profile(self), _words(self)]
    parts += [_choice(self), _method(self)]
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )
    _write(Path(path), page.encode("utf-8", "replace"))


def _image(draw: Callable[[Theme], bytes], alt: str, caption: str) -> str:
    """A picture in both themes; the reader's setting picks one."""
    light, dark = (base64.b64encode(draw(theme)).decode() for theme in (Theme(), DARK))
    return (
        '<figure><picture><source media="(prefers-color-scheme: dark)" '
        f'srcset="data:image/png;base64,{dark}"><img alt="{escape(alt)}" '
        f'src="data:image/png;base64,{light}"></picture>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _key(self: FittedSegments, i: int) -> str:
    red, green, blue = (int(colour(i)[at : at + 2], 16) for at in (1, 3, 5))
    ink = "#000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#fff"
    return f'<span class="key" style="--own: {colour(i)}; color: {ink}">{self.keys_[i]}</span>'


def _head(self: FittedSegments, title: str) -> str:
    k, n = len(self.names_), int(self.sizes_.sum()) + self.n_outliers_
    rand = self.stability_["rand"]
    lines = [f"{n:,} customers in {k} segment{'s' * (k > 1)}, told apart by "
             f"{len(self.columns_)} column{'s' * (len(self.columns_) > 1)}."]  # fmt: skip
    if len(rand):
        lines.append(
            f"Clustering {len(rand)} resamples anew agrees with these segments to an adjusted "
            f"Rand index of {rand.mean():.2f} on average (1 is the same, 0 is chance)."
        )
    notes = "".join(f'<div class="note">{escape(note)}</div>' for note in self.notes_)
    return f"<header><h1>{escape(title)}</h1><p>{' '.join(lines)}</p>{notes}</header>"


def _cards(self: FittedSegments) -> str:
    rows, cards = summary(self), []
    for i, name in enumerate(self.names_):
        share, stable = rows["share"][i], rows["stability"][i]
        found = "".join(
            f"<li>{'▲' if effect > 0 else '▼'} <b>{escape(column)}</b> {signed(effect)} "
            f'<span class="soft">({escape(words)})</span></li>'
            for column, effect, words in differences(self, i, 6)
        )
        facts = f"certainty {rows['certainty'][i]:.2f}"
        if not np.isnan(stable):
            words = next((w for at_least, w in _STABLE if stable >= at_least), "not stable")
            facts += f" · stability {stable:.2f}, {words}"
        cards.append(
            f'<section class="card" style="--own: {colour(i)}"><h3>{_key(self, i)} '
            f'{escape(name)}</h3><span class="big">{rows["size"][i]:,}</span> customers, '
            f'{share:.1%}<div class="bar"><i style="width: {share:.1%}"></i></div>'
            f'<div class="soft">{facts}</div><ul class="what">{found}</ul></section>'
        )
    if self._noise:
        cards.append(
            f'<section class="card"><h3>Outliers</h3><span class="big">{self.n_outliers_:,}</span> '
            f'customers, {rows["share"][-1]:.1%}<div class="soft">unlike every segment; certainty '
            f"{rows['certainty'][-1]:.2f}</div></section>"
        )
    return f'<h2>The segments</h2><div class="cards">{"".join(cards)}</div>'


def _maps(self: FittedSegments, Z: Floats | None) -> str:
    k, d = self.means_.shape
    pairs = [(0, 1)] if min(k - 1, d) < 3 else [(0, 1), (0, 2)]
    what = "Columns" if d > 1 else "Column"
    images = [
        _image(
            lambda theme, pair=pair: _pictures.map_picture(self, Z, pair, theme),  # type: ignore[misc]
            "map of the segments", "",
        )
        for pair in pairs
    ]  # fmt: skip
    return (
        f'<h2>Map</h2><p class="soft">{what} with their signs are those that an axis follows '
        "most. Ellipses hold half and 90 % of a segment.</p>"
        f'<div class="pair">{"".join(images)}</div>'
    )


def _cell(effect: float, inside: str) -> str:
    tone = "high" if effect > 0 else "low"
    strength = min(abs(effect) / 2.5, 1.0) * 0.75
    return (
        f'<td style="background: rgba(var(--{tone}), {strength:.2f})">{inside}'
        f"<small>{signed(effect)}</small></td>"
    )


def _header(self: FittedSegments, *first: str) -> str:
    keys = "".join(f"<th>{_key(self, i)}</th>" for i in range(len(self.names_)))
    return "<tr>" + "".join(f"<th>{word}</th>" for word in first) + keys + "</tr>"


def _profile(self: FittedSegments) -> str:
    numbers, rows = self.numbers_, []
    for j, name in enumerate(numbers["column"]):
        cells = "".join(
            _cell(numbers["effect"][i, j], shown(numbers["median"][i, j]))
            for i in range(len(self.names_))
        )
        other = "" if j < len(self.columns_) else ' <span class="soft">(profile only)</span>'
        rows.append(
            f"<tr><td>{escape(name)}{other}</td><td>{shown(numbers['overall_median'][j])}</td>"
            f"{cells}</tr>"
        )
    return (
        '<h2>Numbers</h2><p class="soft">Medians in the units of the table; below them the effect: '
        "difference from the rest in units of spread (0.2 small, 0.5 medium, 0.8 large).</p>"
        f'<div class="wide"><table>{_header(self, "column", "all")}{"".join(rows)}</table></div>'
    )


def _words(self: FittedSegments) -> str:
    words, rows = self.categories_, []
    telling = np.abs(words["effect"]).max(axis=0, initial=0.0) >= SMALL
    for j in np.flatnonzero(telling):
        cells = "".join(
            _cell(words["effect"][i, j], f"{words['share'][i, j]:.0%}")
            for i in range(len(self.names_))
        )
        rows.append(
            f"<tr><td>{escape(words['column'][j])} = {escape(words['value'][j])}</td>"
            f"<td>{words['overall_share'][j]:.0%}</td>{cells}</tr>"
        )
    if not rows:
        return ""
    return (
        '<h2>Words</h2><p class="soft">Shares of each word, and Cohen\'s h against the rest: those '
        f"with an effect of {SMALL} or more somewhere. These columns describe the segments and did "
        "not form them.</p>"
        f'<div class="wide"><table>{_header(self, "column", "all")}{"".join(rows)}</table></div>'
    )


def _choice(self: FittedSegments) -> str:
    if len(set(self.selection_["n_segments"].tolist())) < 2:  # a picture of one place says nothing
        return ""
    p = self._fitted_parameters()
    image = _image(
        lambda theme: _pictures.selection_picture(self, theme), "BIC and ICL",
        f"Chosen by {str(p['criterion']).upper()}: {len(self.names_)} segments, form "
        f"{self.covariance_type_}.",
    )  # fmt: skip
    return f"<h2>How many segments</h2>{image}"


def _method(self: FittedSegments) -> str:
    scales: dict[str, Any] = {}
    for name, kind in self.scaling_.items():
        scales.setdefault(kind, []).append(escape(name))
    lines = "".join(f"<li><b>{kind}</b>: {', '.join(names)}</li>" for kind, names in scales.items())
    p = self._fitted_parameters()
    asked = ", ".join(
        f"{name}={value!r}" for name, value in p.items() if name not in ("columns", "n_threads")
    )
    return (
        "<h2>How it was made</h2><p>A Gaussian mixture on these columns, each on its scale:</p>"
        f"<ul>{lines}</ul>"
        f'<p class="soft">{escape(asked)}. aimass_core {escape(__version__)}.</p>'
    )
