"""The ``aimass`` command: the package's main jobs from files, in the caller's own ids."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

__all__ = ["main"]


def main() -> None:
    """Run the ``aimass`` command with the arguments of this process.

    Exit codes: 0 done; 2 an error of input or usage, which one line on standard error explains;
    1 anything else, such as a full disk or a defect of this package; 130 interrupted; 141 the
    reader of the output has closed its pipe. With any code but 0 no output file is left behind.

    Examples
    --------
    >>> from aimass_core.cli import main
    >>> main()  # doctest: +SKIP
    """
    former = _interrupts(_leave)  # imports take some tenths of a second and hold no resources
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files may be no text of the terminal
            stream.reconfigure(errors="backslashreplace")
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as missing:
        sys.stderr.write(
            f"error: the aimass command needs the package {missing.name!r}: "
            "pip install 'aimass_core[cli]'\n"
        )
        raise SystemExit(2) from None
    import warnings

    from .app import app
    from .console import show_warning

    warnings.showwarning = show_warning
    _interrupts(former)
    app(prog_name="aimass")


def _interrupts(handler: Any) -> Any:
    """Set the handler of Ctrl-C and return the former one, unless Ctrl-C is ignored."""
    former = signal.getsignal(signal.SIGINT)
    if former != signal.SIG_IGN and handler is not None:
        signal.signal(signal.SIGINT, handler)
    return former


def _leave(signum: int, frame: object) -> None:
    os.write(2, b"interrupted: no output was written\n")
    os._exit(128 + signum)
