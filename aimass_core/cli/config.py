"""Options of the command from a TOML file."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import typer

__all__ = ["apply_config", "read_config"]


def read_config(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Parameters
    ----------
    path : Path
        Keys at the top hold for every command that has the option, those of a table
        ``[recommend]`` for this command only.

    Returns
    -------
    dict
        As written.

    Raises
    ------
    ValueError
        For a file that is not TOML.
    OSError
        For a file that does not exist.
    ImportError
        On Python 3.10 without tomli.
    """
    tomllib = _toml_library()
    if not path.is_file():
        raise FileNotFoundError(f"--config: there is no file '{path}': check the path")
    try:
        with open(path, "rb") as file:
            config: dict[str, Any] = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"--config: '{path}' is not TOML: {error}") from None
    return config


def _toml_library() -> Any:
    for name in ("tomllib", "tomli"):  # the first is part of Python since 3.11
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ImportError("--config needs Python 3.11 or the package 'tomli': pip install tomli")


def apply_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make the values of a TOML file the defaults of a command's options.

    Parameters
    ----------
    context : typer.Context
        Of the command.
    path : Path or None
        The file.

    Returns
    -------
    Path or None
        The same path.

    Raises
    ------
    ValueError
        For a key that is no option of the command, or, at the top of the file, of any command.
    """
    if path is None or context.resilient_parsing:
        return path
    config = read_config(path)
    command: Any = context.command
    siblings = _commands(context)
    own = {name: value for name, value in config.items() if name not in siblings}
    known = _options(command)
    everywhere = {option for one in siblings.values() for option in _options(one)} | known.keys()
    _refuse_unknown(own, everywhere, path, "")
    table = config.get(command.name or "", {})
    if not isinstance(table, dict):
        raise ValueError(f"--config: [{command.name}] in '{path}' must be a table")
    _refuse_unknown(table, known.keys(), path, f" of [{command.name}]")
    values = {_plain(name): value for name, value in {**own, **table}.items()}
    context.default_map = {
        known[name].name: _as_given(value) for name, value in values.items() if name in known
    }
    return path


def _commands(context: typer.Context) -> dict[str, Any]:
    """Return the commands beside this one by name."""
    parent: Any = context.parent.command if context.parent is not None else None
    return dict(getattr(parent, "commands", {}))


def _options(command: Any) -> dict[str, Any]:
    """Return the parameters of a command by the words that a file uses for them."""
    options = {}
    for parameter in command.params:
        words = [w for w in parameter.opts if w.startswith("--")] or [parameter.name or ""]
        for word in words:
            options[_plain(word)] = parameter
    for word in ("config", "help", "install-completion", "show-completion"):
        options.pop(word, None)
    return options


def _plain(word: str) -> str:
    return word.lstrip("-").replace("_", "-").lower()


def _as_given(value: Any) -> Any:
    """Return a value as the command line gives it: a table as NAME=VALUE texts."""
    if isinstance(value, dict):
        return [f"{name}={_text(part)}" for name, part in value.items()]
    if isinstance(value, list):
        return [_text(part) for part in value]
    return value


def _text(value: Any) -> str:
    return str(value)


def _refuse_unknown(given: dict[str, Any], known: Any, path: Path, where: str) -> None:
    from ..base.validation import suggest

    for name in given:
        if _plain(name) not in known:
            raise ValueError(
                f"--config: {name!r}{where} in '{path}' is no option"
                f"{suggest(_plain(name), sorted(known))}"
            )
