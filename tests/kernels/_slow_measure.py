"""A similarity measure that sleeps: kernels that call it take as long on every machine."""

from __future__ import annotations

import ctypes
import time

__all__ = ["SLOW", "slow_measure"]

_Double = ctypes.POINTER(ctypes.c_double)


@ctypes.CFUNCTYPE(None, _Double, _Double, _Double, _Double, _Double, ctypes.c_int64)
def _dot_products(dot, count, x, y, out, m):
    time.sleep(0.001)
    for i in range(m):
        out[i] = dot[i]


SLOW = ctypes.cast(_dot_products, ctypes.c_void_p).value  # address, for float64


def slow_measure(monkeypatch):
    """Return a function that models take as ``similarity``; `SLOW` stands for its compiled form."""
    from aimass_core.similarity import _compare

    def dot_products(dot, count, norm_x, norm_y, count_x, count_y):
        return dot

    monkeypatch.setattr(
        _compare, "function_address", lambda function: 0 if function is None else SLOW
    )
    return dot_products
