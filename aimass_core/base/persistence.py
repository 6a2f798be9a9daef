"""Models and interactions in one safe file: no pickle, checked before use, mapped not read.

Layout (that of safetensors, so its tools can read the arrays): 8 bytes with the length of the
header, little-endian; the header, JSON padded with spaces until the data start at a multiple of
64; the raw arrays, each at a multiple of 64 (padding is an array of its own, as the format allows
no holes). ``__metadata__`` holds the format's name and version, the manifest (class, parameters,
where each array belongs) and a BLAKE2b checksum over the whole file with itself blanked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import secrets
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ..exceptions import DamagedFileError
from .codec import decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

__all__ = ["load", "save"]

FORMAT, VERSION = "aimass_core", "2"
_DTYPES = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8", "U8": "|u1", "BOOL": "|b1"}
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items()}
_ALIGN = 64
_MAX_HEADER = 100_000_000  # the limit of the safetensors library
_BLANK = "0" * 128
_CHUNK = 1 << 24
# Errors of decoding a complete file whose contents do not fit together.
_MISFITS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def save(thing: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted model or Interactions to one file, atomically.

    Parameters
    ----------
    thing : model or Interactions
        Anything of this package that has been fitted, or a set of interactions.
    path : str or path-like
        The file. An older one is replaced only once the new one is complete and on disk.

    Raises
    ------
    TypeError
        For anything else, a model whose ``similarity`` is a function, and learned arrays of other
        types than float32, float64, int32, int64, uint8, bool and 1-D text.
    NotFittedError
        For a model that is not fitted.
    OSError
        Where the file can't be written; an older one is then left as it was.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from aimass_core import Popularity, load
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> Popularity().fit([[1.0, 0.0], [1.0, 1.0]]).save(file)
    >>> load(file).recommend([0], k=1).ids.tolist()
    [[1]]
    """
    arrays: Arrays = {}
    manifest = encode(thing, arrays)
    header, placed = _header(json.dumps(manifest, separators=(",", ":")), arrays)
    digest = hashlib.blake2b(header)
    for array in placed:
        digest.update(_bytes(array))
    header = header.replace(_BLANK.encode(), digest.hexdigest().encode(), 1)
    with replacing(path) as file:
        file.write(header)
        for array in placed:
            file.write(_bytes(array))


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Yield a new binary file that replaces `path` once it is complete and on disk."""
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"path: '{target}' is a folder: give a file name")
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"path: there is no folder '{target.parent}': make it first or write elsewhere"
        )
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def load(path: str | os.PathLike[str]) -> Any:
    """Read what `save` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    model or Interactions
        Its arrays are read-only views of the file, mapped into memory: processes that load the same
        file share them. Replace the file by `save`, don't write into it while it is loaded.

    Raises
    ------
    DamagedFileError
        For a file that is cut short, altered, of a newer format or not one of ours, and for a model
        that another release saved with other learned attributes. Nothing in a file is ever
        executed.
    OSError
        Where the file can't be read.

    Notes
    -----
    The checksum reads the file once (about 1 GB/s).
    """
    if Path(path).is_dir():
        raise DamagedFileError(f"{path} is a folder: give the file that save() wrote")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < 16:
            raise DamagedFileError(f"{path} is too short ({size} bytes) to be a model file")
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        metadata, arrays = _parse(content, size)
        thing = decode(json.loads(metadata["manifest"]), arrays)
    except DamagedFileError as error:
        raise DamagedFileError(f"{path} can't be loaded: {error}") from None
    except _MISFITS as error:
        raise DamagedFileError(f"{path} can't be loaded, its parts don't fit: {error}") from error
    return thing


def _bytes(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")


def _header(manifest: str, arrays: Arrays) -> tuple[bytes, list[NDArray[Any]]]:
    """Return the header with a blank checksum, and all arrays with the padding between them."""
    entries: dict[str, Any] = {}
    placed: list[NDArray[Any]] = []
    offset = 0

    def place(name: str, array: NDArray[Any]) -> None:
        nonlocal offset
        if array.dtype not in _NAMES:
            raise TypeError(
                f"the array {name!r} of dtype {array.dtype} can't be saved: convert it to one of "
                f"{', '.join(str(dtype) for dtype in _NAMES)}"
            )
        end = offset + array.nbytes
        entries[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, end],
        }
        placed.append(array)
        offset = end

    for name, array in arrays.items():
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        place(name, array)
        if offset % _ALIGN:
            place(f"padding.{len(placed)}", np.zeros(-offset % _ALIGN, dtype=np.uint8))
    metadata = {"format": FORMAT, "version": VERSION, "blake2b": _BLANK, "manifest": manifest}
    text = json.dumps({"__metadata__": metadata, **entries}, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % _ALIGN)
    return len(text).to_bytes(8, "little") + text, placed


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise DamagedFileError("its header names something twice")
    return dict(pairs)


def _parse(content: mmap.mmap, size: int) -> tuple[dict[str, str], Arrays]:
    """Check sizes, checksum and layout, in this order; then map the arrays."""
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= min(size - 8, _MAX_HEADER):
        raise DamagedFileError(
            f"it is damaged or not of aimass_core: a header of {length} bytes in a file of {size}"
        )
    raw = content[8 : 8 + length]
    try:
        header = json.loads(raw.decode(), object_pairs_hook=_distinct)
        metadata = header.pop("__metadata__")
        expected = metadata["blake2b"]
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise DamagedFileError("its header is damaged, or not of aimass_core") from None
    if metadata.get("format") != FORMAT:
        raise DamagedFileError("it is not a file of aimass_core")
    digest = hashlib.blake2b(content[:8])
    digest.update(raw.replace(str(expected).encode(), _BLANK.encode(), 1))
    with memoryview(content) as data:  # parts of it are not copied, and are hashed without the GIL
        for begin in range(8 + length, size, _CHUNK):
            digest.update(data[begin : begin + _CHUNK])
    if not secrets.compare_digest(digest.hexdigest().encode(), str(expected).encode()):
        raise DamagedFileError("its checksum is wrong: it was cut short or altered")
    if metadata.get("version") != VERSION:
        raise DamagedFileError(
            f"it has format version {metadata.get('version')}, this release reads {VERSION}"
        )
    return metadata, _mapped(content, header, 8 + length, size)


def _mapped(content: mmap.mmap, header: dict[str, Any], start: int, size: int) -> Arrays:
    arrays: Arrays = {}
    expected = 0
    for name, entry in header.items():
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        if dtype not in _DTYPES:
            raise DamagedFileError(f"array {name!r} has unknown type {dtype!r}")
        if not all(type(n) is int and n >= 0 for n in (*shape, begin, end)):
            raise DamagedFileError(f"array {name!r} has shape {shape}")
        real = np.dtype(_DTYPES[dtype])
        count = 1
        for n in shape:  # whole numbers without bounds: nothing can overflow
            count *= n
        if begin != expected or count * real.itemsize != end - begin or start + end > size:
            raise DamagedFileError(f"array {name!r} of shape {shape} does not fit its place")
        if max(shape, default=0) > size:  # other sizes are 0: arrays of this length may be derived
            raise DamagedFileError(f"array {name!r} has shape {shape} in a file of {size} bytes")
        if (start + begin) % real.itemsize:
            raise DamagedFileError(f"array {name!r} is not aligned")
        arrays[name] = np.frombuffer(content, real, count, start + begin).reshape(shape)
        expected = end
    if start + expected != size:
        raise DamagedFileError(f"{size - start - expected} bytes belong to no array")
    return arrays
