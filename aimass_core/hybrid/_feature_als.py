"""Implicit ALS whose factors of items and users are explained by their features in part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.csr import take_rows
from ..base.fit_options import FitOptions
from ..base.lists import Explanation
from ..base.validation import as_bool, as_choice
from ..factorization._als import n_entries
from ..factorization._joined_data import JoinedData
from ..factorization.implicit_als import ImplicitALS
from ._design import design, has_features
from ._feature_factors import FeatureFactors, explanation_by_features, item_to_explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.progress import Event

    Array = NDArray[Any]

__all__ = ["FeatureALS"]


class FeatureALS(FeatureFactors, ImplicitALS):
    """Base of models of implicit ALS with factors of features."""

    _learned_arrays: ClassVar[tuple[str, ...]] = (
        *ImplicitALS._learned_arrays,
        "item_feature_factors_",
        "user_feature_factors_",
    )
    _state: ClassVar[tuple[str, ...]] = (
        *ImplicitALS._state,
        "item_feature_factors_",
        "user_feature_factors_",
    )

    item_feature_factors_: Array
    user_feature_factors_: Array

    normalize: bool

    # ---- factors of features -----------------------------------------------------------------

    def _features(self, side: str) -> sp.csr_array | None:
        features: sp.csr_array | None = (
            self.user_features_ if side == "user" else self.item_features_
        )
        return features

    def _feature_factors(self, side: str) -> Array:
        return self.user_feature_factors_ if side == "user" else self.item_feature_factors_

    def _factors_of(self, side: str, features: sp.csr_array) -> Array:
        B, dtype = self._feature_factors(side), self.item_factors_.dtype
        if not len(B):
            return np.zeros((features.shape[0], B.shape[1]), dtype=dtype)
        normalize = as_bool(self._fitted_parameters()["normalize"], "normalize")
        product: Array = design(features, normalize) @ B
        return product.astype(dtype, copy=False)

    def _prior(self, side: str, rows: NDArray[np.int64] | None = None) -> Array | None:
        features = self._features(side)
        if features is None or not len(self._feature_factors(side)):
            return None
        return self._factors_of(side, features if rows is None else take_rows(features, rows))

    def _share_of(self, prior: Array | None) -> Array | None:
        """Return the part of a prediction by features that the ridge pulls factors towards."""
        return None

    def _pulled_to(self, side: str, rows: NDArray[np.int64] | None = None) -> Array | None:
        return self._share_of(self._prior(side, rows))

    def _with_entries(self, side: str) -> NDArray[np.bool_]:
        """Return flags of the users or items that have an entry in the fitted data."""

        def compute() -> NDArray[np.bool_]:
            X = self.user_items_
            if X is None:  # saved without its training data: not known of users
                n_users = len(self.user_factors_)
                return self.item_counts_ > 0 if side == "item" else np.ones(n_users, dtype=bool)
            if side == "user":
                return n_entries(X) > 0
            counts = np.bincount(X.indices[X.data != 0], minlength=X.shape[1])
            return np.asarray(counts > 0)

        flags: NDArray[np.bool_] = self._cached(f"{side}s with entries", compute)
        return flags

    def _trained_factors(self, side: str) -> Array:
        factors = super()._trained_factors(side)
        if not len(self._feature_factors(side)):
            return factors
        trained = factors.copy()
        trained[~self._with_entries(side)] = 0
        return trained

    def _fill_without_entries(self, side: str) -> None:
        """Give users or items without an entry the factors of their features."""
        without = np.flatnonzero(~self._with_entries(side))
        prior = self._prior(side, without)
        if prior is not None:
            getattr(self, f"{side}_factors_")[without] = prior

    # ---- learning ----------------------------------------------------------------------------

    def fit(  # type: ignore[override]  # features, but no executor
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
        X : Interactions, sparse matrix, 2-D array or RowBlocks of shape (n_users, n_items)
            As in `ImplicitALS.fit`.
        y : None
            Must be None; scikit-learn passes it.
        item_features, user_features : FeatureTable, table, matrix or 2-D array, optional
            As in `FeatureRecommender.fit`. Without either the model is `ImplicitALS`.
        validation : Interactions or matrix like X, optional
            As in `ImplicitALS.fit`.
        start : fitted model, or pair of arrays (user_factors, item_factors), optional
            Factors to start from; of a model, those of the ids that both models have.
        callback : callable, optional
            Called with an `Event` after each epoch; a true result ends training.
        verbose : bool, default=False
            Show a progress bar on standard error once the fit has taken two seconds.

        Returns
        -------
        Self
            The object itself. If ``fit`` raises, the object stays what it was.

        Raises
        ------
        NumericalError
            Where a row's system has no finite solution; the message names the row.
        ValueError
            For features none of whose ids is one of X, and for parameters out of range.
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
        """Add new interactions: new and changed rows get new factors, all others stay.

        Parameters
        ----------
        X, y, duplicates
            As in `ImplicitALS.partial_fit`.
        item_features, user_features : as in `fit`
            Features of new items and users, encoded as in the first fit. A row of an id that has
            features already replaces them.

        Returns
        -------
        Self
            The object itself. If this raises, the object stays what it was.

        Notes
        -----
        The factors of features stay what they are. This is not a refit: call `fit` with
        ``start=model`` from time to time.
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X, y, item_features=item_features, user_features=user_features)
        joined = JoinedData.join(self, X, duplicates)
        fresh = type(self)(**self._fitted_with)
        fresh._set_training_data(joined.data)
        features = self._joined_features(joined.data, item_features, user_features)
        fresh._options = FitOptions(joined.data, **features)
        fresh._set_features()
        del fresh._options
        for side in ("item", "user"):
            setattr(fresh, f"{side}_feature_factors_", self._feature_factors(side))
        return self._update(fresh, joined)

    def _complete_update(self, joined: JoinedData, n_threads: int) -> None:
        for side in ("item", "user"):
            self._fill_without_entries(side)
        self._prepare(n_threads)

    # ---- new users ---------------------------------------------------------------------------

    def _solve_new(
        self, profiles: sp.csr_array, features: sp.csr_array | None, n_threads: int
    ) -> Array:
        prior = None
        if features is not None and len(self.user_feature_factors_):
            prior = self._factors_of("user", features)
        vectors = self._solve_exactly(profiles, "user", n_threads, self._share_of(prior))
        if prior is not None:
            without = n_entries(profiles) == 0
            vectors[without] = prior[without]
        return vectors

    def _check_state(self) -> None:
        super()._check_state()
        for side in ("item", "user"):
            B, encoder = self._feature_factors(side), getattr(self, f"{side}_encoder_")
            n = 0 if encoder is None else encoder.n_features + 1
            shape = (n, self.item_factors_.shape[1])
            if B.shape != shape or B.dtype.kind != "f" or not np.isfinite(B).all():
                raise ValueError(f"factors of {side} features that do not fit the model")

    def explain(
        self,
        user: Any,
        item: Any,
        *,
        k: int | None = 10,
        by: str = "items",
        item_features: Any = None,
    ) -> Explanation:
        """Return what contributes to the score of an item.

        Parameters
        ----------
        user, item : id
            One of each.
        k : int or None, default=10
            Number of contributions to list, largest absolute values first; None: all.
        by : {"items", "features"}, default="items"
            "items": the user's items, as in `ImplicitALS.explain`; what the user's features add is
            part of the offset. "features": the features of the item; what its own interactions
            add, and the mean of all items, is the offset.
        item_features : FeatureTable, table or matrix, optional
            Features of new items, of which ``item`` may be one.

        Returns
        -------
        Explanation
            Its ``of`` is "items" or "features"; contributions and offset add up to the score.

        Raises
        ------
        KeyError
            For an unknown user, and an item neither in the fit nor in ``item_features``.
        ValueError
            For a model that was saved without its training data, or without item features.
        """
        by = as_choice(by, "by", ("items", "features"))
        self._check_fitted()
        if self.item_features_ is None:
            if by == "features":
                raise ValueError("the model was fitted without item_features: use by='items'")
            if item_features is None:
                return super().explain(user, item, k=k)
        if by == "items":
            self._require_training("explain scores")
        row, column, features, score = item_to_explain(self, user, item, item_features)
        if by == "items":
            is_new = column >= self.n_items
            vector = self._factors_of("item", features)[0] if is_new else self.item_factors_[column]
            return self._explained_by_items(row, vector, score, k)
        own = design(features, bool(self._fitted_parameters()["normalize"]))
        is_feature = own.indices < features.shape[1]
        columns, values = own.indices[is_feature], own.data[is_feature]
        x = self.user_factors_[row].astype(np.float64)
        parts = values * (self.item_feature_factors_[columns].astype(np.float64) @ x)
        return explanation_by_features(score, columns, parts, self.item_encoder_, k)

    def _regressed_rows(self, side: str) -> NDArray[np.bool_]:
        """Return flags of the rows whose factors the factors of features are learned from."""
        features = self._features(side)
        assert features is not None
        return np.asarray(self._with_entries(side) & has_features(features))
