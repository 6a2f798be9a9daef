"""Random problems for the kernels of stochastic gradient methods, and their comparison."""

from __future__ import annotations

import numpy as np
from _similarity import skewed

SLOTS = {"sgd": 0, "momentum": 1, "adagrad": 1, "adam": 2}
RULES = tuple(SLOTS)


def side(n, f, dtype, rule, rng, *, biases=True, scale=0.5):
    """Factors, biases and the state of a rule, as the kernels take them."""
    width, slots = -(-f // 16) * 16, SLOTS[rule]
    factors = np.zeros((n, width), dtype)
    factors[:, :f] = rng.normal(0, scale, (n, f))
    n_biases = n if biases else 0
    state, bias_state = np.zeros((slots, n, width), dtype), np.zeros((slots, n_biases), dtype)
    if rule == "adagrad":
        state[:], bias_state[:] = 0.5, 0.5
    return (
        factors,
        rng.normal(0, 0.3, n_biases).astype(dtype),
        state,
        bias_state,
        np.zeros(n if rule == "adam" else 0, np.int32),
    )


def matrix(n_users, n_items, density, dtype, seed):
    """Canonical CSR arrays."""
    x = skewed(n_users, n_items, density, dtype, seed)
    return {"indptr": x.indptr, "indices": x.indices}


def copied(arguments):
    """The same arguments with arrays of their own."""
    return {
        name: tuple(a.copy() if isinstance(a, np.ndarray) else a for a in value)
        if isinstance(value, tuple)
        else value
        for name, value in arguments.items()
    }


def arrays(arguments):
    """What a kernel changes."""
    return [a for name in ("users", "items") for a in arguments[name]]


def assert_parity(kernel, reference, arguments, **options):
    """The kernel does what its reference does; returns the arguments as the kernel left them."""
    ours, theirs = copied(arguments), copied(arguments)
    got = kernel(**ours, **options)
    expected = reference(**theirs, **options)
    dtype = arguments["users"][0].dtype
    tolerance = 3e-4 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
    for a, b in zip(arrays(ours), arrays(theirs), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    return ours


def copied_arrays(arguments):
    """The same arguments with arrays of their own."""
    return {n: a.copy() if isinstance(a, np.ndarray) else a for n, a in arguments.items()}


def assert_same_change(kernel, reference, arguments, changed, **options):
    """The kernel returns and changes what its reference does, and nothing else."""
    ours, theirs = copied_arrays(arguments), copied_arrays(arguments)
    dtype = arguments["item_factors"].dtype
    tolerance = 3e-4 if dtype == np.float32 else 1e-9
    got, expected = kernel(**ours, **options), reference(**theirs, **options)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
    for name, before in arguments.items():
        if name in changed:
            assert ours[name].dtype == theirs[name].dtype == dtype
            np.testing.assert_allclose(ours[name], theirs[name], rtol=tolerance, atol=tolerance)
        elif isinstance(before, np.ndarray):
            np.testing.assert_array_equal(ours[name], before)
    return ours
