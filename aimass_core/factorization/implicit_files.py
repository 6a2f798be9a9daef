"""Models of the implicit library: read its npz files without importing it, and write them."""

from __future__ import annotations

import contextlib
import os
import secrets
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from .._threads import resolve_n_threads
from .._validation import _wrap_csr
from ..exceptions import DamagedFileError
from .implicit_als import ImplicitALS

__all__ = ["from_implicit", "to_implicit"]

_NUMBERS = {
    "regularization": 0.01,
    "alpha": 1.0,
    "iterations": 15,
    "cg_steps": 3,
    "use_cg": True,
}  # what older files lack has implicit's default


def from_implicit(path: str | os.PathLike[str], user_items: Any = None) -> ImplicitALS:
    """Make a fitted `ImplicitALS` of a file that implicit's ``AlternatingLeastSquares.save`` wrote.

    Parameters
    ----------
    path : path-like
        The npz file. Nothing in it is executed, and compressed members are refused.
    user_items : Interactions, sparse matrix or 2-D array of shape (n_users, n_items), optional
        What the model was trained on, rows and columns in the order of its factors: known items
        for lists, explanations and `partial_fit`. Default: nobody has anything.

    Returns
    -------
    ImplicitALS
        The same factors, with ``confidence="total"``, ``unobserved_weight=1`` and ``nu=0``: what
        implicit minimises.

    Raises
    ------
    DamagedFileError
        For a file that is damaged, not of this kind, or holds other things than numbers.
    ValueError
        Where `user_items` has another shape.
    OSError
        Where the file can't be read.
    """
    arrays = _read(path)
    sides = [arrays.get(name) for name in ("user_factors", "item_factors")]
    for side, name in zip(sides, ("user_factors", "item_factors"), strict=True):
        if side is None or side.ndim != 2 or side.dtype not in (np.float32, np.float64):
            raise DamagedFileError(f"{path}: {name} must be 2-D floats; is it of implicit's ALS?")
        if not np.isfinite(side).all():
            raise DamagedFileError(f"{path}: {name} hold nan or inf")
    users, items = sides
    assert users is not None
    assert items is not None
    if users.shape[1] != items.shape[1] or users.dtype != items.dtype or not users.shape[1]:
        raise DamagedFileError(f"{path}: the factors of users and items do not fit together")
    given = {
        name: arrays[name].item() if name in arrays and arrays[name].shape == () else default
        for name, default in _NUMBERS.items()
    }
    model = ImplicitALS(
        n_factors=users.shape[1],
        regularization=float(given["regularization"]),
        alpha=float(given["alpha"]),
        unobserved_weight=1.0,
        confidence="total",
        nu=0.0,
        n_iter=max(1, int(given["iterations"])),
        solver="cg" if given["use_cg"] else "cholesky",
        n_steps=max(1, int(given["cg_steps"])),
        dtype=users.dtype.name,
    )
    shape = len(users), len(items)
    if user_items is None:
        indptr = np.zeros(shape[0] + 1, dtype=np.int64)
        user_items = _wrap_csr(indptr, np.zeros(0, np.int32), np.zeros(0, users.dtype), shape)
    if tuple(user_items.shape) != shape:
        raise ValueError(
            f"user_items has shape {tuple(user_items.shape)}, but the file holds factors of "
            f"{shape[0]} users and {shape[1]} items; rows are users, columns are items"
        )
    fresh = ImplicitALS(**model.get_params())
    fresh._take(user_items)
    fresh.user_factors_, fresh.item_factors_ = (np.ascontiguousarray(s) for s in (users, items))
    fresh.unobserved_weight_, fresh.n_iter_ = 1.0, fresh.n_iter
    fresh.losses_ = fresh.scores_ = np.zeros(0)
    fresh._prepare(resolve_n_threads(None))
    return model._become(fresh)


def _read(path: str | os.PathLike[str]) -> dict[str, np.ndarray[Any, Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(m.compress_type != zipfile.ZIP_STORED for m in members):
                raise DamagedFileError(f"{path} has compressed members: save it by numpy.savez")
            if sum(m.file_size for m in members) > os.path.getsize(path):
                raise DamagedFileError(f"{path} claims more bytes than it has")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, ValueError, EOFError, KeyError, MemoryError) as error:
        if isinstance(error, DamagedFileError):
            raise
        raise DamagedFileError(f"{path} is damaged, or not an npz file: {error}") from None


def to_implicit(model: ImplicitALS, path: str | os.PathLike[str]) -> None:
    """Write a fitted model for implicit's ``AlternatingLeastSquares.load``.

    Parameters
    ----------
    model : ImplicitALS
        Fitted. Lists are the same there; what implicit calculates anew (``recalculate_user``)
        follows its own objective, ours if the model has ``confidence="total"``,
        ``unobserved_weight=1`` and ``nu=0``.
    path : path-like
        The npz file; ids are not in it. An older one is replaced once the new one is complete.

    Raises
    ------
    NotFittedError
        For a model that is not fitted.
    """
    model._check_fitted()
    p = model._fitted_with
    solver = model.solver
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            np.savez(
                file,
                user_factors=model.user_factors_,
                item_factors=model.item_factors_,
                regularization=float(p["regularization"]),
                factors=model.user_factors_.shape[1],
                num_threads=0,
                iterations=int(p["n_iter"]),
                use_native=True,
                use_cg=solver != "cholesky",
                cg_steps=int(p["n_steps"]),
                calculate_training_loss=False,
                dtype=model.user_factors_.dtype.name,
                alpha=float(p["alpha"]),
            )
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
