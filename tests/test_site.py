"""The documentation covers every model, and every page shows what its code prints."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from aimass_core.base import registry
from aimass_core.base.arguments import FOREIGN_NAMES

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
if not (ROOT / "mkdocs.yml").exists():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)

MODELS = [
    name
    for name in registry.model_names()
    if registry.find(name).__module__.startswith("aimass_core.")
]
PAGES = sorted(DOCS.rglob("*.md"))


@pytest.mark.parametrize("name", MODELS)
def test_the_page_of_a_model_has_all_its_parts(name: str) -> None:
    """The site makes the page of the class docstring."""
    text = inspect.getdoc(registry.find(name)) or ""
    missing = [
        part
        for part in ("Notes", "References", "Examples")
        if f"\n{part}\n{'-' * len(part)}" not in text
    ]
    assert not missing, f"the docstring of {name} lacks the sections {missing}"
    if ".fusion." not in registry.find(name).__module__:  # a combination has words for it
        assert "math::" in text or ":math:" in text, f"the docstring of {name} lacks a formula"

    assert re.search(r"O\(|[Cc]osts? |Memory", text), f"the docstring of {name} lacks its cost"


@pytest.mark.parametrize("name", MODELS)
def test_each_model_is_in_the_table_of_choice(name: str) -> None:
    row = f"\n| [`{registry.find(name).__name__}`](concepts/{name}.md) |"
    table = (DOCS / "choose.md").read_text()
    assert row in table or row.replace("[", "").replace(f"](concepts/{name}.md)", "") in table, (
        f"add a row for {name} to the table 'Every model' of docs/choose.md"
    )


def test_the_glossary_has_the_names_of_other_libraries() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (`.*`) \|$", (DOCS / "glossary.md").read_text(), re.M))
    shown = {(own, name) for own, names in rows.items() for name in names.strip("`").split("`, `")}
    assert shown == {(own, name) for name, ours in FOREIGN_NAMES.items() for own in ours}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages(page: Path) -> None:
    """Links lead to a page in docs, to a page that the site makes, or out of the tree."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    made = {f"concepts/{name}.md" for name in [*MODELS, "index"]} | {"reference/index.md"}
    made |= {f"notebooks/{path.stem}.md" for path in (DOCS / "notebooks").glob("*.ipynb")}
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" in target or target.startswith("mailto:"):
            continue
        path = (page.parent / target).resolve()
        assert path.is_relative_to(DOCS), f"{target} is outside of docs: the site has no such page"
        assert path.exists() or path.relative_to(DOCS).as_posix() in made, f"no page {target}"


def _lists(site: Path) -> list[dict[str, Any]]:
    text = (site / "versions.js").read_text()
    return json.loads(text.removeprefix("window.aimassVersions = ").removesuffix(";\n"))


def test_sites_of_earlier_versions(tmp_path: Path) -> None:
    """Each version lists all of them, in paths relative to its own root."""
    path = ROOT / "tools" / "site" / "versions.py"
    spec = importlib.util.spec_from_file_location("site_versions", path)
    assert spec is not None
    assert spec.loader is not None
    versions = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(versions)

    for name, pages in (("0.1", ["index"]), ("0.2", ["index", "a"]), ("0.3", ["index", "b"])):
        (tmp_path / name).mkdir()
        for page in pages:
            (tmp_path / name / f"{page}.html").write_text(name)
    versions.write(tmp_path / "0.1", "0.1", [])
    versions.write(tmp_path / "0.2", "0.2", [tmp_path / "0.1"])
    site = tmp_path / "0.3"
    versions.write(site, "0.3", [tmp_path / "0.2", tmp_path / "0.1"])
    for name, root in (
        ("0.3", site),
        ("0.2", site / "versions/0.2"),
        ("0.1", site / "versions/0.1"),
    ):
        entries = _lists(root)
        assert [entry["name"] for entry in entries] == ["0.3", "0.2", "0.1"]
        assert next(entry["name"] for entry in entries if entry["folder"] == "") == name
        for entry in entries:
            for page in entry["pages"]:
                assert (root / entry["folder"] / page).read_text() == entry["name"]
    assert not (site / "versions/0.2/versions").exists()
    with pytest.raises(ValueError, match="no site that 'make site' built"):
        versions.write(site, "0.3", [tmp_path])
    with pytest.raises(ValueError, match=r"version 0\.3, which the new site has"):
        versions.write(site, "0.3", [site])
