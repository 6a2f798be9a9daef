"""Customer lists that hold hashes instead of ids, as opt-out lists and platforms exchange them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.progress import logger
from ..base.validation import as_bool, as_choice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.filters import Catalog

__all__ = ["ALGORITHMS", "HashedIds", "hash_ids"]

ALGORITHMS = ("sha256", "sha512", "sha1", "md5")


def hash_ids(
    ids: Any, algorithm: str = "sha256", *, salt: str = "", normalize: bool = True
) -> list[str]:
    """Return the hexadecimal hash of each id.

    Parameters
    ----------
    ids : iterable
        Ids; they are hashed as text in UTF-8.
    algorithm, salt, normalize
        As in `HashedIds`.

    Returns
    -------
    list of str
        Lower-case hexadecimal digits.
    """
    hash_of = getattr(hashlib, as_choice(algorithm, "algorithm", ALGORITHMS))
    texts = (str(i) for i in (ids.tolist() if isinstance(ids, np.ndarray) else ids))
    if as_bool(normalize, "normalize"):
        texts = (text.strip().lower() for text in texts)
    return [hash_of((salt + text).encode()).hexdigest() for text in texts]


class HashedIds:
    """Users known only by a hash of their id, for ``candidates`` and ``exclude`` of `audience`.

    Parameters
    ----------
    hashes : iterable of str
        Hexadecimal hashes, in upper or lower case. Hashes of unknown users have no effect.
    algorithm : {"sha256", "sha512", "sha1", "md5"}, default="sha256"
        How they were computed.
    salt : str, default=""
        Text that was put before each id.
    normalize : bool, default=True
        Whether ids were stripped of white space and put in lower case first, as advertising
        platforms do with addresses.

    Examples
    --------
    >>> import hashlib
    >>> from aimass_core.retrieval import AudienceIndex, HashedIds, audience
    >>> index = AudienceIndex([[2.0], [1.0]], [[1.0]], user_ids=["ann@x.org", "bob@x.org"])
    >>> opted_out = HashedIds([hashlib.sha256(b"ann@x.org").hexdigest(), "00" * 32])
    >>> audience(index, [0], size=2, exclude=opted_out).users.tolist()
    ['bob@x.org']
    """

    def __init__(
        self, hashes: Any, *, algorithm: str = "sha256", salt: str = "", normalize: bool = True
    ) -> None:
        if isinstance(hashes, (str, bytes)):
            raise TypeError("hashes must be a collection of hexadecimal strings, got one string")
        self._algorithm = as_choice(algorithm, "algorithm", ALGORITHMS)
        self._salt, self._normalize = salt, as_bool(normalize, "normalize")
        digits = 2 * hashlib.new(self._algorithm).digest_size
        self._hashes = set()
        for position, value in enumerate(hashes):
            text = str(value).strip().lower()
            if len(text) != digits or set(text) - set("0123456789abcdef"):
                raise ValueError(
                    f"hashes must be {digits} hexadecimal digits for {self._algorithm}, got "
                    f"{str(value)[:20]!r} at position {position}"
                )
            self._hashes.add(text)

    def __len__(self) -> int:
        return len(self._hashes)

    def __repr__(self) -> str:
        return f"HashedIds({len(self)} hashes by {self._algorithm})"

    def mask(self, catalog: Catalog) -> NDArray[np.bool_]:
        """Return a flag for each known id: whether its hash is among the hashes.

        Parameters
        ----------
        catalog : Catalog
            The known ids.

        Returns
        -------
        ndarray of bool
        """
        ids = np.arange(catalog.size) if catalog.ids is None else catalog.ids.ids
        own = hash_ids(ids, self._algorithm, salt=self._salt, normalize=self._normalize)
        flags = np.fromiter((h in self._hashes for h in own), dtype=bool, count=catalog.size)
        n_unknown = len(self) - len({h for h in own if h in self._hashes})
        if n_unknown:
            logger.info(
                "%d of %d hashes are those of no known %s", n_unknown, len(self), catalog.name
            )
        return flags
