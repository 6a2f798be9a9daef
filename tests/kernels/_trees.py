"""Processes that import the package from a copied tree, whatever is installed."""

from __future__ import annotations

import os
from pathlib import Path

# An editable install finds its package by a hook that comes before all folders of sys.path.
WITHOUT_HOOKS = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in type(f).__module__]
"""


def environment_of(tree: Path) -> dict[str, str]:
    """Return the environment in which Python imports ``aimass_core`` from a folder."""
    (tree / "sitecustomize.py").write_text(WITHOUT_HOOKS)
    return os.environ | {"PYTHONPATH": str(tree)}
