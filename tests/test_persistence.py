"""One file for one model: the same answers, or a refusal; never a crash, never code from a file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import types
import zipfile

import numpy as np
import pytest

from aimass_core import (
    BPR,
    EASE,
    EDLAE,
    NMF,
    SLIM,
    SVD,
    WARP,
    AsymmetricSVD,
    BaselineOnly,
    CoClustering,
    ContextKNN,
    CosineContrastiveMF,
    ExplicitALS,
    FactorizationMachine,
    GRU4Rec,
    ImplicitALS,
    Interactions,
    ItemKNN,
    LogisticMF,
    Popularity,
    PureSVD,
    RatingNMF,
    SampledSoftmaxMF,
    SASRec,
    SessionKNN,
    Similarity,
    SlopeOne,
    SparseEASE,
    SVDpp,
    TwoTower,
    UserKNN,
    load,
)
from aimass_core.base.persistence import save
from aimass_core.exceptions import DamagedFileError, NotFittedError

MODELS = [
    ItemKNN(n_neighbors=7),
    ItemKNN(neighbors_of="target", weighting="bm25", profile="binary"),
    ItemKNN(aggregation="baseline", similarity="pearson_baseline", rating_scale=(1, 5)),
    UserKNN(similarity=Similarity("asymmetric_cosine", alpha=0.3)),
    UserKNN(aggregation="zscore", similarity="msd", clip=False),
    Popularity(by="mean", start=300),
    SessionKNN(n_neighbors=9),
    SlopeOne(),
    BaselineOnly(method="sgd"),
    BaselineOnly(n_time_bins=5, user_drift=True),
    ContextKNN(half_life=100, base="user"),
    ImplicitALS(n_factors=6, track_loss=True),
    ExplicitALS(n_factors=6),
    NMF(n_factors=4),
    PureSVD(n_factors=4),
    EASE(regularization=10.0),
    EASE(n_neighbors=5, weighting="tf_idf"),
    EDLAE(),
    SLIM(alpha=0.01, n_candidates=20),
    SparseEASE(n_neighbors=6),
    BPR(n_factors=4, max_iter=2),
    WARP(n_factors=4, max_iter=2),
    SVD(n_factors=4, max_iter=2),
    SVDpp(n_factors=4, max_iter=2),
    AsymmetricSVD(n_factors=4, max_iter=2),
    LogisticMF(n_factors=4, max_iter=2),
    SampledSoftmaxMF(n_factors=4, max_iter=2),
    CosineContrastiveMF(n_factors=4, max_iter=2),
    CoClustering(max_iter=2),
    RatingNMF(n_factors=4, max_iter=2),
    FactorizationMachine(n_factors=4, max_iter=10, n_burn_in=5, n_draws=5),
    RatingNMF(n_factors=4, max_iter=2, biases=True),
    SASRec(n_factors=4, max_iter=2, max_length=9),
    GRU4Rec(n_factors=4, n_hidden=3, max_iter=2),
    TwoTower(n_factors=4, n_hidden=3, max_iter=2),
]


def data(users="int"):
    rng = np.random.default_rng(3)
    ids = rng.integers(0, 40, 600)
    return Interactions.from_arrays(
        ids if users == "int" else [f"kunde-{n}-é" for n in ids],
        [f"i{n}" for n in rng.integers(0, 30, 600)],
        rng.integers(1, 6, 600).astype(float),
        rng.integers(0, 1000, 600),
        duplicates="last",
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.safetensors"
    ItemKNN(n_neighbors=5).fit(data("str")).save(path)
    return path


def answers(model):
    lists = model.recommend(k=6)
    return lists.queries.tolist(), lists.ids.tolist(), lists.scores.tobytes()


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("users", ["int", "str", "matrix"])
def test_the_same_answers_after_loading(model, users, tmp_path):
    needs_times = ("start", "half_life", "n_time_bins", "user_drift")
    if users == "matrix" and any(getattr(model, name, None) for name in needs_times):
        pytest.skip("a matrix has no times")
    X = data().matrix if users == "matrix" else data(users)
    save(model.fit(X), tmp_path / "m")
    again = load(tmp_path / "m")
    assert type(again) is type(model)
    assert again.get_params() == model.get_params()
    assert answers(again) == answers(model)
    pairs = model.recommend(k=1).queries[:5], model.recommend(k=1).ids[:5, 0]
    np.testing.assert_array_equal(again.predict(*pairs), model.predict(*pairs))
    assert not again.user_items_.data.flags.writeable
    assert answers(pickle.loads(pickle.dumps(again))) == answers(model)
    model.partial_fit(X if users != "matrix" else X[:2], duplicates="last")
    assert answers(again.partial_fit(X if users != "matrix" else X[:2], duplicates="last")) == (
        answers(model)
    )


def test_several_contexts(tmp_path):
    x = data()
    parts = {"noon": x, 7: x.with_matrix(x.matrix * 2), None: x}
    model = ContextKNN(base=ItemKNN(similarity="dot")).fit(parts)
    save(model, tmp_path / "m")
    again = load(tmp_path / "m")
    for context in parts:
        assert answers(again.at(context)) == answers(model.at(context))


def test_interactions(tmp_path):
    x = data("str")
    x.save(tmp_path / "x")
    again = load(tmp_path / "x")
    assert list(again) == list(x)
    assert again.report == x.report
    assert again.time_unit == x.time_unit
    np.testing.assert_array_equal(again.timestamps, x.timestamps)


def test_the_parameters_of_the_fit_are_saved(tmp_path):
    model = ItemKNN(n_neighbors=3).fit(data())
    model.set_params(n_neighbors=9).save(tmp_path / "m")
    assert load(tmp_path / "m").n_neighbors == 3


def test_the_safetensors_library_reads_it(file):
    arrays = pytest.importorskip("safetensors.numpy").load_file(file)
    model = load(file)
    np.testing.assert_array_equal(arrays["user_items_.data"], model.user_items_.data)
    np.testing.assert_array_equal(arrays["similarity_.indices"], model.similarity_.indices)


def test_arrays_are_aligned_views_of_the_file(file):
    model = load(file)
    for array in (model.user_items_.data, model.user_items_.indices, model.similarity_.data):
        assert array.ctypes.data % 64 == 0
        assert not array.flags.owndata


def test_what_cannot_be_saved(tmp_path):
    with pytest.raises(NotFittedError, match="call fit"):
        ItemKNN().save(tmp_path / "m")
    for thing in ({"a": 1}, np.eye(2), ItemKNN):
        with pytest.raises(TypeError, match="can't be saved"):
            save(thing, tmp_path / "m")
    model = ItemKNN(similarity=lambda d, n, a, b, p, q: d).fit(data())
    with pytest.raises(TypeError, match=r"similarity=.* can't be saved"):
        model.save(tmp_path / "m")
    model = Popularity().fit(data())
    model.dates_ = np.zeros(3, dtype="datetime64[D]")
    model._state = (*model._state, "dates_")
    with pytest.raises(TypeError, match=r"'dates_.values' of dtype .* convert it to one of fl"):
        model.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


# ---- damage ------------------------------------------------------------------------------------


def refused_or_same(path, expected):
    try:
        model = load(path)
    except DamagedFileError:
        return True
    assert answers(model) == expected
    return False


@pytest.mark.parametrize("share", [0.01, 0.5, None])
def test_truncated(file, share):
    content = file.read_bytes()
    file.write_bytes(content[: -1 if share is None else int(len(content) * share)])
    with pytest.raises(DamagedFileError, match=r"model\.safetensors"):
        load(file)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\0" * 16, b"\xff" * 64, b"\2" + b"\0" * 7 + b"{}" + b"\0" * 54]
)
def test_not_a_model_at_all(tmp_path, content):
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(DamagedFileError):
        load(tmp_path / "m")


def test_appended(file):
    file.write_bytes(file.read_bytes() + bytes(1024))
    with pytest.raises(DamagedFileError):
        load(file)


def test_places_that_are_no_file(tmp_path):
    with pytest.raises(DamagedFileError, match="is a folder"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")


def test_every_flipped_bit_is_refused(file):
    content, expected = file.read_bytes(), answers(load(file))
    rng = np.random.default_rng(0)
    flips = [*range(64 * 8), *rng.integers(0, len(content) * 8, 120).tolist()]
    for bit in flips:
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        file.write_bytes(changed)
        refused_or_same(file, expected)


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil-was-here",)


def test_pickles_are_never_run(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bare = pickle.dumps(Evil())
    archive = io.BytesIO()
    np.savez(archive, item_factors=np.array([Evil()], dtype=object))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as z, z.open("a.npy", "w") as member:
        for _ in range(64):
            member.write(bytes(1 << 20))
    inside = file.read_bytes()[:-64] + bare.ljust(64, b"\0")[:64]
    for content in (bare, archive.getvalue(), bomb.getvalue(), inside):
        file.write_bytes(content)
        with pytest.raises(DamagedFileError):
            load(file)
    assert not (tmp_path / "evil-was-here").exists()


# ---- files of another hand: the checksum is right, the contents are not ------------------------


def rewritten(path, change):
    """The same file after ``change(header, data)``, with sizes and checksum made right again."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, body = json.loads(content[8 : 8 + length]), bytearray(content[8 + length :])
    change(header, body)
    header["__metadata__"]["blake2b"] = "0" * 128
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % 64)
    whole = len(text).to_bytes(8, "little") + text + body
    digest = hashlib.blake2b(whole).hexdigest()
    path.write_bytes(whole.replace(b"0" * 128, digest.encode(), 1))


def entry(name, **changes):
    return lambda header, body: header[name].update(changes)


def manifest(change):
    def apply(header, body):
        tree = json.loads(header["__metadata__"]["manifest"])
        change(tree)
        header["__metadata__"]["manifest"] = json.dumps(tree)

    return apply


def out_of_bounds(header, body):
    body[header["similarity_.indices"]["data_offsets"][0]] = 250


FOREIGN = {
    "claims_overflow": entry("similarity_.data", shape=[2**33, 2**33]),
    "claims_negative": entry("similarity_.data", shape=[-1]),
    "claims_bool": entry("similarity_.data", shape=[True]),
    "claims_float": entry("similarity_.data", shape=[1.5]),
    "2d_values": entry("user_items_.data", shape=[1, 10**6]),
    "complex": entry("similarity_.data", dtype="C64"),
    "strings": entry("similarity_.data", dtype="STR"),
    "offsets_swapped": entry("user_items_.indptr", data_offsets=[64, 0]),
    "offsets_past_the_end": entry("user_items_.indptr", data_offsets=[0, 2**60]),
    "column_out_of_bounds": out_of_bounds,
    "no_manifest": lambda header, body: header["__metadata__"].pop("manifest"),
    "other_format": lambda header, body: header["__metadata__"].update(format="pt"),
    "newer_version": lambda header, body: header["__metadata__"].update(version="3"),
    "extra_array": lambda header, body: header.update(
        recommend={"dtype": "F32", "shape": [4], "data_offsets": [len(body), len(body) + 16]}
    ),
    "unknown_class": manifest(lambda tree: tree.update({"class": "os.system"})),
    "other_class": manifest(lambda tree: tree.update({"class": "BaselineOnly"})),
    "extra_state": manifest(lambda tree: tree["state"].update(recommend={"plain": 1})),
    "dunder_state": manifest(lambda tree: tree["state"].update(__class__={"plain": 1})),
    "less_state": manifest(lambda tree: tree["state"].pop("users_")),
    "extra_parameter": manifest(lambda tree: tree["parameters"].update(evil=1)),
    "bad_parameter": manifest(lambda tree: tree["parameters"].update(similarity="evil")),
    "array_for_a_matrix": manifest(
        lambda tree: tree["state"].update(similarity_={"array": "similarity_.data"})
    ),
    "no_number_of_users": manifest(lambda tree: tree["state"].update(n_users_={"plain": None})),
    "wrong_shape": manifest(lambda tree: tree["state"]["similarity_"].update(shape=[30, 31])),
    "huge_shape": manifest(lambda tree: tree["state"]["similarity_"].update(shape=[2**31, 30])),
    "ids_of_the_other_side": manifest(
        lambda tree: tree["state"].update(users_=tree["state"]["items_"])
    ),
}


def claims_rows(model_file, n):
    """Give two arrays of the file the shape (n, 0), which has no elements."""

    def change(header, body):
        for name in ("user_items_.indices", "user_items_.data"):
            begin, end = header[name]["data_offsets"]
            header[name].update(shape=[n, 0], data_offsets=[begin, begin])
            entries = list(header.items())
            where = list(header).index(name) + 1
            rest = {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}
            header.clear()
            header.update([*entries[:where], (f"rest.{name}", rest), *entries[where:]])

    rewritten(model_file, change)


def test_a_file_cannot_ask_for_memory_that_it_does_not_hold(tmp_path):
    path = tmp_path / "m"
    model = PureSVD(n_factors=2).fit(data())
    for n in (2**31 - 1, 2**62, 2**63):
        model.save(path)
        claims_rows(path, n)
        with pytest.raises(DamagedFileError, match="shape"):
            load(path)
    model.save(path, training=False)
    rewritten(path, manifest(lambda tree: tree["state"].update(n_users_={"plain": 2**31 - 1})))
    with pytest.raises(DamagedFileError):
        load(path)


@pytest.mark.parametrize("name", ["user_bias_", "item_bias_"])
def test_a_file_without_the_biases_that_its_model_needs(tmp_path, name):
    ItemKNN(aggregation="baseline").fit(data()).save(tmp_path / "m")
    rewritten(tmp_path / "m", manifest(lambda tree: tree["state"].update({name: {"plain": None}})))
    with pytest.raises(DamagedFileError, match="needs the biases"):
        load(tmp_path / "m")


def test_the_contents_are_hashed_without_a_copy(file, monkeypatch):
    parts = []

    class Recorder:
        def __init__(self, content):
            self._hash = hashlib.blake2b(content)

        def update(self, part):  # bytes: a copy, made while no other thread can run
            parts.append(type(part))
            self._hash.update(part)

        def hexdigest(self):
            return self._hash.hexdigest()

    monkeypatch.setattr(
        "aimass_core.base.persistence.hashlib", types.SimpleNamespace(blake2b=Recorder)
    )
    load(file)
    assert parts == [bytes, memoryview]  # the header and the arrays


def test_other_learned_attributes_are_named_with_a_remedy(file):
    def change(tree):
        tree["state"]["newer_"] = tree["state"].pop("users_")

    rewritten(file, manifest(change))
    with pytest.raises(
        DamagedFileError, match=r"'item-knn' lacks 'users_' and also has 'newer_'.* save it again"
    ):
        load(file)


@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_contents_are_refused(case, file):
    rewritten(file, FOREIGN[case])
    with pytest.raises(DamagedFileError):
        load(file)


def test_rewriting_itself_is_harmless(file):
    expected = answers(load(file))
    rewritten(file, lambda header, body: None)
    assert answers(load(file)) == expected


def test_deeply_nested_header(tmp_path):
    text = b'{"a":' + b"[" * 200_000
    (tmp_path / "m").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(DamagedFileError):
        load(tmp_path / "m")


# ---- faults while saving -----------------------------------------------------------------------


def test_saving_where_nothing_can_be_written(file):
    model = load(file)
    for path in (file / "below-a-file", file.parent / "no" / "folder"):
        with pytest.raises(OSError, match=r"there is no folder .* make it first"):
            model.save(path)


def test_a_full_disk_leaves_the_older_file(file):
    code = f"""
import resource, numpy as np
from aimass_core import Popularity, load
model = Popularity().fit(np.ones((300, 300)))
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    model.save({str(file)!r})
except OSError as error:
    print("refused", error)
"""
    before = answers(load(file))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "refused" in run.stdout
    assert answers(load(file)) == before
    assert [p.name for p in file.parent.iterdir()] == [file.name]
