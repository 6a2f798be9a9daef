"""Vectors of texts: models of other libraries, loaded only when asked for."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from aimass_core.hybrid import text_vectors


class Static:
    """A static embedding model: the mean of vectors of words."""

    def __init__(self, n=5):
        self._n = n

    def encode(self, texts):
        rows = []
        for text in texts:
            vectors = [
                np.random.default_rng([len(w), *map(ord, w)]).standard_normal(self._n)
                for w in text.split()
            ]
            rows.append(np.mean(vectors, axis=0) if vectors else np.zeros(self._n))
        return np.array(rows)


def test_blocks_give_what_one_call_gives():
    texts = [f"green tea {n % 7}" for n in range(50)] + ["", "  "]
    vectors = text_vectors(texts, Static(), batch_size=7)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, text_vectors(texts, Static(), batch_size=1000))
    np.testing.assert_allclose(vectors[3], Static().encode(["green tea 3"])[0], rtol=1e-6)
    assert (vectors[-2:] == 0).all()
    assert text_vectors([], Static()).shape == (0, 5)


def test_refusals(tmp_path):
    class Wrong:
        def __init__(self, value):
            self._value = value

        def encode(self, texts):
            return self._value

    with pytest.raises(TypeError, match="got one string"):
        text_vectors("tea", Static())
    with pytest.raises(TypeError, match="got NoneType at position 1"):
        text_vectors(["tea", None], Static())
    with pytest.raises(TypeError, match="have a method encode"):
        text_vectors(["tea"], object())
    with pytest.raises(ValueError, match=r"must return an array of shape \(1, n_numbers\)"):
        text_vectors(["tea"], Wrong(np.zeros(3)))
    with pytest.raises(ValueError, match="nan or inf"):
        text_vectors(["tea"], Wrong(np.full((1, 3), np.nan)))
    with pytest.raises(FileNotFoundError, match="allow_download=True"):
        text_vectors(["tea"], "some/model-name")
    with pytest.raises(ValueError, match="library must be one of"):
        text_vectors(["tea"], tmp_path, library="spacy")


@pytest.mark.parametrize(
    ("library", "extra"), [("model2vec", "text"), ("sentence-transformers", "sentences")]
)
def test_a_missing_library_is_named_with_its_extra(library, extra, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, library.replace("-", "_"), None)
    with pytest.raises(ImportError, match=rf"{library} is not installed .*aimass_core\[{extra}\]"):
        text_vectors(["tea"], tmp_path, library=library)


def test_a_saved_static_model(tmp_path):
    model2vec = pytest.importorskip("model2vec")
    tokenizers = pytest.importorskip("tokenizers")
    words = {"[UNK]": 0, "green": 1, "tea": 2, "pie": 3}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    vectors = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    model2vec.StaticModel(vectors, tokenizer).save_pretrained(tmp_path / "model")
    found = text_vectors(["green tea", "pie"], tmp_path / "model")
    assert found.shape == (2, 6)
    expected = np.mean(vectors[[1, 2]], axis=0)
    cosine = found[0] @ expected / np.linalg.norm(found[0]) / np.linalg.norm(expected)
    assert cosine == pytest.approx(1.0, abs=1e-5)


def static_embedding():
    """Return the module of static embeddings, which older versions have in another module."""
    try:
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    except ImportError:
        from sentence_transformers.models import StaticEmbedding
    return StaticEmbedding


def test_a_saved_model_of_sentence_transformers(tmp_path):
    library = pytest.importorskip("sentence_transformers")
    tokenizers = pytest.importorskip("tokenizers")
    words = {"[UNK]": 0, "green": 1, "tea": 2, "pie": 3}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    vectors = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    module = static_embedding()(tokenizer, embedding_weights=vectors)
    library.SentenceTransformer(modules=[module], device="cpu").save(str(tmp_path / "model"))
    found = text_vectors(
        ["green tea", "pie", ""], tmp_path / "model", library="sentence-transformers"
    )
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], vectors[[1, 2]].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found[1], vectors[3], rtol=1e-5)
    assert (found[2] == 0).all()
