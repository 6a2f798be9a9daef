"""Pictures are pictures; the report is one whole, safe file."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core import Segmentation, load, segments

pytest.importorskip("matplotlib")
PIL = pytest.importorskip("PIL.Image")

EVIL = '<script>alert("x")</script>'
VOID = {"meta", "img", "source", "br"}


@pytest.fixture(scope="module")
def found(customers: Any) -> Segmentation:
    return segments(customers[0], id="customer_id", max_segments=4, n_init=1, n_bootstrap=3)


def size_of(png: bytes) -> tuple[int, int]:
    import io

    image = PIL.open(io.BytesIO(png))
    image.load()
    return image.size


class Page(HTMLParser):
    """Tags, attributes and text; fails for tags that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", ["map", "profile", "selection"])
def test_pictures(
    found: Segmentation, customers: Any, kind: str, dark: bool, tmp_path: Path
) -> None:
    path = tmp_path / "p.png"
    png = found.picture(kind, path, table=customers[0], dark=dark)
    assert path.read_bytes() == png
    assert len(png) < 150_000
    width, height = size_of(png)
    assert width >= 300
    assert height >= 200
    assert png == found.picture(kind, table=customers[0], dark=dark)


def test_axes(found: Segmentation, customers: Any) -> None:
    assert found.picture("map", axes=(1, 2)) != found.picture("map", axes=(2, 3))
    for axes in ((0, 1), (1, 4), (1, 1)):
        with pytest.raises(ValueError, match="axes"):
            found.picture("map", axes=axes)
    with pytest.raises(ValueError, match="did you mean 'map'"):
        found.picture("mapp")


def test_leading_axes_separate_the_segments(found: Segmentation) -> None:
    from aimass_core.segmentation._pictures import axes_of

    axes = axes_of(found)
    within = np.einsum("k,kab->ab", found.weights_, axes.covariances)
    assert np.allclose(within, np.eye(3), atol=1e-8)
    between = np.einsum("k,ka,kb->ab", found.weights_, axes.means, axes.means)
    assert np.allclose(between, np.diag(np.diag(between)), atol=1e-8)
    assert (np.diff(np.diag(between)) <= 1e-9).all()


def test_report_is_whole_and_alone(found: Segmentation, customers: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    found.report(path, customers[0], title="Our customers")
    text = path.read_text()
    page = Page(text)
    assert list(tmp_path.iterdir()) == [path]
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("src", "srcset"):
            assert value.startswith("data:image/png;base64,")
            assert size_of(base64.b64decode(value.partition(",")[2]))[0] > 300
        else:
            assert name != "href"
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"url\(|@import|https?:", style)
    assert "prefers-color-scheme: dark" in style
    assert "width=device-width" in text
    words = " ".join(page.words)
    for name in (*found.names_, "Our customers", "channel = web", "Jaccard", "visits"):
        assert name in words or name == "Jaccard"
    assert "c0000" not in text  # aggregates only
    assert page.tags.count("img") == 2  # map, choice


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    base = np.repeat([0.0, 9.0], 60)
    words = np.array([EVIL, "' onload='x"], dtype=object)[(base > 1).astype(int)]
    table = {
        EVIL: rng.normal(base, 1),
        'b"><img src=x>': rng.normal(base, 1),
        "w<b>": words,
        "$\\frac{": rng.normal(base, 1),
        "日本": rng.normal(base, 1),
    }
    found = segments(table, n_segments=2, n_bootstrap=2)
    path = tmp_path / "r.html"
    found.report(path, table, title=EVIL)
    page = Page(path.read_text())
    assert "script" not in page.tags
    assert page.tags.count("img") == 1  # the map; there was no choice
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert EVIL in " ".join(page.words)


@pytest.mark.parametrize("columns", [["visits"], ["visits", "age"]])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_few_columns_and_any_number(
    customers: Any, columns: list[str], k: int, tmp_path: Path
) -> None:
    found = segments(customers[0], columns=columns, n_segments=k, n_bootstrap=0, n_init=1)
    found.report(tmp_path / "r.html", customers[0])
    Page((tmp_path / "r.html").read_text())
    assert size_of(found.picture("map"))[0] > 300


def test_many_segments_and_columns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 40)) + np.repeat(rng.normal(0, 4, (30, 40)), 30, axis=0)
    found = Segmentation(n_segments=30, covariance_type="tied", n_init=1, n_bootstrap=0).fit(X)
    assert found.keys_[25:28] == ["Z", "AA", "AB"]
    assert len(set(found.names_)) == 30
    found.report(tmp_path / "r.html", X)
    assert (tmp_path / "r.html").stat().st_size < 2_000_000


def test_after_loading(found: Segmentation, customers: Any, tmp_path: Path) -> None:
    found.save(tmp_path / "s")
    again = load(tmp_path / "s")
    found.report(tmp_path / "a.html", customers[0])
    again.report(tmp_path / "b.html", customers[0])
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert again.picture("map") == found.picture("map")


def test_the_callers_matplotlib_is_left_alone(found: Segmentation) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    found.picture("profile")
    assert dict(matplotlib.rcParams) == before


def test_nowhere_to_write(found: Segmentation, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        found.report(tmp_path / "nowhere" / "r.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        found.report(tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("n_segments", [2, 4])
def test_no_text_of_a_picture_is_cut(
    customers: Any, monkeypatch: pytest.MonkeyPatch, n_segments: int
) -> None:
    """Labels and legends lie inside of the figure, with long names of columns, too."""
    from aimass_core.segmentation import _pictures

    names = {"spend": "total_spending_of_the_last_three_years", "visits": "v", "age": "age"}
    table = {names[name]: customers[0][name] for name in names}
    found = segments(table, n_segments=n_segments, n_init=1, n_bootstrap=0)
    monkeypatch.setattr(_pictures, "_png", lambda figure: figure)
    for kind in ("map", "profile", "selection"):
        figure: Any = _pictures.picture(found, kind, None, (1, 2), False)
        figure.draw_without_rendering()
        box = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        edges = (box.x0, width - box.x1, box.y0, height - box.y1)
        assert min(edges) > -0.02, (kind, edges)
