"""The ``aimass`` command: the package's main jobs from files, in the caller's own ids."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the ``aimass`` command with the arguments of this process.

    Exit codes: 0 done, 1 a defect of ours, 2 something the caller can put right (one line on
    standard error says what), 130 interrupted. No exit but 0 leaves an output file behind.

    Examples
    --------
    >>> from aimass_core.cli import main
    >>> main()  # doctest: +SKIP
    """
    try:
        import pyarrow  # noqa: F401
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as missing:
        sys.stderr.write(
            f"error: the aimass command needs the package {missing.name!r}: "
            "pip install 'aimass_core[cli]'\n"
        )
        raise SystemExit(2) from None
    from .app import app

    app(prog_name="aimass")
