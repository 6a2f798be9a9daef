"""One HTML file with everything about the segments: no script, nothing loaded from outside."""

from __future__ import annotations

import base64
import os
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from ..base.persistence import replacing
from . import _pictures
from ._describe import SMALL, contradicts, differences, figures, shown, signed
from ._pictures import DARK, Theme, colour
from ._style import STYLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._pictures import Points
    from .segmentation import Segmentation

__all__ = ["page", "write_file"]

_STABILITY = ((0.85, "highly stable"), (0.75, "stable"), (0.6, "a pattern with unsure borders"))
_MAX_DIFFERENCES = 6


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that it appears only when it is complete."""
    with replacing(path) as file:
        file.write(content)


def page(segmentation: Segmentation, points: Points | None, title: str | None) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    segmentation : Segmentation
        Fitted.
    points : pair of ndarray or None
        Scaled rows and their segments for the maps.
    title : str or None
        The heading; by default it names the unit.

    Returns
    -------
    str
        A whole document.
    """
    if title is None:
        unit = segmentation._fitted_with["unit"]
        title = f"{unit.removesuffix('s').capitalize()} segments"
    parts = [
        _head(segmentation, title),
        _cards(segmentation),
        _drift(segmentation),
        _maps(segmentation, points),
        _number_table(segmentation),
        _word_table(segmentation),
        _choice(segmentation),
        _method(segmentation),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def _image(draw: Callable[[Theme], bytes], alt: str, caption: str) -> str:
    """Return a picture in both themes; the reader's setting picks one."""
    light, dark = (base64.b64encode(draw(theme)).decode() for theme in (Theme(), DARK))
    return (
        '<figure><picture><source media="(prefers-color-scheme: dark)" '
        f'srcset="data:image/png;base64,{dark}"><img alt="{escape(alt)}" '
        f'src="data:image/png;base64,{light}"></picture>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _key(segmentation: Segmentation, i: int) -> str:
    red, green, blue = (int(colour(i)[at : at + 2], 16) for at in (1, 3, 5))
    text = "#000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#fff"
    key = escape(segmentation.keys_[i])
    return f'<span class="key" style="--own: {colour(i)}; color: {text}">{key}</span>'


def _head(segmentation: Segmentation, title: str) -> str:
    k, d = len(segmentation.names_), len(segmentation.columns_)
    d += len(segmentation.category_columns_)
    n = int(segmentation.sizes_.sum()) + segmentation.n_outliers_
    rand = segmentation.stability_["rand"]
    unit = escape(segmentation._fitted_with["unit"])
    lines = [f"{n:,} {unit} in {k} segment{'s' * (k > 1)}, formed by {d} column{'s' * (d > 1)}."]
    if len(rand):
        lines.append(
            f"Clustering {len(rand)} resamples anew agrees with these segments to an adjusted "
            f"Rand index of {rand.mean():.2f} on average (1 is the same, 0 is chance)."
        )
    notes = "".join(f'<div class="note">{escape(note)}</div>' for note in segmentation.notes_)
    return f"<header><h1>{escape(title)}</h1><p>{' '.join(lines)}</p>{notes}</header>"


def _cards(segmentation: Segmentation) -> str:
    rows, cards = segmentation.summary(), []
    unit = escape(segmentation._fitted_with["unit"])
    for i, name in enumerate(segmentation.names_):
        share, stability = rows["share"][i], rows["stability"][i]
        items = "".join(
            f"<li>{'▲' if effect > 0 else '▼'} <b>{escape(column)}</b> {signed(effect)} "
            f'<span class="soft">({escape(words)})</span></li>'
            for column, effect, words in differences(segmentation, i, _MAX_DIFFERENCES)
        )
        facts = f"certainty {rows['certainty'][i]:.2f}"
        if not np.isnan(stability):
            words = next((w for limit, w in _STABILITY if stability >= limit), "not stable")
            facts += f" · stability {stability:.2f}, {words}"
        cards.append(
            f'<section class="card" style="--own: {colour(i)}"><h3>{_key(segmentation, i)} '
            f'{escape(name)}</h3><span class="big">{rows["size"][i]:,}</span> of the {unit}, '
            f'{share:.1%}<div class="bar"><i style="width: {share:.1%}"></i></div>'
            f'<div class="soft">{facts}</div><ul class="what">{items}</ul></section>'
        )
    if segmentation._noise:
        cards.append(
            '<section class="card"><h3>Outliers</h3>'
            f'<span class="big">{segmentation.n_outliers_:,}</span> of the {unit}, '
            f'{rows["share"][-1]:.1%}<div class="soft">unlike every segment; certainty '
            f"{rows['certainty'][-1]:.2f}</div></section>"
        )
    return f'<h2>The segments</h2><div class="cards">{"".join(cards)}</div>'


def _drift(segmentation: Segmentation) -> str:
    """Return what has changed since the previous segments."""
    drift = segmentation.drift_
    if not drift:
        return ""
    rows = "".join(
        f"<tr><td>{escape(key)}</td><td>{before:.1%}</td><td>{now:.1%}</td>"
        f"<td>{'-' if jaccard == 0 else f'{jaccard:.2f}'}</td></tr>"
        for key, before, now, jaccard in zip(
            drift["segment"], drift["previous_share"], drift["share"], drift["jaccard"], strict=True
        )
    )
    header = "".join(
        f"<th>{word}</th>"
        for word in ("previous segment", "share then", "share now", "overlap with its match")
    )
    return (
        f'<h2>Since the previous segments</h2><p class="soft">{drift["changed"]:.1%} changed their '
        f"segment. Population stability index of the previous segments: {drift['psi']:.3f} (below "
        "0.1 small, above 0.25 large). The overlap is a Jaccard index.</p>"
        f'<div class="wide"><table><tr>{header}</tr>{rows}</table></div>'
    )


def _maps(segmentation: Segmentation, points: Points | None) -> str:
    k, d = segmentation.means_.shape
    pairs = [(0, 1)] if min(k - 1, d) < 3 else [(0, 1), (0, 2)]
    images = [
        _image(
            lambda theme, pair=pair: _pictures.map_picture(  # type: ignore[misc]
                segmentation, points, pair, theme
            ),
            "map of the segments",
            "",
        )
        for pair in pairs
    ]
    return (
        '<h2>Map</h2><p class="soft">An axis is labelled with the columns that correlate with it '
        "most, and the signs of these correlations. Ellipses hold half and 90 % of a segment.</p>"
        f'<div class="pair">{"".join(images)}</div>'
    )


def _cell(effect: float, inside: str, detail: str = "") -> str:
    tone = "high" if effect > 0 else "low"
    strength = min(abs(effect) / 2.5, 1.0) * 0.75
    return (
        f'<td style="background: rgba(var(--{tone}), {strength:.2f})">{inside}'
        f"<small>{signed(effect)}{detail}</small></td>"
    )


def _table_header(segmentation: Segmentation) -> str:
    keys = "".join(f"<th>{_key(segmentation, i)}</th>" for i in range(len(segmentation.names_)))
    return f"<tr><th>column</th><th>all</th>{keys}</tr>"


def _number_table(segmentation: Segmentation) -> str:
    numbers, rows = segmentation.numbers_, []
    explained = []
    for j, name in enumerate(numbers["column"]):
        cells = []
        for i, key in enumerate(segmentation.keys_):
            detail = ""
            if contradicts(numbers, i, j):
                detail = " *"
                is_log = segmentation.scaling_.get(name) == "log"
                text = f"{name}, {key} ({signed(numbers['effect'][i, j])})"
                explained.append(f"{text}: {figures(numbers, i, j, is_log)}")
            cells.append(_cell(numbers["effect"][i, j], shown(numbers["median"][i, j]), detail))
        role = "" if j < len(segmentation.columns_) else ' <span class="soft">(profile only)</span>'
        rows.append(
            f"<tr><td>{escape(name)}{role}</td><td>{shown(numbers['overall_median'][j])}</td>"
            f"{''.join(cells)}</tr>"
        )
    remark = ""
    if explained:
        items = "".join(f"<li>{escape(text)}</li>" for text in explained)
        remark = (
            '<details class="soft"><summary>* These effects compare whole distributions, and the '
            f"medians do not show them. The figures:</summary><ul>{items}</ul></details>"
        )
    return (
        '<h2>Numbers</h2><p class="soft">Medians in the units of the table. Below them the effect: '
        "the difference from the rest in standard deviations (0.2 small, 0.5 medium, 0.8 "
        "large).</p>"
        f'<div class="wide"><table>{_table_header(segmentation)}{"".join(rows)}</table></div>'
        f"{remark}"
    )


def _word_table(segmentation: Segmentation) -> str:
    words, rows = segmentation.categories_, []
    is_shown = np.abs(words["effect"]).max(axis=0, initial=0.0) >= SMALL
    for j in np.flatnonzero(is_shown):
        cells = "".join(
            _cell(words["effect"][i, j], f"{words['share'][i, j]:.0%}")
            for i in range(len(segmentation.names_))
        )
        column = words["column"][j]
        role = ' <span class="soft">(profile only)</span>'
        if column in segmentation.category_columns_:
            role = ""
        rows.append(
            f"<tr><td>{escape(column)} = {escape(words['value'][j])}{role}</td>"
            f"<td>{words['overall_share'][j]:.0%}</td>{cells}</tr>"
        )
    if not rows:
        return ""
    return (
        '<h2>Words</h2><p class="soft">Share of each word, and Cohen\'s h against the rest, for '
        f"words with an effect of at least {SMALL} in some segment.</p>"
        f'<div class="wide"><table>{_table_header(segmentation)}{"".join(rows)}</table></div>'
    )


def _choice(segmentation: Segmentation) -> str:
    if len(set(segmentation.selection_["n_segments"].tolist())) < 2:  # nothing was chosen
        return ""
    criterion = str(segmentation._fitted_with["criterion"]).upper()
    image = _image(
        lambda theme: _pictures.selection_picture(segmentation, theme),
        "BIC and ICL",
        f"Chosen by {criterion}: {len(segmentation.names_)} segments, shape "
        f"{segmentation.covariance_type_}.",
    )
    return f"<h2>How many segments</h2>{image}"


def _method(segmentation: Segmentation) -> str:
    scales: dict[str, Any] = {}
    for name, kind in segmentation.scaling_.items():
        scales.setdefault(kind, []).append(escape(name))
    for name in segmentation.category_columns_:
        scales.setdefault("categories", []).append(escape(name))
    lines = "".join(f"<li><b>{kind}</b>: {', '.join(names)}</li>" for kind, names in scales.items())
    hidden = ("columns", "n_threads", "verbose", "callback")
    parameters = ", ".join(
        f"{name}={value!r}"
        for name, value in segmentation._fitted_with.items()
        if name not in hidden and value is not None
    )
    return (
        "<h2>Method</h2><p>A Gaussian mixture on these columns, each on its scale:</p>"
        f"<ul>{lines}</ul>"
        f'<p class="soft">{escape(parameters)}. aimass_core {escape(__version__)}.</p>'
    )
