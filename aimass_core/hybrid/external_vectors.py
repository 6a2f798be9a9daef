"""External vectors: a map from embeddings of texts or images to the factors of implicit ALS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.csr import take_rows
from ..base.fit_options import FitOptions
from ..base.registry import register
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_float
from ..exceptions import NotFittedError
from ..factorization.implicit_als import ImplicitALS
from ._design import design
from ._feature_als import FeatureALS
from ._regression import FeatureRegression, as_penalty

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..factorization._joined_data import JoinedData

    Array = NDArray[Any]

__all__ = ["VectorMap"]


@register("external-vectors")
class VectorMap(FeatureALS):
    r"""Implicit ALS whose items without history get factors from external vectors.

    `ImplicitALS` is fitted first. A ridge regression then maps the vectors of items, such as
    embeddings of their texts or images, to the learned factors, and both are blended by the number
    of interactions :math:`n_i` of an item,

    .. math:: y_i = \frac{n_i}{n_i + s} y_i^{ALS} + \frac{s}{n_i + s} B^T v_i,

    so that a new item has the factors of its vector and a popular item those of its interactions.
    The factors of users are solved once more for the blended factors.

    Parameters
    ----------
    penalty : float or "gcv", default="gcv"
        :math:`\mu` in :math:`\min_B \sum_i |y_i^{ALS} - B^T v_i|^2 + \mu |B|^2`. "gcv" chooses it
        by generalised cross-validation over 80 penalties from one eigendecomposition, for up to
        4096 numbers in a vector.
    support : float, default=0.0
        s above: interactions that weigh as much as the vector. 0: an item with any interaction has
        the factors of ALS.
    normalize : bool, default=True
        Scale vectors to length one. The map has an intercept besides.
    n_factors, regularization, alpha, unobserved_weight, confidence, nu, max_iter, solver, n_steps
        As in `ImplicitALS`.
    block_size, init_scale, track_loss, tol, metric, patience, dtype, random_state
        As in `ImplicitALS`.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Changes no bit.
    device : str, default="cpu"
        Where the half-steps of `fit` are computed, as in `ImplicitALS`.

    Attributes
    ----------
    item_factors_, user_factors_ : ndarray of shape (n, n_factors)
        Blended factors of items, and factors of users for them.
    item_feature_factors_ : ndarray of shape (n_numbers + 1, n_factors)
        B; the last row is the intercept.
    user_feature_factors_ : ndarray of shape (0, n_factors)
        Without rows: users have no vectors.
    penalty_ : float
        :math:`\mu`, as given or chosen; 0 without vectors.
    unobserved_weight_, losses_, scores_, n_iter_, user_items_
        As in `ImplicitALS`.

    Notes
    -----
    The map takes O(n p^2 + p^3) for n items with vectors of p numbers. `fit` stores vectors as a
    sparse matrix, with 8 bytes for each number. `text_vectors` makes vectors of texts.

    References
    ----------
    Z. Gantner, L. Drumond, C. Freudenthaler, S. Rendle and L. Schmidt-Thieme, "Learning
    attribute-to-feature mappings for cold-start recommendations", ICDM 2010. G. Golub, M. Heath
    and G. Wahba, "Generalized cross-validation as a method for choosing a good ridge parameter",
    Technometrics 21(2), 1979.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import VectorMap
    >>> X = np.kron(np.eye(2), np.ones((6, 4)))
    >>> vectors = np.repeat([[1.0, 0.1], [0.1, 1.0]], 4, axis=0)
    >>> model = VectorMap(n_factors=2, penalty=0.1).fit(X, item_features=vectors)
    >>> new = np.array([[0.9, 0.2], [0.2, 0.9]])  # items 8 and 9
    >>> model.recommend([0, 11], k=1, item_features=new).indices.tolist()
    [[8], [9]]
    """

    uses_user_features: ClassVar[bool] = False

    _state: ClassVar[tuple[str, ...]] = (*FeatureALS._state, "penalty_")
    _kept_by_updates: ClassVar[tuple[str, ...]] = (*FeatureALS._kept_by_updates, "penalty_")

    penalty_: float

    def __init__(
        self,
        *,
        penalty: float | str = "gcv",
        support: float = 0.0,
        normalize: bool = True,
        n_factors: int = 64,
        regularization: float = 0.01,
        alpha: float = 1.0,
        unobserved_weight: float | None = None,
        confidence: str = "added",
        nu: float = 1.0,
        max_iter: int = 16,
        solver: str = "auto",
        n_steps: int | None = None,
        block_size: int = 64,
        init_scale: float = 0.1,
        track_loss: bool = False,
        tol: float = 0.0,
        metric: str = "ndcg@10",
        patience: int = 3,
        dtype: str = "float32",
        random_state: Any = 0,
        n_threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.penalty = penalty
        self.support = support
        self.normalize = normalize
        self.n_factors = n_factors
        self.regularization = regularization
        self.alpha = alpha
        self.unobserved_weight = unobserved_weight
        self.confidence = confidence
        self.nu = nu
        self.max_iter = max_iter
        self.solver = solver
        self.n_steps = n_steps
        self.block_size = block_size
        self.init_scale = init_scale
        self.track_loss = track_loss
        self.tol = tol
        self.metric = metric
        self.patience = patience
        self.dtype = dtype
        self.random_state = random_state
        self.n_threads = n_threads
        self.device = device

    @classmethod
    def from_als(
        cls,
        model: ImplicitALS,
        item_features: Any,
        *,
        penalty: float | str = "gcv",
        support: float = 0.0,
        normalize: bool = True,
    ) -> Self:
        """Return a model with the factors of a fitted `ImplicitALS`, which is not fitted again.

        Parameters
        ----------
        model : ImplicitALS
            Fitted; it does not change.
        item_features : FeatureTable, table, matrix or 2-D array
            Vectors of items, as in `fit`.
        penalty, support, normalize
            As in the constructor.

        Returns
        -------
        VectorMap
            A fitted model.

        Raises
        ------
        NotFittedError
            For a model that is not fitted.
        TypeError
            For a model that is not `ImplicitALS` itself.
        """
        if type(model) is not ImplicitALS:
            raise TypeError(f"model must be an ImplicitALS, got {type(model).__name__}")
        if not model.__sklearn_is_fitted__():
            raise NotFittedError("model is not fitted: call its fit first")
        model._require_training("take part in a map from vectors")
        fresh = cls(
            penalty=penalty, support=support, normalize=normalize, **model._fitted_parameters()
        )
        learned = (*ImplicitALS._state, "n_features_in_")
        vars(fresh).update({name: getattr(model, name) for name in learned})
        fresh._options = FitOptions(item_features=item_features)
        fresh._set_features()
        del fresh._options
        threads = resolve_n_threads(fresh.n_threads)
        fresh._fit_cache = {}
        fresh._fitted_with = fresh.get_params(deep=False)
        fresh._map(threads)
        fresh._prepare(threads)
        return cls(**fresh._fitted_with)._adopt_state(fresh)

    def _learn(self, n_threads: int) -> None:
        as_penalty(self.penalty, "penalty")
        as_float(self.support, "support", minimum=0.0)
        as_bool(self.normalize, "normalize")
        if self.item_features_ is not None and self.solver == "nonnegative":
            raise ValueError(
                "solver='nonnegative' cannot be used with vectors, whose factors have any sign: "
                "take another solver, or ImplicitALS"
            )
        self._fit_cache = {}
        self._fitted_with = self.get_params(deep=False)
        for side in ("item", "user"):
            setattr(self, f"{side}_feature_factors_", np.zeros((0, 1), self._dtype))
        super()._learn(n_threads)
        self._map(n_threads)

    def _map(self, n_threads: int) -> None:
        """Learn the map from vectors to factors, and blend both."""
        dtype, f = self.item_factors_.dtype, self.item_factors_.shape[1]
        self.user_feature_factors_ = np.zeros((0, f), dtype)
        self.item_feature_factors_ = np.zeros((0, f), dtype)
        self.penalty_ = 0.0
        if self.item_features_ is None:
            return
        penalty = as_penalty(self.penalty, "penalty")
        matrix = design(self.item_features_, as_bool(self.normalize, "normalize"))
        regression = FeatureRegression(matrix, self._regressed_rows("item"), penalty, n_threads)
        self.item_feature_factors_ = regression.fit(self.item_factors_, None, 200).astype(dtype)
        self.penalty_ = 0.0 if regression.penalty == "gcv" else float(regression.penalty)
        self._blend(n_threads)

    def _blend(self, n_threads: int) -> None:
        support = as_float(self.support, "support", minimum=0.0)
        self.item_factors_ = self.item_factors_.copy()
        if support > 0:
            self._blend_rows(np.arange(self.n_items), support)
            self._solve_users_again(np.arange(self.n_users_), n_threads)
        self._fill_without_entries("item")

    def _blend_rows(self, rows: NDArray[np.int64], support: float) -> None:
        """Replace the factors of some items by the blend with those of their vectors."""
        rows = rows[np.diff(self.item_features_.indptr)[rows] > 0]
        prior = self._prior("item", rows)
        if prior is None:
            return
        counts = np.where(self._with_entries("item"), self.item_counts_, 0)[rows]
        share = (counts / (counts + support))[:, None].astype(prior.dtype)
        self.item_factors_[rows] = share * self.item_factors_[rows] + (1 - share) * prior

    def _solve_users_again(self, rows: NDArray[np.int64], n_threads: int) -> None:
        """Solve the factors of some users exactly, for the present factors of items."""
        self._fit_cache.pop("item gramian", None)
        profiles = take_rows(self.user_items_, rows)
        self.user_factors_ = self.user_factors_.copy()
        self.user_factors_[rows] = self._solve_exactly(profiles, "user", n_threads)

    def _complete_update(self, joined: JoinedData, n_threads: int) -> None:
        support = float(self._fitted_with["support"])
        if support > 0 and self.item_features_ is not None:
            self._blend_rows(joined.changed_items, support)
            self._solve_users_again(joined.changed_users, n_threads)
        super()._complete_update(joined, n_threads)

    def _prior(self, side: str, rows: NDArray[np.int64] | None = None) -> Array | None:
        return super()._prior(side, rows) if side == "item" else None
