"""Splits as files, which tasks on the workers of an executor read by name."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.persistence import load, save
from ..data.split import Split

if TYPE_CHECKING:
    from ..base.executor import Runner

__all__ = ["SharedSplits", "SplitFiles"]

_PARTS = ("train", "test", "fold_in", "holdout")
_MAX_LOADED = 8  # splits that a worker keeps

_loaded: OrderedDict[SplitFiles, Split] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class SplitFiles:
    """Names of the files of a split, its rules, and the run that wrote them.

    A worker may serve several runs, whose files have the same names.
    """

    files: tuple[str | None, ...]
    order: str
    repeats: str
    run: str

    def load(self) -> Split:
        """Return the split; a process reads it once."""
        known = _loaded.get(self)
        if known is not None:
            return known
        parts: Any = [None if file is None else load(file) for file in self.files]
        train, test, fold_in, holdout = parts
        read = Split(train, test, fold_in, holdout, self.order, self.repeats)
        with _lock:
            _loaded[self] = read
            while len(_loaded) > _MAX_LOADED:
                _loaded.popitem(last=False)
        return read


class SharedSplits:
    """Gives splits to tasks: as they are, or as names of files.

    Parameters
    ----------
    runner : Runner
        Where the tasks run.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._run = secrets.token_hex(8)
        self._written: dict[int, tuple[Split, SplitFiles]] = {}  # by identity of the split
        self._lock = threading.Lock()

    def shared(self, folds: Sequence[Any]) -> Sequence[Any]:
        """Return what a task needs to read splits; each is written on its first use."""
        if self._runner.is_local:
            return folds
        with self._lock:
            return [self._files_of(fold) for fold in folds]

    def _files_of(self, fold: Any) -> Any:
        if not isinstance(fold, Split):  # a pair of matrices
            return fold
        known = self._written.get(id(fold))
        if known is not None:
            return known[1]
        folder: Path = getattr(self._runner, "folder")  # noqa: B009 (of an ExecutorRunner)
        files: list[str | None] = []
        for name in _PARTS:
            part = getattr(fold, name)
            path = str(folder / f"split.{len(self._written)}.{name}.safetensors")
            if part is not None:
                save(part, path)
            files.append(None if part is None else path)
        written = SplitFiles(tuple(files), fold.order, fold.repeats, self._run)
        self._written[id(fold)] = fold, written
        return written
