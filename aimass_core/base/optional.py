"""Libraries that are needed for some calls only: imported on first use."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["import_optional"]


def import_optional(name: str, purpose: str = "this", extra: str | None = None) -> Any:
    """Return a module of a library, or raise an error that says how to install the library.

    Parameters
    ----------
    name : str
        Dotted name of the module.
    purpose : str, default="this"
        What needs the library, for the message.
    extra : str, optional
        Extra of this package that installs the library. Default: the library is named itself.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        Where the library is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        library = name.partition(".")[0]
        distribution = {"sklearn": "scikit-learn"}.get(library, library)
        requirement = distribution if extra is None else f"'aimass_core[{extra}]'"
        raise ImportError(f"{purpose} needs {distribution}: pip install {requirement}") from None
