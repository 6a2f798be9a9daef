"""Factors of users as features in scikit-learn's pipelines: `FactorFeatures`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.estimator import Estimator, clone
from ..base.transform_output import TransformOutput

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

__all__ = ["FactorFeatures"]


class FactorFeatures(TransformOutput, Estimator):
    """A factor model as a scikit-learn transformer of users x items into users x factors.

    `fit` fits a clone of the model, and `transform` returns `fold_in` of the given rows: the
    factors of users by their interactions, whether or not the users were in the fit. In a
    pipeline the model is fitted on the training part of each fold alone.

    Parameters
    ----------
    model : Recommender
        A model with ``fold_in``, such as ``ImplicitALS()`` or ``PureSVD()``. It is cloned; its
        parameters are reached as ``model__n_factors`` and so on.

    Attributes
    ----------
    model_ : Recommender
        The fitted model.

    Notes
    -----
    A fit costs as much as that of the model, and `transform` one `fold_in` of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from aimass_core import PureSVD
    >>> from aimass_core.factorization import FactorFeatures
    >>> rng = np.random.default_rng(0)
    >>> kind = np.arange(200) % 2
    >>> taste = np.where(np.arange(30) % 2 == kind[:, None], 0.4, 0.1)
    >>> X = (rng.random((200, 30)) < taste).astype(np.float32)  # users x items
    >>> pipeline = make_pipeline(FactorFeatures(model=PureSVD(n_factors=4)), LogisticRegression())
    >>> bool(cross_val_score(pipeline, X, kind, cv=3).mean() > 0.9)
    True
    """

    model_: Any

    def __init__(self, *, model: Any) -> None:
        self.model = model

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            input_tags=InputTags(sparse=True),
            transformer_tags=TransformerTags(preserves_dtype=[]),
        )

    def fit(self, X: Any, y: object = None) -> Self:
        """Fit a clone of the model.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of users x items
            The interactions.
        y : object
            Ignored; a Pipeline passes the target of its last step.

        Returns
        -------
        Self
            The object itself.

        Raises
        ------
        TypeError
            For a model without ``fold_in``, or a class in place of an object.
        """
        if isinstance(self.model, type):
            raise TypeError(f"model must be an object: write {self.model.__name__}()")
        if not hasattr(self.model, "fold_in"):
            raise TypeError(
                f"model must be a factor model such as ImplicitALS or PureSVD, but "
                f"{type(self.model).__name__} has no fold_in"
            )
        self.model_ = clone(self.model).fit(X)
        self.n_features_in_ = self.model_.n_items
        return self

    def transform(self, X: Any) -> Any:
        """Return the factors of users by their interactions.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of shape (n, n_items)
            As in ``fold_in``.

        Returns
        -------
        ndarray of float, shape (n, n_factors)
            A data frame after ``set_output(transform="pandas")``.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        self._check_fitted()
        return self._as_output(X, self.model_.fold_in(X))

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the columns of `transform`: ``factor_0``, ``factor_1`` and so on.

        Parameters
        ----------
        input_features : object
            Ignored; a Pipeline passes the names of the input.

        Returns
        -------
        ndarray of object
        """
        self._check_fitted()
        n_factors = self.model_.item_factors_.shape[1]
        return np.array([f"factor_{i}" for i in range(n_factors)], dtype=object)
