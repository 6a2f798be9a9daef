"""What ``aimass segment`` is told about its table: ids, scales, or transactions."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.validation import as_choice
from .files import check_columns

if TYPE_CHECKING:
    from ..segmentation import Segmentation

__all__ = ["choose_id", "load_segments", "need_matplotlib", "no_transactions", "read_transactions",
           "scales_asked"]  # fmt: skip

_IDS = ("customer_id", "customerid", "customer", "user_id", "userid", "user", "client_id", "id")
_KINDS = ("auto", "standard", "robust", "log")


def need_matplotlib(option: str) -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError(f"{option} needs matplotlib: pip install 'aimass_core[plot]'") from None


def scales_asked(words: list[str] | None) -> str | dict[str, str]:
    """One kind for all, or kinds by column."""
    chosen: dict[str, str] = {}
    for word in words or []:
        name, equals, kind = word.rpartition("=")
        as_choice(kind, "--scaling", _KINDS)
        if not equals:
            if len(words or []) > 1:
                raise ValueError("--scaling: give one kind for all columns, or COL=KIND for each")
            return kind
        chosen[name] = kind
    return chosen or "auto"


def choose_id(table: Path, id: str | None) -> str | None:
    names = check_columns(table, "TABLE", {"--id": id})
    if id is not None:
        return id
    by_plain = {name.lower(): name for name in names}
    return next((by_plain[plain] for plain in _IDS if plain in by_plain), None)


def no_transactions(options: dict[str, str | None]) -> None:
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"--{name} is for transactions: add --rfm, or leave it out")


def read_transactions(table: Path, options: dict[str, str | None], nulls: str) -> dict[str, Any]:
    """Recency, frequency and monetary value out of a file of transactions."""
    from ..segmentation import rfm

    for name in ("user", "time", "amount"):
        if options[name] is None:
            raise ValueError(f"--{name} is needed with --rfm: it names a column of '{table}'")
    factors = [part.strip() for part in str(options["amount"]).split("*")]
    names = check_columns(table, "TABLE", {"--user": options["user"], "--time": options["time"],
                                           "--order": options["order"]})  # fmt: skip
    whole = options["amount"] in names  # a column may have a star in its name
    if not whole:
        check_columns(table, "TABLE", {f"--amount {name}": name for name in factors})
    now: Any = options["now"]
    with contextlib.suppress(TypeError, ValueError):  # none, or a date
        now = float(now)
    return rfm(
        table, user=str(options["user"]), time=str(options["time"]), order=options["order"],
        amount=str(options["amount"]) if whole else tuple(factors),  # type: ignore[arg-type]
        now=now, nulls=nulls,
    )  # fmt: skip


def load_segments(path: Path) -> Segmentation:
    """The fitted segments of a file."""
    from ..base.persistence import load
    from ..segmentation import Segmentation

    if not path.is_file():
        raise FileNotFoundError(f"--use: there is no file '{path}': check the path")
    found = load(path)
    if not isinstance(found, Segmentation):
        raise ValueError(f"--use: '{path}' holds a {type(found).__name__}, not segments")
    return found
