"""The MovieLens data sets, from GroupLens."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...base.validation import as_choice
from ...exceptions import DamagedFileError
from ._fetch import (
    Archive,
    Dataset,
    fetch_archive,
    import_pyarrow,
    prepared_folder,
    zip_member,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pyarrow import Table

__all__ = ["fetch_movielens"]

LICENCE = (
    "GroupLens, University of Minnesota: research use; no commercial use and no redistribution "
    "without permission; acknowledge in publications (see the README in the archive)"
)
GENRES_100K = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
RATINGS = ["user_id", "item_id", "rating", "timestamp"]


@dataclass(frozen=True)
class _Release:
    archive: Archive
    folder: str
    n_rows: int


def _release(
    size: str, file: str, folder: str, n_rows: int, megabytes: int, md5: str | None
) -> _Release:
    archive = Archive(
        name=f"movielens-{size}",
        base_url="https://files.grouplens.org/datasets/movielens",
        path=file,
        max_bytes=megabytes << 20,
        md5=md5,
    )
    return _Release(archive, folder, n_rows)


# The md5 sums are those that GroupLens publishes beside each file (FILE.zip.md5).
RELEASES = {
    "100k": _release(
        "100k", "ml-100k.zip", "ml-100k", 100_000, 16, "0e33842e24a9c977be4e0107933c0723"
    ),
    "1m": _release("1m", "ml-1m.zip", "ml-1m", 1_000_209, 16, "c4d9eecfca2ab87c1945afe126590906"),
    "10m": _release(
        "10m", "ml-10m.zip", "ml-10M100K", 10_000_054, 128, "ce571fd55effeba0271552578f2648bd"
    ),
    "20m": _release(
        "20m", "ml-20m.zip", "ml-20m", 20_000_263, 400, "cd245b17a1ae2cc31bb14903e1204af3"
    ),
    "25m": _release(
        "25m", "ml-25m.zip", "ml-25m", 25_000_095, 512, "6b51fb2759a8657d3bfcbfc42b592ada"
    ),
    "latest-small": _release(
        "latest-small", "ml-latest-small.zip", "ml-latest-small", 100_836, 16, None
    ),
}


def _parse(text: bytes, names: list[str], delimiter: str, encoding: str, header: bool) -> Table:
    """Return a table of known columns; ids, ratings and times get the types all data sets share."""
    pa = import_pyarrow()
    types = {
        "user_id": pa.int32(),
        "item_id": pa.int32(),
        "rating": pa.float32(),
        "timestamp": pa.int64(),
        "age": pa.int16(),
        "zip_code": pa.string(),
        "title": pa.string(),
        "genres": pa.string(),
        "release_date": pa.string(),
    }
    if delimiter == "::":  # the parser wants a single character; titles hold no tabs
        text, delimiter = text.replace(b"::", b"\t"), "\t"
    return pa.csv.read_csv(
        io.BytesIO(text),
        pa.csv.ReadOptions(column_names=names, skip_rows=int(header), encoding=encoding),
        pa.csv.ParseOptions(delimiter=delimiter, quote_char='"' if header else False),
        pa.csv.ConvertOptions(column_types={k: v for k, v in types.items() if k in names}),
    )


def _read_100k(path: Path, folder: str) -> tuple[Table, Table, Table]:
    """Read ratings with GroupLens's five folds as a column, films with their genres, users."""
    pa = import_pyarrow()

    def ratings(name: str) -> Table:
        return _parse(zip_member(path, f"{folder}/{name}"), RATINGS, "\t", "utf8", False)

    def keys(table: Table) -> Any:
        users, items = (table.column(c).to_numpy().astype(np.int64) for c in RATINGS[:2])
        return users * (1 << 32) + items

    table = ratings("u.data")
    own = keys(table)
    order = np.argsort(own)
    fold = np.zeros(len(own), dtype=np.int8)
    for number in range(1, 6):
        tested = keys(ratings(f"u{number}.test"))
        at = np.minimum(np.searchsorted(own, tested, sorter=order), len(own) - 1)
        if not np.array_equal(own[order[at]], tested):
            raise DamagedFileError(f"{path}: u{number}.test holds pairs that are not in u.data")
        fold[order[at]] = number
    flags = [f"genre {i}" for i in range(len(GENRES_100K))]
    names = ["item_id", "title", "release_date", "video_date", "url", *flags]
    films = _parse(zip_member(path, f"{folder}/u.item"), names, "|", "latin1", False)
    marked = np.column_stack([films.column(flag).to_numpy() for flag in flags]) > 0
    genres = ["|".join(np.array(GENRES_100K)[row]) for row in marked]
    items = films.select(["item_id", "title", "release_date"]).append_column(
        "genres", pa.array(genres)
    )
    names = ["user_id", "age", "gender", "occupation", "zip_code"]
    users = _parse(zip_member(path, f"{folder}/u.user"), names, "|", "latin1", False)
    return table.append_column("fold", pa.array(fold)), items, users


def _read(path: Path, folder: str) -> tuple[Table, Table, Table | None]:
    """Read ratings, films and users of one release."""
    if folder == "ml-100k":
        return _read_100k(path, folder)
    films = ["item_id", "title", "genres"]
    if folder in ("ml-1m", "ml-10M100K"):
        encoding = "latin1" if folder == "ml-1m" else "utf8"
        table = _parse(zip_member(path, f"{folder}/ratings.dat"), RATINGS, "::", encoding, False)
        items = _parse(zip_member(path, f"{folder}/movies.dat"), films, "::", encoding, False)
        users = None
        if folder == "ml-1m":
            names = ["user_id", "gender", "age", "occupation", "zip_code"]
            users = _parse(zip_member(path, f"{folder}/users.dat"), names, "::", encoding, False)
        return table, items, users
    table = _parse(zip_member(path, f"{folder}/ratings.csv"), RATINGS, ",", "utf8", True)
    items = _parse(zip_member(path, f"{folder}/movies.csv"), films, ",", "utf8", True)
    return table, items, None


def fetch_movielens(
    size: str = "100k",
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    base_url: str | None = None,
    timeout: float = 60.0,
) -> Dataset:
    """Fetch MovieLens ratings: from ``AIMASS_DATA``, the cache, or GroupLens, in this order.

    Parameters
    ----------
    size : {"100k", "1m", "10m", "20m", "25m", "latest-small"}, default "100k"
        The release.
    cache_dir : path, optional
        Where the archive is kept; default ``AIMASS_CACHE``, else the system's cache folder.
    base_url : str, optional
        A mirror; default https://files.grouplens.org/datasets/movielens.
    timeout : float, default 60
        Seconds without an answer after which the download fails.

    Returns
    -------
    Dataset
        Table of ``user_id``, ``item_id``, ``rating``, ``timestamp`` (Unix seconds); for "100k"
        also ``fold``, the official five test folds. Items with titles and genres; users for
        "100k" and "1m".

    Raises
    ------
    ConnectionError
        When the download fails; the message says which file to put where by hand.
    DamagedFileError
        When a file does not have the published checksum, or not the published number of ratings.
    ImportError
        If pyarrow is not installed.

    Notes
    -----
    The archives are checked against the md5 sums that GroupLens publishes, and the number of
    ratings against the published one. "latest-small" has no published sum, as GroupLens may
    renew it; it is checked by its number of ratings (September 2018) only. A folder
    ``movielens-SIZE`` in ``AIMASS_DATA`` with ``interactions.parquet`` (and ``items.parquet``,
    ``users.parquet``) is used as it is; it may lack the timestamps. Memory: about twice the
    unpacked ratings file (1.3 GiB for "25m").

    References
    ----------
    .. [1] F. M. Harper, J. A. Konstan, "The MovieLens Datasets: History and Context",
       ACM TiiS 5(4), 2015.

    Examples
    --------
    >>> from aimass_core.data.datasets import fetch_movielens
    >>> ratings = fetch_movielens("100k").to_interactions()  # doctest: +SKIP
    >>> ratings.shape  # doctest: +SKIP
    (943, 1682)
    """
    size = as_choice(size, "size", RELEASES)
    release = RELEASES[size]
    name = release.archive.name
    pa = import_pyarrow()
    folder = prepared_folder(name)
    if folder is not None:
        files = [folder / f"{part}.parquet" for part in ("interactions", "items", "users")]
        ratings, films, people = (
            pa.parquet.read_table(one) if one.is_file() else None for one in files
        )
        return Dataset(name, ratings, films, people, folder, LICENCE, "rating")
    path = fetch_archive(release.archive, cache_dir, base_url, timeout)
    try:
        table, items, users = _read(path, release.folder)
    except pa.ArrowInvalid as error:
        raise DamagedFileError(f"{path} does not have the expected columns: {error}") from error
    if len(table) != release.n_rows:
        raise DamagedFileError(
            f"{path} holds {len(table)} ratings, published are {release.n_rows}; delete it"
        )
    return Dataset(name, table, items, users, path, LICENCE, "rating")
