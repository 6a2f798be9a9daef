"""The Typer application: the list of commands and the one place where errors become one line."""

from __future__ import annotations

import re
import signal
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from . import audience, bench, demo, evaluate, info, recommend, segment, similar

__all__ = ["app"]

# Typer carries its own copy of click since 0.26, so the class is taken from what Typer exports.
ClickException: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)

# What the caller can put right. Anything else is a defect of ours and says so.
_CALLER_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    OSError,
    ImportError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
)


def _one_line(error: BaseException) -> str:
    if isinstance(error, ClickException):
        text = error.format_message()  # type: ignore[attr-defined]
    elif isinstance(error, KeyError) and error.args:
        text = str(error.args[0])  # str(KeyError) would put quotes around the message
    elif isinstance(error, MemoryError):
        text = str(error) or "out of memory: use fewer neighbours, a smaller k or fewer rows"
    else:
        text = str(error) or type(error).__name__
    text = re.sub(
        r"\b(nulls|duplicates|missing)=('(\w+)')?", r"--\1 \3", text
    )  # as it is written here
    # A broken file is quoted by its reader: nothing of it may reach the terminal as control codes.
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class _OneLineErrors(TyperGroup):
    """A command group whose failures are one line on standard error and an exit code."""

    def main(self, args: Any = None, *rest: Any, **extra: Any) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        debug = "--debug" in words
        words = [word for word in words if word != "--debug"]
        extra["standalone_mode"] = False
        try:
            code = super().main(words, *rest, **extra)
        except (KeyboardInterrupt, typer.Abort):
            code = 130
        except (ClickException, *_CALLER_ERRORS) as error:
            if debug:
                raise
            text = _one_line(error)
            if text:  # nothing to add where Typer has printed the help already
                _complain(f"error: {text}")
            code = 2
        except Exception as error:
            if debug:
                raise
            _complain(
                f"error: {type(error).__name__}: {_one_line(error)} (this is a defect of "
                "aimass_core: run again with --debug and report what it prints)"
            )
            code = 1
        if code == 130:
            _complain("interrupted: no output was written")
        sys.exit(code if isinstance(code, int) else 0)


def _complain(line: str) -> None:
    typer.echo(line, err=True)


def _terminate(signum: int, frame: object) -> None:
    """Leave through the same clean-up as every other error, so that no file stays behind."""
    raise SystemExit(128 + signum)


app = typer.Typer(
    cls=_OneLineErrors,
    name="aimass",
    help="Recommendations, audiences, customer segments, item neighbours and evaluation, "
    "from tables. "
    "Add --debug to any command to see the traceback of an error.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root() -> None:
    signal.signal(signal.SIGTERM, _terminate)


app.command("recommend")(recommend.recommend)
app.command("evaluate")(evaluate.evaluate)
app.command("similar")(similar.similar)
app.command("audience")(audience.audience)
app.command("segment")(segment.segment)
app.command("info")(info.info)
app.command("demo")(demo.demo)
app.command("bench")(bench.bench)
