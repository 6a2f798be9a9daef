"""Files of the command line: output paths, lists of ids, and tables beside the interactions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "check_names",
    "check_output",
    "check_picture",
    "load_saved",
    "open_input",
    "read_pairs",
    "shown_name",
]


def shown_name(source: str) -> str:
    """Return what a source of data is called in messages.

    Parameters
    ----------
    source : str
        Path, URL or "-".

    Returns
    -------
    str
    """
    return "standard input" if source == "-" else Path(source).name or source


def open_input(source: str, what: str, options: dict[str, Any]) -> Any:
    """Open a table for reading.

    Parameters
    ----------
    source : str
        Path, glob, folder, URL or "-".
    what : str
        The argument that names it, for messages.
    options : dict
        Arguments of `Interactions.from_table` about the format.

    Returns
    -------
    OpenTable

    Raises
    ------
    OSError, ValueError
        Beginning with the name of the argument.
    """
    from ..data.tables import open_table

    try:
        return open_table(source, **options)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{what}: {error.args[-1]}: check the path") from None
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None


def check_names(table: Any, source: str, columns: dict[str, str | None]) -> list[str]:
    """Check that a table has some columns.

    Parameters
    ----------
    table : OpenTable
        The table.
    source : str
        Where it comes from, for messages.
    columns : dict
        Option to column name; ``None`` asks for nothing.

    Returns
    -------
    list of str
        The names of all columns.

    Raises
    ------
    ValueError
        For a column that is missing, with the nearest name or where it may be found.
    """
    from ..base.validation import suggest

    names = [str(name) for name in table.names()]
    for option, name in columns.items():
        if name is not None and name not in names:
            remedy = table.readers[0].where_else(name) or suggest(name, names)
            raise ValueError(
                f"{option}: '{source}' has no column {name!r}; it has {', '.join(names)}{remedy}"
            )
    return names


def read_pairs(table: Any, id_column: str, other: str) -> tuple[NDArray[Any], list[Any]]:
    """Read a column of ids and another one beside it.

    Parameters
    ----------
    table : OpenTable
        With both columns.
    id_column, other : str
        Their names.

    Returns
    -------
    ids : ndarray
        Rows with a null in either column are left out.
    values : list
        Texts or whole numbers, as they are written.
    """
    from ..data.idmap import IdMap

    columns = table.read({"item": id_column, "context": other})
    codes, ids = IdMap._number(columns["item"], f"column {id_column!r}", 1)
    other_codes, values = IdMap._number(columns["context"], f"column {other!r}", 1)
    is_known = (codes >= 0) & (other_codes >= 0)
    return ids.ids[codes[is_known]], values.ids[other_codes[is_known]].tolist()


def check_output(path: Path, option: str, others: list[Path], format: str | None = None) -> None:
    """Refuse an output path before any work is done for it.

    Parameters
    ----------
    path : Path
        The file to be written; "-" is standard output.
    option : str
        The option that names it, for messages.
    others : list of Path
        Files of the same call, which must not be overwritten.
    format : str, optional
        Format of the output; for ``--out`` without it the suffix must name one.

    Raises
    ------
    ValueError
        The suffix is unknown, or the path is one of the others.
    OSError
        The folder is missing or the path is a folder.
    """
    from ..base.validation import as_choice
    from ..data._table_writer import OUTPUT_FORMATS, STANDARD_OUTPUT, output_format

    if option == "--out":
        if format is None:
            output_format(path, option)
        else:
            as_choice(format, "--out-format", OUTPUT_FORMATS)
        if str(path) == STANDARD_OUTPUT:
            if format not in (None, "csv", "jsonl", "arrow"):
                raise ValueError(
                    f"--out-format: {format} cannot go to standard output; use csv, jsonl or arrow"
                )
            return
    if path.is_dir():
        raise IsADirectoryError(f"{option}: '{path}' is a folder: give a file name")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"{option}: there is no folder '{path.parent}': make it first or write elsewhere"
        )
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{option}: the folder '{path.parent}' cannot be written to")
    if any(path.resolve() == other.resolve() for other in others):
        raise ValueError(
            f"{option}: '{path}' is another file of this command: write to another name"
        )


def check_picture(path: Path, option: str, others: list[Path]) -> None:
    """Refuse the path of a picture before any work is done for it.

    Parameters
    ----------
    path : Path
        The file to be written.
    option : str
        The option that names it, for messages.
    others : list of Path
        Files of the same call, which must not be overwritten.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        The suffix is no format of matplotlib, or the path is one of the others.
    OSError
        The folder is missing or the path is a folder.
    """
    from ..base.optional import import_optional

    check_output(path, option, others)
    canvas = import_optional("matplotlib.backend_bases", option, "plot").FigureCanvasBase
    suffixes = sorted(canvas.get_supported_filetypes().keys() - {"pgf"})  # needs LaTeX as well
    if path.suffix[1:].lower() not in suffixes:
        raise ValueError(
            f"{option}: the suffix of '{path}' names no format of pictures: use one of "
            f".{', .'.join(suffixes)}"
        )


def load_saved(path: Path, option: str, kind: type, described: str) -> Any:
    """Read what a command or `save` wrote.

    Parameters
    ----------
    path : Path
        The file.
    option : str
        The option that names it, for messages.
    kind : type
        Class that the object must be of.
    described : str
        That class in words, for messages.

    Returns
    -------
    object

    Raises
    ------
    OSError
        There is no such file.
    ValueError
        It is damaged, or holds something else.
    """
    from ..base.persistence import load

    if not path.is_file():
        raise FileNotFoundError(f"{option}: there is no file '{path}': check the path")
    try:
        saved = load(path)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None
    if not isinstance(saved, kind):
        raise ValueError(f"{option}: '{path}' holds a {type(saved).__name__}, not {described}")
    return saved
