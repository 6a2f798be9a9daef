"""numpydoc validation of every public name: ``python tools/check_docstrings.py``.

Public is what a module without a leading underscore lists in ``__all__``, and the public methods
and properties that such a class of ours defines or inherits from this package.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from types import FunctionType

from numpydoc.validate import validate

import aimass_core

# Matters of taste, not of use.
IGNORED = {
    "GL01",  # summary on the line of the opening quotes: the house style
    "GL02",  # closing quotes on the line of a one-line text
    "GL03",  # blank lines
    "SS05",  # infinitive verb: the summary may be a noun ("Items near this one")
    "SS06",  # summary of two lines
    "ES01",  # extended summary
    "SA01",
    "SA04",  # See Also and its descriptions
    "EX01",  # examples: "where useful", asked for by hand
    "PR04",  # an argument that is "as in" another function repeats no type; annotations have it
    "PR08",
    "PR09",
    "RT03",
    "RT04",
    "RT05",
    "YD01",  # capital letters and full stops in lists
    "RT02",  # a single return value may be named
}
# Shared by the packages; what users call of them is exported elsewhere. The command line is
# documented by its own --help, a kernel by its reference.
INTERNAL = {"cli", "base", "kernels", "readers"}
DOCUMENTED = (FunctionType, classmethod, staticmethod, property)


def public_names() -> Iterator[str]:
    """Dotted names, each once, in order."""
    modules = ["aimass_core"]
    for info in pkgutil.walk_packages(aimass_core.__path__, "aimass_core."):
        parts = info.name.split(".")
        if not INTERNAL & set(parts) and not any(part.startswith("_") for part in parts):
            modules.append(info.name)
    seen = set()
    for module_name in modules:
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            home = getattr(thing, "__module__", None) or ""
            if inspect.ismodule(thing) or not home.startswith("aimass_core") or id(thing) in seen:
                continue
            seen.add(id(thing))
            yield f"{module_name}.{name}"
            if inspect.isclass(thing):
                owners = [c for c in thing.__mro__ if c.__module__.startswith("aimass_core")]
                members = {name: value for c in owners[::-1] for name, value in vars(c).items()}
                for member, value in members.items():
                    if not member.startswith("_") and isinstance(value, DOCUMENTED):
                        yield f"{module_name}.{name}.{member}"


def main() -> int:
    """Entry point; returns the exit status."""
    n_names = n_errors = 0
    for name in public_names():
        n_names += 1
        for code, message in validate(name)["errors"]:
            if code not in IGNORED:
                n_errors += 1
                print(f"{name}: {code} {message}")
    print(f"numpydoc: {n_names} public names, {n_errors} errors")
    return min(n_errors, 1)


if __name__ == "__main__":
    sys.exit(main())
