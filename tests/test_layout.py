"""The structure of the tree: every kernel has its reference, stub, test and benchmark."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from _trees import environment_of

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "aimass_core"
if not (PACKAGE / "_core.pyi").exists():  # the tests were copied away from the source tree
    pytest.skip("the layout test needs the source tree", allow_module_level=True)

NOT_KERNELS = {"isa", "isa_available", "force_isa"}
MAX_STATEMENT_LINES = 60  # of a function without its signature and docstring

# Nothing of this may be loaded by `import aimass_core`: it would pass the 0.3 s that it may take.
HEAVY = {"numba", "pandas", "polars", "pyarrow", "nanoarrow", "duckdb", "sklearn"}
HEAVY |= {"matplotlib", "typer", "rich", "torch"}


def functions(path: Path) -> dict[str, list[list[str]]]:
    """Name -> the argument names of each of its (overloaded) definitions at top level."""
    found: dict[str, list[list[str]]] = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            arguments = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
            arguments += [a.arg for a in node.args.kwonlyargs]
            found.setdefault(node.name, []).append(arguments)
    return found


NATIVE = {n: a for n, a in functions(PACKAGE / "_core.pyi").items() if n not in NOT_KERNELS}
JIT = {
    path.stem: functions(path)[path.stem]
    for path in sorted((PACKAGE / "jit").glob("*.py"))
    if not path.stem.startswith("_")
}
KERNELS = NATIVE | JIT


def names_used(pattern: str) -> set[str]:
    """Return every name and attribute in the syntax trees of some files."""
    used = set()
    for path in ROOT.glob(pattern):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                used.add(node.attr)
            elif isinstance(node, (ast.Name, ast.alias)):
                used.add(node.id if isinstance(node, ast.Name) else node.name)
    return used


# Their kernels take arrays in a layout of the machine; the references are on plain arguments.
PLAIN_REFERENCES = {"reverse_topk", "score_topk"}
BENCHMARKED = names_used("benchmarks/*.py")
REFERENCES = names_used("aimass_core/reference/__init__.py")


def test_each_kernel_has_one_implementation() -> None:
    assert NATIVE
    assert JIT
    assert not NATIVE.keys() & JIT.keys()


def test_the_kernels_package_exports_the_loaded_extension() -> None:
    from aimass_core import _core, kernels

    loaded = {name for name in dir(_core) if not name.startswith("_")}
    assert set(kernels.__all__) == loaded == NATIVE.keys() | NOT_KERNELS
    assert all(getattr(kernels, name) is getattr(_core, name) for name in loaded)


@pytest.mark.parametrize("name", sorted(KERNELS))
class TestKernel:
    def test_has_a_reference_with_the_same_arguments(self, name: str) -> None:
        path = PACKAGE / "reference" / f"{name}.py"
        assert path.exists(), f"no aimass_core/reference/{name}.py"
        (reference,) = functions(path)[name]
        for arguments in KERNELS[name]:
            assert arguments == reference or name in PLAIN_REFERENCES
        assert name in REFERENCES

    def test_has_a_test(self, name: str) -> None:
        assert (ROOT / "tests" / "kernels" / f"test_{name}.py").exists()

    def test_has_a_benchmark(self, name: str) -> None:
        assert name in BENCHMARKED, f"no benchmark of {name}"

    def test_is_stressed(self, name: str) -> None:
        if name in NATIVE:  # C++ has no syntax tree here: its text is searched
            stress = "\n".join(p.read_text() for p in ROOT.glob("cpp/tests/*.[ch]pp"))
            assert re.search(rf"\b{name}\b", stress), f"{name} is not in cpp/tests"


def test_no_reference_without_a_kernel() -> None:
    names = {path.stem for path in (PACKAGE / "reference").glob("*.py") if path.stem[0] != "_"}
    assert names == KERNELS.keys()


def code_lines(function: ast.FunctionDef) -> int:
    """Return the number of lines of a function without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]


def test_functions_hold_one_idea() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {code_lines(node)} lines"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and code_lines(node) > MAX_STATEMENT_LINES
    ]
    assert not too_long


def test_the_package_does_not_import_pickle() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {"pickle", "cPickle", "cloudpickle", "dill"} & set(names), path


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, aimass_core; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not HEAVY & set(out.stdout.split())


def test_a_tree_without_the_extension_says_what_to_do(tmp_path: Path) -> None:
    """A source folder may be found before the installed package."""
    ignored = shutil.ignore_patterns("__pycache__", "_core.*.so", "_core.*.pyd")
    shutil.copytree(PACKAGE, tmp_path / "aimass_core", ignore=ignored)
    code = "import aimass_core; aimass_core.ItemKNN"
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment_of(tmp_path),
        check=False,
        capture_output=True,
        text=True,
    )
    assert "ImportError: aimass_core has no compiled extension for this Python" in out.stderr
    assert "run 'make demo' or 'pip install -e .' first" in out.stderr


def test_no_file_names_a_machine() -> None:
    folders = ["aimass_core", "cpp", "tests", "benchmarks", "tools", ".ci"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    files += [path for path in ROOT.iterdir() if path.is_file()]
    for path in files:
        if path.suffix in {".py", ".pyi", ".hpp", ".cpp", ".md", ".toml", ".txt", ".sh", ".yaml"}:
            # The pattern is written so that it does not find itself.
            found = re.search(r"(?<![\w.])/(work|root|home|tmp)/[\w]", path.read_text())
            assert not found, f"{path.relative_to(ROOT)} names a machine's path"
