"""Results as tables of pandas, polars and pyarrow, and as plain Python values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .optional import import_optional

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Exportable", "json_values"]


class Exportable:
    """Conversions of a result whose ``columns()`` returns equally long arrays by name."""

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns of the table.

        Returns
        -------
        dict of str to ndarray
        """
        raise NotImplementedError

    def to_dict(self) -> dict[str, list[Any]]:
        """Return `columns` as lists of Python scalars that ``json.dumps`` accepts.

        Returns
        -------
        dict of str to list
            Dates, bytes and UUIDs among the ids become strings.
        """
        return {name: json_values(column) for name, column in self.columns().items()}

    def to_arrow(self) -> Any:
        """Return `columns` as a pyarrow table.

        Returns
        -------
        pyarrow.Table
            One row for each entry.
        """
        return import_optional("pyarrow").table(self.columns())

    def to_pandas(self) -> Any:
        """Return `columns` as a pandas data frame.

        Returns
        -------
        pandas.DataFrame
            One row for each entry.
        """
        return import_optional("pandas").DataFrame(self.columns())

    def to_polars(self) -> Any:
        """Return `columns` as a polars data frame.

        Returns
        -------
        polars.DataFrame
            One row for each entry.
        """
        columns = self.columns()
        return import_optional("polars").DataFrame(
            {n: c.tolist() if c.dtype == object else c for n, c in columns.items()}
        )


def json_values(column: NDArray[Any]) -> list[Any]:
    """Return the values of an array as Python scalars that ``json.dumps`` accepts."""
    if column.dtype.kind in "biufU":
        values: list[Any] = column.tolist()
        return values
    if column.dtype.kind in "mM":
        return [str(value) for value in column]
    return [_json_value(value) for value in column.tolist()]


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
