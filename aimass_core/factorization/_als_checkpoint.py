"""The state of a fit on an executor after each half-step, from which a killed run resumes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..base.array_files import ArrayFile, checksum_of
from ..base.executor import PUBLISHED
from ..base.progress import logger

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Checkpoint", "State", "fingerprint"]

DATA = "data"  # folder of the row blocks of a matrix that was given in memory
_STATE = "state.json"


@dataclass
class State:
    """Factors after a number of half-steps, and the losses of the epochs before.

    Parameters
    ----------
    n_half_steps : int
        Half-steps that are done: items, then users, and so on.
    factors : list of ndarray
        Of users and items.
    losses : list of float
        Of the epochs before the last half-step.
    """

    n_half_steps: int
    factors: list[Array]
    losses: list[float]


def fingerprint(parameters: dict[str, Any], checksums: dict[str, str], start: list[Array]) -> str:
    """Return a hash of all that decides the bits of a fit: parameters, data and first factors."""
    known = {name: repr(value) for name, value in parameters.items() if name != "n_threads"}
    content = [__version__, known, checksums, [[*a.shape, checksum_of(a)] for a in start]]
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Checkpoint:
    """Writes and reads the state in the folder of a run; without an executor it does nothing.

    Parameters
    ----------
    runner : Runner
        Its folder holds the state.
    run : str or None
        Fingerprint of the fit; None: no state is kept.
    """

    def __init__(self, runner: Any, run: str | None) -> None:
        self._runner, self._run = runner, run

    def load(self) -> State | None:
        """Return the state of an earlier run of the same fit, and remove what is left besides."""
        if self._runner.is_local:
            return None
        folder: Any = self._runner.folder  # a Path or a RemoteFolder
        state, kept = None, {DATA, "lock"}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(self._runner.read(_STATE))
            if self._run is not None and content["run"] == self._run:
                files = [ArrayFile(str(folder / name), crc) for name, crc in content["factors"]]
                factors = [self._runner.adopt(file) for file in files]
                state = State(int(content["n_half_steps"]), factors, list(content["losses"]))
                kept |= {_STATE, *(Path(file.path).name for file in files)}
                logger.info("resuming after %d half-steps", state.n_half_steps)
        for path in folder.iterdir():
            is_own = str(path) in self._runner.own_files()
            if path.name in kept or path.name.startswith(f"{PUBLISHED}.") or is_own:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return state

    def save(self, n_half_steps: int, factors: tuple[Array, Array], losses: list[float]) -> None:
        """Write the state in one step."""
        if self._runner.is_local or self._run is None:
            return
        files = [self._runner.share(array) for array in factors]
        content = {
            "run": self._run,
            "n_half_steps": n_half_steps,
            "factors": [[Path(file.path).name, file.checksum] for file in files],
            "losses": losses,
        }
        self._runner.write(_STATE, json.dumps(content).encode())
