"""Stacking: a second stage that ranks the candidates of several models by learned features."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.stats import rankdata

from ..base.optional import import_optional
from ..base.progress import logger
from ..base.random import as_seed
from ..base.registry import register
from ..base.validation import as_choice, as_int
from ._fused import FusedModel
from ._learner import Scorer, as_estimator, convert, described, estimator_scores
from .candidates import CandidateTable, feature_names, features_of, out_of_fold_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ._pool import Pool

    Floats = NDArray[np.float64]

__all__ = ["Stacking"]


@register("stacking")
class Stacking(FusedModel):
    r"""Rank the candidates of several models by a scikit-learn estimator (two-stage ranking).

    The first stage, the member models, proposes candidates. The second stage, the estimator, ranks
    them by features: the z-score and the logarithm of the rank that each member gives the item, and
    the logarithms of the numbers of interactions of item and user. It learns from out-of-fold
    scores: each fold of the interactions is scored by members that were fitted without it.

    Parameters
    ----------
    models : mapping of str to model, list of models, or str, default=("item-knn", "implicit-als")
        Recommenders or registered names; a string holds names joined by "+". They are copied, and
        fitted members are fitted anew, without features of items and users.
    estimator : {"logistic", "boosting", "forest"} or scikit-learn estimator, default="logistic"
        A classifier or regressor; it is cloned. The score is its probability of the label 1 where
        it has one, else its decision function, else its prediction. `fit` needs scikit-learn.
    depth : int, default=200
        Each member contributes this many candidates.
    n_folds : int, default=5
        Number of folds of the interactions, at least 2.
    validation : {"folds", "latest"}, default="folds"
        "folds": every interaction is in one of `n_folds` random folds. "latest": the second stage
        learns from the newest ``1 / n_folds`` of the interactions only, with members fitted on
        those before; needs `Interactions` with times. This avoids learning from the future where
        preferences change, and costs one fit of each member instead of `n_folds`.
    max_rows : int, default=500_000
        Bound on the candidates that the second stage learns from; users are sampled.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the folds, the samples, and the estimators given by name.

    Attributes
    ----------
    models_ : dict of str to Recommender
        The members, fitted on all interactions.
    estimator_ : object or None
        The fitted estimator; None after loading, and where there was nothing to learn from.
    feature_names_ : tuple of str
        Names of the features.
    auc_ : float
        Area under the ROC curve of the second stage on the candidates of users that it did not
        learn from (two halves of the users, each judged by the other); 0.5 is chance. NaN where
        there was nothing to learn from.
    n_candidates_, n_taken_ : int
        Candidates that the second stage learned from, and how many of them the user took.
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions.

    Notes
    -----
    A file holds the second stage as plain arrays, for linear models, multi-layer perceptrons,
    trees, forests and gradient boosting of scikit-learn, alone or after a ``StandardScaler`` in a
    pipeline. Loading and answering then need no scikit-learn. `save` refuses other estimators.
    Without any candidate that was taken, all members count alike by reciprocal rank, and a warning
    is logged.

    References
    ----------
    D. Wolpert, "Stacked generalization", Neural Networks 5, 1992. P. Covington, J. Adams, E.
    Sargin, "Deep neural networks for YouTube recommendations", RecSys 2016 (two stages).

    Examples
    --------
    >>> from aimass_core import ItemKNN, Popularity
    >>> from aimass_core.fusion import Stacking
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = (rng.random((60, 20)) < np.linspace(0.1, 0.6, 20)).astype(float)
    >>> model = Stacking(models={"knn": ItemKNN(), "popular": Popularity()}).fit(X)
    >>> model.feature_names_[:3]
    ('knn z-score', 'knn log rank', 'popular z-score')
    >>> model.recommend([0], k=3).indices.shape
    (1, 3)
    """

    _state: ClassVar[tuple[str, ...]] = (
        *FusedModel._state,
        "stored_scorer_",
        "auc_",
        "n_candidates_",
        "n_taken_",
    )

    scorer_parts_: dict[str, Any]
    auc_: float
    n_candidates_: int
    n_taken_: int

    def __init__(
        self,
        *,
        models: Any = ("item-knn", "implicit-als"),
        estimator: Any = "logistic",
        depth: int = 200,
        n_folds: int = 5,
        validation: str = "folds",
        max_rows: int = 500_000,
        random_state: Any = 0,
    ) -> None:
        self.models = models
        self.estimator = estimator
        self.depth = depth
        self.n_folds = n_folds
        self.validation = validation
        self.max_rows = max_rows
        self.random_state = random_state

    @property
    def feature_names_(self) -> tuple[str, ...]:
        """Names of the features of the second stage."""
        self._check_fitted()
        return feature_names(self.models_)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        as_int(self.n_folds, "n_folds", minimum=2)
        as_int(self.max_rows, "max_rows", minimum=1)
        self._seed = as_seed(self.random_state)
        as_choice(self.validation, "validation", ("folds", "latest"))
        as_estimator(self.estimator, self._seed % 2**32)

    def _learn_fusion(self, X: Any, n_threads: int) -> None:
        table = out_of_fold_table(
            self._members(),
            X,
            depth=self.depth,
            n_folds=self.n_folds,
            validation=self.validation,
            max_rows=self.max_rows,
            random_state=self._seed,
            n_threads=n_threads,
        )
        self.n_candidates_, self.n_taken_ = len(table), int(table.labels.sum())
        self.auc_, self.estimator_, self.scorer_parts_ = float("nan"), None, {}
        if not 0 < self.n_taken_ < self.n_candidates_:
            logger.warning(
                "Stacking.fit: %d of %d candidates were taken, so there is nothing to learn; the "
                "members count alike",
                self.n_taken_,
                self.n_candidates_,
            )
            return
        template = as_estimator(self.estimator, self._seed % 2**32)
        self.auc_ = _cross_fitted_auc(template, table)
        clone = import_optional("sklearn.base").clone
        self.estimator_ = clone(template).fit(table.features, table.labels.astype(np.int64))
        scorer = convert(self.estimator_, table.features)
        self.scorer_parts_ = {} if scorer is None else scorer.parts

    def _prepare(self, n_threads: int) -> None:
        super()._prepare(n_threads)
        self._scorer: Callable[[Floats], Floats] | None = None
        if self.scorer_parts_:
            self._scorer = Scorer(self.scorer_parts_, len(feature_names(self.models_)))
        elif getattr(self, "estimator_", None) is not None:
            self._scorer = partial(estimator_scores, self.estimator_)

    def _restore(self) -> None:
        self.estimator_ = None
        super()._restore()

    def _fuse(self, pool: Pool) -> Floats:
        if self._scorer is None:
            fused = sum(1.0 / (60.0 + pool.ranks(m)) for m in range(len(self.models_)))
        elif not len(pool.rows):
            return np.empty(0)
        else:
            fused = self._scorer(features_of(pool, self.item_counts_))
        scores: Floats = np.asarray(fused, dtype=np.float64)
        scores[~pool.is_ranked] = -np.inf
        return scores

    def _fitted_parameters(self) -> dict[str, Any]:
        """Return the parameters of the last fit, with the estimator as a file describes it."""
        parameters = super()._fitted_parameters()
        return {**parameters, "estimator": described(parameters["estimator"])}

    @property
    def stored_scorer_(self) -> dict[str, Any]:
        """The fitted second stage as a file holds it; TypeError where it has no such form."""
        if self.estimator_ is not None and not self.scorer_parts_:
            raise TypeError(
                f"this fitted {type(self.estimator_).__name__} has no form that a file can hold "
                "without pickle: take a linear model, a forest or gradient boosting without "
                "categorical features, or keep the model in memory"
            )
        return self.scorer_parts_

    @stored_scorer_.setter
    def stored_scorer_(self, parts: Any) -> None:
        self.scorer_parts_ = parts

    def save(self, path: Any, *, training: bool = True) -> None:
        """Write the fitted model to one file, atomically and without pickle.

        Parameters
        ----------
        path : str or path-like
            The file; an older one is replaced only once the new one is complete.
        training : bool, default=True
            Store the interactions of the fit; as for any recommender.

        Raises
        ------
        TypeError
            For an estimator that has no safe form in a file; the message lists those that have.
        """
        super().save(path, training=training)


def _cross_fitted_auc(template: Any, table: CandidateTable) -> float:
    """Return the AUC on candidates of users that the second stage did not learn from."""
    half = np.zeros(int(table.users.max()) + 1, dtype=np.int64)
    present = np.unique(table.users)
    half[np.random.default_rng(0).permutation(present)[: len(present) // 2]] = 1
    side = half[table.users]
    areas, sizes = [], []
    for part in (0, 1):
        learned, judged = side != part, side == part
        labels = table.labels[judged]
        if len(np.unique(table.labels[learned])) < 2 or len(np.unique(labels)) < 2:
            return float("nan")
        fitted = import_optional("sklearn.base").clone(template)
        fitted.fit(table.features[learned], table.labels[learned].astype(np.int64))
        areas.append(area_under_roc(estimator_scores(fitted, table.features[judged]), labels))
        sizes.append(int(labels.sum()))
    return float(np.average(areas, weights=sizes))


def area_under_roc(scores: Floats, labels: NDArray[np.bool_]) -> float:
    """Return the probability that a label of 1 scores above a label of 0; a tie counts one half."""
    n_positive = int(labels.sum())
    n_negative = len(labels) - n_positive
    ranks = rankdata(scores)
    total = float(ranks[labels].sum())
    return (total - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)
