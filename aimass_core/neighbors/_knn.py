"""Base class of ItemKNN and UserKNN: parameters, baselines, ratings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.baselines import (
    Baseline,
    als_biases,
    global_mean,
    rating_range,
    sgd_biases,
)
from ..base.csr import row_numbers, transpose
from ..base.figures import draw_neighborhood, new_axes
from ..base.filters import Catalog, as_filters
from ..base.lists import Explanation, TopK
from ..base.progress import logger
from ..base.query import Query
from ..base.ranking import filter_lists, padding, scores_by_pairs, top_of_rows
from ..base.recommender import Recommender
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_choice, as_int, wrap_csr
from ..data.weighting._by_name import as_weighting
from ..kernels import cuda
from ..similarity._compare import Compared, gram_topk, prepare
from ..similarity._measures import Measure
from ..similarity.similarity import Similarity, as_measure
from ._rating import AGGREGATIONS, RatingEngine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data.weighting._weighting import Weighting

__all__ = ["Neighborhood"]

_STEPS = 99  # of a fit: one for weighting and baselines, the others for shares of the neighbours


class Neighborhood(Recommender):
    """Base of the neighbourhood models; an *entity* is what has neighbours."""

    _state: ClassVar[tuple[str, ...]] = (
        *Recommender._state,
        "similarity_",
        "user_bias_",
        "item_bias_",
        "mean_",
        "rating_range_",
        "weighting_",
    )
    _per_user: ClassVar[tuple[str, ...]] = ("user_bias_",)
    _entities: ClassVar[str]
    # Similarity and weighting of a model that ranks and has neither; its lists are normalised.
    _ranks_by: ClassVar[tuple[Similarity, str] | None] = None

    similarity_: sp.csr_array | None
    mean_: float
    weighting_: Weighting | None
    rating_range_: tuple[float, float]
    user_bias_: NDArray[np.float64] | None
    item_bias_: NDArray[np.float64] | None

    def __init__(
        self,
        *,
        n_neighbors: int = 100,
        similarity: str | Callable[..., float] | Similarity | None = None,
        weighting: str | Weighting | None = None,
        profile: str = "weighted",
        normalize: bool = False,
        neighbors_of: str = "target",
        aggregation: str = "sum",
        min_k: int = 1,
        positive_only: bool = True,
        baseline: str = "als",
        clip: bool = True,
        rating_scale: tuple[float, float] | None = None,
        n_threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.n_neighbors = n_neighbors
        self.similarity = similarity
        self.weighting = weighting
        self.profile = profile
        self.normalize = normalize
        self.neighbors_of = neighbors_of
        self.aggregation = aggregation
        self.min_k = min_k
        self.positive_only = positive_only
        self.baseline = baseline
        self.clip = clip
        self.rating_scale = rating_scale
        self.n_threads = n_threads
        self.device = device

    # ---- parameters --------------------------------------------------------------------------

    @property
    def _rates(self) -> bool:
        return self.aggregation != "sum"

    @property
    def _dtype(self) -> Any:
        return np.float64 if self._rates else None

    @property
    def _uses_defaults(self) -> bool:
        """Whether the model ranks by the similarity, weighting and normalisation of its class."""
        is_bare = self.similarity is None and self.weighting is None
        return is_bare and self._ranks_by is not None and not self._rates

    @property
    def _normalizes(self) -> bool:
        """Whether weights are divided by the sum of those that start from the same entity."""
        return self._uses_defaults or bool(self.normalize)

    @property
    def _chosen_weighting(self) -> str | Weighting | None:
        if self._uses_defaults:
            assert self._ranks_by is not None
            return self._ranks_by[1]
        return self.weighting

    def _measure(self) -> Measure:
        """Return the measure that is given, else the default."""
        if self._uses_defaults:
            assert self._ranks_by is not None
            return as_measure(self._ranks_by[0])
        return as_measure("cosine" if self.similarity is None else self.similarity)

    def _checked_measure(self) -> Measure:
        as_choice(self.aggregation, "aggregation", ("sum", *AGGREGATIONS))
        as_choice(self.neighbors_of, "neighbors_of", ("seen", "target"))
        as_choice(self.profile, "profile", ("weighted", "raw", "binary"))
        as_choice(self.baseline, "baseline", ("als", "sgd"))
        as_int(self.n_neighbors, "n_neighbors", minimum=1)
        as_int(self.min_k, "min_k", minimum=0)
        as_bool(self.positive_only, "positive_only")
        as_bool(self.clip, "clip")
        as_bool(self.normalize, "normalize")
        m = self._measure()
        self._refuse_idle_options(m)
        if self._rates and m.function is not None:
            raise ValueError(
                "similarity: a function can be used for ranking (aggregation='sum') only"
            )
        return m

    def _refuse_idle_options(self, m: Measure) -> None:
        """Refuse options that have no effect in the chosen mode."""
        aggregation = f"aggregation={self.aggregation!r}"
        if self._rates:
            self._refuse_idle(("neighbors_of", "profile", "normalize"), aggregation)
        else:
            ratings_only = ("min_k", "positive_only", "clip", "rating_scale")
            self._refuse_idle(ratings_only, aggregation)
        if not self.clip:
            self._refuse_idle(("rating_scale",), "clip=False")
        if self.aggregation != "baseline" and m.name != "pearson_baseline":
            self._refuse_idle(("baseline",), aggregation)

    def _weighted(self, X: sp.csr_array) -> sp.csr_array:
        """Return a matrix weighted by what was learned from the fitted one."""
        if self.weighting_ is None:
            return X
        weighted: sp.csr_array = self.weighting_.transform(X)
        return weighted

    def _profiles(self, X: sp.csr_array) -> sp.csr_array:
        """Return what is multiplied with the similarities."""
        if self.profile == "weighted":
            return self._weighted(X)
        if self.profile == "raw":
            return X
        return wrap_csr(X.indptr, X.indices, np.ones_like(X.data), X.shape)

    # ---- learning ----------------------------------------------------------------------------

    def _features_by_entities(self, X: sp.csr_array, n_threads: int) -> sp.csr_array:
        return X if self._entities == "items" else transpose(X, n_threads)

    def _learn(self, n_threads: int) -> None:
        progress = self._progress(_STEPS)
        m = self._checked_measure()
        gpu = cuda.required_number_of(self.device)
        if gpu is not None and self._rates:
            raise ValueError(
                f"device={self.device!r} is for ranking (aggregation='sum'): predicted ratings "
                "are computed on the processor"
            )
        X = self.user_items_
        self.similarity_ = self.user_bias_ = self.item_bias_ = None
        self.weighting_ = as_weighting(self._chosen_weighting, documents=self._entities)
        if self.weighting_ is not None:
            self.weighting_.fit(X)
        self.mean_, self.rating_range_ = global_mean(X), rating_range(self.rating_scale, X)
        if self.aggregation == "baseline" or m.name == "pearson_baseline":
            if self.baseline == "als":
                self.user_bias_, self.item_bias_ = als_biases(
                    row_numbers(X), X.indices, X.data, X.shape
                )
            else:
                self.user_bias_, self.item_bias_ = sgd_biases(X)
        progress.step(1)
        if not self._rates:
            self.similarity_ = self._similarity_lists(m, n_threads, gpu, progress.within(1, _STEPS))
            logger.info(
                "%s.fit: similarity %s, %d neighbours of %d %s",
                type(self).__name__,
                m.name,
                self.similarity_.nnz,
                self.similarity_.shape[0],
                self._entities,
            )
        progress.step(_STEPS)

    def _baseline_of_entities(self) -> Baseline | None:
        if self.user_bias_ is None or self.item_bias_ is None:
            return None
        mean = self.mean_
        if self._entities == "items":
            return Baseline(mean, feature=self.user_bias_, entity=self.item_bias_)
        return Baseline(mean, feature=self.item_bias_, entity=self.user_bias_)

    def _compared(self, m: Measure, n_threads: int) -> Compared:
        A = self._features_by_entities(self._weighted(self.user_items_), n_threads)
        return prepare(A, m, baseline=self._baseline_of_entities())

    def _similarity_lists(
        self, m: Measure, n_threads: int, gpu: int | None, report: Callable[[int, int], None]
    ) -> sp.csr_array:
        compared = self._compared(m, n_threads)
        if self.neighbors_of == "target" and m.function is None:
            compared = compared.swapped()
        lists = gram_topk(compared, m, self.n_neighbors, n_threads, gpu, report)
        lists.data = lists.data.astype(self.user_items_.dtype, copy=False)
        lists = transpose(transpose(lists, n_threads), n_threads)
        return self._normalized(lists) if self._normalizes else lists

    def _normalized(self, lists: sp.csr_array) -> sp.csr_array:
        """Return the lists with the weights that start from one entity divided by their L1 norm."""
        if self.neighbors_of == "target":  # row = target, column = where a weight starts
            sources = lists.indices
        else:
            sources = row_numbers(lists)
        norms = np.bincount(sources, np.abs(lists.data), lists.shape[0]).astype(np.float64)
        scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        data = (lists.data * scale[sources]).astype(lists.dtype)
        return wrap_csr(lists.indptr, lists.indices, data, lists.shape)

    def _prepare(self, n_threads: int) -> None:
        self._m = self._checked_measure()
        self.predicts_ratings = self._rates
        X = self.user_items_
        self._engine: RatingEngine | None = None
        if not self._rates:
            self._weighted_training = None if X is None else self._profiles(X)
            return
        assert X is not None
        ratings = transpose(X, n_threads) if self._entities == "items" else X
        self._engine = RatingEngine.build(
            ratings,
            self._compared(self._m, n_threads),
            self._m,
            k=self.n_neighbors,
            min_k=self.min_k,
            positive_only=self.positive_only,
            aggregation=self.aggregation,
            baseline=self._baseline_of_entities() if self.aggregation == "baseline" else None,
            n_threads=n_threads,
        )

    def _check_state(self) -> None:
        super()._check_state()
        n_users, n_items = self.n_users_, self.n_items
        n = n_items if self._entities == "items" else n_users
        for array, expected in (
            (self.similarity_, (n, n)),
            (self.user_bias_, (n_users,)),
            (self.item_bias_, (n_items,)),
        ):
            if array is not None and array.shape != expected:
                raise ValueError(f"an array of shape {array.shape} instead of {expected}")
        if self._rates == (self.similarity_ is not None):
            raise ValueError("the similarity does not fit the parameter aggregation")
        if self.aggregation == "baseline" and (self.user_bias_ is None or self.item_bias_ is None):
            raise ValueError("the parameter aggregation needs the biases of users and items")

    # ---- answers by rating -------------------------------------------------------------------

    def _clipped(self, ratings: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(ratings, *self.rating_range_) if self.clip else ratings

    def _rate(
        self, engine: RatingEngine, users: Any, items: Any, n_threads: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        pair = (items, users) if self._entities == "items" else (users, items)
        return engine.estimate(*pair, n_threads)

    def _rating_scores(self, query: Query) -> NDArray[np.float64]:
        """Return predicted ratings of the candidates; -inf where no neighbour supports one."""
        assert self._engine is not None
        engine, rows = self._engine, query.users
        if rows is None:
            engine = self._engine_with(query.profiles, query.n_threads)
            rows = self.n_users_ + np.arange(len(query))

        def rate(users: Any, items: Any) -> tuple[Any, Any]:
            ratings, n_used = self._rate(engine, users, items, query.n_threads)
            return ratings, n_used > 0

        return scores_by_pairs(query, rows, rate)

    def _engine_with(self, profiles: sp.csr_array, n_threads: int) -> RatingEngine:
        """Return the engine with new users numbered after the users of the fit."""
        raise NotImplementedError

    # ---- shared by the two kinds -------------------------------------------------------------

    def _similar(
        self,
        rows: NDArray[np.int64],
        k: int,
        candidates: Any,
        exclude: Any,
        n_threads: int | None,
    ) -> TopK:
        """Return the nearest neighbours of some entities under the filters."""
        k = as_int(k, "k", minimum=1)
        side = 1 if self._entities == "items" else 0
        ids, n = (self.items_, self.n_items) if side else (self.users_, self.n_users_)
        name = self._names[side]
        queries = rows if ids is None else ids.ids[rows]
        catalog = Catalog(ids, n, self._entities[:-1])
        allowed, excluded = as_filters(candidates, exclude, catalog, queries)
        if self._engine is not None:
            threads = resolve_n_threads(n_threads)
            depth = k if allowed is None and excluded is None else n
            indices, scores = self._engine.similarities(rows, None, threads, depth)
        else:
            assert self.similarity_ is not None
            indices, scores = _padded(self.similarity_, rows)
        indices, scores = filter_lists(indices, scores, min(k, n), allowed, excluded)
        return TopK(queries, indices, scores, ids, name, f"similar_{name}")

    def plot(
        self, entity: Any, *, k: int = 15, titles: Mapping[Any, str] | None = None, ax: Any = None
    ) -> Any:
        """Draw the similarity neighbourhood of one item (`ItemKNN`) or user (`UserKNN`).

        Parameters
        ----------
        entity : id
            The item or user in the centre.
        k : int, default=15
            Neighbours to draw.
        titles : mapping of id to str, optional
            Labels. Default: the ids.
        ax : matplotlib.axes.Axes, optional
            Axes to draw into. Default: those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            The nearer a neighbour is to the centre, the more similar it is. Lines join entities of
            which one is among the neighbours of the other.

        Raises
        ------
        ImportError
            If matplotlib is not installed (``pip install 'aimass_core[plot]'``).
        KeyError
            For an unknown id.
        """
        self._check_fitted()
        is_items = self._entities == "items"
        find = self._columns if is_items else self._rows
        rows = np.atleast_1d(find([entity], self._entities[:-1])).astype(np.int64)
        near = self._similar(rows, k, None, None, None).indices[0]
        members = np.concatenate([rows, near[near >= 0]]).astype(np.int64)
        id_map = self.items_ if is_items else self.users_
        ids = (members if id_map is None else id_map.ids[members]).tolist()
        lists = self._similar(members, len(members), ids, None, None)
        similarity = np.zeros((len(members), len(members)))
        position = {int(member): number for number, member in enumerate(members)}
        for a, (items, scores) in enumerate(zip(lists.indices, lists.scores, strict=True)):
            for row, score in zip(items.tolist(), scores.tolist(), strict=True):
                if row in position:
                    similarity[a, position[row]] = score
        names = [str((titles or {}).get(name, name)) for name in ids]
        return draw_neighborhood(new_axes(ax, size=(6.4, 6.4)), names, similarity)

    def _explained(
        self, score: float, offset: float, of: str, rows: Any, parts: Any, k: int | None
    ) -> Explanation:
        return Explanation.of_parts(
            score,
            offset,
            of,
            rows,
            parts,
            k=None if k is None else as_int(k, "k", minimum=1),
            id_map=self.items_ if of == "items" else self.users_,
        )


def _padded(lists: sp.csr_array, rows: NDArray[np.int64]) -> Any:
    """Return rows of a sparse matrix as ranked, padded lists of their full length."""
    lengths = np.diff(lists.indptr)[rows]
    width = int(lengths.max(initial=0))
    inside = np.arange(width) < lengths[:, None]
    where = np.where(inside, lists.indptr[rows][:, None] + np.arange(width), 0)
    if not width:
        return padding(len(rows), 0, lists.dtype)
    ranked, scores = top_of_rows(np.where(inside, lists.data[where], -np.inf), width)
    columns = np.take_along_axis(lists.indices[where], np.maximum(ranked, 0), axis=1)
    return np.where(ranked < 0, -1, columns).astype(np.int32), scores
