"""From a table of interactions and column names to `Interactions`, with choices that are shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import check_names, open_input, shown_name

if TYPE_CHECKING:
    import pyarrow as pa

    from ..data import IdMap, Interactions
    from .options import ColumnOptions, TableOptions

__all__ = ["Columns", "Ratings", "data_facts", "facts_shown", "lists_schema", "open_ratings"]

_USUAL_NAMES = {
    "user": ("user_id", "userid", "user", "customer_id", "customerid", "customer", "client_id"),
    "item": (
        "item_id",
        "itemid",
        "item",
        "product_id",
        "productid",
        "product",
        "movie_id",
        "movieid",
        "sku",
        "stock_code",
        "stockcode",
    ),
}


@dataclass(frozen=True)
class Columns:
    """The columns that are read, and which of them were chosen by their names."""

    user: str
    item: str
    value: str | None
    time: str | None
    guessed: tuple[str, ...]

    def describe(self) -> dict[str, str]:
        """Return the name of the column of each role, for the summary.

        Returns
        -------
        dict of str to str
        """
        roles = {"user": self.user, "item": self.item, "value": self.value, "time": self.time}
        return {role: name for role, name in roles.items() if name is not None}


@dataclass(frozen=True)
class Ratings:
    """An open table of interactions, and how it is read.

    Parameters
    ----------
    source : str
        Path, URL or "-".
    table : OpenTable
        The open table, which may be read several times.
    columns : Columns
        The columns that are read.
    rules : dict
        Further arguments of `Interactions.from_table`.
    argument : str
        The argument that names the table, for messages.
    """

    source: str
    table: Any
    columns: Columns
    rules: dict[str, Any] = field(default_factory=dict)
    argument: str = "RATINGS"

    @property
    def name(self) -> str:
        """Return what the table is called in messages."""
        return shown_name(self.source)

    @property
    def paths(self) -> list[Path]:
        """Return the file itself, which no output may overwrite."""
        return [] if self.source == "-" else [Path(self.source)]

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `Interactions.from_table` beside the table.

        Returns
        -------
        dict of str to object
        """
        return {**self.columns.describe(), **self.rules}

    def read(self, **more: Any) -> Interactions:
        """Read the chosen columns into a matrix with id maps.

        Parameters
        ----------
        **more
            Further arguments of `Interactions.from_table`.

        Returns
        -------
        Interactions
            Its ``report`` says what was read, merged and dropped.

        Raises
        ------
        ValueError
            There are no rows, or none is left.
        """
        from ..base.text import counted
        from ..data import Interactions

        data = Interactions.from_table(self.table, **{**self.arguments(), **more})
        if not data.nnz:
            dropped = ", ".join(f"{n:,} {cause}" for cause, n in _dropped(data).items())
            raise ValueError(
                f"{self.argument}: no row of '{self.name}' can be used; it has "
                f"{counted(data.report['rows_read'], 'row')}" + (f" ({dropped})" if dropped else "")
            )
        return data

    def stored_type(self, column: str) -> pa.DataType | None:
        """Return the type in which the file keeps a column of ids.

        Parameters
        ----------
        column : str
            One of its columns.

        Returns
        -------
        pyarrow.DataType or None
            None for text files, and for types that ids are not written back as.
        """
        import pyarrow as pa

        schema = getattr(self.table.readers[0], "schema", None)
        if not isinstance(schema, pa.Schema) or column not in schema.names:
            return None
        kind = schema.field(column).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        is_kept = (
            pa.types.is_integer(kind)
            or pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
            or pa.types.is_temporal(kind)
        )
        return kind if is_kept else None


def _dropped(data: Interactions) -> dict[str, int]:
    return {cause: n for cause, n in data.report["rows_dropped"].items() if n}


def _usual_name(role: str, names: list[str]) -> str:
    by_plain = {name.strip().lower().replace(" ", "_"): name for name in names}
    for usual in _USUAL_NAMES[role]:
        if usual in by_plain:
            return by_plain[usual]
    raise ValueError(
        f"--{role} is needed: no column has a usual name of {role} ids, such as {role}_id; "
        f"the file has {', '.join(names)}"
    )


def open_ratings(
    source: str,
    columns: ColumnOptions,
    tables: TableOptions,
    what: str = "RATINGS",
    table: Any = None,
) -> Ratings:
    """Open a table of interactions, and choose its columns.

    Parameters
    ----------
    source : str
        Path, glob, folder, URL or "-".
    columns : ColumnOptions
        Columns as they were given; users and items that were not are chosen by usual names.
    tables : TableOptions
        Format of the table.
    what : str, default="RATINGS"
        The argument that names the table, for messages.
    table : OpenTable, optional
        The table, where it is open already.

    Returns
    -------
    Ratings

    Raises
    ------
    OSError
        There is no such file.
    ValueError
        It cannot be read, a column is missing, or none has a usual name.
    """
    if table is None:
        table = open_input(source, what, tables.as_arguments())
    given = {
        "--user": columns.user,
        "--item": columns.item,
        "--value": columns.value,
        "--time": columns.time,
        "--event": columns.event,
    }
    names = check_names(table, source, given)
    pairs = (("user", columns.user), ("item", columns.item))
    chosen = Columns(
        user=columns.user or _usual_name("user", names),
        item=columns.item or _usual_name("item", names),
        value=columns.value,
        time=columns.time,
        guessed=tuple(role for role, name in pairs if name is None),
    )
    return Ratings(source, table, chosen, columns.rules(), what)


def data_facts(data: Interactions, columns: Columns) -> dict[str, Any]:
    """Return what was read, for ``--json``.

    Parameters
    ----------
    data : Interactions
        The interactions.
    columns : Columns
        Their columns.

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


def facts_shown(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the same as lines of a table.

    Parameters
    ----------
    facts : dict
        From `data_facts`; of a model that uses features also "features", the names of those given.

    Returns
    -------
    dict
        Title of a line to its value.
    """
    from ..base.text import counted

    rows: dict[str, Any] = {}
    if facts.get("features") == []:
        rows["features"] = "none given"
    if "rows_read" not in facts:
        return rows
    for role, name in facts["columns"].items():
        guessed = " (chosen by its name)" if role in facts["guessed_columns"] else ""
        rows[f"{role} column"] = name + guessed
    dropped = facts["rows_dropped"]
    causes = "; ".join(f"{cause} {n:,}" for cause, n in dropped.items() if n)
    merged = facts["rows_merged"]
    rows["rows read"] = facts["rows_read"]
    rows["rows dropped"] = f"{sum(dropped.values()):,}" + (f" ({causes})" if causes else "")
    rows["rows merged"] = f"{merged:,}" + (f" (rule: {facts['duplicates']})" if merged else "")
    rows["matrix"] = (
        f"{counted(facts['users'], 'user', ',')} x {counted(facts['items'], 'item', ',')}, "
        f"{counted(facts['interactions'], 'entry', ',')}"
    )
    for number, note in enumerate(facts.get("notes", ()), 1):
        rows[f"note {number}"] = note
    return rows


def lists_schema(
    ratings: Ratings | None, users: IdMap | None, items: IdMap | None, roles: tuple[str, str]
) -> pa.Schema:
    """Return the columns of a file of lists: two of ids, rank and score.

    Parameters
    ----------
    ratings : Ratings or None
        The table whose id types are repeated; None without a table.
    users, items : IdMap or None
        Ids of the lists; None where they are row numbers.
    roles : tuple of str
        "user" and "item" in the order of the columns.

    Returns
    -------
    pyarrow.Schema
        With the column names of the table that the ids come from.
    """
    import pyarrow as pa

    from ..base.lists import column_names_of_lists

    names = dict(zip(("user", "item"), column_names_of_lists(users, items), strict=True))
    known = {"user": users, "item": items}
    fields = [(names[role], _id_type(ratings, known[role])) for role in roles]
    return pa.schema([*fields, ("rank", pa.int32()), ("score", pa.float32())])


def _id_type(ratings: Ratings | None, ids: IdMap | None) -> pa.DataType:
    import pyarrow as pa

    if ids is None:
        return pa.int64()
    stored = None
    if ratings is not None and ids.name is not None:
        stored = ratings.stored_type(ids.name)
    return stored or (pa.array(ids.ids[:1]).type if len(ids) else pa.string())
