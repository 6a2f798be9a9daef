"""What this installation is and found: for bug reports and for ``aimass info``."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

from ._version import __version__
from .base.threads import available_cpus, resolve_n_threads

__all__ = ["show_config"]

_OPTIONAL = (
    "pyarrow",
    "pandas",
    "polars",
    "duckdb",
    "typer",
    "rich",
    "scikit-learn",
    "openpyxl",
    "matplotlib",
    "implicit",
    "sparse_dot_topn",
    "scikit-surprise",
)


def _version_of(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _blas() -> str:
    """Return name and version of the BLAS that NumPy was built with."""
    import numpy as np

    config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def show_config() -> dict[str, Any]:
    """Return the facts that matter for speed and for a bug report.

    Returns
    -------
    dict
        Versions, ISA level in use and available, threads, BLAS, and for each optional package
        its version or ``None``.

    Examples
    --------
    >>> import aimass_core
    >>> sorted(aimass_core.show_config())[:3]
    ['blas', 'cpus', 'isa']
    """
    from . import kernels

    return {
        "version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "isa": kernels.isa(),
        "isa_available": list(kernels.isa_available()),
        "cpus": available_cpus(),
        "n_threads": resolve_n_threads(None),
        "n_threads_env": os.environ.get("AIMASS_NUM_THREADS"),
        "blas": _blas(),
        "required": {name: _version_of(name) for name in ("numpy", "scipy", "numba", "nanoarrow")},
        "optional": {name: _version_of(name) for name in _OPTIONAL},
    }
