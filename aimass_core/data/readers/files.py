"""Files of every kind: paths, URLs, globs, folders, archives, open files, standard input.

A `File` can be opened as often as needed, decompressed, from its first byte. What cannot be read
twice (a pipe) is written to a temporary file first, which stays in memory below 64 MiB.
"""

from __future__ import annotations

import contextlib
import glob
import io
import lzma
import os
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from ...base.optional import import_optional
from .options import ReadOptions

__all__ = ["File", "files_of", "is_refusal", "is_url", "pyarrow", "unreadable"]

_HEAD = 1 << 18  # bytes by which content is recognised
_IN_MEMORY = 1 << 26  # bytes of a pipe that are not written to disk
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xfd7zXZ\x00": "xz",
}
_COMPRESSED_NAMES = (".gz", ".gzip", ".bz2", ".zst", ".zstd", ".lz4", ".xz", ".zip")
_FORMAT_OF_SUFFIX = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".parq": "parquet",
    ".feather": "arrow",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".ipc": "arrow",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xltx": "excel",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".dat": "csv",
    ".data": "csv",
    ".psv": "csv",
    ".ssv": "csv",
    ".inter": "csv",
}
_MAGIC = {b"PAR1": "parquet", b"ARROW1": "arrow", b"FEA1": "arrow", b"\xff\xff\xff\xff": "arrow"}
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


def pyarrow() -> Any:
    """Return pyarrow, or raise an error that says how to install it."""
    return import_optional("pyarrow", "reading and writing files", "io")


def is_url(source: Any) -> bool:
    """Return whether a source is a text like ``s3://bucket/key``."""
    return isinstance(source, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source) is not None


def unreadable(name: str, kind: str, error: Exception) -> Exception:
    """Return damage as a ValueError; errors of the system (no permission, ...) as they are."""
    if is_refusal(error):
        return error
    return ValueError(f"{name} cannot be read as {kind}: {error}")


def is_refusal(error: Exception) -> bool:
    """Return whether an error is the system's (no file, no permission, ...), not damage."""
    kinds = (FileNotFoundError, PermissionError, IsADirectoryError, ConnectionError, TimeoutError)
    return isinstance(error, kinds) or (isinstance(error, OSError) and error.errno is not None)


class File:
    """One file.

    Parameters
    ----------
    name : str
        Name for messages; its suffixes hint at the format.
    opener : callable or None
        Returns a new binary stream from the first byte; needed where there is no ``path``.
    path : str, optional
        Where the file lies on this machine.
    partitions : dict, optional
        Columns that the names of its folders hold, as in ``day=2024-01-31/part-0.parquet``.
    is_member : bool, default False
        Whether it lies in a zip archive.
    """

    def __init__(
        self,
        name: str,
        opener: Callable[[], Any] | None,
        path: str | None = None,
        partitions: dict[str, str | None] | None = None,
        *,
        is_member: bool = False,
    ) -> None:
        self.name = name
        self.is_member = is_member
        self.partitions = partitions or {}
        self._opener = opener
        self._path = path
        self._state = self._stat()
        with self._reading(), self._open_raw() as stream:
            raw = stream.read(_HEAD)
        kinds = [kind for magic, kind in _COMPRESSED.items() if raw.startswith(magic)]
        self.compression = kinds[0] if kinds else None
        self.head = raw
        if self.compression is not None:
            with self._reading(), self.open() as stream:
                self.head = stream.read(_HEAD)

    def _stat(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        status = os.stat(self._path)
        return status.st_size, status.st_mtime_ns, status.st_ino

    def check_unchanged(self) -> None:
        """Raise ValueError if the file is not what it was when reading began."""
        if self._state is not None and self._stat() != self._state:
            raise ValueError(
                f"{self.name} was changed while it was read: read it again once it is complete"
            )

    @property
    def path(self) -> str | None:
        """The path, if its bytes are those of the stream."""
        return None if self.compression else self._path

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile) as error:
            raise ValueError(f"{self.name} is damaged: {error}") from None
        except OSError as error:
            if is_refusal(error):
                raise
            raise ValueError(f"{self.name} is damaged: {error}") from None

    def _open_raw(self) -> Any:
        if self._path is not None:
            return open(self._path, "rb")
        assert self._opener is not None
        return self._opener()

    def open(self) -> Any:
        """Return a new binary stream of the decompressed content."""
        if self.compression == "xz":
            return _Xz(self._open_raw())
        if self.compression is not None:
            return pyarrow().CompressedInputStream(self._open_raw(), self.compression)
        return self._open_raw()

    def open_seekable(self) -> Any:
        """Return a new binary stream of the decompressed content in which one can seek."""
        stream = self.open()
        if self.compression is None and stream.seekable():
            return stream
        with stream:
            return io.BytesIO(stream.read())

    def open_for_arrow(self) -> Any:
        """Return the same as a file of pyarrow."""
        pa = pyarrow()
        if self.path is not None:
            return pa.OSFile(self.path)
        return pa.PythonFile(self.open_seekable(), mode="r")

    @property
    def suffix(self) -> str:
        """Last suffix of the name in lower case, that of a compression left out."""
        suffixes = [s.lower() for s in PurePosixPath(self.name.replace("\\", "/")).suffixes]
        while suffixes and suffixes[-1] in _COMPRESSED_NAMES:
            suffixes.pop()
        return suffixes[-1] if suffixes else ""

    @property
    def is_tabular_text(self) -> bool:
        """Whether the name says that tabs separate the cells."""
        return self.suffix in (".tsv", ".tab")

    def format(self, options: ReadOptions) -> str:
        """Return "parquet", "csv", "json", "excel" or "arrow"."""
        if options.format is not None:
            return options.format
        head = self.head
        for magic, kind in _MAGIC.items():
            if head.startswith(magic):
                return kind
        by_name = _FORMAT_OF_SUFFIX.get(self.suffix)
        if head.startswith(_OLD_EXCEL):
            raise ValueError(
                f"{self.name} is an old or encrypted workbook: save it as .xlsx without a password"
            )
        if by_name is not None:
            return by_name
        if head.startswith(b"PK\x03\x04"):
            return "excel"
        if head[8:9] == b"{" and b'"__metadata__"' in head[:64]:  # as base.persistence writes
            raise ValueError(
                f"{self.name} is a saved model or saved interactions, not a table: open it with "
                "aimass_core.load, or give it to the command as --model-file"
            )
        if head.startswith(b"SQLite format 3\0") or head[8:12] == b"DUCK":
            raise ValueError(
                f"{self.name} is a database: give its path itself, or a connection and query="
            )
        text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        if text[:1] in (b"{", b"["):
            return "json"
        is_text = options.encoding is not None or head.startswith((b"\xff\xfe", b"\xfe\xff"))
        if text and (is_text or b"\0" not in head):
            return "csv"
        if self.name.endswith((".pkl", ".pickle")):
            raise ValueError(
                f"{self.name} is a pickle, which may run code: read it by pandas.read_pickle if "
                "you trust it, and pass the table"
            )
        raise ValueError(
            f"cannot tell the format of {self.name} by its name or content: pass format=, one of "
            "'parquet', 'csv', 'json', 'excel', 'arrow'"
        )


class _Xz(lzma.LZMAFile):
    """The decompressed content of a stream, which is closed with it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        super().__init__(stream)

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._stream.close()


# ---- from what the caller gave to files ----------------------------------------------------------


def files_of(source: Any, options: ReadOptions) -> list[File]:
    """Return the files that a path, URL, glob, folder, open file or "-" stands for."""
    pyarrow()  # no file is opened in vain
    if hasattr(source, "read"):
        return _members(*_open_file(source), options)
    if source == "-":
        return _members(*_open_file(sys.stdin.buffer, "standard input"), options)
    if is_url(source) and not source.lower().startswith("file://"):
        return _of_url(source, options)
    text = os.fspath(source)
    if is_url(text):
        text = unquote(re.sub(r"^file://(localhost)?", "", text, flags=re.IGNORECASE))
    path = Path(text).expanduser()
    if path.is_dir():
        return _of_folder(path, options)
    if not path.exists():
        return _of_glob(text, options)
    return _members(str(path), None, str(path), options)


def _members(
    name: str,
    opener: Callable[[], Any] | None,
    path: str | None,
    options: ReadOptions,
    partitions: dict[str, str | None] | None = None,
) -> list[File]:
    """Return the file itself, or the one member of a zip archive."""
    file = File(name, opener, path, partitions)
    is_archive = file.head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and (
        options.format != "excel"
    )
    if not is_archive or _FORMAT_OF_SUFFIX.get(file.suffix) == "excel":
        return [file]
    return [_zip_member(file, options)]


def _zip_member(file: File, options: ReadOptions) -> File:
    def archive() -> zipfile.ZipFile:
        if file.path is not None:
            return zipfile.ZipFile(file.path)
        stream = file.open()
        if not stream.seekable():
            stream = io.BytesIO(stream.read())
        return zipfile.ZipFile(stream)

    try:
        with archive() as opened:
            members = [m.filename for m in opened.infolist() if _is_data(m.filename)]
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f"{file.name} is damaged: {error}") from None
    if "xl/workbook.xml" in members:
        return file
    if options.member is not None:
        if options.member not in members:
            shown = ", ".join(map(repr, members[:20]))
            raise ValueError(
                f"member={options.member!r}: {file.name} holds no such file; it holds {shown}"
            )
        members = [options.member]
    if len(members) != 1:
        shown = ", ".join(map(repr, members[:20])) + (", ..." if len(members) > 20 else "")
        raise ValueError(
            f"{file.name} holds {len(members)} files ({shown}): choose one by member="
            if members
            else f"{file.name} holds no file"
        )

    def opener() -> Any:
        with archive() as opened:  # its file stays open until the member is closed
            try:
                return opened.open(members[0])
            except (RuntimeError, NotImplementedError) as error:  # encrypted, or unknown methods
                raise ValueError(f"{file.name}: {members[0]} cannot be unpacked: {error}") from None

    return File(f"{file.name}/{members[0]}", opener, is_member=True)


def _is_data(member: str) -> bool:
    parts = PurePosixPath(member).parts
    return not member.endswith("/") and not any(p.startswith((".", "__MACOSX")) for p in parts)


def _open_file(stream: Any, name: str | None = None) -> tuple[str, Callable[[], Any], None]:
    """Return an open binary file, read from where it stands; a pipe is copied first."""
    name = str(name or getattr(stream, "name", None) or "the open file")
    if isinstance(stream, io.TextIOBase):
        if not hasattr(stream, "buffer"):
            text = stream.read().encode("utf-8")
            return name, lambda: io.BytesIO(text), None
        stream = stream.buffer
    if getattr(stream, "seekable", bool)():
        start = stream.tell()
        return name, lambda: _Shared(stream, start), None
    copy = _Copy(max_size=_IN_MEMORY)
    shutil.copyfileobj(stream, copy, 1 << 20)
    return name, lambda: _Shared(copy), None


class _Copy(tempfile.SpooledTemporaryFile[bytes]):
    """A temporary file that is closed when nothing refers to it any more."""

    def __del__(self) -> None:
        self.close()


class _Shared(io.RawIOBase):
    """A position of its own in a file that others read as well; never closes it."""

    def __init__(self, file: Any, start: int = 0) -> None:
        self._file = file
        self._start = start
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence)
        if base is None:
            self._file.seek(0, os.SEEK_END)
            base = self._file.tell() - self._start
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._at)
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _of_glob(text: str, options: ReadOptions) -> list[File]:
    if not glob.has_magic(text):
        raise FileNotFoundError(f"no such file: {text}")
    paths = sorted(p for p in glob.glob(os.path.expanduser(text), recursive=True))
    paths = [p for p in paths if os.path.isfile(p) and not os.path.basename(p).startswith("_")]
    if not paths:
        raise FileNotFoundError(f"no file matches {text}")
    return [file for path in paths for file in _members(path, None, path, options)]


def _of_folder(folder: Path, options: ReadOptions) -> list[File]:
    """Return all data files of a folder, in order of their names."""
    if (folder / "_delta_log").is_dir():
        raise ValueError(
            f"{folder} is a Delta table, whose folder also holds rows that were deleted: pass "
            "deltalake.DeltaTable(path).to_pyarrow_dataset()"
        )
    if (folder / "metadata").is_dir() and (folder / "data").is_dir():
        raise ValueError(
            f"{folder} is an Iceberg table, whose folder also holds rows that were deleted: pass "
            "pyiceberg's table.scan().to_arrow()"
        )
    names = [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(p.startswith(("_", ".")) for p in path.relative_to(folder).parts)
    ]
    return [
        file
        for name in _of_one_format(names, str(folder), options)
        for file in _members(
            str(folder / name), None, str(folder / name), options, _partitions(name)
        )
    ]


def _of_one_format(names: list[str], folder: str, options: ReadOptions) -> list[str]:
    """Return the names whose suffix is that of a table, if all of them are of one format."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        suffixes = [
            s.lower() for s in PurePosixPath(name).suffixes if s.lower() not in _COMPRESSED_NAMES
        ]
        kind = _FORMAT_OF_SUFFIX.get(suffixes[-1] if suffixes else "")
        if kind is not None:
            kinds.setdefault(kind, []).append(name)
    if options.format is not None and not kinds:
        kinds = {options.format: names}
    if not kinds.get(options.format or next(iter(kinds), "")):
        raise ValueError(
            f"{folder} is a folder without table files ({len(names)} files): give a file, or a "
            "glob such as 'folder/*' with format="
        )
    if options.format is not None:
        return kinds[options.format]
    if len(kinds) > 1:
        shown = ", ".join(f"{len(files)} of {kind}" for kind, files in kinds.items())
        raise ValueError(
            f"{folder} holds files of several formats ({shown}): give a glob such as "
            f"'{folder}/*.parquet'"
        )
    return next(iter(kinds.values()))


def _partitions(name: str) -> dict[str, str | None]:
    """Return columns in the names of folders, as Hive and Spark write them."""
    pairs = [part.partition("=") for part in PurePosixPath(name).parts[:-1]]
    return {
        unquote(key): None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value)
        for key, equals, value in pairs
        if equals and key
    }


# ---- URLs ----------------------------------------------------------------------------------------


def _of_url(url: str, options: ReadOptions) -> list[File]:
    """Return files of a remote or virtual file system, through fsspec, else through pyarrow."""
    storage = dict(options.storage_options or {})
    try:
        fsspec = import_optional("fsspec")
    except ImportError:
        return _of_arrow_url(url, storage, options)
    try:
        system, path = fsspec.core.url_to_fs(url, **storage)
    except ImportError as error:
        if _is_http(url) and not storage:  # fsspec needs aiohttp for it
            return _members(*_download(url), options)
        raise ImportError(f"{url}: {error}") from None
    except ValueError as error:
        raise ValueError(
            f"{url} cannot be opened: {error}. The URL of a database needs query='SELECT ...'"
        ) from None
    protocol = url.partition("://")[0]
    if glob.has_magic(path):
        names = sorted(system.glob(path))
        if not names:
            raise FileNotFoundError(f"no file matches {url}")
    elif protocol not in ("http", "https") and system.isdir(path):
        inside = sorted(name[len(path) :].lstrip("/") for name in system.find(path))
        inside = [n for n in inside if not any(p.startswith(("_", ".")) for p in n.split("/"))]
        names = [f"{path.rstrip('/')}/{n}" for n in _of_one_format(inside, url, options)]
    else:
        names = [path]

    def opener(name: str) -> Callable[[], Any]:
        return lambda: system.open(name, "rb")

    def shown(name: str) -> str:
        return name if "://" in name else f"{protocol}://{name.lstrip('/')}"

    try:
        return [
            file
            for name in names
            for file in _members(shown(name), opener(name), None, options, _partitions(name))
        ]
    except FileNotFoundError:
        raise FileNotFoundError(f"no such file: {url}") from None


def _of_arrow_url(url: str, storage: dict[str, Any], options: ReadOptions) -> list[File]:
    if _is_http(url):
        return _members(*_download(url), options)
    from pyarrow import fs

    if storage:
        raise ImportError(f"storage_options for {url} need fsspec: pip install fsspec")
    try:
        system, path = fs.FileSystem.from_uri(url)
    except Exception as error:
        raise ValueError(
            f"{url} cannot be opened: {error}. For other file systems: pip install fsspec"
        ) from None
    if system.get_file_info(path).type == fs.FileType.Directory:
        entries = system.get_file_info(fs.FileSelector(path, recursive=True))
        inside = sorted(f.path[len(path) :].lstrip("/") for f in entries if f.is_file)
        inside = [n for n in inside if not any(p.startswith(("_", ".")) for p in n.split("/"))]
        names = [f"{path.rstrip('/')}/{n}" for n in _of_one_format(inside, url, options)]
    else:
        names = [path]

    def opener(name: str) -> Callable[[], Any]:
        return lambda: system.open_input_file(name)

    return [
        file
        for name in names
        for file in _members(name, opener(name), None, options, _partitions(name))
    ]


def _is_http(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _download(url: str) -> tuple[str, Callable[[], Any], None]:
    """Copy a file from the network to a temporary file; refuse a part of it."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    request = Request(url, headers={"User-Agent": "aimass_core"})
    try:
        with urlopen(request, timeout=60) as response:
            name, opener, _ = _open_file(response, url)
            stated = response.headers.get("Content-Length")
    except HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            raise FileNotFoundError(f"no such file: {url}") from None
        raise ConnectionError(f"{url} is refused: {error.code} {error.reason}") from None
    except URLError as error:
        raise ConnectionError(
            f"{url} cannot be read: {error.reason}; check the address and the network"
        ) from None
    if stated is not None and stated.isdigit():
        with opener() as copy:
            received = copy.seek(0, os.SEEK_END)
        if received != int(stated):
            raise ConnectionError(
                f"{url}: the connection ended after {received} of {stated} bytes; try again"
            )
    return name, opener, None
