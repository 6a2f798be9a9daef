"""What the plots of results and models share. Needs matplotlib, which is imported on first use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["draw_bars", "draw_curves", "draw_neighborhood", "draw_points", "new_axes"]

_LABEL = 30  # characters of a label in a graph


def new_axes(ax: Any = None, *, size: tuple[float, float] = (6.4, 4.0)) -> Any:
    """Return the axes to draw into.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Axes of the caller. Default: those of a new figure.
    size : pair of float, default=(6.4, 4.0)
        Width and height of a new figure, in inches.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError(
            "plots need matplotlib: pip install 'aimass_core[plot]' or pip install matplotlib"
        ) from None
    if ax is not None:
        return ax
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def draw_curves(ax: Any, curves: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]) -> Any:
    """Draw the course of one or two figures over the epochs, each with an axis of its own.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    curves : mapping of str to pair of ndarray
        Epochs and values by name.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    lines = []
    for position, (name, (epochs, values)) in enumerate(curves.items()):
        side = ax if position == 0 else ax.twinx()
        lines += side.plot(epochs, values, color=f"C{position}", marker=".", label=name)
        side.set_ylabel(name)
    ax.set_xlabel("epoch")
    ax.xaxis.get_major_locator().set_params(integer=True)
    if len(lines) > 1:
        ax.legend(lines, [line.get_label() for line in lines], loc="center right")
    return ax


def draw_points(
    ax: Any, names: Sequence[str], x: Sequence[float], y: Sequence[float], titles: tuple[str, str]
) -> Any:
    """Draw one labelled point for each name.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    names : sequence of str
        Labels.
    x, y : sequence of float
        Positions; points that are not finite are left out.
    titles : pair of str
        Titles of the two axes.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    for position, (across, up) in enumerate(zip(x, y, strict=True)):
        if np.isfinite(across) and np.isfinite(up):
            ax.scatter([across], [up], color=f"C{position % 10}")
    ax.set_xlabel(titles[0])
    ax.set_ylabel(titles[1])
    ax.margins(x=0.2, y=0.15)
    ax.figure.figure.draw_without_rendering()  # fixes the layout, which the labels depend on
    placed: list[Any] = []
    for name, across, up in zip(names, x, y, strict=True):
        if np.isfinite(across) and np.isfinite(up):
            placed.append(_free_label(ax, name, (across, up), placed))
    return ax


def _free_label(ax: Any, name: str, point: tuple[float, float], placed: list[Any]) -> Any:
    """Write a label beside a point, where it covers none of the other labels, and return it."""
    inside = ax.get_window_extent()
    label, best = None, None
    for side, up in ((1, 4), (-1, 4), (1, -14), (-1, -14), (1, 16), (-1, 16), (1, -26), (-1, -26)):
        tried = ax.annotate(
            name,
            point,
            xytext=(5 * side, up),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
        )
        box = tried.get_window_extent()
        cost = sum(box.overlaps(other.get_window_extent()) for other in placed)
        cost += box.x0 < inside.x0 or box.x1 > inside.x1
        if best is not None and cost >= best:
            tried.remove()
            continue
        if label is not None:
            label.remove()
        label, best = tried, cost
        if cost == 0:
            break
    return label


def _shortened(name: str) -> str:
    """Return a label of limited length, with its beginning and its end."""
    half = (_LABEL - 3) // 2
    return name if len(name) <= _LABEL else f"{name[:half]}...{name[-half:]}"


def draw_bars(ax: Any, names: Sequence[str], values: Sequence[float], title: str) -> Any:
    """Draw horizontal bars, the first one at the top.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    names : sequence of str
        Labels.
    values : sequence of float
        Lengths.
    title : str
        Title of the values.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    rows = np.arange(len(names))
    ax.barh(rows, values, color="C0")
    ax.set_yticks(rows, labels=names)
    ax.invert_yaxis()
    ax.set_xlabel(title)
    return ax


def draw_neighborhood(ax: Any, names: Sequence[str], similarity: NDArray[Any]) -> Any:
    """Draw a neighbourhood as a graph: the first entity in the centre, its neighbours around it.

    A neighbour is the nearer to the centre the more similar it is, and neighbours that are similar
    to each other stand side by side. The width of a line is the similarity of its two ends. Between
    neighbours, lines join each with the two that are most similar to it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    names : sequence of str
        Labels, of length n.
    similarity : ndarray of shape (n, n)
        Similarities; 0 where there is none.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    similarity = np.maximum(similarity, similarity.T)
    to_centre = similarity[0, 1:]
    largest = max(float(to_centre.max(initial=0.0)), 1e-300)
    radius = 0.35 + 0.65 * (1 - np.clip(to_centre / largest, 0, 1))
    order = np.argsort(_angles(similarity[1:, 1:]), kind="stable")
    angle = np.empty(len(order))
    # Half a step off the horizontal line, so that no two labels are at one height.
    angle[order] = 2 * np.pi * (np.arange(len(order)) + 0.25) / max(len(order), 1)
    x = np.concatenate([[0.0], radius * np.cos(angle)])
    y = np.concatenate([[0.0], radius * np.sin(angle)])
    strongest = max(float(np.abs(similarity).max(initial=0.0)), 1e-300)
    drawn = _strongest(similarity, 2)
    drawn[0] = drawn[:, 0] = True
    for a, b in zip(*np.nonzero(np.triu(similarity * drawn, 1)), strict=True):
        share = abs(float(similarity[a, b])) / strongest
        color = "C0" if a == 0 else "0.7"
        ax.plot(x[[a, b]], y[[a, b]], color=color, linewidth=0.3 + 3 * share, alpha=0.7, zorder=1)
    ax.scatter(x, y, s=60, c=["C1", *["C0"] * (len(x) - 1)], zorder=2)
    for number, (name, across, up) in enumerate(zip(names, x, y, strict=True)):
        side = -1 if across < -0.05 else 1
        ax.annotate(
            _shortened(name),
            (across, up),
            xytext=(0, -8) if number == 0 else (5 * side, 5),
            textcoords="offset points",
            fontsize="small",
            fontweight="bold" if number == 0 else "normal",
            ha="center" if number == 0 else "left" if side > 0 else "right",
            va="top" if number == 0 else "baseline",
        )
    ax.margins(0.15)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def _strongest(similarity: NDArray[Any], n: int) -> NDArray[np.bool_]:
    """Return which pairs of neighbours are among the n most similar ones of either."""
    without_centre = np.array(similarity, dtype=np.float64)
    without_centre[0] = without_centre[:, 0] = 0.0
    np.fill_diagonal(without_centre, 0.0)
    columns = np.argsort(-without_centre, axis=1, kind="stable")[:, :n]
    chosen = np.zeros(similarity.shape, dtype=bool)
    np.put_along_axis(chosen, columns, True, axis=1)
    is_chosen: NDArray[np.bool_] = chosen | chosen.T
    return is_chosen


def _angles(similarity: NDArray[Any]) -> NDArray[np.float64]:
    """Return an angle of each entity such that similar ones have similar angles."""
    n = len(similarity)
    if n < 3:
        return np.arange(n, dtype=np.float64)
    matrix = np.array(similarity, dtype=np.float64)
    np.fill_diagonal(matrix, 0.0)
    laplacian = np.diag(matrix.sum(axis=1)) - matrix
    vectors = np.linalg.eigh(laplacian)[1]
    angles: NDArray[np.float64] = np.arctan2(vectors[:, 2], vectors[:, 1])
    return angles
