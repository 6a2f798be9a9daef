"""The Typer application: the list of commands, and the one place where errors become one line."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from . import (
    audience,
    bench,
    completion,
    demo,
    effects,
    evaluate,
    explain,
    info,
    model_list,
    recommend,
    segment,
    similar,
    tune,
    update,
)
from .console import is_verbose, reset_verbosity, set_verbose
from .errors import is_input_error, is_system_error, one_line

__all__ = ["app"]


class _Command(TyperCommand):
    """A command whose help lists the options by panel, without colours or frames."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            is_argument = parameter.param_type_name == "argument"
            panel = "Arguments" if is_argument else getattr(parameter, "rich_help_panel", None)
            panels.setdefault(panel or "Options", []).append(record)
        panels["General"] = panels.pop("General", [])  # last
        for title, records in panels.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class _ClosedPipeError(Exception):
    """The reader of the output has closed its pipe; click would make exit code 1 of it."""


class _CommandGroup(TyperGroup):
    """A group of commands whose failures are one line on standard error and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            raise _ClosedPipeError from None

    def main(self, args: Any = None, *rest: Any, **extra: Any) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        reset_verbosity()
        if "--debug" in words:  # the former name of --verbose
            words = [word for word in words if word != "--debug"]
            set_verbose()
        extra["standalone_mode"] = False
        try:
            code = super().main(words, *rest, **extra)
        except (KeyboardInterrupt, typer.Abort):
            _complain("interrupted: no output was written")
            code = 128 + signal.SIGINT
        except (_ClosedPipeError, BrokenPipeError):
            _abandon_output()
            code = 128 + signal.SIGPIPE
        except Exception as error:
            if is_verbose():
                traceback.print_exc()
            code = _complain_of(error)
        sys.exit(code if isinstance(code, int) else 0)


def _complain_of(error: Exception) -> int:
    """Print what is wrong, and return the exit code."""
    text = one_line(error)
    if is_input_error(error):
        if text:  # nothing to add where Typer has printed the help already
            _complain(f"error: {text}")
        return 2
    if is_system_error(error):
        _complain(f"error: {text}")
        return 1
    more = "" if is_verbose() else " Option -v shows the traceback."
    _complain(
        f"error: {type(error).__name__}: {text}. This is a defect of aimass_core: please report it "
        f"in its issue tracker, with the command and the output of 'aimass info'.{more}"
    )
    return 1


def _complain(line: str) -> None:
    typer.echo(line, err=True)


def _abandon_output() -> None:
    """Point standard output to nowhere, so that Python does not fail to flush it at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # a stream without a file
        return


def _terminate(signum: int, frame: object) -> None:
    """Leave through the same clean-up as every other error, so that no file stays behind."""
    raise SystemExit(128 + signum)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        from .._version import __version__

        typer.echo(f"aimass {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=_CommandGroup,
    name="aimass",
    help="Recommendations, target audiences, customer segments, similar items, evaluation and "
    "effects of campaigns, from tables. 'aimass COMMAND --help' explains a command.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    rich_markup_mode=None,
)


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    signal.signal(signal.SIGTERM, _terminate)


_COMMANDS: dict[str, Callable[..., None]] = {
    "recommend": recommend.recommend,
    "similar": similar.similar,
    "explain": explain.explain,
    "audience": audience.audience,
    "evaluate": evaluate.evaluate,
    "tune": tune.tune,
    "update": update.update,
    "segment": segment.segment,
    "effects": effects.effects,
    "models": model_list.models,
    "completion": completion.completion,
    "info": info.info,
    "demo": demo.demo,
    "bench": bench.bench,
}
for _name, _function in _COMMANDS.items():
    app.command(_name, cls=_Command)(_function)
