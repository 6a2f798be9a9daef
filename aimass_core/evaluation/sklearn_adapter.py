"""Recommenders in scikit-learn's model selection: `GridSearchCV`, `cross_val_score`."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.estimator import Estimator, clone
from ..base.validation import as_csr
from ..data import Interactions
from ..data.split import per_user
from ._metrics import parse_metrics
from .evaluate import evaluate
from .ratings import r2

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

__all__ = ["RatingRegressor", "ranking_scorer"]


class RatingRegressor(Estimator):
    """A model of ratings as a scikit-learn regressor on pairs of a user and an item.

    Parameters
    ----------
    model : Recommender
        A model that predicts ratings, such as ``BaselineOnly()`` or ``ExplicitALS()``. It is
        cloned; its parameters are reached as ``model__n_factors`` and so on.

    Attributes
    ----------
    model_ : Recommender
        The fitted model.
    mean_ : float
        Mean of the ratings of the fit: the prediction for a user or an item that is not in it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from aimass_core import BaselineOnly
    >>> from aimass_core.evaluation import RatingRegressor
    >>> rng = np.random.default_rng(0)
    >>> pairs = np.argwhere(rng.random((30, 20)) < 0.5)  # columns: user, item
    >>> ratings = 3 + pairs[:, 1] / 10 + rng.normal(0, 0.1, len(pairs))
    >>> search = GridSearchCV(
    ...     RatingRegressor(model=BaselineOnly()),
    ...     {"model__reg_i": [1, 100]},
    ...     scoring="neg_root_mean_squared_error",
    ... )
    >>> search.fit(pairs, ratings).best_params_
    {'model__reg_i': 1}
    """

    _estimator_type: ClassVar[str] = "regressor"

    model_: Any
    mean_: float

    def __init__(self, *, model: Any) -> None:
        self.model = model

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True),
            input_tags=InputTags(string=True),
            regressor_tags=RegressorTags(),
        )

    def fit(self, X: Any, y: Any) -> Self:
        """Fit a clone of the model on ratings.

        Parameters
        ----------
        X : array-like or data frame of shape (n, 2)
            A user and an item for each rating: numbers or strings.
        y : array-like of float, shape (n,)
            The ratings. Several ratings of one pair are averaged.

        Returns
        -------
        Self
            The object itself.

        Raises
        ------
        TypeError
            For a model that only ranks.
        ValueError
            For another number of columns, or ratings that are not finite.
        """
        if isinstance(self.model, type):
            raise TypeError(f"model must be an object: write {self.model.__name__}()")
        users, items = _pairs(X)
        x = Interactions.from_arrays(users, items, y, duplicates="mean")
        model = clone(self.model).fit(x)
        if not getattr(model, "predicts_ratings", False):  # known after the fit for some models
            raise TypeError(
                f"model must predict ratings, but {type(model).__name__} only ranks: use a model "
                "of ratings (ItemKNN or UserKNN with aggregation='mean'), or pass the matrix of "
                "users x items to GridSearchCV with scoring=ranking_scorer('ndcg@10')"
            )
        self.model_ = model
        self.mean_ = float(x.matrix.data.mean())
        self.n_features_in_ = 2
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict the rating of each pair.

        Parameters
        ----------
        X : array-like or data frame of shape (n, 2)
            A user and an item for each rating.

        Returns
        -------
        ndarray of float64, shape (n,)
            The mean rating where the user or the item is not in the fit.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        self._check_fitted()
        users, items = _pairs(X)
        fitted = self.model_
        known = np.flatnonzero((fitted.users_.get(users) >= 0) & (fitted.items_.get(items) >= 0))
        predicted = np.full(len(users), self.mean_)
        if len(known):
            predicted[known] = fitted.predict(users[known], items[known])
        return predicted

    def score(self, X: Any, y: Any) -> float:
        """Return the coefficient of determination of the predictions.

        Parameters
        ----------
        X : array-like or data frame of shape (n, 2)
            A user and an item for each rating.
        y : array-like of float, shape (n,)
            The ratings.

        Returns
        -------
        float
            As `r2`.
        """
        return r2(np.asarray(y, dtype=np.float64), self.predict(X))


def _pairs(X: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the columns of users and of items, each of its own type."""
    if hasattr(X, "iloc"):
        if X.shape[1] != 2:
            raise ValueError(f"X must have the columns user and item, got {X.shape[1]} columns")
        return X.iloc[:, 0].to_numpy(), X.iloc[:, 1].to_numpy()
    array = np.asarray(X)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(
            f"X must be of shape (n, 2), a user and an item for each rating, got {array.shape}"
        )
    if array.dtype.kind == "f" and (array == np.floor(array)).all():
        array = array.astype(np.int64)
    return array[:, 0], array[:, 1]


def ranking_scorer(
    metric: str = "ndcg@10", *, holdout_size: float = 0.2, random_state: int = 0
) -> Callable[..., float]:
    """Return a scorer for recommenders in scikit-learn's model selection.

    The data given to `GridSearchCV` or `cross_val_score` is the matrix of users x items, so a fold
    is a part of the users. The scorer shows the model one part of each of these users' entries and
    judges its list for them by the other part (strong generalization).

    Parameters
    ----------
    metric : str, default "ndcg@10"
        A list metric of `evaluate` of which a larger value is better.
    holdout_size : float in (0, 1), default 0.2
        Share of each test user's entries to be predicted, rounded down.
    random_state : int, default 0
        Seed of the choice of these entries: the same for all settings.

    Returns
    -------
    callable
        ``scorer(estimator, X, y=None)``, the mean over the users of X.

    Raises
    ------
    ValueError
        For an unknown metric or one of ratings.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from aimass_core import Popularity
    >>> from aimass_core.evaluation import ranking_scorer
    >>> X = (np.random.default_rng(0).random((60, 20)) < 0.4) * 1.0
    >>> scores = cross_val_score(Popularity(), X, cv=3, scoring=ranking_scorer("recall@5"))
    >>> scores.shape
    (3,)
    """
    columns, rated = parse_metrics(metric, 10)
    if rated or not columns:
        raise ValueError(
            f"metric must be a metric of lists, got {metric!r}; for ratings use RatingRegressor "
            "with a scorer of scikit-learn such as 'neg_root_mean_squared_error'"
        )
    title = columns[0].title

    def scorer(estimator: Any, X: Any, y: Any = None) -> float:
        parts = per_user(
            Interactions.from_csr(as_csr(X)), test_size=holdout_size, random_state=random_state
        )
        users = SimpleNamespace(
            train=estimator.user_items_,
            test=parts.test.matrix,
            fold_in=parts.train.matrix,
            holdout=parts.test.matrix,
        )
        table = evaluate({"model": estimator}, users, metrics=metric, fit=False, intervals=False)
        return table["model"][title]

    return scorer
