"""Which exceptions are errors of input or usage, and how each is shown in one line."""

from __future__ import annotations

import dis
import re
import shlex
from typing import Any

import typer

__all__ = ["ClickException", "ModelError", "is_input_error", "is_system_error", "one_line"]

# Typer carries its own copy of click since 0.26, so the class is taken from what Typer exports.
ClickException: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)

_INPUT_ERRORS = (ValueError, TypeError, LookupError, OSError, ImportError, RuntimeError)
_RAISE = dis.opmap["RAISE_VARARGS"]
# Arguments of Python that messages name, and that are options of the command.
_ARGUMENTS = re.compile(
    r"\b(nulls|duplicates|missing|unknown|format|separator|decimal|thousands|quote|escape|encoding|"
    r"skip_rows|header|names|date_format|null_values|sheet|member|query|include|categorical|columns|"
    r"max_iter|max_segments|min_share|threshold|size|budget|cost)"
    r"=(?:'([^']*)'|\"([^\"]*)\"|(\d[\w.]*))?"
)


class ModelError(ValueError):
    """An error about parameters of a model, which are no options of the command."""


def is_input_error(error: BaseException) -> bool:
    """Return whether an error is about input or usage, and not a defect of this package.

    Parameters
    ----------
    error : BaseException
        As it was caught, with its traceback.

    Returns
    -------
    bool
        True for the errors of the command line, for the exceptions that this package defines, and
        for the errors of Python's usual types that a ``raise`` statement of this package raised.
        An error that an operation raised by itself was not foreseen.
    """
    if isinstance(error, ClickException):
        return True
    if type(error).__module__.split(".")[0] == "aimass_core":
        return True
    return isinstance(error, _INPUT_ERRORS) and _is_raised_by_package(error)


def _is_raised_by_package(error: BaseException) -> bool:
    trace: Any = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    module = str(trace.tb_frame.f_globals.get("__name__", ""))
    if module.split(".")[0] != "aimass_core":
        return False
    code: bytes = trace.tb_frame.f_code.co_code
    position: int = trace.tb_lasti
    return 0 <= position < len(code) and code[position] == _RAISE


def is_system_error(error: BaseException) -> bool:
    """Return whether the operating system refused something: no memory, full disk, no permission.

    Parameters
    ----------
    error : BaseException
        Any error.

    Returns
    -------
    bool
    """
    return isinstance(error, MemoryError) or (
        isinstance(error, OSError) and getattr(error, "errno", None) is not None
    )


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line, with the options named as the command does.

    Parameters
    ----------
    error : BaseException
        Any error.

    Returns
    -------
    str
        Without control characters, which a damaged file may have brought in.
    """
    if isinstance(error, ClickException):
        text = error.format_message()  # type: ignore[attr-defined]
    elif isinstance(error, KeyError) and error.args:
        text = str(error.args[0])  # str(KeyError) would put quotes around the message
    elif isinstance(error, MemoryError):
        text = str(error) or "out of memory: use fewer neighbours, a smaller k or fewer rows"
    else:
        text = str(error) or type(error).__name__
    if not isinstance(error, ModelError):
        text = _ARGUMENTS.sub(_as_option, text)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _as_option(match: re.Match[str]) -> str:
    name, *values = match.groups()
    value = next((value for value in values if value is not None), None)
    option = f"--{name.replace('_', '-')}"
    return option if value is None else f"{option} {shlex.quote(value)}"
