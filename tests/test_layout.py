"""The house plan: every kernel has its twin, stub, test and benchmark, and rooms stay small."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "aimass_core"
if not (PACKAGE / "_core.pyi").exists():  # the tests were copied away from the source tree
    pytest.skip("the layout test needs the source tree", allow_module_level=True)

NOT_KERNELS = {"isa", "isa_available", "force_isa"}
LIMITS = {"cpp/kernels/*.hpp": 250, "cpp/bindings/*": 100, "aimass_core/**/*.py": 300}
LIMITS |= {"tests/**/*.py": 400, "benchmarks/*.py": 400, "tools/*": 200}
OVERLONG = {  # path -> why it may pass the limit
    "cpp/bindings/bind_retrieval.cpp": "two bindings of packed arrays, each checked by name",
    "cpp/kernels/score_topk.hpp": "one pass, its bounds and its packing belong together",
    "cpp/bindings/bind_similarity.cpp": "two bindings of some twenty named arguments each",
}

# Nothing of this may be loaded by `import aimass_core`: it would pass the 0.3 s that it may take.
HEAVY = {"numba", "pandas", "polars", "pyarrow", "nanoarrow", "duckdb", "sklearn", "matplotlib",
         "typer", "rich"}  # fmt: skip


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


def texts(pattern: str) -> str:
    """All files of one kind, to look a name up in."""
    return "\n".join(path.read_text() for path in sorted(ROOT.glob(pattern)))


def test_there_are_kernels_and_each_has_one_home() -> None:
    assert NATIVE
    assert JIT
    assert not NATIVE.keys() & JIT.keys()


@pytest.mark.parametrize("name", sorted(KERNELS))
class TestKernel:
    def test_is_written_in_its_home(self, name: str) -> None:
        if name in NATIVE:
            definition = rf"\b{name}\s*\("
            assert re.search(definition, texts("cpp/kernels/*.hpp")), f"no {name} in cpp/kernels"

    def test_has_a_reference_with_the_same_arguments(self, name: str) -> None:
        path = PACKAGE / "reference" / f"{name}.py"
        assert path.exists(), f"no aimass_core/reference/{name}.py"
        (reference,) = functions(path)[name]
        for arguments in KERNELS[name]:
            assert arguments == reference
        assert re.search(rf"\b{name}\b", (PACKAGE / "reference" / "__init__.py").read_text())

    def test_has_a_test(self, name: str) -> None:
        assert (ROOT / "tests" / "kernels" / f"test_{name}.py").exists()

    def test_has_a_benchmark(self, name: str) -> None:
        assert re.search(rf"\b{name}\b", texts("benchmarks/bench_*.py")), f"no benchmark of {name}"

    def test_is_stressed(self, name: str) -> None:
        if name in NATIVE:
            stress = texts("cpp/tests/*.[ch]pp")
            assert re.search(rf"\b{name}\b", stress), f"{name} is not in cpp/tests"


def test_no_reference_without_a_kernel() -> None:
    names = {path.stem for path in (PACKAGE / "reference").glob("*.py") if path.stem[0] != "_"}
    assert names == KERNELS.keys()


@pytest.mark.parametrize("pattern", sorted(LIMITS))
def test_files_stay_small(pattern: str) -> None:
    too_long = {
        str(path.relative_to(ROOT)): lines
        for path in ROOT.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
        and (lines := len(path.read_text().splitlines())) > LIMITS[pattern]
    }  # fmt: skip
    assert too_long.keys() <= OVERLONG.keys(), f"over {LIMITS[pattern]} lines: {too_long}"


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


def test_no_file_names_a_machine() -> None:
    folders = ["aimass_core", "cpp", "tests", "benchmarks", "tools", ".ci"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    files += [path for path in ROOT.iterdir() if path.is_file()]
    for path in files:
        if path.suffix in {".py", ".pyi", ".hpp", ".cpp", ".md", ".toml", ".txt", ".sh", ".yaml"}:
            # The pattern is written so that it does not find itself.
            found = re.search(r"(?<![\w.])/(work|root|home|tmp)/[\w]", path.read_text())
            assert not found, f"{path.relative_to(ROOT)} names a machine's path"
