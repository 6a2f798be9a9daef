"""From a ratings file and column names to `Interactions`, with guesses that are reported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import check_columns, stored_type

if TYPE_CHECKING:
    import pyarrow as pa

    from ..data import Interactions

__all__ = ["Columns", "choose_columns", "data_facts", "facts_shown", "lists_schema", "read_ratings"]

_OBVIOUS = {
    "user": ("user_id", "userid", "user", "customer_id", "customerid", "customer"),
    "item": ("item_id", "itemid", "item", "product_id", "productid", "product", "movie_id",
             "movieid", "sku", "stock_code", "stockcode"),
}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """The columns that play a part, and which of them were guessed."""

    user: str
    item: str
    value: str | None
    time: str | None
    guessed: tuple[str, ...]

    def describe(self) -> dict[str, str]:
        """Role to column name, for the summary."""
        roles = {"user": self.user, "item": self.item, "value": self.value, "time": self.time}
        return {role: name for role, name in roles.items() if name is not None}


def _guess(role: str, names: list[str]) -> str:
    by_plain = {name.lower(): name for name in names}
    for obvious in _OBVIOUS[role]:
        if obvious in by_plain:
            return by_plain[obvious]
    raise ValueError(
        f"--{role} is needed: no column is plainly named as the {role} id; "
        f"the file has {', '.join(names)}"
    )


def choose_columns(
    path: Path, user: str | None, item: str | None, value: str | None, time: str | None
) -> Columns:
    """Check column names against the file, and guess user and item only by plain names.

    Parameters
    ----------
    path : Path
        The ratings file.
    user, item : str or None
        Column names; ``None`` guesses.
    value, time : str or None
        Column names; ``None`` means none.

    Returns
    -------
    Columns
        The choice; ``guessed`` lists the roles that the caller left out.

    Raises
    ------
    ValueError
        A column is missing, with the nearest name that exists, or no guess is possible.
    """
    given = {"--user": user, "--item": item, "--value": value, "--time": time}
    names = check_columns(path, "RATINGS", given)
    guessed = tuple(role for role, name in (("user", user), ("item", item)) if name is None)
    return Columns(
        user=user or _guess("user", names),
        item=item or _guess("item", names),
        value=value,
        time=time,
        guessed=guessed,
    )


def read_ratings(
    path: Path, columns: Columns, *, duplicates: str | None, nulls: str
) -> Interactions:
    """Read the chosen columns into a matrix with id maps.

    Parameters
    ----------
    path : Path
        The ratings file.
    columns : Columns
        From `choose_columns`.
    duplicates, nulls : str
        Rules of `Interactions.from_table`.

    Returns
    -------
    Interactions
        Its ``report`` says what was read, merged and dropped.

    Raises
    ------
    ValueError
        There are no rows, or none is left.
    """
    from ..data import Interactions

    data = Interactions.from_table(
        path,
        user=columns.user,
        item=columns.item,
        value=columns.value,
        time=columns.time,
        duplicates=duplicates,
        nulls=nulls,
    )
    if not data.nnz:
        raise ValueError(
            f"RATINGS: no row of '{path}' can be used; it has {data.report['rows_read']:,}"
        )
    return data


def data_facts(data: Interactions, columns: Columns) -> dict[str, Any]:
    """What was read, for ``--json``.

    Parameters
    ----------
    data : Interactions
        From `read_ratings`.
    columns : Columns
        From `choose_columns`.

    Returns
    -------
    dict
        Columns, rows read, merged and dropped by cause, and the size of the matrix.
    """
    return {
        "columns": columns.describe(),
        "guessed_columns": list(columns.guessed),
        **data.report,
        "users": data.n_users,
        "items": data.n_items,
        "interactions": data.nnz,
    }


def facts_shown(found: dict[str, Any]) -> dict[str, Any]:
    """The same as lines of a table.

    Parameters
    ----------
    found : dict
        From `data_facts`.

    Returns
    -------
    dict
        Title of a line to its value.
    """
    rows: dict[str, Any] = {}
    for role, name in found["columns"].items():
        guessed = " (chosen by its name)" if role in found["guessed_columns"] else ""
        rows[f"{role} column"] = name + guessed
    dropped = found["rows_dropped"]
    causes = "; ".join(f"{cause} {n:,}" for cause, n in dropped.items() if n)
    merged = found["rows_merged"]
    rows["rows read"] = found["rows_read"]
    rows["rows dropped"] = f"{sum(dropped.values()):,}" + (f" ({causes})" if causes else "")
    rows["rows merged"] = f"{merged:,}" + (f" (rule: {found['duplicates']})" if merged else "")
    rows["matrix"] = (
        f"{found['users']:,} users x {found['items']:,} items, {found['interactions']:,} entries"
    )
    return rows


def lists_schema(
    path: Path, columns: Columns, data: Interactions, roles: tuple[str, str]
) -> pa.Schema:
    """Columns of lists written: two of ids, rank and score.

    Parameters
    ----------
    path : Path
        The ratings file.
    columns : Columns
        From `choose_columns`.
    data : Interactions
        From `read_ratings`.
    roles : tuple of str
        "user" and "item" in the order of the columns.

    Returns
    -------
    pyarrow.Schema
        With the file's own names, unless they clash, and its own id types.
    """
    import pyarrow as pa

    names = [getattr(columns, role) for role in roles]
    shown = roles if {"rank", "score"} & set(names) else names
    known = {"user": data.users, "item": data.items}
    kinds = [
        stored_type(path, name) or pa.array(known[role].ids[:1]).type
        for role, name in zip(roles, names, strict=True)
    ]
    ids = list(zip(shown, kinds, strict=True))
    return pa.schema([*ids, ("rank", pa.int32()), ("score", pa.float32())])
