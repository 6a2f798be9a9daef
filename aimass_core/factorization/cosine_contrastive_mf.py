"""Matrix factorisation by the cosine contrastive loss (CCL of SimpleX)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base.registry import register
from ..base.validation import as_float
from ._sgd_lists import ListwiseRanking

if TYPE_CHECKING:
    import scipy.sparse as sp

    from ._sgd_ranking import Step
    from ._sgd_state import Optimizer

__all__ = ["CosineContrastiveMF"]

_LEAST_WEIGHT, _ITEMS_OF_A_WEIGHT = 10.0, 150.0


@register("cosine-contrastive-mf")
class CosineContrastiveMF(ListwiseRanking):
    r"""Matrix factorisation by cosines of positives and of hard negatives (CCL).

    For each stored entry (u, i) an epoch draws ``n_negatives`` items j that the user does not have
    and takes one step that descends

    .. math:: 1 - s_{ui} + \frac{w}{n} \sum_j \max(0, s_{uj} - m),
              \qquad s_{ui} = \cos(x_u, y_i)

    with L2 penalties of what the step moves. This is MF-CCL; the model that adds the mean of the
    items of a user to its vector is called SimpleX in the paper.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors, 1 to 16384.
    learning_rate : float, default=0.05
        Length of a step, above 0.
    optimizer : {"sgd", "momentum", "adagrad", "adam"}, default="adagrad"
        How a gradient moves parameters, as in `BPR`.
    momentum : float, default=0.9
        Of "momentum" and "adam", in [0, 1).
    decay : float, default=0.999
        Of the running mean of squares of "adam", in [0, 1).
    regularization : float, default=0.0
        L2 penalty, applied in each step to what the step moves; at least 0.
    regularization_user, regularization_positive, regularization_negative : float, optional
        The penalty of user factors, and of the factors of positive and negative items. Default:
        ``regularization``.
    negatives : {"uniform", "popularity"}, default="uniform"
        How negatives are drawn from the items that the user does not have: all alike, or with
        probability proportional to ``count ** popularity_power``.
    popularity_power : float, default=0.75
        See ``negatives``; at least 0.
    n_negatives : int, default=64
        Negatives drawn for each positive, 1 to 65536.
    margin : float, default=0.5
        m, -1 to 1: negatives of a lower cosine are left alone.
    negative_weight : float, optional
        w, at least 0: what the negatives of a positive weigh together. Default: a 150th of the
        number of items, but at least 10. The larger the catalogue, the fewer drawn negatives are
        items that the user would like.
    max_iter : int, default=30
        Epochs; each takes one step for every positive.
    init_scale : float, default=0.1
        Factors start normal with standard deviation ``init_scale / sqrt(n_factors)``.
    update_iter : int, default=5
        Epochs of `partial_fit` over the rows that change.
    metric : str, default="ndcg@10"
        What the validation part of `fit` is judged by.
    patience : int, default=3
        Computations of the metric without a better value before training ends.
    validation_interval : int, default=1
        Epochs between two computations of the metric.
    dtype : {"float32", "float64"}, default="float32"
        Of factors and biases.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the first factors, the order of the steps and the negatives.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Changes no bit.

    Attributes
    ----------
    user_factors_ : ndarray of shape (n_users, n_factors)
        Zero for users without a positive, else of length 1.
    item_factors_ : ndarray of shape (n_items, n_factors)
        Learned vectors, else of length 1.
    item_bias_ : ndarray of shape (n_items,)
        Zeros: cosines have no biases.
    losses_ : ndarray of float64
        Mean loss of the lists in each epoch.
    scores_ : ndarray of float64
        The validation metric, where there is a validation part.
    n_iter_ : int
        Epoch that the parameters are of.
    fold_in_ : ndarray of float64, shape (3,)
        How the factors of new users are solved: weight of all pairs, ridge, scale.
    user_items_ : csr_array of shape (n_users, n_items)
        What was fitted; all of it counts as seen.

    Notes
    -----
    An epoch takes O(nnz f n_negatives) multiply-adds. Without a penalty of negatives and with "sgd"
    or "adagrad", negatives below the margin are scored but not moved; an epoch on Gowalla then
    takes less than half the time. Memory, threads, the part of the catalogue that negatives come
    from, and new users are as in `BPR`, but with at most 8 parts.

    References
    ----------
    K. Mao et al., "SimpleX: a simple and strong baseline for collaborative filtering", CIKM 2021.

    Examples
    --------
    >>> from aimass_core import CosineContrastiveMF, Interactions
    >>> x = Interactions.from_arrays(list("aabbcc"), ["tea", "pie", "tea", "pie", "tea", "nut"])
    >>> model = CosineContrastiveMF(n_factors=2, max_iter=200).fit(x)
    >>> model.recommend(["c"], k=1).ids.tolist()
    [['pie']]
    """

    _is_cosine = True

    def __init__(
        self,
        *,
        n_factors: int = 64,
        learning_rate: float = 0.05,
        optimizer: str = "adagrad",
        momentum: float = 0.9,
        decay: float = 0.999,
        regularization: float = 0.0,
        regularization_user: float | None = None,
        regularization_positive: float | None = None,
        regularization_negative: float | None = None,
        negatives: str = "uniform",
        popularity_power: float = 0.75,
        n_negatives: int = 64,
        margin: float = 0.5,
        negative_weight: float | None = None,
        max_iter: int = 30,
        init_scale: float = 0.1,
        update_iter: int = 5,
        metric: str = "ndcg@10",
        patience: int = 3,
        validation_interval: int = 1,
        dtype: str = "float32",
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.momentum = momentum
        self.decay = decay
        self.regularization = regularization
        self.regularization_user = regularization_user
        self.regularization_positive = regularization_positive
        self.regularization_negative = regularization_negative
        self.negatives = negatives
        self.popularity_power = popularity_power
        self.n_negatives = n_negatives
        self.margin = margin
        self.negative_weight = negative_weight
        self.max_iter = max_iter
        self.init_scale = init_scale
        self.update_iter = update_iter
        self.metric = metric
        self.patience = patience
        self.validation_interval = validation_interval
        self.dtype = dtype
        self.random_state = random_state
        self.n_threads = n_threads

    def _step(self, X: sp.csr_array, optimizer: Optimizer, n_threads: int) -> Step:
        margin = as_float(self.margin, "margin", minimum=-1.0, maximum=1.0)
        if self.negative_weight is None:
            weight = max(_LEAST_WEIGHT, X.shape[1] / _ITEMS_OF_A_WEIGHT)
        else:
            weight = as_float(self.negative_weight, "negative_weight", minimum=0.0)
        return self._list_step(
            X, optimizer, n_threads, "contrastive", margin=margin, negative_weight=weight
        )
