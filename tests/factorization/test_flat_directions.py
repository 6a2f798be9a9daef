"""Solvers by steps where regularization is next to nothing, or nothing is finite."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import ImplicitALS
from aimass_core.exceptions import NumericalError


@pytest.mark.parametrize("solver", ["pcg", "cg"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_steps", [3, 10, 50])
@pytest.mark.parametrize("regularization", [0, 1e-8])
def test_steps_in_flat_directions_do_not_raise_the_loss(
    rng, regularization, n_steps, dtype, solver
):
    scores = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 100))
    X = sp.csr_array((scores > np.quantile(scores, 0.95, axis=1, keepdims=True)).astype(dtype))
    model = ImplicitALS(
        n_factors=260,
        regularization=regularization,
        solver=solver,
        n_steps=n_steps,
        max_iter=12,
        dtype=dtype,
        track_loss=True,
    )
    losses = model.fit(X).losses_  # more than 256 factors: no exact half-step at the end
    assert (losses > 0).all()
    assert (np.diff(losses) <= 1e-3 * losses[:-1]).all()


@pytest.mark.parametrize("solver", ["pcg", "cg"])
def test_where_steps_fail_the_exact_solver_is_named(small_ratings, solver):
    small_ratings.data[:] = 3e38
    with pytest.raises(NumericalError, match="or take solver='cholesky'"):
        ImplicitALS(n_factors=20, solver=solver, dtype="float32").fit(small_ratings)
