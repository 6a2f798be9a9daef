"""Pictures of segments as PNG: the map, the profile, the choice. Matplotlib is imported on use."""

from __future__ import annotations

import io
import textwrap
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.validation import as_choice, as_int
from ..mixture._parameters import full_covariances
from ._axes import Axes, leading_axes
from ._describe import signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .segmentation import Segmentation

    Floats = NDArray[np.float64]
    Points = tuple[Floats, NDArray[np.int64]]

__all__ = [
    "COLOURS",
    "DARK",
    "Theme",
    "axes_of",
    "colour",
    "map_picture",
    "picture",
    "profile_picture",
    "selection_picture",
]

KINDS = ("map", "profile", "selection")
# Told apart by most people with a colour deficiency, and readable on white and on dark grey.
COLOURS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#ee8844",
    "#88a050",
    "#8877cc",
    "#999999",
)
_MAX_COLUMNS = 20  # in the profile picture
_MAX_POINTS = 3000
# Radii that hold 50 % and 90 % of a normal distribution in a plane.
_INNER_RADIUS, _OUTER_RADIUS = 1.1774, 2.1460
_MANY_SEGMENTS = 6  # from here on the legend has two columns
_NO_MATPLOTLIB = "pictures need matplotlib: pip install 'aimass_core[plot]'"


@dataclass(frozen=True)
class Theme:
    """Colours of background, text and grid."""

    background: str = "#ffffff"
    text: str = "#1d2733"
    grid: str = "#d5dae0"


DARK = Theme(background="#171c22", text="#e4e9ef", grid="#39424d")


def colour(i: int) -> str:
    """Return the colour of the i-th segment, -1 for outliers."""
    return COLOURS[i % len(COLOURS)] if i >= 0 else "#8a8f96"


def _figure(width: float, height: float, theme: Theme) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(_NO_MATPLOTLIB) from None
    figure = Figure(
        figsize=(width, height), dpi=110, facecolor=theme.background, layout="constrained"
    )
    FigureCanvasAgg(figure)  # no pyplot: no window, no state that threads would share
    return figure


@contextmanager
def _style(theme: Theme) -> Iterator[None]:
    """Use these colours and fonts whatever the caller's settings are; "$" is no formula."""
    try:
        import matplotlib
    except ImportError:
        raise ImportError(_NO_MATPLOTLIB) from None
    settings: dict[str, Any] = dict.fromkeys(
        ("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), theme.text
    )
    settings |= {"axes.edgecolor": theme.grid, "axes.facecolor": theme.background, "font.size": 9.0}
    settings |= {"axes.spines.top": False, "axes.spines.right": False, "text.parse_math": False}
    settings |= {"font.family": ["sans-serif"], "axes.unicode_minus": False}
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about glyphs that the font lacks
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        yield


def _png(figure: Any) -> bytes:
    """Return a PNG of few colours, which takes a third of the bytes without a visible loss."""
    from PIL import Image

    raw = io.BytesIO()
    figure.savefig(raw, format="png", facecolor=figure.get_facecolor())
    small = io.BytesIO()
    image = Image.open(raw).convert("RGB")
    image.quantize(colors=160, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()


def _wrapped(name: str, width: int) -> str:
    """Return a text in lines of limited width; nothing is cut off."""
    return "\n".join(textwrap.wrap(name, width, break_long_words=True)) or name


def picture(
    segmentation: Segmentation,
    kind: str,
    points: Points | None,
    axes: tuple[int, int],
    dark: bool,
) -> bytes:
    """Return a picture as PNG; ``axes`` of the map count from 1."""
    as_choice(kind, "kind", KINDS)
    theme = DARK if dark else Theme()
    if kind == "profile":
        return profile_picture(segmentation, theme)
    if kind == "selection":
        return selection_picture(segmentation, theme)
    d = len(segmentation.columns_)
    first, second = (as_int(a, "axes", minimum=1, maximum=min(3, max(d, 2))) - 1 for a in axes)
    if first == second:
        raise ValueError(f"axes must be two different axes, got {axes!r}")
    return map_picture(segmentation, points, (first, second), theme)


# ---- the map -------------------------------------------------------------------------------------


def axes_of(segmentation: Segmentation, n_axes: int = 3) -> Axes:
    """Return the leading axes of the fitted mixture."""
    k, d = segmentation.means_.shape
    covariances = full_covariances(segmentation.covariances_, segmentation.covariance_type_, k, d)
    weights = segmentation.weights_ / segmentation.weights_.sum()  # the noise has its own
    return leading_axes(weights, segmentation.means_, covariances, n_axes)


def _axis_label(segmentation: Segmentation, axes: Axes, a: int) -> str:
    order = np.argsort(-np.abs(axes.loadings[:, a]), kind="stable")[:3]
    parts = [
        f"{'+' if axes.loadings[j, a] > 0 else '−'} {segmentation.columns_[j]}"
        for j in order
        if abs(axes.loadings[j, a]) >= 0.3
    ]
    share = f" ({axes.share[a]:.0%} of the differences)" if axes.share[a] > 0.005 else ""
    label = f"axis {a + 1}{share}: " + ", ".join(parts or ["many columns, none alone"])
    return _wrapped(label, 70)


def _sampled(points: Points | None, axes: Axes) -> Points:
    """Return the coordinates of the rows that are drawn, and their segments."""
    if points is None or not len(points[0]):
        return np.empty((0, axes.directions.shape[1])), np.empty(0, dtype=np.int64)
    Z, labels = points
    rows = np.arange(len(Z))
    if len(Z) > _MAX_POINTS:
        rows = np.sort(np.random.default_rng(0).choice(len(Z), _MAX_POINTS, replace=False))
    return (Z[rows] - axes.origin) @ axes.directions, labels[rows]


def map_picture(
    segmentation: Segmentation, points: Points | None, pair: tuple[int, int], theme: Theme
) -> bytes:
    """Return customers and segments in the plane of two leading axes."""
    axes = axes_of(segmentation)
    coordinates, labels = _sampled(points, axes)
    is_many = len(segmentation.keys_) >= _MANY_SEGMENTS
    texts = [
        _wrapped(f"{key}  {name}", 44 if is_many else 84)
        for key, name in zip(segmentation.keys_, segmentation.names_, strict=True)
    ]
    n_lines = sum(text.count("\n") + 1 for text in texts)
    with _style(theme):
        height = 4.9 + 0.17 * (n_lines / 2 + 1 if is_many else n_lines)
        figure = _figure(6.4, height, theme)
        axis = figure.add_subplot()
        if len(segmentation.columns_) == 1:
            _draw_line(segmentation, axis, coordinates[:, 0], labels, axes)
        else:
            plane = coordinates[:, list(pair)]
            _draw_plane(segmentation, axis, plane, labels, axes, pair, theme)
            axis.set_ylabel(_axis_label(segmentation, axes, pair[1]))
        axis.set_xlabel(_axis_label(segmentation, axes, pair[0]))
        axis.tick_params(length=0)
        handles = [_handle(colour(i), text) for i, text in enumerate(texts)]
        if segmentation._noise:
            handles.append(_handle(colour(-1), "outliers", "x"))
        figure.legend(
            handles=handles,
            loc="outside lower left",
            ncols=2 if is_many else 1,
            frameon=False,
            fontsize=7 if is_many else 8,
        )
        return _png(figure)


def _handle(colour: str, label: str, marker: str = "o") -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], marker=marker, linestyle="", markersize=6, color=colour, label=label)


def _draw_plane(
    segmentation: Segmentation,
    axis: Any,
    points: Floats,
    labels: Any,
    axes: Axes,
    pair: tuple[int, int],
    theme: Theme,
) -> None:
    from matplotlib.patches import Ellipse

    out = points[labels < 0] if len(points) else points
    axis.scatter(out[:, 0], out[:, 1], s=9, color=colour(-1), marker="x", linewidths=0.7, zorder=1)
    for i in range(len(segmentation.names_)):
        own = points[labels == i] if len(points) else points
        axis.scatter(own[:, 0], own[:, 1], s=7, color=colour(i), alpha=0.45, linewidths=0, zorder=1)
        values, vectors = np.linalg.eigh(axes.covariances[i][np.ix_(pair, pair)])
        angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
        x, y = axes.means[i, list(pair)].tolist()
        sizes = 2 * np.sqrt(np.maximum(values[::-1], 0))
        for radius, fill in ((_OUTER_RADIUS, False), (_INNER_RADIUS, True)):
            axis.add_patch(
                Ellipse(
                    (x, y),
                    *(radius * sizes),
                    angle=angle,
                    edgecolor=colour(i),
                    linewidth=1.3,
                    facecolor=colour(i) + "30" if fill else "none",
                    zorder=2,
                )
            )
        axis.annotate(
            segmentation.keys_[i],
            (x, y),
            ha="center",
            va="center",
            fontsize=11,
            fontweight="bold",
            color=theme.text,
            zorder=3,
            bbox={
                "boxstyle": "circle,pad=0.2",
                "fc": theme.background,
                "ec": colour(i),
                "alpha": 0.9,
            },
        )
    inside = points[labels >= 0] if len(points) else points
    _limits(axis, inside, axes, pair, 0.3 if len(out) else 0.04)


def _limits(axis: Any, points: Floats, axes: Axes, pair: tuple[int, int], edge: float) -> None:
    """Show all ellipses and all but the farthest points, which would shrink the others."""
    for a, set_limits in enumerate((axis.set_xlim, axis.set_ylim)):
        reach = _OUTER_RADIUS * np.sqrt(np.maximum(axes.covariances[:, pair[a], pair[a]], 0))
        low = float(np.min(axes.means[:, pair[a]] - reach))
        high = float(np.max(axes.means[:, pair[a]] + reach))
        if len(points):
            low = min(low, float(np.quantile(points[:, a], 0.002)))
            high = max(high, float(np.quantile(points[:, a], 0.998)))
        margin = edge * (high - low) or 1.0
        set_limits(low - margin, high + margin)


def _draw_line(
    segmentation: Segmentation, axis: Any, points: Floats, labels: Any, axes: Axes
) -> None:
    """Draw one column: densities of the segments over a histogram of the customers."""
    deviations = np.sqrt(axes.covariances[:, 0, 0])
    x = np.linspace(
        float(np.min(axes.means[:, 0] - 3 * deviations)),
        float(np.max(axes.means[:, 0] + 3 * deviations)),
        400,
    )
    if len(points):
        shown = [*range(len(segmentation.names_)), -1][: len(segmentation._labels)]
        groups = [points[labels == i] for i in shown]
        bins = np.histogram_bin_edges(points, bins=min(60, max(10, len(points) // 20)))
        axis.hist(
            groups,
            bins=bins,
            stacked=True,
            density=True,
            alpha=0.5,
            color=[colour(i) for i in shown],
        )
    for i, (mean, sd) in enumerate(zip(axes.means[:, 0], deviations, strict=True)):
        y = (
            segmentation.weights_[i]
            * np.exp(-0.5 * ((x - mean) / sd) ** 2)
            / (sd * np.sqrt(2 * np.pi))
        )
        axis.plot(x, y, color=colour(i), linewidth=1.8)
    axis.set_ylabel("density")


# ---- profile and choice --------------------------------------------------------------------------


def profile_picture(segmentation: Segmentation, theme: Theme) -> bytes:
    """Return the effect sizes of the features, segments side by side."""
    effects = segmentation.numbers_["effect"][:, : len(segmentation.columns_)]
    shown = np.arange(effects.shape[1])
    if len(shown) > _MAX_COLUMNS:
        strongest = np.argsort(-np.abs(effects).max(axis=0), kind="stable")[:_MAX_COLUMNS]
        shown = np.sort(strongest)
    part = effects[:, shown].T
    with _style(theme):
        from matplotlib.colors import LinearSegmentedColormap

        blend = LinearSegmentedColormap.from_list(
            "effect", ["#3a6fb0", theme.background, "#c8452f"]
        )
        figure = _figure(1.9 + 0.62 * part.shape[1], 1.0 + 0.33 * part.shape[0], theme)
        axis = figure.add_subplot()
        axis.imshow(part, cmap=blend, vmin=-2.5, vmax=2.5, aspect="auto")
        for (row, column), value in np.ndenumerate(part):
            axis.text(
                column,
                row,
                signed(value),
                ha="center",
                va="center",
                fontsize=8,
                color="#ffffff" if abs(value) > 1.6 else theme.text,
            )
        axis.set_xticks(range(part.shape[1]), segmentation.keys_, fontweight="bold")
        axis.set_yticks(range(len(shown)), [_wrapped(segmentation.columns_[j], 40) for j in shown])
        axis.tick_params(length=0, labeltop=True, labelbottom=False)
        for spine in axis.spines.values():
            spine.set_visible(False)
        label = "difference from the rest, in standard deviations"
        if part.shape[1] < 5:  # the figure is narrower than the line
            label = label.replace(", ", ",\n")
        figure.supxlabel(label, fontsize=8)
        return _png(figure)


def selection_picture(segmentation: Segmentation, theme: Theme) -> bytes:
    """Return BIC and ICL over the number of segments; hollow where a segment is too small."""
    counts = segmentation.selection_["n_segments"]
    with _style(theme):
        figure = _figure(6.4, 3.6, theme)
        axis = figure.add_subplot()
        best = _draw_best_criteria(axis, segmentation.selection_)
        _draw_covariance_types(
            axis, segmentation.selection_, segmentation._fitted_with["min_share"]
        )
        margin = 0.06 * (max(best) - min(best)) or 1.0  # shapes far off would flatten the lines
        axis.set_ylim(min(best) - margin, max(best) + margin)
        chosen = counts[segmentation.chosen_]
        axis.axvline(chosen, color=theme.text, linewidth=1, linestyle=":")
        axis.annotate(
            f" chosen: {chosen}",
            (chosen, 1),
            xycoords=("data", "axes fraction"),
            va="top",
            fontsize=9,
        )
        axis.set_xticks(np.unique(counts))
        axis.set_xlabel("number of segments (hollow: a segment below the smallest share)")
        axis.set_ylabel("smaller is better")
        axis.grid(axis="y", color=theme.grid, linewidth=0.6)
        axis.set_axisbelow(True)
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.legend(frameon=False, fontsize=8)
        return _png(figure)


def _draw_best_criteria(axis: Any, tried: dict[str, Any]) -> list[float]:
    """Draw the lowest BIC and ICL for each number of segments; return all of them."""
    counts = tried["n_segments"]
    best: list[float] = []
    for number, name in enumerate(("bic", "icl")):
        line = [float(np.nanmin(tried[name][counts == k])) for k in np.unique(counts)]
        best += line
        axis.plot(
            np.unique(counts),
            line,
            color=COLOURS[number],
            linewidth=1.8,
            label=f"{name.upper()}, best shape",
        )
    return best


def _draw_covariance_types(axis: Any, tried: dict[str, Any], min_share: float) -> None:
    """Draw a marker for each fit, hollow where its smallest segment is below the share."""
    kinds = np.array(tried["covariance_type"])
    markers = {"full": "o", "tied": "s", "diag": "^", "tied_diag": "v", "spherical": "D"}
    for kind, marker in markers.items():
        rows = kinds == kind
        if not rows.any():
            continue
        is_large = rows & (tried["smallest_share"] >= min_share)
        for part, fill, label in (
            (is_large, {"color": COLOURS[0]}, {"label": kind}),
            (rows & ~is_large, {"facecolors": "none", "edgecolors": COLOURS[0]}, {}),
        ):
            axis.scatter(
                tried["n_segments"][part],
                tried["bic"][part],
                marker=marker,
                s=24,
                zorder=3,
                **fill,
                **label,
            )
