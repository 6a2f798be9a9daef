"""Files of a place that is a URL, and the copies of them that each machine keeps.

The problem: machines share no file system, but all reach an object store through fsspec. Tasks get
the URLs of files. A machine downloads a file, or the part of it that its tasks need, once; all
processes of the machine map that copy. The name of a copy holds the name and the checksum of the
content, and files never change, so a copy is never out of date.

Copies lie in a folder of the system's folder for temporary files (``TMPDIR``), one for each run. A
process holds a shared lock on the folders that it uses. A process that begins another run removes
the folders that nobody locks: those of runs that have ended or were killed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import posixpath
import secrets
import shutil
import tempfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..exceptions import DamagedFileError
from .optional import import_optional

__all__ = [
    "RemoteFolder",
    "copy_of",
    "discard_copies",
    "download_object",
    "folder_of_copies",
    "is_url",
    "keep_copy",
    "new_copy",
    "read_object",
    "remove_file",
    "upload",
]

_MAX_ARRAYS = 16  # copies of complete arrays on a machine, as many as a run shares at a time
_MAX_RUNS = 64  # whose folders a process keeps locked
_N_LOCKS = 64  # files that processes lock while they download
# They hold objects without folders; making a folder could make a bucket.
_WITHOUT_FOLDERS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss"}

_lock = threading.Lock()
_folders: OrderedDict[str, tuple[Path, int]] = OrderedDict()  # of a run: folder, locked file


def is_url(path: Any) -> bool:
    """Return whether a path is a URL.

    Parameters
    ----------
    path : Any
        A place or the name of a file.

    Returns
    -------
    bool
    """
    return isinstance(path, str) and "://" in path


class RemoteFolder:
    """A folder of an object store, or the name of an object in it.

    It has the part of the interface of `pathlib.Path` that the folder of a run needs.

    Parameters
    ----------
    url : str
        Such as ``"s3://bucket/folder"``.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def __truediv__(self, name: str) -> RemoteFolder:
        return RemoteFolder(f"{self.url}/{name}")

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rpartition("/")[2]

    def make(self) -> None:
        """Make the folder, where the store has folders."""
        system, path = _opened(self.url)
        protocol = system.protocol
        names = {protocol} if isinstance(protocol, str) else set(protocol)
        with _errors_of(self.url):
            if not names & _WITHOUT_FOLDERS:
                system.makedirs(path, exist_ok=True)

    def iterdir(self) -> Iterator[RemoteFolder]:
        """Yield the objects in the folder.

        Returns
        -------
        iterator of RemoteFolder
            None where there is no such folder.
        """
        system, path = _opened(self.url)
        system.invalidate_cache()
        with _errors_of(self.url):
            names = system.find(path, maxdepth=1)
        yield from (self / posixpath.basename(name) for name in names)

    def is_dir(self) -> bool:
        """Return False: folders of runs hold no folders."""
        return False

    def read_bytes(self) -> bytes:
        """Return the content of the object."""
        return read_object(self.url)

    def write_bytes(self, content: bytes) -> None:
        """Write the object in one step."""
        system, path = _opened(self.url)
        with _errors_of(self.url):
            system.pipe_file(path, content)

    def size(self) -> int | None:
        """Return the number of bytes of the object; None where there is none."""
        system, path = _opened(self.url)
        system.invalidate_cache()
        with _errors_of(self.url), contextlib.suppress(FileNotFoundError):
            return int(system.info(path)["size"])
        return None

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Remove the object."""
        system, path = _opened(self.url)
        with _errors_of(self.url):
            try:
                system.rm_file(path)
            except FileNotFoundError:
                if not missing_ok:
                    raise

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        system, path = _opened(self.url)
        system.invalidate_cache()
        with _errors_of(self.url), contextlib.suppress(FileNotFoundError):
            system.rm(path, recursive=True)


def read_object(url: str, begin: int | None = None, end: int | None = None) -> bytes:
    """Return the bytes of an object.

    Parameters
    ----------
    url : str
        The object.
    begin, end : int, optional
        First byte, and the one after the last. Default: all bytes.

    Returns
    -------
    bytes
        Fewer than asked for where the object is shorter.
    """
    system, path = _opened(url)
    with _errors_of(url):
        try:
            return bytes(system.cat_file(path, start=begin, end=end))
        except OSError as error:  # S3: the requested range is not satisfiable
            if error.errno == errno.EINVAL and begin is not None:
                return b""
            raise


def download_object(url: str, file: str | os.PathLike[str]) -> None:
    """Store an object as a local file.

    Parameters
    ----------
    url : str
        The object.
    file : path-like
        The file.
    """
    system, path = _opened(url)
    with _errors_of(url):
        system.get_file(path, os.fspath(file))


def upload(file: str | os.PathLike[str], url: str) -> None:
    """Store a local file as an object.

    Parameters
    ----------
    file : path-like
        The file.
    url : str
        The object, which is replaced.
    """
    system, path = _opened(url)
    with _errors_of(url):
        system.put_file(os.fspath(file), path)


def remove_file(path: str) -> None:
    """Remove a file, or an object and this machine's copy of it.

    Parameters
    ----------
    path : str
        Name or URL. It may be missing.
    """
    if not is_url(path):
        Path(path).unlink(missing_ok=True)
        return
    target = RemoteFolder(path)
    target.unlink(missing_ok=True)
    for copy in folder_of_copies(path.rpartition("/")[0]).glob(f"array.*.{target.name}"):
        copy.unlink(missing_ok=True)


# ---- copies ----------------------------------------------------------------------------------


def copy_of(
    url: str, key: str, *, download: Callable[[Path], None] | None = None, again: bool = False
) -> Path:
    """Return this machine's copy of an object or of a part of it, downloaded if it is missing.

    Parameters
    ----------
    url : str
        The object.
    key : str
        Tells the contents and parts of the object apart, such as a checksum.
    download : callable, optional
        Writes the copy of a part to the file that it is given. Default: the complete object is
        downloaded, and only the copies of the last 16 complete objects that were used are kept.
    again : bool, default=False
        Download it even if there is a copy, which is damaged.

    Returns
    -------
    Path
        Written by one process, while others wait.

    Raises
    ------
    FileNotFoundError, PermissionError, OSError
        Where the object cannot be read, or the disk is full.
    """
    import fcntl

    run, _, name = url.rpartition("/")
    folder = folder_of_copies(run)
    kind = "array" if download is None else "part"
    copy = folder / f"{kind}.{key}.{name}"
    with open(folder / f"lock-{zlib.crc32(copy.name.encode()) % _N_LOCKS}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if again:
            copy.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if download is None:
                os.utime(copy)  # for _remove_old_arrays
            else:
                copy.stat()  # its time of change stays, by which verified parts are known
            return copy
        with new_copy(url) as temporary:
            if download is None:
                download_object(url, temporary)
            else:
                download(temporary)
            os.replace(temporary, copy)
    if download is None:
        _remove_old_arrays(folder)
    return copy


@contextlib.contextmanager
def new_copy(url: str) -> Iterator[Path]:
    """Yield the name of a new local file for the content of an object; it is removed at the end.

    Parameters
    ----------
    url : str
        The object.

    Returns
    -------
    context manager
        Its value is a Path.

    Raises
    ------
    OSError
        Where the disk is full; the message names the folder and the remedy.
    """
    run, _, name = url.rpartition("/")
    folder = folder_of_copies(run)
    temporary = folder / f"tmp-{secrets.token_hex(8)}.{name}"
    try:
        yield temporary
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                error.errno,
                f"{os.strerror(error.errno)}: {folder} holds the copies of {run}; set TMPDIR to a "
                "folder of a larger disk on each machine",
            ) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def keep_copy(file: Path, url: str, key: str) -> None:
    """Make a local file the copy of a complete object that `copy_of` returns.

    Parameters
    ----------
    file : Path
        As `new_copy` named it.
    url, key : str
        As in `copy_of`.
    """
    run, _, name = url.rpartition("/")
    folder = folder_of_copies(run)
    os.replace(file, folder / f"array.{key}.{name}")
    _remove_old_arrays(folder)


def _remove_old_arrays(folder: Path) -> None:
    """Remove the copies of complete arrays but those that were used last; maps stay valid."""
    times: list[tuple[float, Path]] = []
    for path in folder.glob("array.*"):
        with contextlib.suppress(FileNotFoundError):
            times.append((path.stat().st_mtime, path))
    for _, path in sorted(times)[:-_MAX_ARRAYS]:
        path.unlink(missing_ok=True)


def folder_of_copies(run: str) -> Path:
    """Return the folder of this machine for the copies of a run, which stays locked.

    Parameters
    ----------
    run : str
        URL of the folder of the run.

    Returns
    -------
    Path
        On the first use, folders of runs that have ended are removed.
    """
    with _lock:
        known = _folders.get(run)
        if known is not None and _is_held(*known):
            _folders.move_to_end(run)
            return known[0]
        _release(run)
        root = _root()
        folder = root / hashlib.blake2b(run.encode(), digest_size=12).hexdigest()
        _folders[run] = folder, _locked(folder)
        while len(_folders) > _MAX_RUNS:
            _release(next(iter(_folders)))
        _remove_unlocked(root, folder)
        return folder


def discard_copies(run: str) -> None:
    """Remove this machine's copies of the files of a run.

    Parameters
    ----------
    run : str
        URL of the folder of the run.
    """
    with _lock:
        known = _folders.get(run)
        _release(run)
        if known is not None:
            shutil.rmtree(known[0], ignore_errors=True)


def _root() -> Path:
    """Return the folder of all copies of this user, which nobody else can write to."""
    root = Path(tempfile.gettempdir()) / f"aimass-copies-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    status = root.lstat()
    if root.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(f"{root} is open to other users: remove it")
    return root


def _locked(folder: Path) -> int:
    """Make a folder and take a shared lock on its file ``lock``; return the open file."""
    import fcntl

    while True:
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            folder.mkdir(exist_ok=True)
            file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (FileNotFoundError, FileExistsError):  # removed just now
            continue
        fcntl.flock(file, fcntl.LOCK_SH)
        if _is_held(folder, file):
            return file
        os.close(file)


def _is_held(folder: Path, file: int) -> bool:
    """Return whether an open file is the lock of the folder that is there now."""
    with contextlib.suppress(FileNotFoundError):
        return (folder / "lock").stat().st_ino == os.fstat(file).st_ino
    return False


def _release(run: str) -> None:
    known = _folders.pop(run, None)
    if known is not None:
        os.close(known[1])


def _remove_unlocked(root: Path, own: Path) -> None:
    """Remove the folders that no process uses."""
    import fcntl

    for folder in root.iterdir():
        if folder == own:
            continue
        with contextlib.suppress(OSError):
            file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(file)


# ---- access ----------------------------------------------------------------------------------


def _opened(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it."""
    fsspec = import_optional("fsspec", f"place={url!r}", "fsspec")
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise ImportError(f"place: {url} needs another package: {error}") from None
    except ValueError as error:
        raise ValueError(f"place: {url!r} is no URL that fsspec knows: {error}") from None
    return system, path


@contextlib.contextmanager
def _errors_of(url: str) -> Iterator[None]:
    """Raise errors of a store as OSErrors that name the URL and the remedy."""
    try:
        yield
    except DamagedFileError:
        raise
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no {url}: the bucket must exist, all workers must reach place by the same "
            "URL, and nothing in it may be removed during a run"
        ) from None
    except PermissionError as error:
        raise PermissionError(
            f"no permission for {url} ({error}): each worker needs credentials in its environment "
            "or in the configuration of fsspec"
        ) from None
    except (OSError, MemoryError):
        raise
    except Exception as error:  # such as one of botocore
        raise OSError(f"{url} cannot be reached: {type(error).__name__}: {error}") from error
