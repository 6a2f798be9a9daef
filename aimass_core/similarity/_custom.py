"""A user's scoring function, compiled so that the native kernels can call it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["function_address", "packed"]


def packed(norm: NDArray[Any], count: NDArray[Any]) -> NDArray[np.float64]:
    """Return norm and count of each entity as two float32 in the bytes of one double.

    The kernels hand such a value through to the function untouched.
    """
    pairs = np.column_stack([norm, count]).astype(np.float32)
    return np.ascontiguousarray(pairs).view(np.float64)[:, 0]


@functools.lru_cache(maxsize=64)
def _compiled(function: Callable[..., float]) -> Any:
    """Return a C function that scores a block of candidates; this cache keeps it alive."""
    import numba
    from numba import carray, types

    plain = getattr(function, "py_func", function)
    if not inspect.isfunction(plain):
        raise TypeError(f"similarity must be a name or a Python function, got {function!r}")
    score = numba.njit(error_model="numpy")(plain)

    def block(dot, count, x, y, out, m):  # type: ignore[no-untyped-def]
        dots, counts, scores = carray(dot, m), carray(count, m), carray(out, m)
        one, many = carray(x, 2), carray(y, 2 * m)
        for i in range(m):
            scores[i] = score(dots[i], counts[i], one[0], many[2 * i], one[1], many[2 * i + 1])

    double, single = types.CPointer(types.float64), types.CPointer(types.float32)
    signature = types.void(double, double, single, single, double, types.int64)
    try:
        return numba.cfunc(signature, error_model="numpy")(block)
    except numba.core.errors.NumbaError as error:
        raise TypeError(
            "similarity: the function could not be compiled; it must take (dot, count, norm_x, "
            "norm_y, count_x, count_y) as numbers and return a number, using only what Numba "
            f"supports: {error}"
        ) from error


def function_address(function: Callable[..., float] | None) -> int:
    """Return the address of the compiled function, 0 without one."""
    return 0 if function is None else int(_compiled(function).address)
