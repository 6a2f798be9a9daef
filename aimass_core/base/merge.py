"""Old and new interactions as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import kernels
from .baselines import row_numbers
from .threads import resolve_n_threads
from .validation import _wrap_csr, as_choice, as_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import IdMap

__all__ = ["merged", "renumbered"]

RULES = ("error", "sum", "last", "mean", "max", "min")


def merged(
    old: sp.csr_array,
    users: IdMap | None,
    items: IdMap | None,
    times_and_unit: tuple[NDArray[np.int64] | None, str | None],
    new: Any,
    duplicates: str,
) -> Any:
    """What to fit on, so that ``partial_fit`` equals a refit: Interactions, or a matrix."""
    as_choice(duplicates, "duplicates", RULES)
    if users is None or items is None:
        return _stacked(old, new)
    from ..data import IdMap, Interactions

    if not isinstance(new, Interactions):
        raise TypeError(
            "X must be Interactions, because the model was fitted on Interactions and knows its "
            f"users and items by id; got {type(new).__name__}"
        )
    times, unit = times_and_unit
    if times is not None and (new.timestamps is None or new.time_unit != unit):
        raise ValueError(
            f"X must have times of unit {unit!r}, because the model uses those it was fitted on; "
            f"got {new.time_unit!r}"
        )
    all_users, u = IdMap.from_values(np.concatenate([users.ids, new.users.ids]))
    all_items, i = IdMap.from_values(np.concatenate([items.ids, new.items.ids]))
    rows = np.concatenate([u[row_numbers(old)], u[len(users) :][row_numbers(new.matrix)]])
    columns = np.concatenate([i[old.indices], i[len(items) :][new.matrix.indices]])
    values = np.concatenate([old.data, new.matrix.data])
    when = None if times is None else np.concatenate([times, new.timestamps])
    indptr, indices, data, when = kernels.coo_to_csr(
        rows,
        columns,
        values,
        when,
        len(all_users),
        len(all_items),
        duplicates,
        resolve_n_threads(None),
    )
    matrix = _wrap_csr(indptr, indices, data, (len(all_users), len(all_items)))
    return Interactions(
        matrix, all_users, all_items, timestamps=when, time_unit=new.time_unit, report=new.report
    )


def _stacked(old: sp.csr_array, new: Any) -> sp.csr_array:
    """New rows below, new columns to the right."""
    X = as_csr(new)
    if X.shape[1] < old.shape[1]:
        raise ValueError(
            f"X has {X.shape[1]} items, but the model was fitted on {old.shape[1]}; is it "
            "transposed? Its rows are new users, further columns are new items"
        )
    return _wrap_csr(
        np.concatenate([old.indptr, old.indptr[-1] + X.indptr[1:]]).astype(np.int64),
        np.concatenate([old.indices, X.indices]),
        np.concatenate([old.data, X.data]),
        (old.shape[0] + X.shape[0], X.shape[1]),
    )


def renumbered(X: sp.csr_array, columns: NDArray[np.int64], n_cols: int) -> sp.csr_array:
    """The same entries under other column numbers."""
    entries = (X.data, columns[X.indices], X.indptr)
    return as_csr(sp.csr_array(entries, shape=(X.shape[0], n_cols)))
