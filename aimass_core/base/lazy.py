"""Names of a package that are imported on first use."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["lazy_attributes"]


def lazy_attributes(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package whose names are imported on first use.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    modules : mapping of str to str
        Each public name and the module, relative to the package, that defines it. A name that
        equals the last part of its module is that module itself.

    Returns
    -------
    callable
        To be assigned to ``__getattr__`` in the package's ``__init__``.
    """

    def __getattr__(name: str) -> Any:
        module = modules.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        imported = importlib.import_module(f"{package}.{module}")
        value = imported if module.rpartition(".")[2] == name else getattr(imported, name)
        setattr(importlib.import_module(package), name, value)
        return value

    return __getattr__
