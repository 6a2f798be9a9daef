"""Vectors of texts from models of other libraries, which are imported only when asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.validation import as_choice, as_int

__all__ = ["text_vectors"]

_LIBRARIES = ("auto", "model2vec", "sentence-transformers")


def text_vectors(
    texts: Iterable[str],
    model: Any,
    *,
    library: str = "auto",
    batch_size: int = 256,
    allow_download: bool = False,
) -> NDArray[np.float32]:
    """Return a vector for each text, by an embedding model of another library.

    Parameters
    ----------
    texts : iterable of str
        Such as titles and descriptions of items. An empty text has a vector of zeros.
    model : str, path or model
        Folder of a saved model; or a loaded model with a method ``encode``, such as a
        ``model2vec.StaticModel`` or a ``sentence_transformers.SentenceTransformer``.
    library : {"auto", "model2vec", "sentence-transformers"}, default="auto"
        Library that loads a folder. "auto": model2vec for a folder of static embeddings, else
        sentence-transformers.
    batch_size : int, default=256
        Texts encoded at once.
    allow_download : bool, default=False
        Whether ``model`` may be the name of a model that the library downloads.

    Returns
    -------
    ndarray of float32, shape (n, n_numbers)
        Item features for `VectorMap`, `ContentBased` and the hybrid models.

    Raises
    ------
    ImportError
        If the library is not installed; the message has the command that installs it.
    FileNotFoundError
        For a folder that does not exist, without ``allow_download``.
    TypeError
        For texts that are not strings, and a model without ``encode``.
    ValueError
        Where the vectors are not finite numbers, or not one for each text.

    Examples
    --------
    Any object with ``encode`` serves as a model:

    >>> import numpy as np
    >>> from aimass_core.hybrid import text_vectors
    >>> class Lengths:
    ...     def encode(self, texts):
    ...         return np.array([[len(text), text.count(" ")] for text in texts])
    >>> text_vectors(["green tea", "pie"], Lengths()).tolist()
    [[9.0, 1.0], [3.0, 0.0]]
    """
    if isinstance(texts, str):
        raise TypeError("texts must be a collection of strings, got one string: put it in a list")
    strings: list[Any] = list(texts)
    wrong = next((i for i, text in enumerate(strings) if not isinstance(text, str)), None)
    if wrong is not None:
        raise TypeError(
            f"texts must be strings, got {type(strings[wrong]).__name__} at position {wrong}: "
            "replace missing texts by ''"
        )
    as_choice(library, "library", _LIBRARIES)
    size = as_int(batch_size, "batch_size", minimum=1)
    if isinstance(model, (str, bytes)) or hasattr(model, "__fspath__"):
        model = _loaded(model, library, allow_download)
    encode = getattr(model, "encode", None)
    if not callable(encode):
        raise TypeError(
            f"model must be a folder or have a method encode(texts), got {type(model).__name__}"
        )
    blocks = [
        _checked(encode(strings[begin : begin + size]), len(strings[begin : begin + size]))
        for begin in range(0, len(strings), size)
    ]
    if not blocks:
        return np.zeros((0, _checked(encode([""]), 1).shape[1]), dtype=np.float32)
    vectors = np.concatenate(blocks)
    vectors[[not text.strip() for text in strings]] = 0
    return vectors


def _checked(vectors: Any, n: int) -> NDArray[np.float32]:
    array = np.asarray(vectors, dtype=np.float32)
    if array.ndim != 2 or len(array) != n:
        raise ValueError(
            f"model.encode must return an array of shape ({n}, n_numbers), got {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ValueError("model.encode returned nan or inf: check the texts and the model")
    return array


def _is_static(path: Path) -> bool:
    """Return whether a folder holds static embeddings, in the layout of either library."""
    modules = path / "modules.json"
    if not modules.is_file():
        return True
    return "StaticEmbedding" in modules.read_text(encoding="utf-8", errors="replace")


def _loaded(source: Any, library: str, allow_download: bool) -> Any:
    """Return the model of a folder, or of a name where downloads are allowed."""
    path = Path(os.fsdecode(source))
    if not path.is_dir() and not allow_download:
        raise FileNotFoundError(
            f"there is no folder {path} of a saved model: give the path of one, or pass "
            "allow_download=True for the name of a model that the library downloads"
        )
    name = str(path) if path.is_dir() else os.fsdecode(source)
    if library == "auto":
        library = "model2vec" if _is_static(path) else "sentence-transformers"
    try:
        if library == "model2vec":
            from model2vec import StaticModel

            return StaticModel.from_pretrained(name)
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(name)
    except ImportError as error:
        extra = "model2vec" if library == "model2vec" else "sentence-transformers"
        raise ImportError(
            f"{extra} is not installed ({error}): pip install 'aimass_core[text]' for model2vec, "
            "or 'aimass_core[sentences]' for sentence-transformers"
        ) from error
