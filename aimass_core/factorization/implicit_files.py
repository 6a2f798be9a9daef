"""Models of the implicit library: read its npz files without importing it, and write them."""

from __future__ import annotations

import errno
import os
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.persistence import replacing
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_float, as_int
from ..exceptions import DamagedFileError
from ._als import MAX_FACTORS
from .implicit_als import ImplicitALS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["from_implicit", "to_implicit"]

_NUMBERS = {
    "regularization": 0.01,
    "alpha": 1.0,
    "iterations": 15,
    "cg_steps": 3,
    "use_cg": True,
}  # what older files lack has implicit's default
# What zipfile and numpy raise on altered bytes.
_DAMAGE = (
    zipfile.BadZipFile,
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    MemoryError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    struct.error,
    OSError,
)


def from_implicit(path: str | os.PathLike[str], user_items: Any = None) -> ImplicitALS:
    """Make a fitted `ImplicitALS` of a file that implicit's ``AlternatingLeastSquares.save`` wrote.

    Parameters
    ----------
    path : path-like
        The npz file. Nothing in it is executed, and compressed members are refused.
    user_items : Interactions, sparse matrix or 2-D array of shape (n_users, n_items), optional
        What the model was trained on, rows and columns in the order of its factors: known items
        for lists, explanations and `partial_fit`. Default: the model knows no interactions; then
        `recommend` needs ``exclude_seen=False``.

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
    TypeError
        For a model of implicit itself in place of its file.
    OSError
        Where the file can't be read.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            "path must be the path of a file that implicit wrote, got "
            f"{type(path).__name__}: save the model by its method save('als.npz') first"
        )
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
    if users.shape[1] > MAX_FACTORS:
        raise DamagedFileError(f"{path}: at most {MAX_FACTORS} factors, got {users.shape[1]}")
    try:
        model = _model(arrays, users)
    except (TypeError, ValueError) as error:
        raise DamagedFileError(f"{path}: {error}") from None
    return _fitted(model, users, items, user_items)


def _fitted(model: ImplicitALS, users: Array, items: Array, user_items: Any) -> ImplicitALS:
    """Return the model with these factors and, where they are given, these interactions."""
    fresh = ImplicitALS(**model.get_params())
    if user_items is None:
        fresh.user_items_ = fresh.users_ = fresh.items_ = None
        fresh.n_users_, fresh.n_features_in_ = len(users), len(items)
        fresh.item_counts_ = np.zeros(len(items), dtype=np.int64)
    else:
        fresh._set_training_data(user_items)
    shape = fresh.n_users_, fresh.n_items
    if shape != (len(users), len(items)):
        raise ValueError(
            f"user_items has shape {shape}, but the file holds factors of {len(users)} users and "
            f"{len(items)} items; rows are users, columns are items"
        )
    fresh.user_factors_, fresh.item_factors_ = (np.ascontiguousarray(s) for s in (users, items))
    fresh.unobserved_weight_, fresh.n_iter_ = 1.0, fresh.max_iter
    fresh.losses_ = fresh.scores_ = np.zeros(0)
    fresh._prepare(resolve_n_threads(None))
    return model._adopt_state(fresh)


def _model(arrays: dict[str, Array], users: Array) -> ImplicitALS:
    given = {
        name: arrays[name].item() if name in arrays and arrays[name].shape == () else default
        for name, default in _NUMBERS.items()
    }
    return ImplicitALS(
        n_factors=users.shape[1],
        regularization=as_float(given["regularization"], "regularization", minimum=0.0),
        alpha=as_float(given["alpha"], "alpha", above=0.0),
        unobserved_weight=1.0,
        confidence="total",
        nu=0.0,
        max_iter=max(1, as_int(given["iterations"], "iterations", maximum=2**31)),
        solver="cg" if as_bool(given["use_cg"], "use_cg") else "cholesky",
        n_steps=max(1, as_int(given["cg_steps"], "cg_steps", maximum=MAX_FACTORS)),
        dtype=users.dtype.name,
    )


def _read(path: str | os.PathLike[str]) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(m.compress_type != zipfile.ZIP_STORED for m in members):
                raise DamagedFileError(f"{path} has compressed members: save it by numpy.savez")
            if sum(m.file_size for m in members) > os.path.getsize(path):
                raise DamagedFileError(f"{path} claims more bytes than it has")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
            return {name: a for name, a in arrays.items() if isinstance(a, np.ndarray)}
    except DamagedFileError:
        raise
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
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
    solver = p["solver"]
    with replacing(path) as file:
        np.savez(
            file,
            user_factors=model.user_factors_,
            item_factors=model.item_factors_,
            regularization=float(p["regularization"]),
            factors=model.user_factors_.shape[1],
            num_threads=0,
            iterations=int(p["max_iter"]),
            use_native=True,
            use_cg=solver != "cholesky",
            cg_steps=int(p["n_steps"] or 3),
            calculate_training_loss=False,
            dtype=model.user_factors_.dtype.name,
            alpha=float(p["alpha"]),
        )
