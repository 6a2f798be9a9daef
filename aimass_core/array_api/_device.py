"""An array library and one of its devices, and what the array API standard lacks.

The functions of this package are written against the Python array API standard
(https://data-apis.org/array-api), so the same lines run on NumPy, PyTorch and CuPy, on a processor
or a GPU. Three operations are not in the standard and have one place here each: the largest
values of rows, the solution of many small positive definite systems, and writing to pairs of
positions.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.optional import import_optional
from ..exceptions import NumericalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Device", "array_device", "is_foreign_array", "is_on_host", "like", "to_numpy"]

_LIBRARIES = ("torch", "cupy", "array_api_strict", "numpy")
_DEFAULT_BUDGET = 1 << 28  # bytes that a block may take where the free memory is not known
_LARGEST_BUDGET = 1 << 31


def is_foreign_array(X: Any) -> bool:
    """Return whether an object is an array of PyTorch, CuPy or another library than NumPy.

    Parameters
    ----------
    X : object
        Anything; no library is imported.

    Returns
    -------
    bool
        True for arrays of the array API standard and for tensors of PyTorch.
    """
    if isinstance(X, (np.ndarray, np.generic)):
        return False
    return _torch_of(X) is not None or hasattr(type(X), "__array_namespace__")


def _torch_of(X: Any) -> Any:
    """Return PyTorch where X is one of its tensors, else None; nothing is imported."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(X, torch.Tensor) else None


@dataclass(frozen=True)
class Device:
    """An array library and one of its devices.

    Parameters
    ----------
    library : module
        The namespace of the array API standard.
    place : object
        The library's name of the device.
    name : str
        How a caller asks for it, for messages.
    """

    library: Any
    place: Any
    name: str

    @classmethod
    def of(cls, name: Any) -> Device:
        """Return the device that a parameter ``device`` names.

        Parameters
        ----------
        name : str
            "cuda" (or "cuda:1" for the second one) is a CUDA device by PyTorch or CuPy, whichever
            is installed and finds it. "torch:cpu", "torch:cuda:0", "cupy:0" name the library, too.

        Returns
        -------
        Device

        Raises
        ------
        ValueError
            If the name is none of these.
        ImportError
            If the library is not installed.
        RuntimeError
            If there is no such device; the message says what is missing.
        """
        if not isinstance(name, str):
            raise TypeError(f"device must be a string such as 'cpu' or 'cuda', got {name!r}")
        library, _, place = name.partition(":")
        if library == "cuda":
            return cls._of_cuda(place, name)
        if library not in _LIBRARIES:
            raise ValueError(
                f"device must be 'cpu', 'cuda', 'cuda:1' and so on, or name a library as in "
                f"'torch:cpu', got {name!r}"
            )
        if library == "torch":
            return cls._of_torch(place or "cpu", name)
        if library == "cupy":
            return cls._of_cupy(place or "0", name)
        if library == "numpy":
            return cls(_compatible(np.empty(0)), "cpu", name)
        strict = import_optional(library, f"device={name!r}")
        try:
            return cls(strict, strict.Device(place or "CPU_DEVICE"), name)
        except ValueError as error:
            raise RuntimeError(f"device={name!r}: {error}") from None

    @classmethod
    def unless_cpu(cls, name: Any) -> Device | None:
        """Return the device that a parameter ``device`` names; None for "cpu", the kernels.

        Parameters
        ----------
        name : str
            "cpu", or as in `of`.

        Returns
        -------
        Device or None
        """
        return None if isinstance(name, str) and name == "cpu" else cls.of(name)

    @classmethod
    def _of_cuda(cls, place: str, name: str) -> Device:
        """Return a CUDA device by the library that finds it."""
        reasons = []
        for of in (cls._of_torch, cls._of_cupy):
            try:
                is_torch = of == cls._of_torch
                return of(f"cuda:{place or 0}" if is_torch else place or "0", name)
            except (ImportError, RuntimeError) as error:
                reasons.append(str(error))
        raise RuntimeError(
            f"device={name!r} needs an NVIDIA GPU with its driver, and PyTorch or CuPy built for "
            f"CUDA. PyTorch: {reasons[0]}. CuPy: {reasons[1]}. device='cpu' computes the same here"
        )

    @classmethod
    def _of_torch(cls, place: str, name: str) -> Device:
        torch = import_optional("torch", f"device={name!r}")
        try:
            device = torch.device(place)
            torch.empty(1, device=device)
        except (RuntimeError, AssertionError) as error:
            first_line = str(error).strip().splitlines()[0]
            raise RuntimeError(f"PyTorch has no device {place!r} ({first_line})") from None
        return cls(_compatible(torch.empty(0)), device, name)

    @classmethod
    def _of_cupy(cls, place: str, name: str) -> Device:
        cupy = import_optional("cupy", f"device={name!r}")
        if not place.isdecimal():
            raise ValueError(f"device={name!r}: CuPy numbers its devices, as in 'cupy:0'")
        try:
            device = cupy.cuda.Device(int(place))
            with device:
                namespace = _compatible(cupy.empty(0))
        except Exception as error:
            raise RuntimeError(f"CuPy has no device {place} ({error})") from None
        return cls(namespace, device, name)

    # ---- moving arrays -------------------------------------------------------------------------

    def array(self, values: Any, dtype: Any = None) -> Any:
        """Return a copy of a NumPy array on the device.

        Parameters
        ----------
        values : array-like
            A NumPy array or numbers.
        dtype : dtype of NumPy, optional
            Converted to before it is moved.

        Returns
        -------
        array
            Of the library.
        """
        host = np.ascontiguousarray(values, dtype=dtype)
        if not host.flags.writeable:
            host = host.copy()  # PyTorch warns of memory that must not be written
        return self.library.asarray(host, device=self.place)

    def to_numpy(self, X: Any) -> NDArray[Any]:
        """Return an array of the library as a NumPy array.

        Parameters
        ----------
        X : array
            On any device of the library.

        Returns
        -------
        ndarray
            A copy, unless the array is in the memory of the host.
        """
        return to_numpy(X)

    # ---- memory --------------------------------------------------------------------------------

    @property
    def budget(self) -> int:
        """Bytes that a block of work may take: a quarter of the free memory, at most 2 GiB."""
        free = self.free_memory()
        return _DEFAULT_BUDGET if free is None else min(free // 4, _LARGEST_BUDGET)

    def free_memory(self) -> int | None:
        """Return the bytes of free memory of a GPU; None for other devices.

        Returns
        -------
        int or None
        """
        kind = str(self.place)
        if kind.startswith("cuda"):
            torch = sys.modules["torch"]
            return int(torch.cuda.mem_get_info(self.place)[0])
        if "CUDA" in kind:
            with self.place:
                return int(sys.modules["cupy"].cuda.runtime.memGetInfo()[0])
        return None

    def check_memory(self, n_bytes: int, what: str) -> None:
        """Refuse what will not fit before anything is allocated.

        Parameters
        ----------
        n_bytes : int
            Bytes that stay on the device.
        what : str
            What they are, for the message.

        Raises
        ------
        MemoryError
            If fewer bytes are free.
        """
        free = self.free_memory()
        if free is not None and n_bytes > free:
            raise MemoryError(
                f"{what} take {n_bytes / 2**30:.1f} GiB on device {self.name!r}, where "
                f"{free / 2**30:.1f} GiB are free: compute with device='cpu' or in parts"
            )

    # ---- what the standard lacks ---------------------------------------------------------------

    def hide_pairs(self, scores: Any, rows: NDArray[Any], columns: NDArray[Any]) -> Any:
        """Return scores with -inf at pairs of positions.

        Parameters
        ----------
        scores : array of shape (n, m)
            May be written to.
        rows, columns : ndarray of int64
            The pairs.

        Returns
        -------
        array of shape (n, m)
        """
        if len(rows) == 0:
            return scores
        if "strict" not in self.library.__name__:
            place = self.array(rows), self.array(columns)
            scores[place] = -self.library.inf
            return scores
        hidden = np.zeros(scores.shape, dtype=np.bool_)
        hidden[rows, columns] = True
        low = self.library.asarray(-np.inf, dtype=scores.dtype, device=self.place)
        return self.library.where(self.array(hidden), low, scores)

    def largest(self, scores: Any, k: int) -> tuple[Any, Any]:
        """Return the k largest values of each row, ties by the lower position first.

        Parameters
        ----------
        scores : array of shape (n, m)
            Without NaN.
        k : int
            At most m.

        Returns
        -------
        positions : array of int64, shape (n, k)
            Best first.
        values : array, shape (n, k)
            The values at these positions.
        """
        xp = self.library
        torch = _torch_of(scores)
        if torch is None or k == scores.shape[1]:
            order = xp.argsort(scores, axis=1, descending=True, stable=True)[:, :k]
            return order, xp.take_along_axis(scores, order, axis=1)
        values, positions = torch.topk(scores, k, dim=1)
        positions = torch.sort(positions, dim=1).values
        values = torch.gather(scores, 1, positions)
        by_value = torch.sort(values, dim=1, descending=True, stable=True)
        values, positions = by_value.values, torch.gather(positions, 1, by_value.indices)
        # Where more than k are at least as large as the last one, its ties decide: sort those rows.
        is_tied = (scores >= values[:, -1:]).sum(dim=1) > k
        if bool(is_tied.any()):
            rows = torch.nonzero(is_tied)[:, 0]
            order = torch.sort(scores[rows], dim=1, descending=True, stable=True)
            positions[rows], values[rows] = order.indices[:, :k], order.values[:, :k]
        return positions, values

    def solve_positive(self, A: Any, b: Any) -> Any:
        """Return the solutions of symmetric positive definite systems.

        Parameters
        ----------
        A : array of shape (n, f, f)
            Symmetric.
        b : array of shape (n, f)
            Right sides.

        Returns
        -------
        array of shape (n, f)

        Raises
        ------
        NumericalError
            Where a matrix is singular; ``row`` is its number.
        """
        xp = self.library
        right = xp.expand_dims(b, axis=2)
        torch = _torch_of(A)
        if torch is not None:
            roots, info = torch.linalg.cholesky_ex(A)
            if bool((info != 0).any()):
                raise NumericalError("has a singular system", row=int(torch.nonzero(info)[0, 0]))
            return torch.cholesky_solve(right, roots)[:, :, 0]
        try:
            solution = xp.linalg.solve(A, right)
        except np.linalg.LinAlgError:
            raise NumericalError("has a singular system") from None
        return solution[:, :, 0]


def _compatible(example: Any) -> Any:
    """Return the namespace of the array API standard that an array belongs to."""
    compat = import_optional("array_api_compat", "arrays of other libraries", "gpu")
    return compat.array_namespace(example)


def array_device(X: Any) -> Device:
    """Return the library and the device of an array.

    Parameters
    ----------
    X : array
        Of PyTorch, CuPy or another library of the standard.

    Returns
    -------
    Device
    """
    compat = import_optional("array_api_compat", f"an array of type {type(X).__name__}", "gpu")
    place = compat.device(X)
    return Device(compat.array_namespace(X), place, str(place))


def is_on_host(X: Any) -> bool:
    """Return whether an array of any library lies in the memory of the host.

    Parameters
    ----------
    X : array
        See `is_foreign_array`.

    Returns
    -------
    bool
    """
    if _torch_of(X) is not None:
        return bool(X.device.type == "cpu")
    return str(array_device(X).place) in ("cpu", "array_api_strict.Device('CPU_DEVICE')")


def like(X: Any, values: NDArray[Any]) -> NDArray[Any]:
    """Return a NumPy array in the library and on the device of another array.

    Parameters
    ----------
    X : array
        Of any library.
    values : ndarray
        Moved, or shared where that is on the host.

    Returns
    -------
    array
        ``values`` itself where ``X`` is no array of another library. Typed as what most callers
        give.
    """
    if not is_foreign_array(X):
        return values
    torch = _torch_of(X)
    if torch is not None:
        moved: Any = torch.as_tensor(values, device=X.device)
    else:
        moved = array_device(X).array(values)
    return moved  # type: ignore[no-any-return]


def to_numpy(X: Any) -> NDArray[Any]:
    """Return an array of any library as a NumPy array.

    Parameters
    ----------
    X : array
        On any device.

    Returns
    -------
    ndarray
        A copy, unless the array is in the memory of the host.
    """
    if _torch_of(X) is not None:
        return np.asarray(X.detach().cpu().numpy())
    if hasattr(X, "get"):  # CuPy
        return np.asarray(X.get())
    if not isinstance(X, np.ndarray) and not is_on_host(X):
        strict = array_device(X).library
        X = X.to_device(strict.Device("CPU_DEVICE"))
    return np.asarray(X)
