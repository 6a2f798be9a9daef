"""Factorization machine of users, items and their features, as a recommender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.baselines import rating_range
from ..base.csr import row_numbers, take_rows
from ..base.feature_recommender import FeatureRecommender
from ..base.random import as_generator
from ..base.registry import register
from ..base.validation import as_bool, as_csr, as_float, as_int, wrap_csr
from ..factorization._rating_model import RatingModel
from ..retrieval._index import FactorIndex
from ._fm_chain import Draws, Settings, run_chain
from ._fm_design import Design, Layout, scores_and_sums
from ._fm_targets import Values
from ._new_items import NewItems
from .relation import RelationBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.query import Query
    from ..base.ranking import Ranked

    Array = NDArray[Any]

__all__ = ["FactorizationMachine"]

_USER, _ITEM = 0, 1
_IDS, _FEATURES = 0, 1  # groups of the columns of a side


@register("fm")
class FactorizationMachine(FeatureRecommender, NewItems, RatingModel):
    r"""Predict ratings by a Bayesian factorization machine of users, items and their features.

    .. math:: \hat y = w_0 + \sum_j w_j x_j + \sum_{j < l} v_j^T v_l \, x_j x_l

    The features x of a pair are one column for the user, one for the item, and the columns of
    ``user_features`` and ``item_features``. Penalties are drawn with everything else and need no
    choice. New items and users are predicted by their features; a user without features and
    without history is an average one.

    Parameters
    ----------
    n_factors : int, default=10
        Length of the vectors v_j, 1 to 1024.
    max_iter : int, default=100
        Gibbs sweeps over all coefficients.
    n_burn_in : int, default=20
        First sweeps that are not kept.
    n_draws : int, default=20
        Draws that are kept, at equal distances. Predictions are means over them, and vectors have
        n_draws x n_factors numbers: more draws predict a little better and cost in proportion.
    n_negatives : int, default=0
        For interactions without ratings: for each of them so many random items of the same user
        are added with the value 0, once before the fit.
    init_scale : float, default=0.1
        Standard deviation of first factors.
    clip : bool, default=True
        Cut predictions off at the rating scale.
    rating_scale : tuple of two floats, optional
        Lowest and highest rating. Default: those seen in training.
    dtype : {"float32", "float64"}, default="float32"
        Of the vectors and ratings; draws are made in float64.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of first factors, draws and random items.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Changes no bit.

    Attributes
    ----------
    user_factors_, item_factors_ : ndarray of shape (n, n_draws * n_factors)
        Sums of the factors of all features of a user or item, of all draws side by side, divided
        by the root of their number. Zero for rows without interactions and features.
    user_bias_, item_bias_ : ndarray of shape (n,)
        Means over the draws of linear terms and of the products within a user or item.
    mean_ : float
        Mean intercept.
    losses_ : ndarray of float64, shape (n_sweeps,)
        Root of the mean squared training error of each sweep.
    n_iter_ : int
        Sweeps.
    noise_precisions_ : ndarray of float64, shape (n_draws,)
        Precision of the errors of each draw.

    Notes
    -----
    A sweep costs O(n_entries n_factors b), b at most 16, and O(n_factors) for each entry of both
    tables of features, whatever the product of entries and features. Memory: 16 bytes for each
    entry and 2 KiB for each user or item with features. Retrieval is that of factor models, by
    `FactorIndex`. New users with interactions get the mean of their coefficients given each draw.

    References
    ----------
    S. Rendle, "Factorization machines", ICDM 2010. C. Freudenthaler, L. Schmidt-Thieme and
    S. Rendle, "Bayesian factorization machines", NIPS workshop 2011. S. Rendle, "Scaling
    factorization machines to relational data", VLDB 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import FactorizationMachine, Interactions
    >>> rng = np.random.default_rng(0)
    >>> users, items = rng.integers(0, 30, 300), rng.integers(0, 20, 300)
    >>> ratings = 3 + np.where((users + items) % 2 == 0, 1, -1)  # each user likes one kind
    >>> x = Interactions.from_arrays(users, items, ratings, duplicates="last")
    >>> kinds = {"item": np.arange(20), "kind": ["tea", "nut"] * 10}
    >>> model = FactorizationMachine(n_factors=3).fit(x, item_features=kinds)
    >>> new = {"item": [98, 99], "kind": ["tea", "nut"]}
    >>> model.recommend([0, 1], k=1, item_features=new, candidates=[98, 99]).ids.tolist()
    [[98], [99]]
    """

    uses_item_features: ClassVar[bool] = True
    uses_user_features: ClassVar[bool] = True
    _state: ClassVar[tuple[str, ...]] = (
        *RatingModel._state,
        "item_features_",
        "item_encoder_",
        "user_features_",
        "user_encoder_",
        "losses_",
        "n_iter_",
        "intercepts_",
        "noise_precisions_",
        "item_scores_",
        "user_coefficients_",
        "item_coefficients_",
        "prior_means_",
        "prior_precisions_",
    )

    losses_: NDArray[np.float64]
    n_iter_: int
    intercepts_: NDArray[np.float64]  # (n_draws,)
    noise_precisions_: NDArray[np.float64]  # (n_draws,)
    item_scores_: NDArray[np.float64]  # own terms of each item: (n_draws, n_items)
    user_coefficients_: NDArray[np.float32]  # of user features: (n_draws, n_features, 1 + f)
    item_coefficients_: NDArray[np.float32]
    prior_means_: NDArray[np.float64]  # of user ids and item ids: (n_draws, 2, 1 + f)
    prior_precisions_: NDArray[np.float64]

    def __init__(
        self,
        *,
        n_factors: int = 10,
        max_iter: int = 100,
        n_burn_in: int = 20,
        n_draws: int = 20,
        n_negatives: int = 0,
        init_scale: float = 0.1,
        clip: bool = True,
        rating_scale: tuple[float, float] | None = None,
        dtype: str = "float32",
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.max_iter = max_iter
        self.n_burn_in = n_burn_in
        self.n_draws = n_draws
        self.n_negatives = n_negatives
        self.init_scale = init_scale
        self.clip = clip
        self.rating_scale = rating_scale
        self.dtype = dtype
        self.random_state = random_state
        self.n_threads = n_threads

    # ---- learning ----------------------------------------------------------------------------

    def _settings(self) -> Settings:
        max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        n_burn_in = as_int(self.n_burn_in, "n_burn_in", minimum=0)
        n_draws = as_int(self.n_draws, "n_draws", minimum=1)
        if n_burn_in + n_draws > max_iter:
            raise ValueError(
                f"max_iter={max_iter} sweeps hold no {n_draws} draws after n_burn_in={n_burn_in}: "
                "raise max_iter or lower n_draws"
            )
        return Settings(
            n_factors=as_int(self.n_factors, "n_factors", minimum=1, maximum=1 << 10),
            solver="mcmc",
            max_iter=max_iter,
            n_burn_in=max_iter - n_draws * ((max_iter - n_burn_in) // n_draws),
            thin=(max_iter - n_burn_in) // n_draws,
            regularization=1.0,
            init_scale=as_float(self.init_scale, "init_scale", minimum=0.0),
            tol=0.0,
        )

    def _learn(self, n_threads: int) -> None:
        settings = self._settings()
        rng = as_generator(self.random_state)
        users, items, values = self._cases(rng)
        self.rating_range_ = rating_range(self.rating_scale, self.user_items_)
        if self.n_negatives and self.rating_scale is None:
            self.rating_range_ = min(self.rating_range_[0], 0.0), max(self.rating_range_[1], 0.0)
        offset = float(values.mean()) if len(values) else 0.0
        scale = (float(values.std()) if len(values) else 0.0) or 1.0
        tables = [
            _with_ids(n, features)
            for n, features in zip(
                self.user_items_.shape, (self.user_features_, self.item_features_), strict=True
            )
        ]
        relations = [
            RelationBlock(table, rows) for table, rows in zip(tables, (users, items), strict=True)
        ]
        design = Design(None, relations, n_threads)
        groups = np.concatenate(
            [
                2 * side + (np.arange(table.shape[1]) >= table.shape[0])
                for side, table in enumerate(tables)
            ]
        ).astype(np.int32)
        options = self._options
        progress = self._progress(settings.max_iter)

        def model_of(draws: Draws) -> Any:
            self._set_draws(draws.copy(), tables, offset, scale)
            self._prepare_to_answer()
            return self

        draws, self.losses_ = run_chain(
            design,
            Values((values - offset) / scale),
            groups,
            np.empty(0),
            settings,
            rng,
            progress,
            n_threads,
            options.callback is not None,
            model_of,
        )
        self.losses_ = self.losses_ * scale
        self._set_draws(draws, tables, offset, scale)
        self.n_iter_ = len(self.losses_)

    def _cases(self, rng: np.random.Generator) -> tuple[Array, Array, NDArray[np.float64]]:
        """Return user, item and value of each case, random items with the value 0 included."""
        X = self.user_items_
        users, items = row_numbers(X).astype(np.int64), X.indices.astype(np.int64)
        values = X.data.astype(np.float64)
        n_negatives = as_int(self.n_negatives, "n_negatives", minimum=0)
        if n_negatives == 0 or X.nnz == 0:
            return users, items, values
        others = np.repeat(users, n_negatives)
        drawn = rng.integers(0, X.shape[1], len(others))
        keys = users * X.shape[1] + items  # ascending
        wanted = others * X.shape[1] + drawn
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        is_new = keys[places] != wanted
        return (
            np.concatenate([users, others[is_new]]),
            np.concatenate([items, drawn[is_new]]),
            np.concatenate([values, np.zeros(int(is_new.sum()))]),
        )

    def _set_draws(
        self, draws: Draws, tables: list[sp.csr_array], offset: float, scale: float
    ) -> None:
        """Set factors, biases and what new users and items need from draws in standard units."""
        draws.rescale(offset, scale)
        n_draws, f = len(draws), draws.factors.shape[2]
        own_groups = [2 * _USER + _IDS, 2 * _ITEM + _IDS]
        shape = n_draws, max(own_groups) + 1, 1 + f
        means, precisions = np.zeros(shape), np.ones(shape)
        n_groups = min(draws.prior_means.shape[1], shape[1])  # none of a side without rows
        means[:, :n_groups] = draws.prior_means[:, :n_groups]
        precisions[:, :n_groups] = draws.prior_precisions[:, :n_groups]
        self.prior_means_, self.prior_precisions_ = means[:, own_groups], precisions[:, own_groups]
        self.intercepts_, self.noise_precisions_ = draws.intercepts, draws.precisions
        self.mean_ = float(draws.intercepts.mean())
        coefficients = np.concatenate([draws.linear[:, :, None], draws.factors], axis=2)
        begin = 0
        for side, table in enumerate(tables):
            n, d = table.shape
            own = coefficients[:, begin : begin + d]
            begin += d
            has_cases = np.diff(self.user_items_.indptr) > 0 if side == _USER else self._has_cases()
            own[:, :n][:, ~has_cases] = self.prior_means_[:, None, side].astype(np.float32)
            scores, sums = np.empty((n_draws, n)), np.empty((n_draws, n, f))
            for draw in range(n_draws):
                scores[draw], sums[draw] = scores_and_sums(table, own[draw, :, 0], own[draw, :, 1:])
            is_known = has_cases | (np.diff(table.indptr) > 1)
            sums[:, ~is_known] = 0
            vectors = _side_by_side(sums).astype(self._dtype)
            bias = scores.mean(axis=0).astype(self._dtype)
            if side == _USER:
                self.user_factors_, self.user_bias_ = vectors, bias
                self.user_coefficients_ = own[:, n:].copy()
            else:
                self.item_factors_, self.item_bias_ = vectors, bias
                self.item_scores_, self.item_coefficients_ = scores, own[:, n:].copy()

    def _has_cases(self) -> NDArray[np.bool_]:
        return np.asarray(self.item_counts_ > 0)

    def _prepare(self, n_threads: int) -> None:
        super()._prepare(n_threads)
        if not as_bool(self.clip, "clip"):
            self._refuse_idle(("rating_scale",), "clip=False")

    def _check_state(self) -> None:
        super()._check_state()
        n_draws = len(self.intercepts_)
        f = self.prior_means_.shape[-1] - 1
        shapes = (
            (self.noise_precisions_, (n_draws,)),
            (self.item_scores_, (n_draws, self.n_items)),
            (self.prior_means_, (n_draws, 2, 1 + f)),
            (self.prior_precisions_, (n_draws, 2, 1 + f)),
        )
        for array, shape in shapes:
            if array.shape != shape or not np.isfinite(array).all():
                raise ValueError(f"draws of shape {array.shape} instead of {shape}")
        for table in (self.user_coefficients_, self.item_coefficients_):
            if table.ndim != 3 or table.shape[::2] != (n_draws, 1 + f):
                raise ValueError(f"coefficients of features of shape {table.shape}")
            if not np.isfinite(table).all():
                raise ValueError("coefficients of features that are not finite numbers")
        if self.item_factors_.shape[1] != n_draws * f:
            raise ValueError("factors that are not those of the draws")

    # ---- new users and items -----------------------------------------------------------------

    def _of_features(self, side: int, features: Any, n: int) -> tuple[Array, Array]:
        """Return own terms (n_draws, n) and sums of factors (n_draws, n, f) of features alone."""
        own = self.user_coefficients_ if side == _USER else self.item_coefficients_
        n_draws, n_columns, width = own.shape
        scores, sums = np.zeros((n_draws, n)), np.zeros((n_draws, n, width - 1))
        if features is not None and n_columns:
            table = as_csr(features, "features", dtype="float64")
            for draw in range(n_draws):
                scores[draw], sums[draw] = scores_and_sums(table, own[draw, :, 0], own[draw, :, 1:])
        return scores, sums

    def _with_average_id(self, side: int, scores: Array, sums: Array) -> tuple[Array, Array]:
        """Add the column of an average user or item to those of the features."""
        mean = self.prior_means_[:, side]
        scores = scores + mean[:, :1] + np.einsum("snf,sf->sn", sums, mean[:, 1:])
        return scores, sums + mean[:, None, 1:]

    def _vectors_of_features(self, side: int, features: Any, n: int) -> tuple[Array, Array]:
        """Return vectors and biases of rows without interactions."""
        scores, sums = self._with_average_id(side, *self._of_features(side, features, n))
        return _side_by_side(sums).astype(self._dtype), scores.mean(axis=0).astype(self._dtype)

    def _solve_new(
        self, profiles: sp.csr_array, n_threads: int, features: Any = None
    ) -> tuple[Array, Array]:
        """Return vectors and biases of users that were not in the fit."""
        n = profiles.shape[0]
        layout = Layout.of(self.prior_means_.shape[2] - 1)
        scores, sums = self._of_features(_USER, features, n)
        users, items = row_numbers(profiles), profiles.indices
        n_draws, _, f = sums.shape
        identity = (np.arange(n + 1, dtype=np.int64), np.arange(n, dtype=np.int32), np.ones(n))
        parts = self.item_factors_.reshape(self.n_items, n_draws, f).astype(np.float64)
        for draw in range(n_draws):
            own = _padded(sums[draw], layout)
            others = _padded(parts[:, draw] * n_draws**0.5, layout)
            prior = np.zeros((1, layout.width)), np.ones((1, layout.width))
            prior[0][0, layout.used] = self.prior_means_[draw, _USER]
            prior[1][0, layout.used] = self.prior_precisions_[draw, _USER]
            products = np.einsum("ij,ij->i", own[users], others[items])
            products -= others.shape[1] // layout.block_width  # of the ones
            errors = profiles.data.astype(np.float64) - self.intercepts_[draw]
            errors -= scores[draw, users] + self.item_scores_[draw, items] + products
            solution = np.zeros((n, layout.width))
            kernels.fm_relation_sweep(
                *identity,
                np.array([0, n]),
                np.zeros(n, dtype=np.int32),
                solution,
                prior,
                np.zeros((0, 0)),
                float(self.noise_precisions_[draw]),
                np.empty(0),
                own,
                errors,
                np.ascontiguousarray(profiles.indptr, dtype=np.int64),
                np.arange(profiles.nnz, dtype=np.int32),
                [(others, np.ascontiguousarray(items, dtype=np.int32))],
                layout.block_width,
                layout.n_factors,
                n_threads,
            )
            id_factors = solution[:, layout.factors]
            scores[draw] += solution[:, 0] + np.einsum("ij,ij->i", sums[draw], id_factors)
            sums[draw] += id_factors
        return _side_by_side(sums).astype(self._dtype), scores.mean(axis=0).astype(self._dtype)

    # ---- answers -----------------------------------------------------------------------------

    def _user_side(self, query: Query) -> tuple[Array, NDArray[np.float64]]:
        """Return the vectors of the users of a query, and what is added to their scores."""
        profiles = query.profiles
        if profiles.shape[1] > self.n_items:  # the columns of new items have no entries
            shape = (profiles.shape[0], self.n_items)
            profiles = wrap_csr(profiles.indptr, profiles.indices, profiles.data, shape)
        if query.users is None:
            vectors, bias = self._solve_new(profiles, query.n_threads, query.user_features)
        else:
            known = query.users >= 0
            rows = np.where(known, query.users, 0)
            vectors, bias = self.user_factors_[rows], self.user_bias_[rows]
            if not known.all():
                new = np.flatnonzero(~known)
                features = query.user_features
                own = None if features is None else take_rows(features, new)
                vectors[new], bias[new] = self._vectors_of_features(_USER, own, len(new))
        return vectors, bias.astype(np.float64) + self.mean_

    def _vectors_of_items(self, features: sp.csr_array) -> tuple[Array, Array | None]:
        new = take_rows(features, np.arange(self.n_items, features.shape[0]))
        vectors, bias = self._vectors_of_features(_ITEM, new, new.shape[0])
        return np.vstack([self.item_factors_, vectors]), np.concatenate([self.item_bias_, bias])

    def score(self, query: Query) -> Array:
        """Return the predicted rating of every item for each user of a query, not cut off.

        Parameters
        ----------
        query : Query
            Some users, in row numbers; perhaps with features of new items.

        Returns
        -------
        ndarray of float64, shape (n, n_items)
            Means over the draws.
        """
        vectors, offsets = self._user_side(query)
        items, bias = self.item_factors_, self._item_biases()
        if query.item_features is not None:
            items, bias = self._vectors_of_items(query.item_features)
        scores: Array = vectors @ items.T + bias
        return scores + offsets[:, None]

    def rank(self, query: Query) -> Ranked:
        """Return the k best items of each user of a query by exact retrieval.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers; perhaps with features of new
            items, whose vectors are then packed for this call.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf.
        """
        vectors, offsets = self._user_side(query)
        index = self._index("items", "dot")
        if query.item_features is not None:
            index = FactorIndex(*self._vectors_of_items(query.item_features))
        indices, scores = index.rank(
            vectors, query.k, query.candidates, query.exclude, query.n_threads
        )
        return indices, scores + offsets[:, None]

    def _score_new_pairs(
        self, query: Query, rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        ratings = super()._score_new_pairs(query, rows, columns)
        return np.clip(ratings, *self.rating_range_) if self.clip else ratings


def _with_ids(n: int, features: sp.csr_array | None) -> sp.csr_array:
    """Return a column for each row, and then those of its features."""
    identity = sp.csr_array((np.ones(n), np.arange(n), np.arange(n + 1)), shape=(n, n))
    if features is None or features.shape[1] == 0:
        return as_csr(identity, "ids", dtype="float64")
    stacked = sp.hstack([identity, sp.csr_array(features)], format="csr")
    return as_csr(stacked, "features", dtype="float64")


def _side_by_side(sums: Array) -> Array:
    """Return sums of factors (n_draws, n, f) as vectors (n, n_draws * f) of means of products."""
    n_draws, n, f = sums.shape
    vectors: Array = sums.transpose(1, 0, 2).reshape(n, n_draws * f) / n_draws**0.5
    return np.ascontiguousarray(vectors)


def _padded(sums: Array, layout: Layout) -> Array:
    """Return sums of factors in the layout of the kernels."""
    padded = np.zeros((len(sums), layout.width))
    padded[:, layout.factors] = sums
    padded[:, :: layout.block_width] = 1.0
    return padded
