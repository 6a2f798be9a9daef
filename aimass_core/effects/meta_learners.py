"""Uplift of single customers from any scikit-learn estimators: S-, T-, X- and DR-learner.

All of them model E[Y(1) - Y(0) | X] from a randomised campaign (or, with a propensity model, from
observational data without unobserved confounders). scikit-learn is imported when a learner is
fitted. A base model with ``predict_proba`` predicts the probability of its second class, any other
its ``predict``. A classifier without ``predict_proba`` is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtri

from ..base.arrays import as_labels, as_vector
from ..base.estimator import Estimator
from ..base.fit_options import FitOptions
from ..base.optional import import_optional
from ..base.random import as_seed
from ..base.validation import as_float, as_int
from ..evaluation.resampling import Interval
from ..exceptions import NotFittedError
from ._arms import check_two_arms

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.progress import Event, Progress

    Floats = NDArray[np.float64]

__all__ = [
    "DRLearner",
    "SLearner",
    "TLearner",
    "XLearner",
    "cross_fitted_rewards",
    "out_of_fold_uplift",
]

MIN_PROPENSITY = 0.01


def _rows_of(X: Any) -> tuple[Any, int]:
    """Return features as given, if their rows can be selected, and the number of rows."""
    if sp.issparse(X):
        X = X.tocsr()
    elif not hasattr(X, "iloc"):
        X = np.asarray(X)
        if X.ndim != 2:
            raise ValueError(f"X must be 2-D (customers x features), got {X.ndim}-D")
        if X.dtype.kind in "OUS":
            raise TypeError("X must hold numbers: encode categories first, or give a data frame")
    if not X.shape[0]:
        raise ValueError("X must have at least one row")
    return X, int(X.shape[0])


def _take(X: Any, rows: Any) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _with_column(X: Any, column: Floats) -> Any:
    """Return features with one more column, in front."""
    if sp.issparse(X):
        return sp.hstack([sp.csr_array(column[:, None]), X], format="csr")
    if hasattr(X, "iloc"):
        return X.assign(treatment_=column)
    return np.column_stack([column, X])


def _checked(X: Any, treatment: Any, y: Any) -> tuple[Any, NDArray[np.bool_], Floats]:
    X, n = _rows_of(X)
    labels, codes = as_labels(treatment, "treatment", length=n)
    check_two_arms(labels)
    return X, codes.astype(bool), as_vector(y, "y", length=n)


def _default(kind: str) -> Any:
    ensemble = import_optional("sklearn.ensemble")
    options = {"max_leaf_nodes": 8, "min_samples_leaf": 50, "learning_rate": 0.05, "max_iter": 80}
    name = "Classifier" if kind == "classifier" else "Regressor"
    return getattr(ensemble, f"HistGradientBoosting{name}")(**options, random_state=0)


def _fit(model: Any, X: Any, y: Floats, *, outcome: bool = True) -> Any:
    """Return a fitted clone; None stands for gradient boosting, a classifier for 0/1 outcomes."""
    is_binary = outcome and bool(np.isin(y, (0.0, 1.0)).all())
    if model is None:
        model = _default("classifier" if is_binary else "regressor")
    sklearn = import_optional("sklearn.base")
    if isinstance(model, type) or not hasattr(model, "fit") or not hasattr(model, "get_params"):
        raise TypeError(f"a model must be a scikit-learn estimator (not a class), got {model!r}")
    if not hasattr(model, "predict_proba") and sklearn.is_classifier(model):
        raise TypeError(
            f"{type(model).__name__} predicts classes without probabilities, whose differences are "
            "no effects: give a regressor, or wrap it in sklearn.calibration.CalibratedClassifierCV"
        )
    if hasattr(model, "predict_proba"):
        if not is_binary:
            raise ValueError(
                f"{type(model).__name__} is a classifier, but the values it is to learn are not "
                "all 0 or 1: give a regressor"
            )
        if y.min() == y.max():
            return _Constant(float(y[0]))
        y = y.astype(np.int64)
    try:
        return sklearn.clone(model).fit(X, y)
    except ValueError as error:
        name = _text_column(X)
        if name is None or "could not convert" not in str(error):
            raise
        raise ValueError(
            f"column {name!r} of X holds text, which {type(model).__name__} cannot fit: give its "
            "one-hot columns, for example by pandas.get_dummies(X) or by a pipeline with "
            "sklearn.preprocessing.OneHotEncoder as the model"
        ) from error


def _text_column(X: Any) -> Any:
    """Return the name of the first column of a data frame whose first value is a text."""
    if not hasattr(X, "iloc"):
        return None
    texts = (name for j, name in enumerate(X.columns) if isinstance(X.iloc[0, j], str))
    return next(texts, None)


class _Constant:
    """The model of an outcome that is the same for every customer."""

    def __init__(self, value: float) -> None:
        self.value = value

    def predict(self, X: Any) -> Floats:
        return np.full(X.shape[0], self.value)


def _predict(model: Any, X: Any) -> Floats:
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(X)[:, 1], dtype=np.float64)
    return np.asarray(model.predict(X), dtype=np.float64)


def _folds(
    treated: NDArray[np.bool_], y: Floats, n_folds: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return a fold for each row, with equal shares of each arm (and of 0 and 1 outcomes)."""
    strata = treated.astype(np.int64)
    if np.isin(y, (0.0, 1.0)).all():
        strata = 2 * strata + y.astype(np.int64)
    fold = np.empty(len(y), dtype=np.int64)
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        fold[rows] = (np.arange(len(rows)) + rng.integers(n_folds)) % n_folds
    return fold


class _Learner(Estimator):
    """Base class of the learners."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Refuse: the base models are scikit-learn's, for which there is no file format.

        Parameters
        ----------
        path : str or path-like
            Not used.
        """
        raise NotImplementedError(
            f"a {type(self).__name__} holds scikit-learn models, which aimass_core does not write "
            "to files: save them with skops or joblib"
        )

    def _features(self, X: Any) -> Any:
        if not hasattr(self, "n_features_in_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted: call fit first")
        X, _ = _rows_of(X)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X must have {self.n_features_in_} features as in fit, got {X.shape[1]}"
            )
        return X


class SLearner(_Learner):
    """Uplift from one model that has the treatment as a feature.

    Parameters
    ----------
    model : scikit-learn estimator, optional
        Model of the outcome. Default: gradient boosting.

    Notes
    -----
    A regularised model may ignore the treatment and so shrink the uplift towards 0.

    References
    ----------
    .. [1] S. R. Kunzel, J. S. Sekhon, P. J. Bickel, B. Yu, "Metalearners for estimating
       heterogeneous treatment effects using machine learning", PNAS 116, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from aimass_core.effects import SLearner
    >>> X, treated = np.arange(8.0)[:, None], np.arange(8) % 2
    >>> learner = SLearner(LinearRegression()).fit(X, treated, X[:, 0] + 3 * treated)
    >>> learner.predict(X[:2]).round(6).tolist()
    [3.0, 3.0]
    """

    def __init__(self, model: Any = None) -> None:
        self.model = model

    def fit(
        self,
        X: Any,
        treatment: Any,
        y: Any,
        *,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Fit the model of the outcome.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame, shape (n_customers, n_features)
            Features known before the campaign.
        treatment : array-like of bool or of 0 and 1, shape (n_customers,)
            Who was treated.
        y : array-like of float, shape (n_customers,)
            Outcome.
        callback : callable, optional
            Called with an `Event` after each step; its result has no effect.
        verbose : bool, default=False
            Show a progress bar once the fit has taken two seconds.

        Returns
        -------
        Self
        """
        X, treated, y = _checked(X, treatment, y)
        with FitOptions(callback=callback, verbose=verbose).progress(1) as progress:
            model = _fit(self.model, _with_column(X, treated.astype(np.float64)), y)
            progress.step(1)
        self.model_, self.n_features_in_ = model, int(X.shape[1])
        return self

    def predict(self, X: Any) -> Floats:
        """Predict the uplift of customers.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame, shape (n_customers, n_features)
            The features of fit.

        Returns
        -------
        ndarray of float64, shape (n_customers,)
        """
        X = self._features(X)
        n = X.shape[0]
        with_it = _predict(self.model_, _with_column(X, np.ones(n)))
        return with_it - _predict(self.model_, _with_column(X, np.zeros(n)))


class TLearner(_Learner):
    """Uplift as the difference of two models, of the treated and of the control customers.

    Parameters
    ----------
    model : scikit-learn estimator, optional
        Model of the outcome, cloned for each arm. Default: gradient boosting.

    References
    ----------
    .. [1] S. R. Kunzel et al., "Metalearners for estimating heterogeneous treatment effects using
       machine learning", PNAS 116, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from aimass_core.effects import TLearner
    >>> X, treated = np.arange(8.0)[:, None], np.arange(8) % 2
    >>> learner = TLearner(LinearRegression()).fit(X, treated, X[:, 0] * (1 + treated))
    >>> learner.predict(X[:3]).round(6).tolist()
    [0.0, 1.0, 2.0]
    """

    def __init__(self, model: Any = None) -> None:
        self.model = model

    def fit(
        self,
        X: Any,
        treatment: Any,
        y: Any,
        *,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Fit the two models of the outcome.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame, shape (n_customers, n_features)
            Features known before the campaign.
        treatment : array-like of bool or of 0 and 1, shape (n_customers,)
            Who was treated.
        y : array-like of float, shape (n_customers,)
            Outcome.
        callback : callable, optional
            Called with an `Event` after each step; its result has no effect.
        verbose : bool, default=False
            Show a progress bar once the fit has taken two seconds.

        Returns
        -------
        Self
        """
        X, treated, y = _checked(X, treatment, y)
        models = []
        with FitOptions(callback=callback, verbose=verbose).progress(2) as progress:
            for step, arm in enumerate((~treated, treated), 1):
                models.append(_fit(self.model, _take(X, np.flatnonzero(arm)), y[arm]))
                progress.step(step)
        self.models_, self.n_features_in_ = tuple(models), int(X.shape[1])
        return self

    def predict(self, X: Any) -> Floats:
        """Predict the uplift of customers.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame, shape (n_customers, n_features)
            The features of fit.

        Returns
        -------
        ndarray of float64, shape (n_customers,)
        """
        X = self._features(X)
        without, with_it = self.models_
        return _predict(with_it, X) - _predict(without, X)


class _Propensities:
    """The probability to be treated: a constant, or a fitted classifier."""

    def __init__(self, propensity: Any, X: Any, treated: NDArray[np.bool_]) -> None:
        self.share: float | None = None
        if propensity is None:
            self.share = float(treated.mean())
        elif hasattr(propensity, "predict_proba"):
            self.model = _fit(propensity, X, treated.astype(np.float64))
        else:
            self.share = as_float(propensity, "propensity", above=0)
            if self.share >= 1:
                raise ValueError(f"propensity must be below 1, got {self.share}")

    def of(self, X: Any) -> Floats:
        if self.share is not None:
            return np.full(X.shape[0], self.share)
        return np.clip(_predict(self.model, X), MIN_PROPENSITY, 1 - MIN_PROPENSITY)


class XLearner(_Learner):
    """Uplift from models of the imputed effects of both arms, weighted by the propensity.

    Parameters
    ----------
    outcome_model : scikit-learn estimator, optional
        Model of the outcome, cloned for each arm. Default: gradient boosting.
    effect_model : scikit-learn regressor, optional
        Model of the imputed effects, cloned for each arm. Default: gradient boosting.
    propensity : float or scikit-learn classifier, optional
        Probability to be treated, or the model of it. Default: the share of treated customers.

    Notes
    -----
    Made for arms of very different size.

    References
    ----------
    .. [1] S. R. Kunzel et al., "Metalearners for estimating heterogeneous treatment effects using
       machine learning", PNAS 116, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from aimass_core.effects import XLearner
    >>> X, treated = np.arange(8.0)[:, None], np.arange(8) % 2
    >>> learner = XLearner(LinearRegression(), LinearRegression())
    >>> learner.fit(X, treated, X[:, 0] * (1 + treated)).predict(X[:3]).round(6).tolist()
    [0.0, 1.0, 2.0]
    """

    def __init__(
        self, outcome_model: Any = None, effect_model: Any = None, propensity: Any = None
    ) -> None:
        self.outcome_model = outcome_model
        self.effect_model = effect_model
        self.propensity = propensity

    def fit(
        self,
        X: Any,
        treatment: Any,
        y: Any,
        *,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Fit the models of outcome and effect.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame, shape (n_customers, n_features)
            Features known before the campaign.
        treatment : array-like of bool or of 0 and 1, shape (n_customers,)
            Who was treated.
        y : array-like of float, shape (n_customers,)
            Outcome.
        callback : callable, optional
            Called with an `Event` after each step; its result has no effect.
        verbose : bool, default=False
            Show a progress bar once the fit has taken two seconds.

        Returns
        -------
        Self
        """
        X, treated, y = _checked(X, treatment, y)
        arms = [np.flatnonzero(~treated), np.flatnonzero(treated)]
        parts = [_take(X, rows) for rows in arms]
        with FitOptions(callback=callback, verbose=verbose).progress(3) as progress:
            outcomes = [_fit(self.outcome_model, part, y[rows]) for part, rows in zip(parts, arms)]
            progress.step(1)
            imputed = [
                _predict(outcomes[1], parts[0]) - y[arms[0]],
                y[arms[1]] - _predict(outcomes[0], parts[1]),
            ]
            effects = tuple(
                _fit(self.effect_model, part, values, outcome=False)
                for part, values in zip(parts, imputed)
            )
            progress.step(2)
            propensities = _Propensities(self.propensity, X, treated)
            progress.step(3)
        self.effect_models_, self.propensities_ = effects, propensities
        self.n_features_in_ = int(X.shape[1])
        return self

    def predict(self, X: Any) -> Floats:
        """Predict the uplift of customers.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame, shape (n_customers, n_features)
            The features of fit.

        Returns
        -------
        ndarray of float64, shape (n_customers,)
        """
        X = self._features(X)
        share = self.propensities_.of(X)
        of_control, of_treated = self.effect_models_
        return share * _predict(of_control, X) + (1 - share) * _predict(of_treated, X)


class DRLearner(_Learner):
    """Uplift from a model of cross-fitted doubly robust pseudo-outcomes.

    Parameters
    ----------
    outcome_model : scikit-learn estimator, optional
        Model of the outcome, cloned for each arm and fold. Default: gradient boosting.
    effect_model : scikit-learn regressor, optional
        Model of the pseudo-outcomes. Default: gradient boosting.
    propensity : float or scikit-learn classifier, optional
        Probability to be treated, or the model of it. Default: the share of treated customers.
    n_folds : int, default 5
        Folds of the cross-fitting: no pseudo-outcome uses a model that saw its customer.
    confidence : float, default 0.95
        Level of the interval of the average effect.
    random_state : int, Generator or None, default 0
        Seed of the folds.

    Attributes
    ----------
    average_effect_ : Interval
        Average effect by augmented inverse-propensity weighting, with its interval.
    pseudo_outcomes_ : ndarray of float64, shape (n_customers,)
        Their mean is the average effect.

    References
    ----------
    .. [1] E. H. Kennedy, "Towards optimal doubly robust estimation of heterogeneous causal
       effects", Electronic Journal of Statistics 17, 2023.
    .. [2] J. M. Robins, A. Rotnitzky, L. P. Zhao, "Estimation of regression coefficients when some
       regressors are not always observed", JASA 89, 1994.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from aimass_core.effects import DRLearner
    >>> X, treated = np.arange(40.0)[:, None], np.arange(40) % 2
    >>> learner = DRLearner(LinearRegression(), LinearRegression(), n_folds=2)
    >>> learner.fit(X, treated, X[:, 0] * (1 + treated)).predict(X[:3]).round(6).tolist()
    [0.0, 1.0, 2.0]
    """

    def __init__(
        self,
        outcome_model: Any = None,
        effect_model: Any = None,
        propensity: Any = None,
        *,
        n_folds: int = 5,
        confidence: float = 0.95,
        random_state: Any = 0,
    ) -> None:
        self.outcome_model = outcome_model
        self.effect_model = effect_model
        self.propensity = propensity
        self.n_folds = n_folds
        self.confidence = confidence
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        treatment: Any,
        y: Any,
        *,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Cross-fit the models of outcome and propensity, then fit the model of the effect.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame, shape (n_customers, n_features)
            Features known before the campaign.
        treatment : array-like of bool or of 0 and 1, shape (n_customers,)
            Who was treated.
        y : array-like of float, shape (n_customers,)
            Outcome.
        callback : callable, optional
            Called with an `Event` after each step; its result has no effect.
        verbose : bool, default=False
            Show a progress bar once the fit has taken two seconds.

        Returns
        -------
        Self
        """
        X, treated, y = _checked(X, treatment, y)
        n_folds = as_int(self.n_folds, "n_folds", minimum=2)
        level = as_float(self.confidence, "confidence", above=0)
        if level >= 1:
            raise ValueError(f"confidence must be below 1, got {level}; 95 % is 0.95")
        smallest = int(min(treated.sum(), (~treated).sum()))
        if smallest < 2 * n_folds:
            raise ValueError(
                f"n_folds={n_folds} needs at least {2 * n_folds} customers in each arm, got "
                f"{smallest}"
            )
        rng = np.random.default_rng(as_seed(self.random_state))
        fold = _folds(treated, y, n_folds, rng)
        with FitOptions(callback=callback, verbose=verbose).progress(n_folds + 1) as progress:
            pseudo = self._pseudo_outcomes(X, treated, y, fold, progress)
            model = _fit(self.effect_model, X, pseudo, outcome=False)
            progress.step(n_folds + 1)
        mean, error = float(pseudo.mean()), float(pseudo.std(ddof=1) / np.sqrt(len(y)))
        half = float(ndtri((1 + level) / 2)) * error
        self.average_effect_ = Interval(
            mean, mean - half, mean + half, error, level, "normal", len(y), 0
        )
        self.pseudo_outcomes_, self.model_ = pseudo, model
        self.n_features_in_ = int(X.shape[1])
        return self

    def _pseudo_outcomes(
        self,
        X: Any,
        treated: NDArray[np.bool_],
        y: Floats,
        fold: NDArray[np.int64],
        progress: Progress,
    ) -> Floats:
        """Return the doubly robust pseudo-outcome of each customer, by models of other folds."""
        pseudo = np.empty(len(y))
        for f in range(int(fold.max()) + 1):
            held, train = np.flatnonzero(fold == f), np.flatnonzero(fold != f)
            part = _take(X, held)
            predicted = []
            for arm in (False, True):
                rows = train[treated[train] == arm]
                predicted.append(_predict(_fit(self.outcome_model, _take(X, rows), y[rows]), part))
            share = _Propensities(self.propensity, _take(X, train), treated[train]).of(part)
            is_treated = treated[held]
            used = np.where(is_treated, predicted[1], predicted[0])
            weight = np.where(is_treated, 1 / share, -1 / (1 - share))
            pseudo[held] = predicted[1] - predicted[0] + weight * (y[held] - used)
            progress.step(f + 1)
        return pseudo

    def predict(self, X: Any) -> Floats:
        """Predict the uplift of customers.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame, shape (n_customers, n_features)
            The features of fit.

        Returns
        -------
        ndarray of float64, shape (n_customers,)
        """
        X = self._features(X)
        return _predict(self.model_, X)


def out_of_fold_uplift(
    learner: Any, X: Any, treatment: Any, y: Any, *, n_folds: int = 5, random_state: Any = 0
) -> Floats:
    """Predict the uplift of every customer with a learner that did not see this customer.

    Parameters
    ----------
    learner : SLearner, TLearner, XLearner, DRLearner or any object with their fit and predict
        Cloned for each fold.
    X : array-like, sparse matrix or data frame, shape (n_customers, n_features)
        Features known before the campaign.
    treatment : array-like of bool or of 0 and 1, shape (n_customers,)
        Who was treated.
    y : array-like of float, shape (n_customers,)
        Outcome.
    n_folds : int, default 5
        Folds, with equal shares of both arms.
    random_state : int, Generator or None, default 0
        Seed of the folds.

    Returns
    -------
    ndarray of float64, shape (n_customers,)
        Scores for `uplift_report` on the same customers.

    Raises
    ------
    ValueError
        For a constant treatment, or fewer customers of an arm than folds.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from aimass_core.effects import TLearner, out_of_fold_uplift
    >>> X, treated = np.arange(40.0)[:, None], np.arange(40) % 2
    >>> learner = TLearner(LinearRegression())
    >>> uplift = out_of_fold_uplift(learner, X, treated, X[:, 0] * (1 + treated))
    >>> bool(np.allclose(uplift, X[:, 0]))
    True
    """
    X, treated, y = _checked(X, treatment, y)
    n_folds = as_int(n_folds, "n_folds", minimum=2)
    smallest = int(min(treated.sum(), (~treated).sum()))
    if smallest < n_folds:
        raise ValueError(f"n_folds={n_folds} needs as many customers in each arm, got {smallest}")
    fold = _folds(treated, y, n_folds, np.random.default_rng(as_seed(random_state)))
    clone = import_optional("sklearn.base").clone
    scores = np.empty(len(y))
    for f in range(n_folds):
        held, train = np.flatnonzero(fold == f), np.flatnonzero(fold != f)
        fitted = clone(learner).fit(_take(X, train), treated[train], y[train])
        scores[held] = fitted.predict(_take(X, held))
    return scores


def cross_fitted_rewards(
    X: Any,
    action: Any,
    reward: Any,
    target: Any,
    *,
    model: Any = None,
    n_folds: int = 5,
    random_state: Any = 0,
) -> tuple[Floats, Floats]:
    """Return the predicted rewards that `off_policy_value` takes, from a cross-fitted model.

    The model has the features and one column per action. It is fitted without the fold whose
    rewards it predicts, so that the doubly robust estimators stay unbiased.

    Parameters
    ----------
    X : array-like or sparse matrix, shape (n_impressions, n_features)
        Context of each impression; for logs without context a column of zeros.
    action : array-like of int, shape (n_impressions,)
        The action that was shown, from 0 to n_actions - 1.
    reward : array-like of float, shape (n_impressions,)
        Its reward.
    target : array-like of float, shape (n_impressions, n_actions)
        Probability of each action under the target policy.
    model : scikit-learn estimator, optional
        Model of the reward. Default: gradient boosting.
    n_folds : int, default 5
        Folds.
    random_state : int, Generator or None, default 0
        Seed of the folds.

    Returns
    -------
    q_logged : ndarray of float64, shape (n_impressions,)
        Predicted reward of the logged action.
    q_target : ndarray of float64, shape (n_impressions,)
        Predicted reward under the target policy.

    Raises
    ------
    ValueError
        For actions out of range, and probabilities that are negative or do not sum to 1.

    Notes
    -----
    n_folds fits and n_actions predictions of all impressions.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from aimass_core.effects import cross_fitted_rewards
    >>> action = np.arange(20) % 2
    >>> target = np.tile([0.25, 0.75], (20, 1))
    >>> q_logged, q_target = cross_fitted_rewards(
    ...     np.zeros((20, 1)), action, 1.0 * action, target, model=LinearRegression()
    ... )
    >>> q_logged[:2].round(6).tolist(), float(q_target[0].round(6))
    ([0.0, 1.0], 0.75)
    """
    X, n = _rows_of(X)
    rewards = as_vector(reward, "reward", length=n)
    chances = np.asarray(target, dtype=np.float64)
    if chances.ndim != 2 or len(chances) != n or not chances.shape[1]:
        raise ValueError(f"target must have shape ({n}, n_actions), got {chances.shape}")
    if not (chances >= 0).all() or not np.allclose(chances.sum(axis=1), 1, atol=1e-6):
        raise ValueError("target must hold probabilities that sum to 1 in each row")
    actions = np.asarray(action)
    n_actions = chances.shape[1]
    if actions.shape != (n,) or actions.dtype.kind not in "iu":
        raise ValueError(f"action must be {n} whole numbers, one per impression")
    if n and not (actions.min() >= 0 and actions.max() < n_actions):
        raise ValueError(f"action must be within [0, {n_actions}), the columns of target")
    n_folds = as_int(n_folds, "n_folds", minimum=2, maximum=max(n, 2))
    rng = np.random.default_rng(as_seed(random_state))
    fold = rng.permutation(n) % n_folds
    q_logged, q_target = np.empty(n), np.zeros(n)
    one_hot = np.eye(n_actions)

    def features(rows: Any, chosen: Any) -> Any:
        part, columns = _take(X, rows), one_hot[chosen]
        if sp.issparse(part):
            return sp.hstack([sp.csr_array(columns), part], format="csr")
        return np.column_stack([columns, np.asarray(part)])

    for f in range(n_folds):
        held, train = np.flatnonzero(fold == f), np.flatnonzero(fold != f)
        fitted = _fit(model, features(train, actions[train]), rewards[train])
        for a in range(n_actions):
            predicted = _predict(fitted, features(held, np.full(len(held), a)))
            q_target[held] += chances[held, a] * predicted
            q_logged[held[actions[held] == a]] = predicted[actions[held] == a]
    return q_logged, q_target
