"""``aimass completion``: the script that completes commands and options in a shell."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["completion"]

_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")


def completion(
    context: typer.Context,
    shell: Annotated[
        str,
        typer.Argument(metavar="SHELL", help=f"One of {', '.join(_SHELLS)}."),
    ],
) -> None:
    """Print the script that completes commands, options and model names in a shell.

    'aimass --install-completion' installs it for the shell that is running.
    """
    from typer.completion import shell_complete

    from ..base.validation import as_choice

    as_choice(shell, "SHELL", _SHELLS)
    command = context.find_root().command
    shell_complete(command, {}, "aimass", "_AIMASS_COMPLETE", f"source_{shell}")
