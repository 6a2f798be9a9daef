"""What the package makes public: models by the registry, names by package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass, field

import aimass_core
from aimass_core.base import registry

# Packages that users do not import from; what they call of them is exported elsewhere.
INTERNAL = {"base", "cli", "jit", "kernels", "readers", "reference"}


@dataclass
class Package:
    """A public package with the names that its page documents."""

    path: str
    summary: str
    description: str
    names: dict[str, object] = field(default_factory=dict)

    def target(self, name: str) -> str:
        """Return the dotted path of a name; of the function where a module has the same name."""
        try:
            importlib.import_module(f"{self.path}.{name}")
        except ImportError:
            return f"{self.path}.{name}"
        return f"{self.names[name].__module__}.{name}"


def first_line(thing: object) -> str:
    """Return the first paragraph of a docstring as one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def models() -> dict[str, type]:
    """Return the model classes of the package by their registered names."""
    classes = {name: registry.find(name) for name in registry.model_names()}
    return {name: cls for name, cls in classes.items() if cls.__module__.startswith("aimass_core.")}


def packages() -> list[Package]:
    """Return the public packages; each name is in the first package that exports it.

    The classes of models are left out, because every model has a page of its own. Names that a
    module exports and its package does not are on the page of the module.
    """
    paths = ["aimass_core"]
    for info in pkgutil.walk_packages(aimass_core.__path__, "aimass_core."):
        parts = info.name.split(".")
        if not INTERNAL & set(parts) and not any(part.startswith("_") for part in parts):
            paths.append(info.name)
    paths.sort(key=lambda path: (path != "aimass_core", path.count("."), path))
    seen = {id(cls) for cls in models().values()}
    own = {
        id(cls): path
        for path in paths[1:]
        for cls in _exports(path).values()
        if path.count(".") == 1
    }
    found = []
    for path in paths:
        module = importlib.import_module(path)
        summary, _, description = (inspect.getdoc(module) or "").partition("\n\n")
        package = Package(path, " ".join(summary.split()), description)
        for name, thing in _exports(path).items():
            if id(thing) in seen or (path == "aimass_core" and id(thing) in own):
                continue
            seen.add(id(thing))
            package.names[name] = thing
        if package.names:
            found.append(package)
    return found


def _exports(path: str) -> dict[str, object]:
    """Return the classes and functions of this project that a module lists in ``__all__``."""
    module = importlib.import_module(path)
    things = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    return {
        name: thing
        for name, thing in things.items()
        if not inspect.ismodule(thing)
        and (getattr(thing, "__module__", None) or "").startswith("aimass_core")
    }


def index() -> dict[str, str]:
    """Return the dotted path by which the reference documents each unambiguous short name."""
    known: dict[str, str] = {}
    ambiguous = set()
    documented = [
        (name, package.target(name), thing)
        for package in packages()
        for name, thing in package.names.items()
    ]
    documented += [
        (cls.__name__, f"{cls.__module__}.{cls.__name__}", cls) for cls in models().values()
    ]
    for name, path, thing in documented:
        shorts = {name: path}
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                if not member.startswith("_") and (callable(value) or isinstance(value, property)):
                    shorts[f"{name}.{member}"] = f"{path}.{member}"
        for short, target in shorts.items():
            if known.setdefault(short, target) != target:
                ambiguous.add(short)
    return {short: path for short, path in known.items() if short not in ambiguous}
