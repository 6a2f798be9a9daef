"""The journal of a search: one line per finished trial, so that an interrupted search goes on."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["Journal", "fingerprint", "plain"]


def plain(value: Any) -> Any:
    """Return a parameter as JSON holds it, the same in every process."""
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes())
        return f"array of {value.dtype}, shape {value.shape}, SHA-256 {digest.hexdigest()[:16]}"
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if sp.issparse(value):
        digest = hashlib.sha256()
        _add_matrix(digest, value.tocsr())
        return f"matrix of {value.dtype}, shape {value.shape}, SHA-256 {digest.hexdigest()[:16]}"
    if isinstance(value, np.random.Generator):
        return plain(value.bit_generator.state)
    if hasattr(value, "get_params") and not isinstance(value, type):
        return {type(value).__name__: plain(value.get_params(deep=False))}
    code = getattr(getattr(value, "py_func", value), "__code__", None)  # of a Numba function, too
    if code is not None:
        parts = value.__qualname__, code.co_code, code.co_names, repr(plain(code.co_consts))
        return f"function {hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def fingerprint(folds: list[Any], metric: str, resource: str, features: Any) -> str:
    """Return a digest of what scores depend on besides the settings.

    Parameters
    ----------
    folds : list of Split
        The data.
    metric : str
        The metric.
    resource : str
        How the resource of a trial is chosen.
    features : Features
        Features of items and users.
    """
    digest = hashlib.sha256(f"{metric}|{resource}|{len(folds)}".encode())
    for fold in folds:
        for part in (fold.train, fold.fold_in, fold.test):
            if part is not None:
                _add_matrix(digest, part.matrix)
                if part.timestamps is not None:
                    digest.update(np.ascontiguousarray(part.timestamps).tobytes())
    for name in ("item_features", "user_features"):
        table = getattr(features, name)
        if table is not None:
            digest.update(name.encode())
            digest.update(b"" if table.ids is None else repr(table.ids.ids.tolist()).encode())
            _add_matrix(digest, table.matrix)
    return digest.hexdigest()


def _add_matrix(digest: Any, matrix: Any) -> None:
    digest.update(repr(matrix.shape).encode())
    for array in (matrix.indptr, matrix.indices, matrix.data):
        digest.update(np.ascontiguousarray(array).tobytes())


_FIELDS = frozenset(
    ("model", "fixed", "params", "score", "fold_scores", "resource", "seconds", "state", "error")
)
_VERSION = 2


class Journal:
    """Finished trials in a file of JSON lines; without a path in memory only.

    Every line is written and synchronised before the trial counts as finished. A last line that was
    cut short is ignored.
    """

    def __init__(self, path: Any, key: str) -> None:
        self._path = None if path is None else Path(path)
        self._lock = threading.Lock()
        self._done: dict[str, dict[str, Any]] = {}
        if self._path is None:
            return
        header = {"format": "aimass-search", "version": _VERSION, "key": key}
        content = self._path.read_bytes() if self._path.exists() else b""
        if not content.strip():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._append(header, "w")
            return
        complete = content[: content.rfind(b"\n") + 1]
        try:
            header = self._read(complete)
        except (ValueError, KeyError, IndexError, AttributeError, TypeError):
            raise ValueError(
                f"{self._path} is not the journal of a search: give another path, or delete it"
            ) from None
        if header.get("version") != _VERSION:
            raise ValueError(
                f"{self._path} is the journal of another version of aimass_core: give another "
                "path, or delete it"
            )
        if header.get("key") != key:
            raise ValueError(
                f"{self._path} is the journal of a search on other data or with another metric: "
                "give another path, or delete it"
            )
        if len(complete) < len(content):  # the process died while it wrote the last line
            os.truncate(self._path, len(complete))

    def _read(self, content: bytes) -> dict[str, Any]:
        """Take over the finished trials of a file, and return its header."""
        header, *entries = (json.loads(line) for line in content.splitlines())
        if header.get("format") != "aimass-search":
            raise ValueError("another format")
        if header.get("version") == _VERSION:
            for entry in entries:
                if not entry.keys() >= _FIELDS:
                    raise ValueError("an entry is not complete")
                self._done[self._name(entry)] = entry
        return dict(header)

    @staticmethod
    def _name(entry: dict[str, Any]) -> str:
        parts = [entry["model"], entry["fixed"], entry["params"], entry["resource"]]
        return json.dumps(parts, sort_keys=True)

    def find(
        self, model: str, fixed: dict[str, Any], params: dict[str, Any], resource: float
    ) -> dict[str, Any] | None:
        """Return the entry of a finished trial, or None.

        Parameters
        ----------
        model : str
            Name of the model.
        fixed : dict
            Parameters of the model that are not searched.
        params : dict
            The setting.
        resource : float
            Share of the users.
        """
        entry = {
            "model": model,
            "fixed": plain(fixed),
            "params": plain(params),
            "resource": resource,
        }
        return self._done.get(self._name(entry))

    def add(self, entry: dict[str, Any]) -> None:
        """Add a finished trial."""
        with self._lock:
            self._done[self._name(entry)] = entry
            if self._path is not None:
                self._append(entry, "a")

    def _append(self, entry: dict[str, Any], mode: str) -> None:
        assert self._path is not None
        with self._path.open(mode) as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())
