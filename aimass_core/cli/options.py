"""Arguments and options that several commands share, written once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ..base.registry import model_names

__all__ = [
    "ColumnOptions",
    "ConfidenceOption",
    "ExcludeSeenOption",
    "GeneralOptions",
    "KOption",
    "ModelOptions",
    "OptionalOutputOptions",
    "OutputOptions",
    "RatingsArgument",
    "SaveModelOption",
    "SeedOption",
    "SettingsOption",
    "TableOptions",
    "TitleOptions",
    "config_option",
]

_FORMAT_PANEL = "Format of input files"
_COLUMN_PANEL = "Columns and rows"
_MODEL_PANEL = "Model"
_GENERAL_PANEL = "General"
_EXECUTOR_PANEL = "Workers"
_OUTPUT_PANEL = "Output"
_LISTS_PANEL = "Lists"
_TITLES_PANEL = "Titles of items"

RatingsArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="RATINGS",
        help="Table with one row for each interaction: CSV, Parquet, Feather, JSON lines or Excel "
        "file, folder, glob, URL, or '-' for standard input.",
        show_default=False,
    ),
]

KOption = Annotated[
    int,
    typer.Option("--k", metavar="N", help="Items for each user.", rich_help_panel=_LISTS_PANEL),
]
ConfidenceOption = Annotated[
    float, typer.Option("--confidence", metavar="SHARE", help="Level of the intervals.")
]
ExcludeSeenOption = Annotated[
    bool,
    typer.Option(
        "--exclude-seen/--no-exclude-seen",
        help="Leave out items that the user has already.",
        rich_help_panel=_LISTS_PANEL,
    ),
]
SaveModelOption = Annotated[
    Path | None,
    typer.Option("--save", metavar="FILE", help="Also write the fitted model to this file."),
]
SeedOption = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="N",
        help="Seed of all random numbers.",
        rich_help_panel=_GENERAL_PANEL,
    ),
]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="OPTION=VALUE",
        help="Option of the model, such as n_neighbors=200; of several models, for those that have "
        "it. May be repeated.",
        rich_help_panel=_MODEL_PANEL,
        show_default=False,
    ),
]


def _complete_models(incomplete: str) -> list[str]:
    return [name for name in model_names() if name.startswith(incomplete)]


def config_option() -> Any:
    """Return the option ``--config``, whose values become the defaults of the other options."""
    from .config import apply_config

    return typer.Option(
        "--config",
        metavar="FILE",
        help="TOML file with options; those of the command line win.",
        is_eager=True,
        callback=apply_config,
        rich_help_panel=_GENERAL_PANEL,
        show_default=False,
    )


@dataclass(frozen=True, kw_only=True)
class GeneralOptions:
    """Options of every command that works."""

    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            metavar="N",
            help="Number of threads. Default: AIMASS_NUM_THREADS, else the CPUs of this process.",
            rich_help_panel=_GENERAL_PANEL,
        ),
    ] = None
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object instead of tables.",
            rich_help_panel=_GENERAL_PANEL,
        ),
    ] = False
    verbose: Annotated[
        bool,
        typer.Option(
            "-v",
            "--verbose",
            help="Report progress on standard error, also without a terminal; show tracebacks.",
            rich_help_panel=_GENERAL_PANEL,
        ),
    ] = False
    quiet: Annotated[
        bool,
        typer.Option(
            "-q",
            "--quiet",
            help="Print nothing but errors, and what goes to standard output by --out -.",
            rich_help_panel=_GENERAL_PANEL,
        ),
    ] = False
    config: Annotated[Path | None, config_option()] = None


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """How input files are read; the same options as those of `Interactions.from_table`."""

    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="parquet, csv, json, excel or arrow. Default: by the name, then by the content.",
            rich_help_panel=_FORMAT_PANEL,
        ),
    ] = None
    separator: Annotated[
        str | None,
        typer.Option(
            "--separator",
            metavar="TEXT",
            help="Text between cells, such as ';' or '\\t', or the word whitespace. Default: "
            "recognised by the first lines.",
            rich_help_panel=_FORMAT_PANEL,
            show_default=False,
        ),
    ] = None
    decimal: Annotated[
        str,
        typer.Option(
            "--decimal",
            metavar="MARK",
            help="Decimal mark of numbers in text.",
            rich_help_panel=_FORMAT_PANEL,
        ),
    ] = "."
    thousands: Annotated[
        str | None,
        typer.Option(
            "--thousands",
            metavar="MARK",
            help="Thousands mark of numbers in text.",
            rich_help_panel=_FORMAT_PANEL,
        ),
    ] = None
    quote: Annotated[
        str,
        typer.Option(
            "--quote",
            metavar="MARK",
            help="Quotation mark of text files; '' for none.",
            rich_help_panel=_FORMAT_PANEL,
        ),
    ] = '"'
    escape: Annotated[
        str | None,
        typer.Option(
            "--escape",
            metavar="MARK",
            help="Character before a quotation mark inside of a quoted cell.",
            rich_help_panel=_FORMAT_PANEL,
        ),
    ] = None
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding",
            metavar="NAME",
            help="Encoding of text files, such as latin-1. Default: UTF-8, or by the byte order "
            "mark.",
            rich_help_panel=_FORMAT_PANEL,
        ),
    ] = None
    skip_rows: Annotated[
        int,
        typer.Option(
            "--skip-rows",
            metavar="N",
            help="Lines to leave out before the header.",
            rich_help_panel=_FORMAT_PANEL,
        ),
    ] = 0
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first line holds the names. Default: yes, unless --names is given.",
            rich_help_panel=_FORMAT_PANEL,
            show_default=False,
        ),
    ] = None
    names: Annotated[
        str | None,
        typer.Option(
            "--names",
            metavar="NAMES",
            help="Names of the columns of a text file, with commas between.",
            rich_help_panel=_FORMAT_PANEL,
        ),
    ] = None
    date_format: Annotated[
        str | None,
        typer.Option(
            "--date-format",
            metavar="FORMAT",
            help="Format of dates in text, such as %d.%m.%Y; 's' or 'ms' for numbers that count "
            "from 1970, 'excel' for serial numbers, 'number' for whole numbers that only look "
            "like dates. Default: ISO 8601.",
            rich_help_panel=_FORMAT_PANEL,
        ),
    ] = None
    null_values: Annotated[
        list[str] | None,
        typer.Option(
            "--null-values",
            metavar="WORD",
            help="A further word for a missing value, such as '-'; may be repeated.",
            rich_help_panel=_FORMAT_PANEL,
            show_default=False,
        ),
    ] = None
    default_nulls: Annotated[
        bool,
        typer.Option(
            "--default-nulls/--no-default-nulls",
            help="Whether empty cells, NA, NULL and the like are missing values.",
            rich_help_panel=_FORMAT_PANEL,
        ),
    ] = True
    sheet: Annotated[
        list[str] | None,
        typer.Option(
            "--sheet",
            metavar="NAME|N",
            help="Sheet of a workbook by name or number from 0, '*' for all; may be repeated.",
            rich_help_panel=_FORMAT_PANEL,
            show_default=False,
        ),
    ] = None
    member: Annotated[
        str | None,
        typer.Option(
            "--member",
            metavar="NAME",
            help="File in a zip archive that holds several.",
            rich_help_panel=_FORMAT_PANEL,
        ),
    ] = None
    query: Annotated[
        str | None,
        typer.Option(
            "--query",
            metavar="SQL",
            help="SQL text, where RATINGS is the URL of a database or a file of SQLite or DuckDB.",
            rich_help_panel=_FORMAT_PANEL,
        ),
    ] = None
    storage_options: Annotated[
        list[str] | None,
        typer.Option(
            "--storage-options",
            metavar="NAME=VALUE",
            help="Option of the file system of a URL; may be repeated.",
            rich_help_panel=_FORMAT_PANEL,
            show_default=False,
        ),
    ] = None

    def as_arguments(self) -> dict[str, Any]:
        """Return the arguments of `Interactions.from_table` that these options stand for.

        Returns
        -------
        dict of str to object
            Named as in Python.

        Raises
        ------
        ValueError
            For a storage option without ``=``.
        """
        return {
            "format": self.format,
            "separator": None if self.separator is None else self.separator.replace("\\t", "\t"),
            "decimal": self.decimal,
            "thousands": self.thousands,
            "quote": self.quote or None,
            "escape": self.escape,
            "encoding": self.encoding,
            "skip_rows": self.skip_rows,
            "header": self.header,
            "names": None if self.names is None else self.names.split(","),
            "date_format": self.date_format,
            "null_values": tuple(self.null_values or ()),
            "default_nulls": self.default_nulls,
            "sheet": None if not self.sheet else [_sheet(word) for word in self.sheet],
            "member": self.member,
            "query": self.query,
            "storage_options": _pairs(self.storage_options, "--storage-options") or None,
        }


@dataclass(frozen=True, kw_only=True)
class ColumnOptions:
    """The columns of interactions, and what happens to some rows."""

    user: Annotated[
        str | None,
        typer.Option(
            "--user",
            metavar="COL",
            help="Column of user ids; may be left out if it has a usual name, such as user_id.",
            rich_help_panel=_COLUMN_PANEL,
        ),
    ] = None
    item: Annotated[
        str | None,
        typer.Option(
            "--item",
            metavar="COL",
            help="Column of item ids; may be left out if it has a usual name, such as item_id.",
            rich_help_panel=_COLUMN_PANEL,
        ),
    ] = None
    value: Annotated[
        str | None,
        typer.Option(
            "--value",
            metavar="COL",
            help="Column of ratings, quantities or weights; without it each row counts 1.",
            rich_help_panel=_COLUMN_PANEL,
        ),
    ] = None
    time: Annotated[
        str | None,
        typer.Option(
            "--time",
            metavar="COL",
            help="Column of times: dates or whole numbers.",
            rich_help_panel=_COLUMN_PANEL,
        ),
    ] = None
    event: Annotated[
        str | None,
        typer.Option(
            "--event",
            metavar="COL",
            help="Column with the kind of each event; needs --weights.",
            rich_help_panel=_COLUMN_PANEL,
        ),
    ] = None
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="KIND=X,...",
            help="Weight of each kind of event, such as view=1,cart=3,buy=10.",
            rich_help_panel=_COLUMN_PANEL,
        ),
    ] = None
    duplicates: Annotated[
        str | None,
        typer.Option(
            "--duplicates",
            metavar="RULE",
            help="How several rows of one user and item are combined: sum, last, first, mean, max, "
            "min, count or error. Default: sum without --value, which counts the rows, and error "
            "with it.",
            rich_help_panel=_COLUMN_PANEL,
            show_default=False,
        ),
    ] = None
    nulls: Annotated[
        str,
        typer.Option(
            "--nulls",
            metavar="RULE",
            help="Rows with a missing id, value or time: error or drop.",
            rich_help_panel=_COLUMN_PANEL,
        ),
    ] = "error"

    def rules(self) -> dict[str, Any]:
        """Return the arguments of `Interactions.from_table` beside the names of ids and values.

        Returns
        -------
        dict of str to object
            ``event``, ``weights``, ``duplicates`` and ``nulls``.

        Raises
        ------
        ValueError
            For a weight that is not a number.
        """
        weights = None
        if self.weights is not None:
            pairs = _pairs(self.weights.split(","), "--weights")
            weights = {kind: _number(text, f"--weights {kind}") for kind, text in pairs.items()}
        return {
            "event": self.event,
            "weights": weights,
            "duplicates": self.duplicates,
            "nulls": self.nulls,
        }


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model is fitted, or the file of one that is."""

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Name of a model; 'aimass models' lists them. Options may follow: "
            "item-knn:n_neighbors=50,measure=jaccard. Or the file of a fitted model, as "
            "--model-file. Default: item-knn; implicit-als for audiences.",
            autocompletion=_complete_models,
            rich_help_panel=_MODEL_PANEL,
            show_default=False,
        ),
    ] = None
    settings: SettingsOption = None
    model_file: Annotated[
        Path | None,
        typer.Option(
            "--model-file",
            metavar="FILE",
            help="File of a fitted model, written by --save; nothing is fitted then.",
            rich_help_panel=_MODEL_PANEL,
        ),
    ] = None
    seed: SeedOption = 0


@dataclass(frozen=True, kw_only=True)
class TitleOptions:
    """The table of items from which titles are shown."""

    items: Annotated[
        str | None,
        typer.Option(
            "--items",
            metavar="FILE",
            help="Table of items; their titles stand beside the ids, in a column 'title'.",
            rich_help_panel=_TITLES_PANEL,
        ),
    ] = None
    title: Annotated[
        str | None,
        typer.Option(
            "--title",
            metavar="COL",
            help="Column of titles in --items, if it has no usual name.",
            rich_help_panel=_TITLES_PANEL,
        ),
    ] = None
    item_id: Annotated[
        str | None,
        typer.Option(
            "--item-id",
            metavar="COL",
            help="Column of item ids in --items, if it has another name than in RATINGS.",
            rich_help_panel=_TITLES_PANEL,
        ),
    ] = None

    def read(self, item_name: str, encoding: str | None) -> dict[str, str]:
        """Return the titles by the text of the id; none without ``--items``.

        Parameters
        ----------
        item_name : str
            Column of item ids in the interactions.
        encoding : str or None
            Of a text file.

        Returns
        -------
        dict of str to str
        """
        from .titles import read_titles

        return read_titles(self.items, self.item_id or item_name, self.title, encoding)


_OutFormat = Annotated[
    str | None,
    typer.Option(
        "--out-format",
        metavar="NAME",
        help="csv, jsonl, arrow, parquet, sqlite or duckdb. Default: by the name of --out; csv "
        "for standard output.",
        rich_help_panel=_OUTPUT_PANEL,
        show_default=False,
    ),
]
_OutTable = Annotated[
    str | None,
    typer.Option(
        "--out-table",
        metavar="NAME",
        help="Name of the table in a SQLite or DuckDB file. An older table of this name is "
        "replaced, others stay. Default: the name of the command.",
        rich_help_panel=_OUTPUT_PANEL,
        show_default=False,
    ),
]
_OUT_HELP = (
    "A file that ends in .parquet, .csv, .jsonl (both also .gz), .feather, .sqlite or .duckdb, or "
    "'-' for standard output."
)


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Where lists are written, and in which format."""

    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="FILE",
            help=f"Where to write. {_OUT_HELP}",
            rich_help_panel=_OUTPUT_PANEL,
        ),
    ]
    out_format: _OutFormat = None
    out_table: _OutTable = None


@dataclass(frozen=True, kw_only=True)
class ExecutorOptions:
    """Where the work is done, if not in this process."""

    executor: Annotated[
        str | None,
        typer.Option(
            "--executor",
            metavar="WHERE",
            help="Worker processes that fit implicit-als and write the lists of a folder: "
            "processes:4, dask://host:8786 or ray://host:10001. The result is the same.",
            rich_help_panel=_EXECUTOR_PANEL,
        ),
    ] = None
    place: Annotated[
        str | None,
        typer.Option(
            "--place",
            metavar="FOLDER|URL",
            help="Folder that all workers see, or the URL of one such as s3://bucket/run, for "
            "their files; a fit that was interrupted resumes there if the command is given again. "
            "Default: a temporary folder.",
            rich_help_panel=_EXECUTOR_PANEL,
        ),
    ] = None

    @property
    def arguments(self) -> dict[str, Any]:
        """The options as arguments of `fit`; empty without an executor."""
        if self.executor is None:
            if self.place is not None:
                raise ValueError("--place has no effect without --executor")
            return {}
        return {"executor": self.executor, "place": self.place}


@dataclass(frozen=True, kw_only=True)
class OptionalOutputOptions:
    """Where a table is written, if it is written at all."""

    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help=f"Also write the table. {_OUT_HELP}",
            rich_help_panel=_OUTPUT_PANEL,
        ),
    ] = None
    out_format: _OutFormat = None
    out_table: _OutTable = None


def _sheet(word: str) -> str | int:
    return int(word) if word.isdecimal() else word


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{where}: expected a number, got {text!r}") from None


def _pairs(words: list[str] | None, where: str) -> dict[str, str]:
    """Return texts like NAME=VALUE as a mapping."""
    pairs = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"{where}: expected NAME=VALUE, got {word!r}")
        pairs[name.strip()] = value.strip()
    return pairs
