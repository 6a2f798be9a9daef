"""What users really feed to a mixture: the right answer or a clear refusal, never a crash."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from _interrupts import stops_within_half_a_second

from aimass_core import GaussianMixture
from aimass_core.exceptions import ConvergenceWarning, NumericalError
from aimass_core.mixture._dense_rows import DenseRows
from aimass_core.mixture._missing_rows import MissingRows
from aimass_core.mixture._parameters import precision_roots
from aimass_core.mixture._standardizer import measure

TYPES = ["full", "tied", "diag", "spherical"]
every_type = pytest.mark.parametrize("kind", TYPES)
RNG = np.random.default_rng(0)
BLOBS = np.concatenate([RNG.normal(m, 1, (200, 3)) for m in (0, 10, 20)])


def fit(X, n_components=3, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(n_components, random_state=0, **parameters).fit(X)


def finite(model, X):
    resp = model.predict_proba(X)
    np.testing.assert_allclose(resp.sum(axis=1), 1, rtol=1e-6)
    assert np.isfinite(model.means_).all()
    assert np.isfinite(model.covariances_).all()
    assert np.isfinite(model.score(X))
    return resp


@every_type
@pytest.mark.parametrize(
    "form",
    [
        lambda X: X.astype(int),
        lambda X: X.astype(np.float16),
        lambda X: X.astype(np.longdouble),
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X > 5,
        lambda X: X.astype(">f8"),
        lambda X: X.tolist(),
        lambda X: X.astype(object),
    ],
)
def test_every_form_of_numbers(kind, form):
    X = form(BLOBS)
    before = copy.deepcopy(X)
    finite(fit(X, covariance_type=kind), X)
    assert (np.asarray(X) == np.asarray(before)).all()


@every_type
def test_read_only(kind):
    X = BLOBS.copy()
    X.flags.writeable = False
    resp = finite(fit(X, covariance_type=kind), X)
    assert ((resp > 0.99) | (resp < 0.01)).all()


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (BLOBS * 1j, "Complex data not supported"),
        (BLOBS[:, 0], "must be 2-D"),
        (BLOBS[None], "must be 2-D"),
        (BLOBS[:, :0], "minimum of 1"),
        (BLOBS[:0], "minimum of 1"),
        (np.where(BLOBS > 25, np.inf, BLOBS) + np.where(BLOBS > 20, np.inf, 0), "infinity in row"),
        (np.where(BLOBS > 20, np.nan, BLOBS), "NaN in row"),
        ([["a", "b"], ["c", "d"]], "real numbers"),
        ([[1, 2], [3]], "unequal|2-D"),
        (None, "2-D array"),
    ],
)
def test_no_numbers(X, words):
    with pytest.raises((ValueError, TypeError), match=words):
        GaussianMixture(2).fit(X)
    model = fit(BLOBS)
    with pytest.raises((ValueError, TypeError), match=words):
        model.predict_proba(X)


@every_type
def test_constant_and_equal_columns(kind):
    X = np.column_stack([BLOBS, np.full(len(BLOBS), 7.0), BLOBS[:, 0], np.zeros(len(BLOBS))])
    finite(fit(X, covariance_type=kind), X)


@every_type
@pytest.mark.parametrize("offset", [1e3, 1e8, -1e12])
def test_far_from_zero(kind, offset):
    model, shifted = fit(BLOBS, covariance_type=kind), fit(BLOBS + offset, covariance_type=kind)
    same = model.predict(BLOBS) == shifted.predict(BLOBS + offset)
    assert same.mean() > 0.99


@every_type
@pytest.mark.parametrize("scale", [1e-12, 1e6])
def test_any_unit(kind, scale):
    X = BLOBS * scale
    model = fit(X, covariance_type=kind)
    assert len(np.unique(model.predict(X))) == 3
    finite(model, X)


@every_type
@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e160, 1e300])
def test_units_whose_squares_have_no_place(kind, scale):
    with pytest.raises(ValueError, match=r"column \d of X varies by about .* change its unit"):
        fit(BLOBS * scale, covariance_type=kind)


@every_type
def test_float32_far_from_zero(kind):
    X = (BLOBS + 1000).astype(np.float32)
    resp = finite(fit(X, covariance_type=kind), X)
    assert ((resp > 0.99) | (resp < 0.01)).all()


@every_type
@pytest.mark.parametrize(
    ("X", "k"),
    [
        (np.ones((300, 2)), 3),
        (np.zeros((5, 1)), 1),
        (RNG.normal(size=(20, 50)), 2),
        (np.ones((1, 3)), 1),
        (RNG.normal(size=(5, 2)), 5),
        (np.repeat([[0.0], [1.0]], 50, 0), 4),
    ],
)
def test_too_little_data(kind, X, k):
    finite(fit(X, k, covariance_type=kind), X)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_components": 0},
        {"n_components": -2},
        {"n_components": 2.5},
        {"tol": -1e-3},
        {"tol": np.nan},
        {"reg_covar": -1.0},
        {"reg_covar": np.nan},
        {"covariance_type": "banana"},
        {"max_iter": 0},
        {"n_init": 0},
        {"init_params": "k"},
        {"random_state": "x"},
        {"reg_unit": "x"},
        {"accelerate": 1},
        {"warm_start": "no"},
        {"mean_precision_prior": -1},
        {"degrees_of_freedom_prior": np.inf},
        {"weight_concentration_prior": np.nan},
        {"weight_concentration_prior": "mdl"},
        {"callback": 3},
        {"missing": "drop"},
        {"learning_decay": 0},
        {"learning_offset": -1},
        {"min_learning_rate": 2},
        {"n_threads": 0},
        {"verbose": -1},
        {"weights_init": [0.5, 0.6]},
        {"weights_init": [1.0]},
        {"weights_init": [-1.0, 2.0]},
        {"means_init": np.ones((2, 2))},
        {"means_init": np.full((2, 3), np.nan)},
        {"precisions_init": np.ones((2, 3, 3))},
        {"precisions_init": -np.eye(3)[None].repeat(2, 0)},
    ],
    ids=str,
)
def test_wrong_parameters_are_named(parameters):
    (name,) = parameters
    model = GaussianMixture(**{"n_components": 2, "random_state": 0} | parameters)
    with pytest.raises((ValueError, TypeError), match=name):
        model.fit(BLOBS)
    assert not hasattr(model, "weights_")


def test_fewer_rows_than_components():
    with pytest.raises(ValueError, match="n_samples >= n_components"):
        GaussianMixture(4).fit(BLOBS[:3])


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.full(600, -1.0), "negative"),
        (np.zeros(600), "zero"),
        (np.ones(5), "shape"),
        (np.full(600, np.nan), "finite"),
        (["a"] * 600, "real numbers"),
    ],
)
def test_wrong_weights(weight, words):
    with pytest.raises((ValueError, TypeError), match=words):
        GaussianMixture(2).fit(BLOBS, sample_weight=weight)


@every_type
def test_zero_weights_leave_rows_out(kind):
    weight = np.r_[np.ones(400), np.zeros(200)]
    outliers = np.r_[BLOBS[:400], np.full((200, 3), 1e6)]
    start = {"means_init": BLOBS[[0, 300]], "covariance_type": kind}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GaussianMixture(2, random_state=0, **start).fit(outliers, sample_weight=weight)
    assert np.abs(model.means_).max() < 11


@every_type
def test_far_outliers_are_asked_for(kind):
    model = fit(BLOBS, covariance_type=kind)
    finite(model, np.array([[1e6] * 3, [-1e9] * 3, [1e100, 0, 0]]))
    if kind != "tied":  # whose responsibilities are linear in the row: no number overflows
        with pytest.raises(NumericalError, match="row 0 of X is too far"):
            model.predict_proba(np.full((1, 3), 1e200))
    with pytest.raises(NumericalError, match="row 0 of X is too far"):
        model.score_samples(np.full((1, 3), 1e200))


def test_degenerate_without_regularisation():
    X = np.column_stack([BLOBS[:, 0], BLOBS[:, 0]])
    with pytest.raises(NumericalError, match=r"component=0 is not positive definite.*raise reg"):
        GaussianMixture(2, reg_covar=0.0, random_state=0).fit(X)


@every_type
def test_dead_components_start_again_with_a_warning(kind):
    far = np.r_[BLOBS[[0, 200, 400]], [[1e5, 1e5, 1e5]]]
    model = GaussianMixture(4, covariance_type=kind, means_init=far, random_state=0)
    with pytest.warns(ConvergenceWarning, match="component 3 lost all its rows"):
        model.fit(BLOBS)
    assert model.means_.max() < 30


def test_a_failed_fit_changes_nothing():
    model = fit(BLOBS)
    before = model.predict_proba(BLOBS)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full((10, 3), np.nan))
    assert (model.predict_proba(BLOBS) == before).all()


@every_type
def test_copies_answer_alike(kind):
    model = fit(BLOBS, covariance_type=kind)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert (other.predict_proba(BLOBS) == model.predict_proba(BLOBS)).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_after_fit():
    code = """
import os, sys, numpy as np
from aimass_core import GaussianMixture
X = np.random.default_rng(0).normal(size=(20_000, 4))
model = GaussianMixture(3, random_state=0, max_iter=5, tol=1e9, n_threads=2).fit(X)
child = os.fork()
if child == 0:
    again = GaussianMixture(3, random_state=0, max_iter=5, tol=1e9, n_threads=2).fit(X)
    os._exit(0 if (again.predict(X) == model.predict(X)).all() else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_ctrl_c_within_half_a_second():
    prepare = """
import numpy as np
from aimass_core import GaussianMixture
X = np.random.default_rng(0).normal(size=(60_000, 60))
"""
    call = "GaussianMixture(40, max_iter=10_000, tol=0.0).fit(X)"
    assert stops_within_half_a_second(prepare, call, wait=2)


def test_memory_stays_small():
    """300k x 40, K = 20: n x K takes 48 MB, n x K x d 1.9 GB; a fit and a predict need less."""
    code = """
import resource, warnings, numpy as np
from aimass_core import GaussianMixture
warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(300_000, 40))
GaussianMixture(2, max_iter=1).fit(X[:5000])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
GaussianMixture(20, max_iter=2, random_state=0).fit(X).predict(X)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(out.stdout.split()[-1]) < 50


@every_type
def test_rows_of_weight_zero_and_the_unit_of_the_weights_change_nothing(kind):
    def weighted(X, weight):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return GaussianMixture(3, covariance_type=kind, random_state=0, max_iter=3).fit(
                X, sample_weight=weight
            )

    X = np.random.default_rng(0).normal(size=(2000, 3))  # no groups: k-means wanders long
    plain = weighted(X, np.ones(2000))
    one_more = weighted(np.vstack([X, X[:1]]), np.append(np.ones(2000), 0.0))
    tiny = weighted(X, np.full(2000, 1e-20))
    for other in (one_more, tiny):
        np.testing.assert_allclose(other.lower_bounds_, plain.lower_bounds_, rtol=1e-9)
        np.testing.assert_allclose(other.means_, plain.means_, atol=1e-6)


@every_type
@pytest.mark.parametrize("far", [1.0, 1e12, 1e30, 1e200])
def test_weights_are_repetitions_with_holes(kind, far):
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (300, 3)), rng.normal(6, 1, (300, 3))]) * [1, 1e3, 1e-3]
    X[rng.random(X.shape) < 0.1] = np.nan
    weight = rng.integers(1, 4, len(X))
    X[7], weight[7] = far, 0
    start = {
        "means_init": [[0, 0, 0], [6, 6e3, 6e-3]],
        "weights_init": [0.5, 0.5],
        "tol": 0.0,
        "n_components": 2,
        "covariance_type": kind,
        "max_iter": 10,
        "missing": "marginalize",
    }
    start["precisions_init"] = {"full": [np.eye(3)] * 2, "tied": np.eye(3)}.get(
        kind, np.ones((2, 3)) if kind == "diag" else np.ones(2)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        one = GaussianMixture(**start).fit(X, sample_weight=weight)
        two = GaussianMixture(**start).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(one.lower_bounds_, two.lower_bounds_, rtol=1e-8)
    np.testing.assert_allclose(one.means_, two.means_, rtol=1e-6)


def test_a_few_rows_far_off_with_holes():
    """The others keep their digits: coordinates like those of rows without NaN."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (400, 2)), rng.normal(9, 1, (400, 2))])
    X[5] = 1e9
    holed = np.vstack([X, [[np.nan, np.nan]]])
    one = measure(DenseRows(X, None, 1), common=False)
    two = measure(MissingRows(holed, None, 1), common=False)
    np.testing.assert_allclose(two.shift, one.shift, rtol=1e-9)
    np.testing.assert_allclose(one.scale, two.scale, rtol=1e-9)


@every_type
@pytest.mark.parametrize("hole", [False, True])
def test_no_label_where_there_is_no_answer(kind, hole):
    if kind == "tied" and not hole:
        pytest.skip("what overflows is common to the components: the label is right")
    model = fit(BLOBS, covariance_type=kind, missing="marginalize")
    X = np.array([[1.0, 2, 3], [1e200, 0, np.nan if hole else 0]])
    for ask in (model.predict, model.predict_proba):
        with np.errstate(all="ignore"), pytest.raises(NumericalError, match="row 1 of X"):
            ask(X)


def test_any_true_of_a_callback_ends_the_fit():
    calls = []

    def stop(event):
        calls.append(event.step)
        return np.True_

    fit(BLOBS, callback=stop)
    assert calls == [1]


@pytest.mark.parametrize("d", [1, 63, 64, 65, 129, 200])
def test_roots_of_many_columns(d):
    """Above 64 columns the factor is made by halves."""
    rng = np.random.default_rng(d)
    mixed = rng.normal(size=(2, d, 2 * d)) / np.sqrt(d)
    covariances = mixed @ mixed.transpose(0, 2, 1)
    roots = precision_roots("full", covariances, np.zeros((2, d)))
    np.testing.assert_array_equal(roots, np.triu(roots))
    units = roots.transpose(0, 2, 1) @ covariances @ roots
    np.testing.assert_allclose(units, np.repeat(np.eye(d)[None], 2, 0), atol=1e-9)
    covariances[1, -1] = covariances[1, :, -1] = 0
    with pytest.raises(NumericalError, match="component=1 is not positive definite"):
        precision_roots("full", covariances, np.zeros((2, d)))
