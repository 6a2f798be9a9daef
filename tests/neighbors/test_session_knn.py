"""`SessionKNN`: parity with a plain form, order of time, sessions of the fit, bad parameters."""

from __future__ import annotations

import numpy as np
import pytest

from aimass_core import Interactions, SessionKNN, UserKNN
from aimass_core.exceptions import NotFittedError


@pytest.fixture
def sessions(rng):
    """Sessions with ties of time, values of 0 and one session without an item."""
    rows = rng.integers(0, 30, 260)
    x = Interactions.from_arrays(
        rows,
        rng.integers(0, 18, 260),
        rng.integers(0, 4, 260).astype(float),
        rng.integers(0, 25, 260),
        duplicates="last",
    )
    return x.with_matrix(x.matrix * (np.arange(x.n_users) != 3)[:, None])


def plain_scores(x, n_neighbors, recency):
    """The formulas of the docstring, session by session."""
    matrix = x.matrix.toarray()
    times = np.zeros(matrix.shape, dtype=np.int64)
    rows = np.repeat(np.arange(len(matrix)), np.diff(x.matrix.indptr))
    times[rows, x.matrix.indices] = x.timestamps
    has = matrix > 0
    lengths = np.sqrt(np.maximum(has.sum(axis=1), 1))
    scores = np.zeros(matrix.shape)
    for s in range(len(matrix)):
        n_later = (times[s][None, :] > times[s][:, None])[:, has[s]].sum(axis=1)
        weights = np.where(has[s], (1.0 + n_later) ** -recency, 0.0)
        weights /= max(np.linalg.norm(weights), 1e-12)
        similar = has @ weights / lengths
        similar[s] = 0
        nearest = np.argsort(-similar, kind="stable")[:n_neighbors]
        nearest = nearest[similar[nearest] > 0]
        scores[s] = similar[nearest] @ has[nearest]
    return scores


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("recency", [0.0, 1.0, 2.5])
def test_scores_are_those_of_the_formula(sessions, recency, n_threads):
    model = SessionKNN(n_neighbors=7, recency=recency, n_threads=n_threads).fit(sessions)
    expected = plain_scores(sessions, 7, recency)
    lists = model.recommend(k=18, exclude_seen=False, n_threads=n_threads)
    has_items = np.diff(sessions.matrix.indptr) > 0
    for row in np.flatnonzero(has_items):
        found = np.zeros(18)
        kept = lists.indices[row] >= 0
        found[lists.indices[row][kept]] = lists.scores[row][kept]
        np.testing.assert_allclose(found, expected[row], rtol=1e-5, atol=1e-6)


def test_without_times_it_is_cosine_of_users(sessions):
    ones = sessions.matrix.copy()
    ones.data = (ones.data > 0).astype(np.float32)
    ones.eliminate_zeros()
    model = SessionKNN(n_neighbors=30).fit(ones)
    users = UserKNN(n_neighbors=30).fit(ones)
    np.testing.assert_allclose(model.recommend(k=5).scores, users.recommend(k=5).scores, rtol=1e-5)


def test_the_newest_items_of_new_sessions_count_most():
    x = Interactions.from_arrays(list("aabb"), ["tea", "jam", "ale", "nut"], times=[1, 2, 1, 2])
    model = SessionKNN().fit(x)

    def first(times):
        new = Interactions.from_arrays(["x", "x"], ["tea", "ale"], times=times)
        return model.recommend_new(new, k=1).ids.tolist()

    assert first([1, 2]) == [["nut"]]
    assert first([2, 1]) == [["jam"]]
    tied = Interactions.from_arrays(["x", "x"], ["tea", "ale"], times=[4, 4])
    assert len(set(model.recommend_new(tied, k=2).scores[0].tolist())) == 1


def test_a_session_of_the_fit_is_not_its_own_neighbour():
    x = Interactions.from_arrays(list("aabb"), ["tea", "pie", "pie", "jam"], times=[1, 2, 3, 4])
    lists = SessionKNN(n_neighbors=1).fit(x).recommend(["a"], k=1)
    assert lists.ids.tolist() == [["jam"]]


def test_bad_parameters_and_an_unfitted_model(sessions):
    for name, value, error in (
        ("n_neighbors", 0, ValueError),
        ("n_neighbors", 2.5, TypeError),
        ("recency", -1.0, ValueError),
        ("recency", float("nan"), ValueError),
    ):
        with pytest.raises(error, match=name):
            SessionKNN(**{name: value}).fit(sessions)
    with pytest.raises(NotFittedError):
        SessionKNN().recommend([0])


def test_added_and_forgotten_sessions(sessions):
    half = sessions.subset(users=sessions.users.ids[:15])
    rest = sessions.subset(users=sessions.users.ids[15:])
    joined = SessionKNN(n_neighbors=5).fit(half).partial_fit(rest)
    user = sessions.users.ids[20]
    expected = SessionKNN(n_neighbors=5).fit(sessions)
    np.testing.assert_allclose(
        np.sort(joined.recommend([user], k=4).scores),
        np.sort(expected.recommend([user], k=4).scores),
        rtol=1e-6,
    )
    joined.forget([sessions.users.ids[2]])
    assert joined.recommend([user], k=4).ids.shape == (1, 4)
