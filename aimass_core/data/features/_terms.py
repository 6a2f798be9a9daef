r"""Text as terms weighted by TF-IDF.

A term is a run of two or more word characters in lower case, as with scikit-learn's
``TfidfVectorizer``, and the weights are those of its defaults: the count of a term in a text times
:math:`\ln\frac{1 + n}{1 + n_t} + 1`, divided by the Euclidean norm of the text. All terms of all
texts are found by one regular expression and numbered by the native kernel, so that the cost is
O(bytes of text); scikit-learn is not needed.

References
----------
Salton, G. and Buckley, C., "Term-weighting approaches in automatic text retrieval", Information
Processing and Management 24(5), 1988.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ...base.csr import take_rows_or_empty
from ...base.validation import wrap_csr
from .._column import Column
from ..idmap import IdMap
from ._blocks import Sparse
from ._categories import rows_of_categories, text_of
from ._encoder import ColumnEncoder, ColumnOptions, codes_of, wrong_cells
from ._tags import split_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._blocks import Block
    from ._cells import Cells, Lists

__all__ = ["TextEncoder"]

_BETWEEN = re.compile(r"[^\w\0]+")


def _terms_of(texts: Column) -> Lists:
    """Return the terms of each entry of a text column, in lower case."""
    strings = [str(text).replace("\0", " ") for text in texts.strings()]
    plain = _BETWEEN.sub(" ", "\0".join(strings).lower())
    data = np.frombuffer(plain.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    ends = np.append(np.flatnonzero(data == 0), len(data)) if strings else np.empty(0, np.int64)
    if len(ends) != len(strings):  # lower case of one character may be several, never a zero
        raise ValueError("the text cannot be separated into terms")
    offsets = np.concatenate([[0], ends + 1]).astype(np.int64)
    spaced = np.append(np.where(data == 0, 32, data), 32).astype(np.uint8)
    lists = split_text(Column("str", spaced, offsets), " ")
    return _of_two_characters(lists)


def _of_two_characters(lists: Lists) -> Lists:
    """Return lists without the terms of a single character."""
    entries, at = lists.entries, lists.entries.offsets
    assert at is not None
    starts = np.concatenate([[0], np.cumsum((entries.values & 0xC0) != 0x80)])
    is_long = starts[at[1:]] - starts[at[:-1]] >= 2
    if is_long.all():
        return lists
    kept = np.flatnonzero(is_long)
    counted = np.concatenate([[0], np.cumsum(is_long)]).astype(np.int64)
    own = Column(entries.kind, entries.values, entries.offsets, kept)
    return type(lists)(own, counted[lists.offsets])


@dataclass(frozen=True)
class TextEncoder(ColumnEncoder):
    """One column for each term."""

    kind: ClassVar[str] = "text"

    terms: IdMap
    inverse_frequency: NDArray[np.float64]

    @classmethod
    def learn(cls, cells: Cells, name: str, options: ColumnOptions) -> TextEncoder | None:
        """Learn the terms of most rows, and in how many rows each is; None where there is none."""
        if not isinstance(cells, Column) or cells.kind not in ("str", "null"):
            raise wrong_cells(name, "text", cells)
        if cells.kind == "null":
            return None
        rows, texts = codes_of(cells, name, options.n_threads)
        if texts.n_entries < 2 and (rows >= 0).all():
            return None
        lists = _terms_of(texts)
        codes, terms = codes_of(lists.entries, name, options.n_threads)
        n_texts, n_terms = texts.n_entries, terms.n_entries
        of_text = np.repeat(np.arange(n_texts), np.diff(lists.offsets))
        pairs = np.unique(of_text * np.int64(max(n_terms, 1)) + codes)
        texts_of, terms_of = np.divmod(pairs, np.int64(max(n_terms, 1)))
        per_text = np.bincount(rows[rows >= 0], minlength=n_texts)
        counts = np.bincount(terms_of, weights=per_text[texts_of], minlength=n_terms)
        kept = np.flatnonzero(counts >= options.min_frequency)
        if len(kept) > options.max_terms:
            best = np.lexsort((kept, -counts[kept]))[: options.max_terms]
            kept = np.sort(kept[best])
        if not len(kept):
            return None
        n_rows = int((rows >= 0).sum())
        weights = np.log((1.0 + n_rows) / (1.0 + counts[kept])) + 1.0
        return cls(IdMap._of(terms).take(kept), weights)

    @property
    def width(self) -> int:
        """Number of terms."""
        return len(self.terms)

    @property
    def holds_text(self) -> bool:
        """True."""
        return True

    def names(self, source: str) -> list[str]:
        """Return ``source:term`` for each."""
        return [f"{source}:{text_of(term)}" for term in self.terms.ids.tolist()]

    def encode(self, cells: Cells, name: str, options: ColumnOptions) -> Block:
        """Return the weights of the terms of each row; new terms have no entry."""
        if not isinstance(cells, Column) or cells.kind not in ("str", "null"):
            raise wrong_cells(name, "text", cells)
        if cells.kind == "null":
            indptr = np.zeros(cells.n_rows + 1, dtype=np.int64)
            nothing = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
            return Sparse(wrap_csr(indptr, *nothing, (cells.n_rows, self.width)))
        rows, texts = codes_of(cells, name, options.n_threads)
        lists = _terms_of(texts)
        codes, terms = codes_of(lists.entries, name, options.n_threads)
        column_of = np.append(rows_of_categories(self.terms, terms, name), -1)
        columns = column_of[codes]
        of_text = np.repeat(np.arange(texts.n_entries), np.diff(lists.offsets))
        is_known = columns >= 0
        keys, counts = np.unique(
            of_text[is_known] * np.int64(self.width) + columns[is_known], return_counts=True
        )
        texts_of, columns = np.divmod(keys, np.int64(self.width))
        weights = counts * self.inverse_frequency[columns]
        norms = np.sqrt(np.bincount(texts_of, weights=weights**2, minlength=texts.n_entries))
        weights = (weights / norms[texts_of]).astype(np.float32)
        indptr = np.searchsorted(texts_of, np.arange(texts.n_entries + 1)).astype(np.int64)
        shape = (texts.n_entries, self.width)
        distinct = wrap_csr(indptr, columns.astype(np.int32), weights, shape)
        return Sparse(take_rows_or_empty(distinct, rows.astype(np.int64)))

    def check(self) -> None:
        """Raise ValueError for weights that do not fit the terms."""
        if self.inverse_frequency.shape != (len(self.terms),):
            raise ValueError("a column of text with weights that do not fit its terms")
