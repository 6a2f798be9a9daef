"""Ranking losses over sums of embeddings: features, and one embedding for each row itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.csr import renumber_columns, take_rows
from ..base.fit_options import FitOptions
from ..base.random import as_generator
from ..base.validation import as_float, as_int
from ..factorization._als import MAX_FACTORS, Solver, random_factors, solve_rows
from ..factorization._sgd_ranking import SgdRanking, negative_weights, positives
from ..factorization._sgd_state import Optimizer
from ..factorization._sgd_training import run_epochs
from ._embedded_side import EmbeddedSide
from ._feature_factors import FeatureFactors

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.progress import Event
    from ..factorization._sgd_ranking import Step

    Array = NDArray[Any]

__all__ = ["FeatureRanking"]

_ENTRY_WEIGHTS = {"alpha": 0.0, "weight_shift": 1.0, "target_shift": 1.0, "preferences": True}
# Steps that take four times as long as the sums of an item and of an entry of its features.
_ITEM_STEPS, _ENTRY_STEPS = 2.5, 1.2
_FEWEST_PARTS, _MOST_PARTS = 4, 64


class FeatureRanking(FeatureFactors, SgdRanking):
    """Base of ranking models whose factors are sums of embeddings of features.

    A subclass also derives from the model whose loss it has, which defines ``_step``.
    """

    optimizer = "adagrad"
    momentum, decay = 0.9, 0.999

    _learned_arrays: ClassVar[tuple[str, ...]] = (
        *SgdRanking._learned_arrays,
        "item_feature_factors_",
        "item_feature_bias_",
        "user_feature_factors_",
    )
    _state: ClassVar[tuple[str, ...]] = (
        *SgdRanking._state,
        "item_feature_factors_",
        "item_feature_bias_",
        "user_feature_factors_",
    )

    item_feature_factors_: Array
    item_feature_bias_: Array
    user_feature_factors_: Array

    feature_share: float

    # ---- factors of features -----------------------------------------------------------------

    def _factors_of(self, side: str, features: sp.csr_array) -> Array:
        B = self.user_feature_factors_ if side == "user" else self.item_feature_factors_
        if not len(B):
            return np.zeros((features.shape[0], B.shape[1]), dtype=B.dtype)
        share = float(self._fitted_parameters()["feature_share"])
        return EmbeddedSide.sums_of_features(features, B, share)

    def _biases_of(self, features: sp.csr_array) -> Array:
        if not len(self.item_feature_bias_):
            return super()._biases_of(features)
        share = float(self._fitted_parameters()["feature_share"])
        return EmbeddedSide.sums_of_features(features, self.item_feature_bias_[:, None], share)[
            :, 0
        ]

    def _solve_new(
        self, profiles: sp.csr_array, features: sp.csr_array | None, n_threads: int
    ) -> Array:
        weight, ridge, scale = self.fold_in_
        if self._gramian is None:
            factors = np.ascontiguousarray(self.item_factors_)
            self._gramian = kernels.als_gramian(factors, n_threads)
        n, dtype = profiles.shape[0], self.item_factors_.dtype
        prior = None
        if features is not None and len(self.user_feature_factors_):
            prior = self._factors_of("user", features)
        solved = solve_rows(
            profiles,
            self.item_factors_,
            weight * self._gramian,
            np.zeros((n, self.item_factors_.shape[1]), dtype),
            np.full(n, ridge),
            ridge,
            _ENTRY_WEIGHTS,
            Solver("cholesky", n_threads=n_threads),
            "user",
            linear=None if prior is None else (ridge / scale * prior).astype(dtype),
        )
        vectors: Array = (solved * scale).astype(dtype)
        if prior is not None:
            without = np.diff(positives(profiles).indptr) == 0
            vectors[without] = prior[without]
        return vectors

    def _check_state(self) -> None:
        super()._check_state()
        f = self.item_factors_.shape[1]
        for name, encoder in (("item", self.item_encoder_), ("user", self.user_encoder_)):
            B = getattr(self, f"{name}_feature_factors_")
            n = 0 if encoder is None else encoder.n_features
            if B.shape != (n, f) or B.dtype.kind != "f" or not np.isfinite(B).all():
                raise ValueError(f"factors of {name} features that do not fit the model")
        bias = self.item_feature_bias_
        if bias.shape != (len(self.item_feature_factors_),) or not np.isfinite(bias).all():
            raise ValueError("biases of item features that do not fit the model")

    # ---- learning ----------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        item_features: Any = None,
        user_features: Any = None,
        validation: Any = None,
        start: Any = None,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Learn from users x items, and from features of items and users.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of shape (n_users, n_items)
            Entries above 0 are positives; others count as seen only.
        y : None
            Must be None; scikit-learn passes it.
        item_features, user_features : FeatureTable, table, matrix or 2-D array, optional
            As in `FeatureRecommender.fit`.
        validation : Interactions or matrix like X, optional
            Held-out entries of the same users: as in `BPR.fit`.
        start : fitted model of the same class, optional
            Initial embeddings: those of features by number, of items and users by id.
        callback : callable, optional
            Called with an `Event` after each epoch; a true result ends training.
        verbose : bool, default=False
            Show a progress bar on standard error.

        Returns
        -------
        Self
            The object itself. If ``fit`` raises, the object stays what it was.

        Raises
        ------
        NumericalError
            Where training diverges; the message names the epoch and the remedy.
        ValueError
            For a parameter out of its range, and for features none of whose ids is one of X.
        """
        options = FitOptions(X, validation, start, callback, verbose, item_features, user_features)
        return self._fit(X, y, options)

    def partial_fit(
        self,
        X: Any,
        y: None = None,
        *,
        duplicates: str = "error",
        item_features: Any = None,
        user_features: Any = None,
    ) -> Self:
        """Add new interactions: ``update_iter`` epochs over all, from the present embeddings.

        Parameters
        ----------
        X, y, duplicates
            As in `Recommender.partial_fit`.
        item_features, user_features : as in `fit`
            Features of new items and users, encoded as in the first fit.

        Returns
        -------
        Self
            The object itself. If this raises, the object stays what it was.
        """
        features = {"item_features": item_features, "user_features": user_features}
        if not self.__sklearn_is_fitted__():
            return self.fit(X, y, **features)
        joined = self._joined(X, duplicates)
        features = self._joined_features(joined, item_features, user_features)
        fresh = type(self)(**self._fitted_with)
        epochs = as_int(fresh.update_iter, "update_iter", minimum=0)
        fresh.set_params(max_iter=max(epochs, 1))
        fresh.fit(joined, y, start=self, **features)
        fresh.set_params(**self._fitted_with)
        return self._adopt_state(fresh)

    def _learn(self, n_threads: int) -> None:
        n_factors = as_int(self.n_factors, "n_factors", minimum=1, maximum=MAX_FACTORS)
        max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        share = as_float(self.feature_share, "feature_share", minimum=0.0, maximum=1.0)
        as_int(self.update_iter, "update_iter", minimum=0)
        self._refuse_idle_options()
        rng = as_generator(self.random_state)
        X, dtype = positives(self.user_items_), self._dtype
        sides = {}
        for side, features, n, has_bias in (
            ("user", self.user_features_, X.shape[0], False),
            ("item", self.item_features_, X.shape[1], self._has_biases()),
        ):
            n_features = 0 if features is None else features.shape[1]
            own = random_factors(rng, n, n_factors, self.init_scale, dtype)
            of_features = random_factors(rng, n_features, n_factors, self.init_scale, dtype)
            sides[side] = EmbeddedSide(own, of_features, features, share, has_bias, n_threads)
        self._go_on_from(self._options.start, sides["user"], sides["item"])
        counts = np.bincount(X.indices, minlength=X.shape[1])
        sides["item"].leave_out_own(counts == 0)
        sides["user"].leave_out_own(np.diff(X.indptr) == 0)
        seed = int(rng.integers(2**63))
        self._train_embeddings(X, sides["user"], sides["item"], max_iter, seed, n_threads)

    def _go_on_from(self, start: Any, users: EmbeddedSide, items: EmbeddedSide) -> None:
        if start is None:
            return
        if type(start) is not type(self) or not start.__sklearn_is_fitted__():
            raise TypeError(f"start must be a fitted {type(self).__name__}")
        known = (
            (users, start.user_factors_, start.user_feature_factors_, None, None),
            (
                items,
                start.item_factors_,
                start.item_feature_factors_,
                start.item_bias_,
                start.item_feature_bias_,
            ),
        )
        maps = ((start.users_, self.users_), (start.items_, self.items_))
        olds = (start.user_features_, start.item_features_)
        for (side, factors, of_features, bias, feature_bias), (before, after), old in zip(
            known, maps, olds, strict=True
        ):
            if factors.shape[1] != side.n_factors or len(of_features) != side.n_features:
                raise ValueError(
                    "start has another number of factors or of features: give a model that was "
                    "fitted with the same ones"
                )
            n = len(factors)
            rows = np.arange(n) if after is None or before is None else after.get(before.ids)
            side.adopt(factors, of_features, bias, feature_bias, old, rows)

    def _n_parts(self, X: sp.csr_array) -> int:
        """Return into how many parts of the users an epoch is cut: by the data alone."""
        tables = (self.item_features_, self.user_features_)
        n_entries = sum(table.nnz for table in tables if table is not None)
        if not n_entries:
            return 1
        wanted = X.nnz / (_ITEM_STEPS * X.shape[1] + _ENTRY_STEPS * n_entries)
        return int(min(max(wanted, _FEWEST_PARTS), _MOST_PARTS, max(X.shape[0] // 16, 1)))

    _weights_of_negatives: NDArray[np.float64]

    def _negative_weights(self) -> NDArray[np.float64]:
        return self._weights_of_negatives

    def _train_embeddings(
        self,
        X: sp.csr_array,
        users: EmbeddedSide,
        items: EmbeddedSide,
        max_iter: int,
        seed: int,
        n_threads: int,
    ) -> None:
        """Take the epochs and set the learned attributes."""
        rate = as_float(self.learning_rate, "learning_rate", above=0.0)
        optimizer = Optimizer.checked("adagrad", rate, 0.0, 0.0)
        n_parts = self._n_parts(X)
        # Items without a positive are no negatives, so no step moves them.
        is_trained = np.bincount(X.indices, minlength=X.shape[1]) > 0
        trained = np.flatnonzero(is_trained).astype(np.int32)
        weights = negative_weights(self)
        self._weights_of_negatives = weights[trained] if len(weights) else weights
        if len(trained) < X.shape[1]:
            X = renumber_columns(X, np.cumsum(is_trained) - 1, len(trained))

        def take_epoch(number: int) -> dict[str, float]:
            order = np.random.default_rng([seed, number]).permutation(X.shape[0])
            sums = np.zeros(3)
            for part in range(n_parts):
                chosen = np.sort(order[part::n_parts])
                rows, block = chosen.astype(np.int32), take_rows(X, chosen)
                if not block.nnz:
                    continue
                step: Step = self._step(block, optimizer, n_threads)
                mine, theirs = users.open(rows), items.open(trained)
                key = seed ^ (part * 0x9E3779B97F4A7C15 & (2**63 - 1))
                loss, n_pairs, n_correct, _ = step(mine, theirs, number - 1, key)
                sums += loss, n_pairs, n_correct
                users.close(rows)
                items.close(trained)
            n_pairs = max(sums[1], 1.0)
            return {"loss": float(sums[0] / n_pairs), "correct": float(sums[2] / n_pairs)}

        def set_learned() -> None:
            self.user_factors_, _ = users.learned()
            self.item_factors_, self.item_bias_ = items.learned()
            self.user_feature_factors_, _ = users.of_features()
            self.item_feature_factors_, self.item_feature_bias_ = items.of_features()
            if self._options.callback is not None:
                self._calibrate(n_threads)

        run_epochs(self, take_epoch, set_learned, max_iter, n_threads)
        self._calibrate(n_threads)
        del self._weights_of_negatives
