"""Arrays in files, which tasks on other processes and machines read by name.

A task gets the name and the checksum of a file, never an array. `ArrayFile.open` maps the file, so
all processes of a machine share its pages. Files are written under a temporary name and renamed,
so a file with its final name is complete, and a task that is done twice writes the same bytes.

A name may be the URL of an object. Then a process maps its machine's copy of the object, or of the
entries that it needs, which is downloaded once.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import secrets
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..exceptions import DamagedFileError
from .remote_files import copy_of, is_url, keep_copy, new_copy, read_object, upload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = [
    "ArrayFile",
    "Shared",
    "checksum_of",
    "opened",
    "read_entries",
    "reserve_array",
    "stored",
    "write_array",
    "write_parts",
]

_MAX_OPEN = 16  # maps that a process keeps open: the arrays of one pass
_PART = 1 << 24  # bytes hashed at once
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = 128  # bytes of the header of every file that is written here or by `numpy.save`

# Checksums that this process has verified: (path, begin, end) -> (time of change, size, checksum).
_verified: dict[tuple[str, int, int], tuple[int, int, int]] = {}
_open_files: OrderedDict[ArrayFile, tuple[tuple[int, int], Any]] = OrderedDict()


@dataclass(frozen=True)
class ArrayFile:
    """Name and checksum of a ``.npy`` file.

    Parameters
    ----------
    path : str
        The file or the URL of an object; all workers see it under this name.
    checksum : int
        CRC-32 of the array's bytes.
    """

    path: str
    checksum: int

    def open(self) -> NDArray[Any]:
        """Return the array, mapped from the file.

        Returns
        -------
        ndarray
            Read-only. Its checksum is verified once in a process, and again if the file changed.

        Raises
        ------
        DamagedFileError
            For a file that is cut short or altered.
        OSError
            Where the file cannot be read.
        """
        state = (0, 0) if is_url(self.path) else _state(self.path)  # objects do not change
        known = _open_files.get(self)
        if known is not None and known[0] == state:
            _open_files.move_to_end(self)
            return np.asarray(known[1])
        array = self._verified_copy() if is_url(self.path) else self._loaded(self.path)
        _open_files[self] = state, array
        while len(_open_files) > _MAX_OPEN:
            _open_files.popitem(last=False)
        return np.asarray(array)

    def read(self) -> NDArray[Any]:
        """Return the array, read into memory.

        Returns
        -------
        ndarray

        Raises
        ------
        DamagedFileError
            For a file that is cut short or altered.
        OSError
            Where the file cannot be read.
        """
        if is_url(self.path):
            return self._loaded(io.BytesIO(read_object(self.path)), None)
        return self._loaded(self.path, None)

    def _loaded(self, file: Any, mmap_mode: Any = "r") -> NDArray[Any]:
        try:
            array: NDArray[Any] = np.load(file, mmap_mode=mmap_mode, allow_pickle=False)
        except (ValueError, EOFError):
            raise _damaged(self.path) from None
        if checksum_of(array) != self.checksum:
            raise _damaged(self.path)
        return array

    def _verified_copy(self) -> NDArray[Any]:
        """Return the mapped copy of an object; one that was lost or altered is replaced."""
        key = f"{self.checksum:08x}"
        try:
            return self._loaded(copy_of(self.path, key))
        except (DamagedFileError, FileNotFoundError):
            return self._loaded(copy_of(self.path, key, again=True))


Shared: TypeAlias = "NDArray[Any] | ArrayFile"
"""An array in memory, or the name of its file."""


def opened(shared: Shared) -> NDArray[Any]:
    """Return an array, mapped if it is in a file.

    Parameters
    ----------
    shared : ndarray or ArrayFile
        The array.

    Returns
    -------
    ndarray
    """
    return shared.open() if isinstance(shared, ArrayFile) else shared


def stored(array: NDArray[Any], path: str | None) -> Shared:
    """Write an array to a file.

    Parameters
    ----------
    array : ndarray
        The array.
    path : str or None
        Name of the file; None: the array stays in memory.

    Returns
    -------
    ndarray or ArrayFile
        The array itself without a path.
    """
    return array if path is None else write_array(path, array)


def write_array(path: str, array: NDArray[Any], *, keeps_copy: bool = False) -> ArrayFile:
    """Write an array to a ``.npy`` file, which appears when it is complete.

    Parameters
    ----------
    path : str
        The file, or the URL of an object.
    array : ndarray
        Of real numbers.
    keeps_copy : bool, default=False
        As in `write_parts`.

    Returns
    -------
    ArrayFile
        Its name and checksum.

    Raises
    ------
    OSError
        Where it cannot be written, such as on a full disk; then no file is left.
    """
    return write_parts(path, [array], array.shape, array.dtype, keeps_copy=keeps_copy)


def write_parts(
    path: str,
    parts: Iterable[NDArray[Any]],
    shape: tuple[int, ...],
    dtype: Any,
    *,
    keeps_copy: bool = False,
) -> ArrayFile:
    """Write the parts of an array one after the other to a ``.npy`` file.

    Parameters
    ----------
    path : str
        The file, which appears when it is complete, or the URL of an object.
    parts : iterable of ndarray
        Consecutive rows.
    shape : tuple of int
        Of the complete array.
    dtype : dtype
        Of all parts.
    keeps_copy : bool, default=False
        Whether this machine keeps a copy of an object, because it is used here.

    Returns
    -------
    ArrayFile
        Name and checksum.

    Raises
    ------
    OSError
        Where it cannot be written; then no file is left.
    """
    if is_url(path):
        with new_copy(path) as file:
            written = write_parts(str(file), parts, shape, dtype)
            upload(file, path)
            if keeps_copy:
                keep_copy(file, path, f"{written.checksum:08x}")
        return ArrayFile(path, written.checksum)
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    # No map is written to: a full disk must be an error, not the signal SIGBUS.
    checksum = 0
    try:
        with open(temporary, "xb") as file:
            file.write(_header(shape, np.dtype(dtype)))
            for part in parts:
                data = _bytes(np.ascontiguousarray(part, dtype=dtype))
                for begin in range(0, len(data), _PART):
                    piece = data[begin : begin + _PART]
                    checksum = zlib.crc32(piece, checksum)
                    file.write(piece)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return ArrayFile(str(target), checksum)


def reserve_array(path: str, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return a new array in a file that may be written to.

    Parameters
    ----------
    path : str
        The file; one that exists is replaced.
    shape : tuple of int
        Of the array.
    dtype : dtype
        Of the array.

    Returns
    -------
    memmap
        Mapped from the file, whose blocks are allocated: a disk that fills up later does no harm.

    Raises
    ------
    OSError
        Where the disk is too full.
    """
    with open(path, "wb") as file:
        file.write(_header(shape, np.dtype(dtype)))
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        file.flush()
        if size:
            os.posix_fallocate(file.fileno(), file.tell(), size)
    return np.load(path, mmap_mode="r+")


def read_entries(
    path: str, begin: int, end: int, checksum: int | None = None, *, mapped: bool = False
) -> NDArray[Any]:
    """Return the entries (rows) ``begin`` to ``end`` of the array of a ``.npy`` file.

    Parameters
    ----------
    path : str
        The file, or the URL of an object, of which these entries alone are downloaded.
    begin, end : int
        First entry, and the one after the last.
    checksum : int, optional
        CRC-32 of the entries; verified once in a process, and again if the file changed.
    mapped : bool, default=False
        Map these entries alone; otherwise they are read into memory.

    Returns
    -------
    ndarray
        Of ``end - begin`` entries.

    Raises
    ------
    DamagedFileError
        Where the file is cut short or altered.
    """
    if is_url(path):
        return _remote_entries(path, begin, end, checksum, mapped)
    state = _state(path)
    with open(path, "rb") as file:
        shape, dtype, offset = _read_header(path, file)
    width = int(np.prod(shape[1:], dtype=np.int64))
    first = offset + begin * width * dtype.itemsize
    count = (end - begin) * width
    if end > shape[0] or first + count * dtype.itemsize > state[1]:
        raise _damaged(path)
    entries: NDArray[Any]
    if mapped and count:
        entries = np.asarray(
            np.memmap(path, dtype=dtype, mode="r", offset=first, shape=(end - begin, *shape[1:]))
        )
    else:
        entries = np.fromfile(path, dtype=dtype, count=count, offset=first)
        if entries.size != count:
            raise _damaged(path)
        entries = entries.reshape(end - begin, *shape[1:])
    if checksum is not None:
        key, expected = (path, begin, end), (*state, checksum)
        if _verified.get(key) != expected:
            if checksum_of(entries) != checksum:
                raise _damaged(path)
            _verified[key] = expected
    return entries


def _remote_entries(
    url: str, begin: int, end: int, checksum: int | None, mapped: bool
) -> NDArray[Any]:
    """Return entries of the array of an object from this machine's copy of them."""

    def download(target: Path) -> None:
        shape, dtype, offset = _read_header(url, io.BytesIO(read_object(url, 0, _HEADER)))
        width = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        first, size = offset + begin * width, (end - begin) * width
        content = read_object(url, first, first + size) if size else b""
        if end > shape[0] or len(content) != size:
            raise _damaged(url)
        entries = np.frombuffer(content, dtype).reshape(end - begin, *shape[1:])
        write_array(str(target), entries)

    key = f"{begin}-{end}.{0 if checksum is None else checksum:08x}"
    for again in (False, True):  # a copy that was lost or altered is replaced
        copy = copy_of(url, key, download=download, again=again)
        with contextlib.suppress(DamagedFileError, FileNotFoundError):
            return read_entries(str(copy), 0, end - begin, checksum, mapped=mapped)
    raise _damaged(url)


def checksum_of(array: NDArray[Any]) -> int:
    """Return the CRC-32 of an array's bytes.

    Parameters
    ----------
    array : ndarray
        In C order.

    Returns
    -------
    int
    """
    data, checksum = _bytes(array), 0
    for begin in range(0, len(data), _PART):
        checksum = zlib.crc32(data[begin : begin + _PART], checksum)
    return checksum


def _bytes(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")


def _state(path: str) -> tuple[int, int]:
    """Return the time of change and the size of a file."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no file {path}: all workers must see the folder of place under the same "
            "name, and nothing in it may be removed during a run"
        ) from None
    return status.st_mtime_ns, status.st_size


def _damaged(path: str) -> DamagedFileError:
    return DamagedFileError(f"{path} was cut short or altered: write it again")


def _header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """Return the header of a ``.npy`` file, format version 1.0, in 128 bytes."""
    text = repr({"descr": dtype.str, "fortran_order": False, "shape": tuple(map(int, shape))})
    text = text.ljust(128 - len(_MAGIC) - 3) + "\n"
    return _MAGIC + len(text).to_bytes(2, "little") + text.encode("latin1")


def _read_header(path: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Return shape, type and offset of the array of an open ``.npy`` file."""
    start = file.read(len(_MAGIC) + 2)
    length = int.from_bytes(start[len(_MAGIC) :], "little")
    text = file.read(length)
    try:
        header = ast.literal_eval(text.decode("latin1"))
        shape, dtype = tuple(int(n) for n in header["shape"]), np.dtype(header["descr"])
        is_known = start.startswith(_MAGIC) and not header["fortran_order"] and shape
    except (ValueError, SyntaxError, KeyError, TypeError):
        raise _damaged(path) from None
    if not is_known or dtype.kind not in "biuf":
        raise _damaged(path)
    return shape, dtype, len(start) + length
