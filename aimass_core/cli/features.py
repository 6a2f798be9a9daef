"""Tables of features of items and users on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .files import open_input

if TYPE_CHECKING:
    from ..data import FeatureTable, IdMap

__all__ = ["FeatureOptions", "features_of"]

_PANEL = "Features of items and users"
_COLUMNS = "Default: all columns but the ids, with kinds by their values."


@dataclass(frozen=True, kw_only=True)
class FeatureOptions:
    """Tables of features, for models that use them."""

    item_features: Annotated[
        str | None,
        typer.Option(
            "--item-features",
            metavar="FILE",
            help="Table with one row for each item, also for items without interactions.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    item_columns: Annotated[
        str | None,
        typer.Option(
            "--item-columns",
            metavar="COL[:KIND],...",
            help=f"Columns of --item-features, such as genres:tags,year:numeric. {_COLUMNS}",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None
    item_key: Annotated[
        str | None,
        typer.Option(
            "--item-key",
            metavar="COL",
            help="Column of item ids in --item-features, if it has another name than in RATINGS.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    user_features: Annotated[
        str | None,
        typer.Option(
            "--user-features",
            metavar="FILE",
            help="Table with one row for each user, also for users without interactions.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    user_columns: Annotated[
        str | None,
        typer.Option(
            "--user-columns",
            metavar="COL[:KIND],...",
            help=f"Columns of --user-features. {_COLUMNS}",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None
    user_key: Annotated[
        str | None,
        typer.Option(
            "--user-key",
            metavar="COL",
            help="Column of user ids in --user-features, if it has another name than in RATINGS.",
            rich_help_panel=_PANEL,
        ),
    ] = None

    @property
    def given(self) -> list[str]:
        """Names of the arguments for which there is a table."""
        names = ("item_features", "user_features")
        return [name for name in names if getattr(self, name) is not None]

    @property
    def are_given(self) -> bool:
        """Whether there is a table of features."""
        return bool(self.given)

    @property
    def paths(self) -> list[Path]:
        """Files that no output may overwrite."""
        return [Path(p) for p in (self.item_features, self.user_features) if p is not None]

    def check(self, models: list[Any]) -> None:
        """Refuse features that no model uses, and columns without their table.

        Parameters
        ----------
        models : list of class or model
            The models of the command.

        Raises
        ------
        ValueError
            Naming the models that use such features.
        """
        from ..base.registry import models_with

        for side in ("item", "user"):
            if getattr(self, f"{side}_features") is None:
                for option in ("columns", "key"):
                    if getattr(self, f"{side}_{option}") is not None:
                        raise ValueError(f"--{side}-{option} needs --{side}-features")
                continue
            attribute = f"uses_{side}_features"
            if not any(getattr(model, attribute, False) for model in models):
                raise ValueError(
                    f"--{side}-features: the model does not use them; models that do: "
                    f"{', '.join(models_with(attribute)) or 'none'} (see 'aimass models')"
                )

    def read(
        self, items: IdMap | None, users: IdMap | None, encoding: str | None, model: Any = None
    ) -> dict[str, Any]:
        """Read and encode the tables.

        Parameters
        ----------
        items, users : IdMap or None
            Ids of the interactions, whose names are those of the columns of ids.
        encoding : str or None
            Of text files.
        model : fitted recommender, optional
            Encode as in its fit. Default: learn the encoding from the tables.

        Returns
        -------
        dict of str to FeatureTable
            ``item_features`` and ``user_features``, those that are given.

        Raises
        ------
        OSError, ValueError, TypeError
            For tables that cannot be read or encoded, beginning with the name of the option.
        """
        arguments = {}
        for side, ids in (("item", items), ("user", users)):
            source = getattr(self, f"{side}_features")
            if source is None:
                continue
            option = f"--{side}-features"
            encoder = self._encoder(side, option, model)
            table = open_input(source, option, {"encoding": encoding})
            name = getattr(ids, "name", None)
            try:
                encode = encoder.fit_transform if model is None else encoder.transform
                encoded = encode(table, id_name=name)
                arguments[f"{side}_features"] = _with_ids_of(encoded, ids)
            except (ValueError, TypeError) as error:
                text = str(error).replace("Features(id_column=...)", f"--{side}-key")
                raise ValueError(f"{option}: {text}") from None
        return arguments

    def _encoder(self, side: str, option: str, model: Any) -> Any:
        from ..base.registry import find

        key, columns = getattr(self, f"{side}_key"), getattr(self, f"{side}_columns")
        if model is not None:
            if columns is not None:
                raise ValueError(
                    f"--{side}-columns: the model was fitted with its columns; leave it out"
                )
            encoder = getattr(model, f"{side}_encoder_", None)
            if encoder is None:
                raise ValueError(f"{option}: the model was fitted without features of {side}s")
            return encoder
        kinds = None if columns is None else dict(map(_column_and_kind, columns.split(",")))
        return find("features")(kinds, id_column=key)


def features_of(table: FeatureTable, ids: Any) -> FeatureTable:
    """Return the rows of some ids of a table.

    Parameters
    ----------
    table : FeatureTable
        With ids.
    ids : array-like of ids
        Each one is in the table.

    Returns
    -------
    FeatureTable
        With a row for each of the ids, in their order.
    """
    assert table.ids is not None
    rows = table.ids.get(ids)
    return type(table)(table.ids.take(rows), table.rows_of(ids), encoder=table.encoder)


def _column_and_kind(text: str) -> tuple[str, str]:
    name, _, kind = text.strip().rpartition(":")
    return (name, kind) if name else (kind, "auto")


def _with_ids_of(table: FeatureTable, ids: IdMap | None) -> FeatureTable:
    """Return a table whose ids are text where those of the interactions are."""
    from ..data import FeatureTable
    from ..data._text import text_of_numbers

    if ids is None or table.ids is None or ids.kind != "str" or table.ids.kind != "int":
        return table
    as_text = type(table.ids)._of(text_of_numbers(table.ids._column()), table.ids.name)
    return FeatureTable(as_text, table.matrix, encoder=table.encoder)
