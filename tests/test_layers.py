"""The import direction of the packages, read from the syntax tree of every module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import aimass_core

PACKAGE = Path(aimass_core.__file__).parent

# From the lowest layer up; a package imports from lower layers only, at run time and for types.
# Packages of one layer do not import each other.
LAYERS = [
    {"_version", "exceptions", "_core", "_cuda"},
    {"kernels"},
    {"jit"},
    {"base"},
    {"data", "array_api"},
    {"similarity", "retrieval", "evaluation"},
    {"neighbors", "factorization", "linear", "mixture", "effects"},
    {"hybrid"},
    {"deep"},
    {"segmentation", "tuning", "fusion"},
    {"_config", "cuda"},
    {"cli"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# Types of a higher layer that a lower one may name in annotations, never import at run time.
TYPES_FROM_ABOVE = {("base", "data")}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the part of this package that each import names, and whether it is for types only."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "aimass_core":
                    yield [*alias.name.split("."), ""][1], node in for_types
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                names = (node.module or "").split(".")
                if names[0] != "aimass_core":
                    continue
                targets = [names[1:]] if len(names) > 1 else [[a.name] for a in node.names]
            else:
                base = list(parts[: len(parts) - node.level])
                inner = node.module.split(".") if node.module else []
                targets = [base + inner] if base + inner else [[a.name] for a in node.names]
            for target in targets:
                yield target[0], node in for_types


TOP = {"__init__.py", "__main__.py"}  # above all layers
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.name not in TOP)


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def test_every_part_of_the_package_has_a_layer() -> None:
    parts = {part_of(path) for path in MODULES}
    assert parts - {"reference"} <= RANK.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downwards(path: Path) -> None:
    own = part_of(path)
    if own == "reference":
        return
    for target, is_type in imports(path):
        if target in (own, ""):
            continue
        assert target != "reference", "production code does not import the references"
        assert target in RANK, f"{own} imports {target}, which has no layer"
        if is_type and (own, target) in TYPES_FROM_ABOVE:
            continue
        assert RANK[target] < RANK[own], f"{own} imports {target}, which is not below it"


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_pages_for_contributors_name_the_layers(page: str) -> None:
    path = PACKAGE.parent / page
    if not path.exists():
        pytest.skip(f"{page} is not beside the package")
    rows = re.findall(r"^\| (\d+) \| (`.*?`) \|", path.read_text(), re.MULTILINE)
    shown = {int(number): set(re.findall(r"`(\w+)`", names)) for number, names in rows}
    files = {"_version", "exceptions", "_core", "_cuda", "_config"}  # no packages
    assert shown == {number: names - files for number, names in enumerate(LAYERS) if number}


def test_only_the_kernels_package_imports_the_extension() -> None:
    importers = {
        part_of(path) for path in MODULES if any(target == "_core" for target, _ in imports(path))
    }
    assert importers == {"kernels"}


def test_the_references_import_no_production_code_but_base() -> None:
    for path in MODULES:
        if part_of(path) == "reference":
            targets = {target for target, _ in imports(path)}
            assert targets <= {"reference", "base", "exceptions", "jit"}, path.name
