"""Pictures of segments as PNG: the map, the profile, the choice. Matplotlib is loaded on use."""

from __future__ import annotations

import io
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ._axes import Axes, full_covariances, leading_axes
from ._describe import signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ._fitted import FittedSegments

    Floats = NDArray[np.float64]

__all__ = ["COLOURS", "Theme", "axes_of", "map_picture", "profile_picture", "selection_picture"]

# Told apart by most people with a colour deficiency, and readable on white and on dark grey.
COLOURS = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#ee8844", "#88a050",
    "#8877cc", "#999999",
)  # fmt: skip
_MOST_COLUMNS = 20  # in the profile picture
_MOST_POINTS = 3000
_HALF, _MOST = 1.1774, 2.1460  # radii that hold 50 % and 90 % of a normal distribution in a plane


@dataclass(frozen=True)
class Theme:
    """Colours of paper, ink and grid."""

    paper: str = "#ffffff"
    ink: str = "#1d2733"
    faint: str = "#d5dae0"


DARK = Theme(paper="#171c22", ink="#e4e9ef", faint="#39424d")


def colour(i: int) -> str:
    """Of the i-th segment, -1 for outliers."""
    return COLOURS[i % len(COLOURS)] if i >= 0 else "#8a8f96"


def _figure(width: float, height: float, theme: Theme) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("pictures need matplotlib: pip install 'aimass_core[plot]'") from None
    figure = Figure(figsize=(width, height), dpi=110, facecolor=theme.paper, layout="constrained")
    FigureCanvasAgg(figure)  # no pyplot: no window, no state that threads would share
    return figure


@contextmanager
def _style(theme: Theme) -> Iterator[None]:
    """Our colours and fonts whatever the caller's settings are; a "$" is a "$"."""
    try:
        import matplotlib
    except ImportError:
        raise ImportError("pictures need matplotlib: pip install 'aimass_core[plot]'") from None
    settings: dict[str, Any] = dict.fromkeys(
        ("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), theme.ink
    )
    settings |= {"axes.edgecolor": theme.faint, "axes.facecolor": theme.paper, "font.size": 9.0}
    settings |= {"axes.spines.top": False, "axes.spines.right": False, "text.parse_math": False}
    settings |= {"font.family": ["sans-serif"], "axes.unicode_minus": False}
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that the font lacks become boxes
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        yield


def _png(figure: Any) -> bytes:
    """PNG of few colours: a third of the bytes, without a visible loss."""
    from PIL import Image

    raw = io.BytesIO()
    figure.savefig(raw, format="png", facecolor=figure.get_facecolor())
    small = io.BytesIO()
    image = Image.open(raw).convert("RGB")
    image.quantize(colors=160, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()


def _short(name: str, length: int = 28) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def axes_of(self: FittedSegments, n_axes: int = 3) -> Axes:
    """The leading axes of the fitted mixture."""
    k, d = self.means_.shape
    covariances = full_covariances(self.covariances_, self.covariance_type_, k, d)
    weights = self.weights_ / self.weights_.sum()  # outliers have theirs
    return leading_axes(weights, self.means_, covariances, n_axes)


def _axis_label(self: FittedSegments, axes: Axes, a: int) -> str:
    order = np.argsort(-np.abs(axes.loadings[:, a]), kind="stable")[:3]
    parts = [
        f"{'+' if axes.loadings[j, a] > 0 else '−'} {_short(self.columns_[j], 20)}"
        for j in order
        if abs(axes.loadings[j, a]) >= 0.3
    ]
    share = f" ({axes.share[a]:.0%} of the differences)" if axes.share[a] > 0.005 else ""
    return f"axis {a + 1}{share}: " + ", ".join(parts or ["many columns, none alone"])


def _points(Z: Floats | None, axes: Axes) -> tuple[NDArray[Any], Floats]:
    """Rows that are shown, and their coordinates."""
    if Z is None or not len(Z):
        return np.empty(0, dtype=np.intp), np.empty((0, axes.directions.shape[1]))
    rows = np.arange(len(Z))
    if len(Z) > _MOST_POINTS:
        rows = np.sort(np.random.default_rng(0).choice(len(Z), _MOST_POINTS, replace=False))
    return rows, (Z[rows] - axes.origin) @ axes.directions


def map_picture(
    self: FittedSegments, Z: Floats | None, pair: tuple[int, int], theme: Theme
) -> bytes:
    """Customers and segments in the plane of two leading axes."""
    axes = axes_of(self)
    rows, points = _points(Z, axes)
    labels = self._mixture.predict(Z[rows]) if Z is not None and len(rows) else rows
    with _style(theme):
        figure = _figure(6.4, 5.4, theme)
        axis = figure.add_subplot()
        if len(self.columns_) == 1:
            _draw_line(self, axis, points[:, 0], labels, axes)
        else:
            _draw_plane(self, axis, points[:, list(pair)], labels, axes, pair, theme)
            axis.set_ylabel(_axis_label(self, axes, pair[1]))
        axis.set_xlabel(_axis_label(self, axes, pair[0]))
        axis.tick_params(length=0)
        handles = [
            _handle(colour(i), f"{key}  {_short(name, 80 if len(self.keys_) < 6 else 42)}")
            for i, (key, name) in enumerate(zip(self.keys_, self.names_, strict=True))
        ]
        if self._noise:
            handles.append(_handle(colour(-1), "outliers", "x"))
        figure.legend(
            handles=handles, loc="outside lower left", ncols=1 if len(handles) < 6 else 2,
            frameon=False, fontsize=8 if len(handles) < 6 else 7,
        )  # fmt: skip
        return _png(figure)


def _handle(colour: str, label: str, marker: str = "o") -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], marker=marker, linestyle="", markersize=6, color=colour, label=label)


def _draw_plane(
    self: FittedSegments, axis: Any, points: Floats, labels: Any, axes: Axes,
    pair: tuple[int, int], theme: Theme,
) -> None:  # fmt: skip
    from matplotlib.patches import Ellipse

    out = points[labels < 0] if len(points) else points
    axis.scatter(out[:, 0], out[:, 1], s=9, color=colour(-1), marker="x", linewidths=0.7, zorder=1)
    for i in range(len(self.names_)):
        own = points[labels == i] if len(points) else points
        axis.scatter(own[:, 0], own[:, 1], s=7, color=colour(i), alpha=0.45, linewidths=0, zorder=1)
        values, vectors = np.linalg.eigh(axes.covariances[i][np.ix_(pair, pair)])
        angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
        x, y = axes.means[i, list(pair)].tolist()
        sizes = 2 * np.sqrt(np.maximum(values[::-1], 0))
        for radius, fill in ((_MOST, False), (_HALF, True)):
            axis.add_patch(
                Ellipse(
                    (x, y), *(radius * sizes), angle=angle, edgecolor=colour(i), linewidth=1.3,
                    facecolor=colour(i) + "30" if fill else "none", zorder=2,
                )
            )  # fmt: skip
        axis.annotate(
            self.keys_[i], (x, y), ha="center", va="center", fontsize=11, fontweight="bold",
            color=theme.ink, zorder=3,
            bbox={"boxstyle": "circle,pad=0.2", "fc": theme.paper, "ec": colour(i), "alpha": 0.9},
        )  # fmt: skip
    inside = points[labels >= 0] if len(points) else points
    _limits(axis, inside, axes, pair, 0.3 if len(out) else 0.04)


def _limits(axis: Any, points: Floats, axes: Axes, pair: tuple[int, int], edge: float) -> None:
    """All ellipses and all but the farthest points: an outlier would shrink the rest."""
    for a, set_limits in enumerate((axis.set_xlim, axis.set_ylim)):
        reach = _MOST * np.sqrt(np.maximum(axes.covariances[:, pair[a], pair[a]], 0))
        low = float(np.min(axes.means[:, pair[a]] - reach))
        high = float(np.max(axes.means[:, pair[a]] + reach))
        if len(points):
            low = min(low, float(np.quantile(points[:, a], 0.002)))
            high = max(high, float(np.quantile(points[:, a], 0.998)))
        margin = edge * (high - low) or 1.0
        set_limits(low - margin, high + margin)


def _draw_line(self: FittedSegments, axis: Any, points: Floats, labels: Any, axes: Axes) -> None:
    """One column: densities of the segments over a histogram of the customers."""
    spread = np.sqrt(axes.covariances[:, 0, 0])
    x = np.linspace(
        float(np.min(axes.means[:, 0] - 3 * spread)),
        float(np.max(axes.means[:, 0] + 3 * spread)),
        400,
    )
    if len(points):
        shown = [*range(len(self.names_)), -1][: len(self._labels)]
        groups = [points[labels == i] for i in shown]
        bins = np.histogram_bin_edges(points, bins=min(60, max(10, len(points) // 20)))
        axis.hist(groups, bins=bins, stacked=True, density=True, alpha=0.5,
                  color=[colour(i) for i in shown])  # fmt: skip
    for i, (mean, sd) in enumerate(zip(axes.means[:, 0], spread, strict=True)):
        y = self.weights_[i] * np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
        axis.plot(x, y, color=colour(i), linewidth=1.8)
    axis.set_ylabel("density")


def profile_picture(self: FittedSegments, theme: Theme) -> bytes:
    """Effect sizes of the features, segments side by side."""
    effects = self.numbers_["effect"][:, : len(self.columns_)]
    shown = np.arange(effects.shape[1])
    if len(shown) > _MOST_COLUMNS:
        strongest = np.argsort(-np.abs(effects).max(axis=0), kind="stable")[:_MOST_COLUMNS]
        shown = np.sort(strongest)
    part = effects[:, shown].T
    with _style(theme):
        from matplotlib.colors import LinearSegmentedColormap

        blend = LinearSegmentedColormap.from_list("effect", ["#3a6fb0", theme.paper, "#c8452f"])
        figure = _figure(1.9 + 0.62 * part.shape[1], 0.9 + 0.33 * part.shape[0], theme)
        axis = figure.add_subplot()
        axis.imshow(part, cmap=blend, vmin=-2.5, vmax=2.5, aspect="auto")
        for (row, place), value in np.ndenumerate(part):
            axis.text(
                place, row, signed(value), ha="center", va="center", fontsize=8,
                color="#ffffff" if abs(value) > 1.6 else theme.ink,
            )  # fmt: skip
        axis.set_xticks(range(part.shape[1]), self.keys_, fontweight="bold")
        axis.set_yticks(range(len(shown)), [_short(self.columns_[j]) for j in shown])
        axis.tick_params(length=0, labeltop=True, labelbottom=False)
        for spine in axis.spines.values():
            spine.set_visible(False)
        axis.set_xlabel("difference from the rest, in units of spread", fontsize=8)
        return _png(figure)


def selection_picture(self: FittedSegments, theme: Theme) -> bytes:
    """BIC and ICL over the number of segments; hollow where a segment would be too small."""
    tried = self.selection_
    counts, kinds = tried["n_segments"], np.array(tried["covariance_type"])
    least = self._fitted_parameters()["min_share"]
    with _style(theme):
        figure = _figure(6.4, 3.6, theme)
        axis = figure.add_subplot()
        lines = []
        for place, name in enumerate(("bic", "icl")):
            values = tried[name]
            line = [values[counts == k].min() for k in np.unique(counts)]
            lines += line
            axis.plot(np.unique(counts), line, color=COLOURS[place], linewidth=1.8,
                      label=f"{name.upper()}, best form")  # fmt: skip
        for kind, marker in (("full", "o"), ("tied", "s"), ("diag", "^"), ("spherical", "D")):
            rows = kinds == kind
            if not rows.any():
                continue
            fits = rows & (tried["smallest"] >= least)
            axis.scatter(counts[fits], tried["bic"][fits], marker=marker, s=24, color=COLOURS[0],
                         label=kind, zorder=3)  # fmt: skip
            small = rows & ~fits
            axis.scatter(counts[small], tried["bic"][small], marker=marker, s=24, zorder=3,
                         facecolors="none", edgecolors=COLOURS[0])  # fmt: skip
        margin = 0.06 * (max(lines) - min(lines)) or 1.0  # forms far off would flatten the lines
        axis.set_ylim(min(lines) - margin, max(lines) + margin)
        at = self.chosen_
        axis.axvline(counts[at], color=theme.ink, linewidth=1, linestyle=":")
        axis.annotate(
            f" chosen: {counts[at]}", (counts[at], 1), xycoords=("data", "axes fraction"),
            va="top", fontsize=9,
        )  # fmt: skip
        axis.set_xticks(np.unique(counts))
        axis.set_xlabel("number of segments (hollow: a segment below the smallest share)")
        axis.set_ylabel("smaller is better")
        axis.grid(axis="y", color=theme.faint, linewidth=0.6)
        axis.set_axisbelow(True)
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.legend(frameon=False, fontsize=8)
        return _png(figure)
