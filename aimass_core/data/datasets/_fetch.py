"""Files from the network, once: cache folder, checked and atomic download, safe zip members."""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from ...base.optional import import_optional
from ...base.persistence import replacing
from ...base.validation import as_float
from ...exceptions import DamagedFileError
from ..interactions import Interactions

if TYPE_CHECKING:
    from pyarrow import Table

__all__ = [
    "Archive",
    "Dataset",
    "cache_folder",
    "fetch_archive",
    "import_pyarrow",
    "prepared_folder",
    "zip_member",
]

CHUNK = 1 << 20
MAX_MEMBER = 4 << 30


@dataclass(frozen=True)
class Dataset:
    """A data set in memory.

    Parameters
    ----------
    name : str
        For example "movielens-100k".
    table : pyarrow.Table
        One row per event: ``user_id``, ``item_id`` and what else there is.
    items, users : pyarrow.Table or None
        Side information by ``item_id`` and by ``user_id``.
    path : Path
        The file or folder it was read from.
    licence : str
        Terms in short; read those of the source before any use beyond research.
    value : str
        The column that `to_interactions` takes as value.
    """

    name: str
    table: Table
    items: Table | None
    users: Table | None
    path: Path
    licence: str
    value: str

    def __repr__(self) -> str:
        return f"Dataset({self.name}: {len(self.table)} rows, columns {self.table.column_names})"

    def to_interactions(self, **options: Any) -> Interactions:
        """Return the events as a users x items matrix.

        Parameters
        ----------
        **options
            Of `Interactions.from_table`. Default: the data set's value column, its timestamps
            where it has them, and repeated pairs summed.

        Returns
        -------
        Interactions
            With the ids of the data set.
        """
        named = {"user": "user_id", "item": "item_id", "value": self.value, "duplicates": "sum"}
        if "timestamp" in self.table.column_names:
            named["time"] = "timestamp"
        return Interactions.from_table(self.table, **{**named, **options})


@dataclass(frozen=True)
class Archive:
    """A file at its publisher."""

    name: str
    base_url: str
    path: str
    max_bytes: int
    md5: str | None = None

    @property
    def file_name(self) -> str:
        """Name of the file in the cache."""
        return self.path.rsplit("/", 1)[-1]


def import_pyarrow() -> Any:
    """Return pyarrow with the modules that the data sets need."""
    for name in ("compute", "csv", "parquet"):
        import_optional(f"pyarrow.{name}", "fetching data sets")
    return import_optional("pyarrow")


def cache_folder(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of downloads: the argument, ``AIMASS_CACHE``, or the system's cache."""
    given = cache_dir or os.environ.get("AIMASS_CACHE")
    if given:
        return Path(given).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "aimass"


def prepared_folder(name: str) -> Path | None:
    """Return the folder of a data set under ``AIMASS_DATA``, if it is there."""
    root = os.environ.get("AIMASS_DATA")
    folder = Path(root).expanduser() / name if root else None
    return folder if folder is not None and (folder / "interactions.parquet").is_file() else None


def _chunks(url: str, timeout: float, max_bytes: int) -> Iterator[bytes]:
    """Yield the body of a response, complete and within the limit, or raise."""
    with urlopen(Request(url, headers={"User-Agent": "aimass_core"}), timeout=timeout) as response:
        stated = response.headers.get("Content-Length")
        expected = int(stated) if stated is not None and stated.isdigit() else None
        received = 0
        while chunk := response.read(CHUNK):
            received += len(chunk)
            if max(received, expected or 0) > max_bytes:
                raise OSError(f"the file is larger than the {max_bytes} bytes expected at most")
            yield chunk
        if expected is not None and received != expected:
            raise OSError(f"the connection ended after {received} of {expected} bytes")


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def fetch_archive(
    archive: Archive, cache_dir: Any = None, base_url: str | None = None, timeout: float = 60.0
) -> Path:
    """Return the path of an archive in the cache; download and check it where it is missing.

    The file appears under its name only when it is complete and has the right checksum, so a
    cut connection or two processes at once leave nothing half-written.
    """
    timeout = as_float(timeout, "timeout", above=0)
    path = cache_folder(cache_dir) / archive.file_name
    if path.is_file():
        if archive.md5 is not None and _md5(path) != archive.md5:
            raise DamagedFileError(
                f"{path} is not the published file (its md5 is not {archive.md5}); "
                "delete it to have it downloaded again"
            )
        return path
    base = (base_url or archive.base_url).rstrip("/")
    url = f"{base}/{archive.path}"
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"base_url must start with https:// or http://, got {base_url!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.md5(usedforsecurity=False)  # against accidents, not against attackers
    with replacing(path) as file:
        for chunk in _download(archive, url, path, timeout):
            digest.update(chunk)
            file.write(chunk)
        if archive.md5 is not None and digest.hexdigest() != archive.md5:
            raise DamagedFileError(
                f"{url} gave a file with md5 {digest.hexdigest()}, published is {archive.md5}; "
                f"nothing was kept. Try again, or download it by hand and put it at {path}"
            )
    return path


def _download(archive: Archive, url: str, path: Path, timeout: float) -> Iterator[bytes]:
    """Yield the content of a URL; a failure says what can be done by hand."""
    try:
        yield from _chunks(url, timeout, archive.max_bytes)
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionError(
            f"could not download {url}: {error}. Download it by hand and put it at {path}, or have "
            f"the prepared folder {archive.name} in the folder that AIMASS_DATA names"
        ) from error


def zip_member(archive: Path, name: str, max_bytes: int = MAX_MEMBER) -> bytes:
    """Return one member of a zip file, in memory; nothing is unpacked to disk."""
    try:
        with zipfile.ZipFile(archive) as file:
            for member in file.namelist():
                parts = PurePosixPath(member.replace("\\", "/"))
                if parts.is_absolute() or ".." in parts.parts or ":" in "".join(parts.parts[:1]):
                    raise DamagedFileError(f"{archive} holds a member with the path {member!r}")
            info = file.getinfo(name)
            if info.file_size > max_bytes:
                raise DamagedFileError(
                    f"{archive}: {name} has {info.file_size} bytes, at most {max_bytes} expected"
                )
            return file.read(info)
    except KeyError:
        raise DamagedFileError(
            f"{archive} has no member {name}; delete it to fetch it again"
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DamagedFileError(f"{archive} cannot be read: {error}; delete it") from error
