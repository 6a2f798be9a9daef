"""The result of `evaluate`: models x metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..base.optional import import_optional

if TYPE_CHECKING:
    from ._judged import Floats, Ints

__all__ = ["EvaluationTable"]


@dataclass
class EvaluationTable:
    """Metrics by model, in the order given; prints as an aligned table.

    Parameters
    ----------
    rows : dict of str to dict of str to float
        Values by model name and column: the metrics, then "fit_s" and "recommend_s" (seconds).
    users : ndarray of int64 or None
        Rows of the evaluated users.
    per_user : dict of str to dict of str to ndarray
        By model and metric the value of each of `users`; empty unless asked for.

    Examples
    --------
    >>> from aimass_core.evaluation import EvaluationTable
    >>> print(EvaluationTable({"Popularity": {"recall@10": 0.25, "fit_s": 0.5}}))
    model       recall@10  fit_s
    Popularity     0.2500   0.50
    """

    rows: dict[str, dict[str, float]]
    users: Ints | None = None
    per_user: dict[str, dict[str, Floats]] = field(default_factory=dict, repr=False)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(dict.fromkeys(name for row in self.rows.values() for name in row))

    def __getitem__(self, model: str) -> dict[str, float]:
        """The values of one model."""
        return self.rows[model]

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        def shown(name: str, value: float | None) -> str:
            if value is None:
                return ""
            return f"{value:.2f}" if name.endswith("_s") else f"{value:.4f}"

        cells = [["model", *self.columns]]
        for model, row in self.rows.items():
            cells.append([model, *(shown(name, row.get(name)) for name in self.columns)])
        widths = [max(map(len, column)) for column in zip(*cells)]
        lines = []
        for line in cells:
            numbers = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))
            lines.append("  ".join([line[0].ljust(widths[0]), *numbers]).rstrip())
        return "\n".join(lines)

    def to_dict(self) -> dict[str, dict[str, float]]:
        """The values as plain dictionaries: ``{model: {column: value}}``.

        Returns
        -------
        dict
            Independent of this table.
        """
        return {model: dict(row) for model, row in self.rows.items()}

    def _as_columns(self) -> dict[str, list[Any]]:
        names = self.columns
        return {
            "model": list(self.rows),
            **{name: [row.get(name) for row in self.rows.values()] for name in names},
        }

    def to_arrow(self) -> Any:
        """The values as a pyarrow table with a column "model" first.

        Returns
        -------
        pyarrow.Table
            One row per model.

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        """
        return import_optional("pyarrow", "to_arrow").table(self._as_columns())

    def to_pandas(self) -> Any:
        """The values as a pandas data frame with the models as index.

        Returns
        -------
        pandas.DataFrame
            One row per model.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = import_optional("pandas", "to_pandas")
        return pandas.DataFrame(self._as_columns()).set_index("model")
