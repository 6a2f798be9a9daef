"""Memory of dense item-item matrices, estimated before they are allocated."""

from __future__ import annotations

from ..base.memory import available_memory

__all__ = ["available_memory", "check_dense_memory", "fits_in_memory"]

_OTHER = 1.1  # the matrix, its panels and what else a fit holds at once
_GIB = 1 << 30


def fits_in_memory(n_items: int, itemsize: int, *, share: float = 1.0) -> bool:
    """Return whether a dense n_items x n_items matrix fits into a share of the memory."""
    return _OTHER * n_items * n_items * itemsize <= share * available_memory()


def check_dense_memory(
    model: str,
    n_items: int,
    itemsize: int,
    *,
    remedy: str = "use SparseEASE, whose memory is n_items x n_neighbors",
) -> None:
    """Raise MemoryError where a dense item-item matrix would not fit; allocates nothing.

    Parameters
    ----------
    model : str
        What needs the matrix, for the message.
    n_items : int
        Rows and columns.
    itemsize : int
        Bytes of a value.
    remedy : str
        What to use instead.
    """
    if fits_in_memory(n_items, itemsize):
        return
    need = _OTHER * n_items * n_items * itemsize / _GIB
    raise MemoryError(
        f"{model} needs about {need:.1f} GiB for {n_items:,} x {n_items:,} values, and "
        f"{available_memory() / _GIB:.1f} GiB are available: {remedy}, or drop rare items"
    )
