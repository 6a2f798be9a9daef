"""Labels of classes of the factorization machines: kinds, files, refused ones."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from aimass_core import load
from aimass_core.base.arrays import as_classes
from aimass_core.base.codec import decode, encode
from aimass_core.exceptions import DamagedFileError
from aimass_core.hybrid import (
    FactorizationMachineClassifier,
    FactorizationMachineOrderedProbit,
    FieldAwareFactorizationMachineClassifier,
)

CODES = np.arange(60) % 2
X = np.random.default_rng(0).normal(size=(60, 2)) + 2 * CODES[:, None]
MODELS = {
    "probit": lambda: FactorizationMachineClassifier(n_factors=1, max_iter=25),
    "ordered": lambda: FactorizationMachineOrderedProbit(n_factors=1, max_iter=65),
    "field-aware": lambda: FieldAwareFactorizationMachineClassifier(n_factors=1, max_iter=3),
}


def series(labels, **options):
    pandas = pytest.importorskip("pandas")
    return pandas.Series(np.array(labels)[CODES], **options)


def categorical(labels, ordered):
    pandas = pytest.importorskip("pandas")
    return pandas.Series(pandas.Categorical.from_codes(CODES, list(labels), ordered=ordered))


LABELS = {
    "list of text": lambda: [("nein", "ja")[code] for code in CODES],
    "array of text": lambda: np.array(["tée", "pie"])[CODES],
    "objects of text": lambda: np.array(["a\0", "a"], dtype=object)[CODES],
    "series of text": lambda: series(["no", "yes"]),
    "ordered categorical": lambda: categorical(["low", "high"], ordered=True),
    "categorical": lambda: categorical(["low", "high"], ordered=False),
    "categorical of numbers": lambda: categorical([10, 2], ordered=True),
    "bool": lambda: CODES == 1,
    "nullable bool": lambda: series([False, True], dtype="boolean"),
    "int": lambda: CODES.tolist(),
    "int8": lambda: categorical(["low", "high"], ordered=True).cat.codes,
    "uint64": lambda: np.array([3, 7], dtype=np.uint64)[CODES],
    "big-endian": lambda: np.array([3, 7], dtype=">i4")[CODES],
    "nullable int": lambda: series([3, 7], dtype="Int64"),
    "float": lambda: np.array([0.5, 2.0])[CODES],
    "float16": lambda: np.array([0.5, 2.0], dtype=np.float16)[CODES],
    "mixed numbers": lambda: np.array([1, 2.5], dtype=object)[CODES],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_labels_of_every_kind_are_predicted_and_saved(make, labels, tmp_path):
    y = labels()
    model = make().fit(X, y)
    assert set(model.classes_.tolist()) == set(np.asarray(y).tolist())
    assert model.score(X, y) > 0.7
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.classes_.dtype == model.classes_.dtype
    assert again.classes_.tolist() == model.classes_.tolist()
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    again.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()


def test_an_order_of_text_outlives_the_file(tmp_path):
    pandas = pytest.importorskip("pandas")
    codes = np.digitize(X[:, 0], [0.5, 1.5])
    names = ["low", "middle", "high"]
    y = pandas.Series(pandas.Categorical.from_codes(codes, names, ordered=True))
    model = MODELS["ordered"]().fit(X, y)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.classes_.tolist() == names
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.score(X, y) == model.score(X, y)


REFUSED = {
    "intervals": lambda: pytest.importorskip("pandas").cut(CODES, [-1, 0, 1]),
    "dates": lambda: np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[D]")[CODES],
    "date objects": lambda: [datetime.date(2026, 1, 1 + int(code)) for code in CODES],
    "decimals": lambda: [Decimal(int(code)) for code in CODES],
    "fractions": lambda: [Fraction(int(code), 3) for code in CODES],
    "bytes": lambda: np.array([b"no", b"yes"])[CODES],
    "complex": lambda: CODES + 1j,
}


@pytest.mark.parametrize("labels", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_other_labels_are_refused_before_the_fit(make, labels):
    with pytest.raises(TypeError, match=r"y must hold text, numbers or booleans .*\.cat\.codes"):
        make().fit(X, labels())


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_numbers_that_files_cannot_hold_are_refused(make):
    for labels in (
        np.array([1, 2**64 - 1], dtype=np.uint64),
        np.array([1, 10**30], dtype=object),
        np.array([2**60 + 1, 0.5], dtype=object),
    ):
        with pytest.raises(TypeError, match=r"y holds numbers as labels that .* cannot hold"):
            make().fit(X, labels[CODES])


def test_text_of_variable_width_is_held_as_objects():
    if not hasattr(np.dtypes, "StringDType"):
        pytest.skip("NumPy 1 has no strings of variable width")
    labels = np.array(["a", "bc"], dtype=np.dtypes.StringDType())
    assert as_classes(labels, "y").tolist() == ["a", "bc"]
    assert as_classes(labels, "y").dtype == object


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_other_contents_of_a_file_are_refused(make):
    model = make().fit(X, np.array(["no", "yes"])[CODES])
    arrays: dict[str, np.ndarray] = {}
    manifest = json.dumps(encode(model, arrays))
    for contents in ('["no", 3]', '["no"]', '"no"', '["no", "yes", "so"]', '{"no": 1}', "null"):
        other = json.loads(manifest)
        other["state"]["classes_"]["text"] = json.loads(contents)
        with pytest.raises((DamagedFileError, ValueError)):
            decode(other, arrays)
    model.classes_ = np.array([datetime.date(2026, 1, 1), "yes"], dtype=object)
    with pytest.raises(TypeError, match="the array 'classes_' can't be saved"):
        encode(model, {})
