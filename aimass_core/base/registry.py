"""The one table of classes that have a name outside of Python: in files, commands and documents."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["find", "model_modules", "model_names", "models_with", "name_of", "register"]

T = TypeVar("T", bound=type)

# Packages of models. Each lists its classes in ``MODELS``: class name -> module name.
_MODEL_PACKAGES = ("neighbors", "factorization", "linear", "hybrid", "deep", "fusion")
_OTHER_PACKAGES = ("data", "similarity", "mixture", "segmentation")

_classes: dict[str, type] = {}


def register(name: str) -> Callable[[T], T]:
    """Register a class under the name that files and commands use for it.

    A model of this package is registered under the name of its module with dashes, such as
    "item-knn" in ``item_knn.py``, and listed in ``MODELS`` of its package. A model of your own may
    have any other name; import its module before `aimass_core.load` reads a file that holds it.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and dashes.

    Returns
    -------
    callable
        A class decorator that returns the class unchanged.

    Raises
    ------
    ValueError
        For a name that another class has.

    Examples
    --------
    >>> from aimass_core import Recommender, register
    >>> @register("newest-first")
    ... class NewestFirst(Recommender):
    ...     def score(self, query):
    ...         return np.tile(np.arange(query.n_items, dtype=float), (len(query), 1))
    >>> import numpy as np
    >>> NewestFirst().fit(np.eye(3)).recommend([0], k=2).ids.tolist()
    [[2, 1]]
    """
    if not name.replace("-", "").isalnum() or name != name.lower():
        raise ValueError(
            f"name must consist of lower-case letters, digits and dashes, got {name!r}"
        )

    def decorate(cls: T) -> T:
        known = _classes.get(name, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(
                f"the name {name!r} belongs to {known.__module__}.{known.__qualname__}: "
                "register the class under another name"
            )
        _classes[name] = cls
        return cls

    return decorate


def model_modules() -> dict[str, str]:
    """Return the dotted module of each model class of this package; imports no model."""
    return _modules(_MODEL_PACKAGES)


def model_names() -> list[str]:
    """Return the registered names of all recommenders, those of imported plug-ins included."""
    known = [module.rpartition(".")[2].replace("_", "-") for module in model_modules().values()]
    return sorted({*known, *(n for n, cls in _classes.items() if _is_plug_in(cls))})


def models_with(attribute: str) -> list[str]:
    """Return the class names of the recommenders whose class attribute of this name is true.

    Parameters
    ----------
    attribute : str
        Such as "uses_item_features".

    Returns
    -------
    list of str
        In alphabetical order. Imports all models, so it is meant for messages.
    """
    classes = [find(name) for name in model_names()]
    return sorted(cls.__name__ for cls in classes if getattr(cls, attribute, False))


def find(name: str) -> Any:
    """Return the class of a registered name, importing its module where it is one of ours.

    Parameters
    ----------
    name : str
        As given to `register`.

    Raises
    ------
    KeyError
        For a name that nothing is registered under.
    """
    if name not in _classes:
        stem = str(name).replace("-", "_")
        modules = _modules(_MODEL_PACKAGES + _OTHER_PACKAGES) | _modules(("hybrid",), "ESTIMATORS")
        for module in modules.values():
            if module.rpartition(".")[2] == stem:
                importlib.import_module(f"aimass_core.{module}")
    if name not in _classes:
        from .validation import suggest  # SciPy, which `import aimass_core` can do without

        names = model_names()
        raise KeyError(
            f"nothing is registered under {name!r}; the models are {', '.join(names)}"
            f"{suggest(name, names)}. Import the module of a model of your own first"
        )
    return _classes[name]


def name_of(cls: type) -> str | None:
    """Return the name under which a class itself, not a base of it, is registered."""
    return next((name for name, known in _classes.items() if known is cls), None)


def _is_plug_in(cls: type) -> bool:
    """Return whether a registered class is a recommender of another author."""
    return (
        not cls.__module__.startswith("aimass_core.")
        and hasattr(cls, "score")
        and hasattr(cls, "fit")
    )


def _modules(packages: tuple[str, ...], table: str = "MODELS") -> dict[str, str]:
    return {
        name: f"{package}.{module}"
        for package in packages
        for name, module in getattr(
            importlib.import_module(f"aimass_core.{package}"), table
        ).items()
    }
