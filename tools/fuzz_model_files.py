"""Load model files whose checksum is right and whose contents are not.

Every registered model is fitted on small data and saved. Then its file is changed at random:
numbers, words and nodes of the manifest, shapes and types of arrays, single values of arrays. The
checksum is made right again. Loading must either raise DamagedFileError or return a model that
answers without a crash; under a limit of the address space it must never ask for memory that the
file does not hold. A first round sets every whole number of a manifest to 2**31 - 1, one by one.

    python tools/fuzz_model_files.py --seconds 60 --seed 1
"""

from __future__ import annotations

import argparse
import copy
import faulthandler
import hashlib
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import aimass_core as am
from aimass_core.base.persistence import save
from aimass_core.exceptions import DamagedFileError

ADDRESS_SPACE = 1 << 30  # bytes beyond what is mapped at the start
EXTREMES: list[Any] = [
    0,
    1,
    -1,
    2,
    7,
    2**31 - 1,
    2**31,
    2**40,
    2**62,
    2**63,
    10**30,
    0.5,
    1e300,
    float("nan"),
    float("inf"),
    None,
    True,
    "",
    "x",
    "cosine",
    "mean",
    [],
    {},
]
SAME_SIZE = {
    "F32": ["I32"],
    "I32": ["F32"],
    "F64": ["I64"],
    "I64": ["F64"],
    "U8": ["BOOL"],
    "BOOL": ["U8"],
}


def interactions(rng: np.random.Generator) -> Any:
    """Return ratings of 12 users with text ids, with times."""
    users, items = rng.integers(0, 12, 80), rng.integers(0, 9, 80)
    return am.Interactions.from_arrays(
        [f"u{n}" for n in users],
        items,
        rng.integers(1, 6, 80).astype(float),
        rng.integers(0, 1000, 80),
        duplicates="last",
    )


def things() -> Iterator[Any]:
    """Yield one of everything that can be saved."""
    rng = np.random.default_rng(0)
    x = interactions(rng)
    steps = {"n_factors": 3, "max_iter": 2, "n_threads": 1}
    yield x
    yield x.users
    for data in (x, x.matrix):
        yield am.ItemKNN(n_neighbors=4, weighting="bm25").fit(data)
        yield am.UserKNN(aggregation="zscore").fit(data)
        yield am.ItemKNN(aggregation="baseline").fit(data)
        yield am.Popularity(by="mean").fit(data)
        yield am.SlopeOne().fit(data)
        yield am.SessionKNN(n_neighbors=5).fit(data)
        yield am.BaselineOnly().fit(data)
        yield am.ImplicitALS(n_factors=3, max_iter=2).fit(data)
        yield am.ExplicitALS(n_factors=3, max_iter=2).fit(data)
        yield am.NMF(n_factors=2, max_iter=2).fit(data)
        yield am.PureSVD(n_factors=2).fit(data)
        for model in (am.BPR, am.WARP, am.SVD, am.SVDpp, am.AsymmetricSVD):
            yield model(**steps).fit(data)
    if find_spec("torch") is not None:
        network = {"n_factors": 3, "max_iter": 1, "n_threads": 1}
        yield am.SASRec(**network, n_layers=1, max_length=5).fit(x)
        yield am.GRU4Rec(**network, n_hidden=2).fit(x)
        yield am.TwoTower(**network, n_hidden=2).fit(x)
    yield am.ContextKNN(half_life=100).fit(x)
    yield am.ContextKNN().fit({"a": x, 7: x})
    rows = rng.normal(size=(60, 3))
    for kind in ("full", "diag", "tied", "spherical"):
        yield am.GaussianMixture(2, covariance_type=kind, random_state=0).fit(rows)


class File:
    """A saved file, taken apart."""

    def __init__(self, content: bytes) -> None:
        length = int.from_bytes(content[:8], "little")
        self.header: dict[str, Any] = json.loads(content[8 : 8 + length])
        self.body = bytearray(content[8 + length :])
        self.tree: Any = json.loads(self.header["__metadata__"]["manifest"])

    def arrays(self) -> list[str]:
        """Return the names of the arrays."""
        return [name for name in self.header if name != "__metadata__"]

    def content(self) -> bytes:
        """Return the bytes of the file, with the right checksum."""
        metadata = self.header["__metadata__"]
        metadata["manifest"] = json.dumps(self.tree)
        metadata["blake2b"] = "0" * 128
        text = json.dumps(self.header).encode()
        text += b" " * (-(len(text) + 8) % 64)
        whole = len(text).to_bytes(8, "little") + text + bytes(self.body)
        digest = hashlib.blake2b(whole).hexdigest()
        return whole.replace(b"0" * 128, digest.encode(), 1)


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the path and value of every leaf of a tree of JSON."""
    if isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(value, (*path, key))
    else:
        yield path, node


def set_at(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return the tree with the value at a path."""
    if not path:
        return value
    parent = node
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return node


def at(node: Any, path: tuple[Any, ...]) -> Any:
    """Return the value at a path of a tree."""
    for key in path:
        node = node[key]
    return node


def change_leaf(file: File, rng: np.random.Generator) -> None:
    """Replace a number or word of the manifest."""
    path, _ = pick(rng, list(leaves(file.tree)))
    file.tree = set_at(file.tree, path, copy.deepcopy(pick(rng, EXTREMES)))


def change_node(file: File, rng: np.random.Generator) -> None:
    """Replace a node of the manifest by another one, or remove it."""
    paths = [path for path, _ in leaves(file.tree)]
    target, source = (
        path[: int(rng.integers(1, len(path) + 1))] for path in (pick(rng, paths), pick(rng, paths))
    )
    if rng.random() < 0.2 and isinstance(at(file.tree, target[:-1]), dict):
        at(file.tree, target[:-1]).pop(target[-1])
    else:
        file.tree = set_at(file.tree, target, copy.deepcopy(at(file.tree, source)))


def change_shape(file: File, rng: np.random.Generator) -> None:
    """Give an array another shape of equal size, or one without elements."""
    name = pick(rng, file.arrays())
    entry = file.header[name]
    count = int(np.prod(entry["shape"])) if entry["shape"] else 1
    divisors = [d for d in range(1, min(count, 50) + 1) if count % d == 0] or [1]
    d = pick(rng, divisors)
    shapes = [[count], [d, count // d], [count, 1], [1, count], [1] * 3 + [count], [1] * 70]
    if count == 0:
        shapes += [[0, 2**31 - 1], [2**31 - 1, 0], [2**62, 0], [0, 2**63], [2**31, 2**31, 0]]
    elif rng.random() < 0.5:  # no elements, followed by their bytes as another array
        begin, end = entry["data_offsets"]
        items = list(file.header.items())
        where = [n for n, _ in items].index(name)
        shape = pick(rng, [[0], [0, 3], [2**31 - 1, 0], [0, 2**40], [2**62, 0]])
        items[where] = (
            name,
            {"dtype": entry["dtype"], "shape": shape, "data_offsets": [begin, begin]},
        )
        rest = {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}
        items.insert(where + 1, ("rest", rest))
        file.header = dict(items)
        return
    entry["shape"] = pick(rng, shapes)


def change_type(file: File, rng: np.random.Generator) -> None:
    """Give an array another type of equal size."""
    entry = file.header[pick(rng, file.arrays())]
    entry["dtype"] = pick(rng, SAME_SIZE[entry["dtype"]])


def change_value(file: File, rng: np.random.Generator) -> None:
    """Replace a value of an array by an extreme one."""
    name = pick(
        rng,
        [
            n
            for n in file.arrays()
            if file.header[n]["data_offsets"][0] < file.header[n]["data_offsets"][1]
        ],
    )
    begin, end = file.header[name]["data_offsets"]
    code = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8", "U8": "u1", "BOOL": "u1"}
    dtype = np.dtype(code[file.header[name]["dtype"]])
    values: list[Any]
    if dtype.kind == "f":
        values = [np.nan, np.inf, -np.inf, 0.0, -1.0, float(np.finfo(dtype).max), 5e-324]
    else:
        bounds = np.iinfo(dtype)
        values = [bounds.min, bounds.max, 0, 1, 3, 9, 12, bounds.max // 2]
    array = np.frombuffer(bytes(file.body[begin:end]), dtype).copy()
    array[rng.integers(len(array))] = pick(rng, values)
    file.body[begin:end] = array.tobytes()


def swap_arrays(file: File, rng: np.random.Generator) -> None:
    """Exchange the names of two arrays."""
    a, b = pick(rng, file.arrays()), pick(rng, file.arrays())
    names = {a: b, b: a}
    file.header = {names.get(name, name): entry for name, entry in file.header.items()}


CHANGES: list[Callable[[File, np.random.Generator], None]] = [
    change_leaf,
    change_leaf,
    change_node,
    change_shape,
    change_type,
    change_value,
    change_value,
    swap_arrays,
]


def pick(rng: np.random.Generator, choices: list[Any]) -> Any:
    """Return one of the choices."""
    return choices[int(rng.integers(len(choices)))]


def limit_memory() -> None:
    """Limit the address space, where the system can."""
    try:
        import resource
    except ImportError:
        return
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + ADDRESS_SPACE, mapped + ADDRESS_SPACE))


def use(thing: Any) -> None:
    """Call what answers; Python errors are no fault, a crash is."""
    calls: list[Callable[[], Any]] = [
        lambda: thing.save(Path(tempfile.gettempdir()) / "never" / "x")
    ]
    if isinstance(thing, am.GaussianMixture):
        calls += [lambda: thing.predict(np.zeros((3, 3)))]
    elif isinstance(thing, am.IdMap):
        calls += [lambda: thing.get(["u1", 3])]
    elif hasattr(thing, "recommend"):
        calls += [
            lambda: thing.recommend(k=3, n_threads=1),
            lambda: thing.recommend(k=3, n_threads=2),
            lambda: thing.similar_items(k=2),
            lambda: thing.predict(["u1", "u2"], [1, 2]),
            lambda: thing.predict([1, 2], [1, 2]),
            lambda: thing.explain("u1", 1),
            lambda: thing.explain(1, 1),
        ]
    for call in calls:
        try:
            call()
        except MemoryError:
            raise
        except Exception:
            pass


def check(content: bytes, path: Path) -> str | None:
    """Load a file; return the fault, or None."""
    path.write_bytes(content)
    try:
        thing = am.load(path)
    except DamagedFileError:
        return None
    except BaseException as error:
        return f"load: {type(error).__name__}: {error}"
    try:
        use(thing)
    except MemoryError as error:
        return f"answer: MemoryError: {error}"
    return None


def systematic(content: bytes) -> Iterator[bytes]:
    """Yield the file with each whole number of its manifest set to 2**31 - 1."""
    for path, value in leaves(File(content).tree):
        if type(value) is int:
            file = File(content)
            file.tree = set_at(file.tree, path, 2**31 - 1)
            yield file.content()


def random_changes(content: bytes, rng: np.random.Generator) -> bytes:
    """Return the file after one to three changes."""
    file = File(content)
    for _ in range(int(rng.integers(1, 4))):
        try:
            pick(rng, CHANGES)(file, rng)
        except (KeyError, IndexError, TypeError, ValueError, RecursionError):
            continue  # a change that an earlier one has made impossible
    try:
        return file.content()
    except (TypeError, ValueError):
        return content


def main() -> int:
    """Fuzz for some seconds; keep the file of every fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="of the random changes")
    parser.add_argument("--files", type=int, help="number of random changes, instead of seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that show a fault")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    faulthandler.enable()
    folder = Path(tempfile.mkdtemp())
    contents = []
    for number, thing in enumerate(things()):
        save(thing, folder / str(number))
        contents.append((type(thing).__name__, (folder / str(number)).read_bytes()))
    limit_memory()
    faults: dict[str, int] = {}
    n_files = 0

    def tell(name: str, content: bytes) -> None:
        nonlocal n_files
        n_files += 1
        fault = check(content, folder / "changed")  # after a crash this file is the one
        if fault is not None:
            text = f"{name}: {fault}"
            faults[text] = faults.get(text, 0) + 1
            if faults[text] == 1:
                print(text, flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"{len(faults)}.safetensors").write_bytes(content)

    print(f"the file of a crash: {folder / 'changed'}", flush=True)
    for name, content in contents:
        for changed in systematic(content):
            tell(name, changed)
    rng = np.random.default_rng(options.seed)
    begin, n_before = time.monotonic(), n_files
    while (
        n_files - n_before < options.files
        if options.files is not None
        else time.monotonic() - begin < options.seconds
    ):
        name, content = contents[int(rng.integers(len(contents)))]
        tell(name, random_changes(content, rng))
    print(f"{n_files} files, {len(faults)} kinds of faults, seed {options.seed}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
