"""The customers of ``aimass segment``: a table of them, or one made of their transactions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .files import check_names, load_saved, open_input

if TYPE_CHECKING:
    import pyarrow as pa

    from ..segmentation import Segmentation

__all__ = ["Customers", "TransactionOptions", "load_segments", "scales_of_option"]

_USUAL_IDS = (
    "customer_id",
    "customerid",
    "customer",
    "user_id",
    "userid",
    "user",
    "client_id",
    "id",
)
_KINDS = ("auto", "standard", "robust", "log")
_PANEL = "Transactions (--rfm)"
_TRANSACTION_COLUMNS = ("user", "time", "amount", "order")
_RFM_NAMES = ("recency", "frequency", "monetary")


def scales_of_option(words: list[str] | None) -> str | dict[str, str]:
    """Return one kind of scale for all columns, or kinds by column.

    Parameters
    ----------
    words : list of str or None
        ``KIND`` or ``COL=KIND``.

    Returns
    -------
    str or dict of str to str
        "auto" where nothing is given.

    Raises
    ------
    ValueError
        For an unknown kind, or several kinds for all columns.
    """
    from ..base.validation import as_choice

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


def load_segments(path: Path, option: str) -> Segmentation:
    """Read fitted segments from a file.

    Parameters
    ----------
    path : Path
        Written by ``--save``.
    option : str
        The option that names it, for messages.

    Returns
    -------
    Segmentation

    Raises
    ------
    OSError
        There is no such file.
    ValueError
        It is damaged or holds something else.
    """
    from ..segmentation import Segmentation

    segments: Segmentation = load_saved(path, option, Segmentation, "segments")
    return segments


@dataclass(frozen=True, kw_only=True)
class TransactionOptions:
    """How transactions become recency, frequency and monetary value."""

    rfm: Annotated[
        bool,
        typer.Option(
            "--rfm",
            help="TABLE holds transactions: form the segments by recency, frequency and monetary "
            "value, which the output repeats.",
            rich_help_panel=_PANEL,
        ),
    ] = False
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="COL", help="Column of customers.", rich_help_panel=_PANEL),
    ] = None
    time: Annotated[
        str | None,
        typer.Option("--time", metavar="COL", help="Column of times.", rich_help_panel=_PANEL),
    ] = None
    amount: Annotated[
        str | None,
        typer.Option(
            "--amount",
            metavar="COL|A*B",
            help="Column of amounts, or two to be multiplied, such as quantity*price.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    order: Annotated[
        str | None,
        typer.Option(
            "--order",
            metavar="COL",
            help="Column of orders, each of which counts once; without it days count.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    now: Annotated[
        str | None,
        typer.Option(
            "--now",
            metavar="TIME",
            help="Time that recency looks back from; a day is included. Default: the last time of "
            "the table.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    scores: Annotated[
        bool,
        typer.Option(
            "--scores",
            help="Also write the quintile scores of recency, frequency and monetary value, and the "
            "usual name of their combination, such as champions.",
            rich_help_panel=_PANEL,
        ),
    ] = False
    nulls: Annotated[
        str,
        typer.Option(
            "--nulls",
            metavar="RULE",
            help="Lines with a missing customer, time or amount: error or drop.",
            rich_help_panel=_PANEL,
        ),
    ] = "error"


class Customers:
    """The table whose rows are put into segments.

    Parameters
    ----------
    source : str
        Path, URL or "-".
    options : dict
        Arguments of `Interactions.from_table` about the format.
    id : str or None
        Column of ids; None takes a column with a usual name.
    """

    def __init__(self, source: str, options: dict[str, Any], id: str | None) -> None:
        self._source = source
        self.table: Any = open_input(source, "TABLE", options)
        names = check_names(self.table, source, {"--id": id})
        by_plain = {name.lower(): name for name in names}
        usual = next((by_plain[plain] for plain in _USUAL_IDS if plain in by_plain), None)
        self.id = usual if id is None else id
        self._extra: dict[str, Any] = {}

    def prepare(self, options: TransactionOptions) -> None:
        """Replace transactions by their customers with ``--rfm``; else refuse its options.

        Parameters
        ----------
        options : TransactionOptions
            The columns of the transactions.

        Raises
        ------
        ValueError
            For options without ``--rfm``, and columns that are missing.
        """
        if options.rfm:
            self._make_rfm(options)
            return
        for name in (*_TRANSACTION_COLUMNS, "now", "scores"):
            if getattr(options, name) not in (None, False):
                raise ValueError(f"--{name} is for transactions: add --rfm, or leave it out")

    def _make_rfm(self, options: TransactionOptions) -> None:
        """Replace the transactions by recency, frequency and monetary value of each customer."""
        from ..segmentation import rfm, rfm_scores

        for name in ("user", "time", "amount"):
            if getattr(options, name) is None:
                raise ValueError(
                    f"--{name} is needed with --rfm: it names a column of '{self._source}'"
                )
        amount = str(options.amount)
        names = check_names(
            self.table,
            self._source,
            {f"--{name}": getattr(options, name) for name in ("user", "time", "order")},
        )
        if amount not in names:  # a column may have a star in its name
            factors = [part.strip() for part in amount.split("*")]
            check_names(self.table, self._source, {f"--amount {name}": name for name in factors})
        table = rfm(
            self.table,
            user=str(options.user),
            time=str(options.time),
            order=options.order,
            amount=amount,
            now=_as_time(options.now),
            nulls=options.nulls,
        )
        self._extra = {name: table[name] for name in _RFM_NAMES}
        if options.scores:
            self._extra |= rfm_scores(table)
        self.table, self.id = table, options.user

    def with_columns(self, rows: pa.Table) -> pa.Table:
        """Return the output with recency, frequency, monetary value and scores."""
        import pyarrow as pa

        for name, values in self._extra.items():
            rows = rows.append_column(name, pa.array(values))
        return rows


def _as_time(text: str | None) -> Any:
    """Return a number where the text is one: times may be whole numbers."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text
