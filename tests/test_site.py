"""The documentation covers every model, and every page shows what its code prints."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from aimass_core.base import registry

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
    assert f"concepts/{name}.md" in (DOCS / "choose.md").read_text(), (
        f"add a row for {name} to the table 'Every model' of docs/choose.md"
    )


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
