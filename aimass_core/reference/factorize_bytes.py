"""Reference of the kernel ``factorize_bytes``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def factorize_bytes(
    offsets: NDArray[Any], data: NDArray[np.uint8], n_threads: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return codes of strings in bytewise order.

    Parameters
    ----------
    offsets : ndarray of int64 or int32, shape (n + 1,)
        String i is ``data[offsets[i]:offsets[i + 1]]``, as in Arrow.
    data : ndarray of uint8
        Bytes of all strings.
    n_threads : int
        Not used here.

    Returns
    -------
    codes : ndarray of int32, shape (n,)
        The rank of each string among the distinct ones.
    first : ndarray of int64
        For every code, the first row that holds its string.

    Raises
    ------
    ValueError
        Offsets that descend or leave ``data``.
    """
    if offsets[0] < 0 or (np.diff(offsets) < 0).any() or offsets[-1] > len(data):
        raise ValueError("offsets must ascend from >= 0 to at most len(data)")
    raw = data.tobytes()
    strings = [raw[a:b] for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    first: dict[bytes, int] = {}
    for row, string in enumerate(strings):
        first.setdefault(string, row)
    code = {string: rank for rank, string in enumerate(sorted(first))}
    return (
        np.array([code[string] for string in strings], np.int32),
        np.array([first[string] for string in code], np.int64),
    )
