"""Ranking by sampled softmax over sums of embeddings of features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base.registry import register
from ..base.validation import as_float
from ..factorization._sgd_lists import ListwiseRanking
from ._feature_ranking import FeatureRanking

if TYPE_CHECKING:
    import scipy.sparse as sp

    from ..factorization._sgd_ranking import Step
    from ..factorization._sgd_state import Optimizer

__all__ = ["HybridSampledSoftmax"]


@register("hybrid-sampled-softmax")
class HybridSampledSoftmax(FeatureRanking, ListwiseRanking):
    r"""Rank items by the sampled softmax loss over sums of embeddings of features.

    The score is that of a factorization machine whose pairs are one feature of the user and one of
    the item, with linear terms of the items,

    .. math:: s_{ui} = x_u^T y_i + b_i, \qquad
              y_i = \sqrt{\phi} \, E^T g_i / |g_i| + \sqrt{1 - \phi} \, e_i,

    and likewise :math:`x_u` and :math:`b_i`: weighted sums over the features of the user or item
    and of one embedding of its own, as in `HybridBPR`. For each stored entry (u, i) an epoch draws
    ``n_negatives`` items j that the user does not have and takes one step that descends

    .. math:: -\ln \frac{e^{s_{ui} / \tau}}{e^{s_{ui} / \tau} + \sum_j e^{s_{uj} / \tau}}.

    An item without positives has the part of its features. Terms that are equal for all items of a
    user have no effect on this loss, so there are none.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the embeddings, 1 to 16384.
    feature_share : float, default=0.5
        :math:`\phi`, 0 to 1: share of the features in the squared weights of an item or user.
    learning_rate : float, default=0.05
        Length of a step of AdaGrad, above 0.
    regularization : float, default=0.01
        L2 penalty of the sums, applied in each step to what the step moves; at least 0.
    regularization_user, regularization_positive, regularization_negative : float, optional
        As in `BPR`.
    regularization_bias : float, optional
        The penalty of item biases. Default: ``regularization``.
    biases : bool, default=True
        Learn a bias for each feature and each item; the bias of an item is a sum as its factors.
    negatives : {"uniform", "popularity"}, default="uniform"
        As in `BPR`. Items without a positive are never negatives.
    popularity_power : float, default=0.75
        See ``negatives``; at least 0.
    n_negatives : int, default=64
        Negatives drawn for each positive, 1 to 65536.
    temperature : float, default=1.0
        :math:`\tau`, above 0; a lower one favours the head of the list.
    max_iter : int, default=30
        Epochs; each takes one step for every positive.
    init_scale : float, default=0.1
        Embeddings start normal with standard deviation ``init_scale / sqrt(n_factors)``.
    update_iter : int, default=5
        Epochs of `partial_fit`, over all interactions; at least 1 is taken.
    metric : str, default="ndcg@10"
        Metric on the validation part of `fit`.
    patience : int, default=3
        Computations of the metric without a better value before training ends.
    validation_interval : int, default=1
        Epochs between two computations of the metric.
    dtype : {"float32", "float64"}, default="float32"
        Of embeddings and biases.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the first embeddings, the order of the steps and the negatives.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Changes no bit.

    Attributes
    ----------
    user_factors_, item_factors_ : ndarray of shape (n, n_factors)
        Sums of embeddings. Users and items without a positive have those of their features alone,
        zero without features.
    item_bias_ : ndarray of shape (n_items,)
        Sums of biases; zero without ``biases``.
    item_feature_factors_, user_feature_factors_ : ndarray of shape (n_features, n_factors)
        Embeddings of the features; no rows in a fit without them.
    item_feature_bias_ : ndarray of shape (n_item_features,)
        Biases of the features of items.
    losses_ : ndarray of float64
        Mean loss of the lists in each epoch.
    scores_, n_iter_, fold_in_, user_items_
        As in `BPR`.

    Notes
    -----
    An epoch takes O(nnz f n_negatives) multiply-adds, in 4 to 64 parts of the users. After each
    part the embeddings get the moves of the sums, as AdaGrad distributes them: see `HybridBPR`.
    Threads change no bit.

    References
    ----------
    S. Rendle, "Factorization machines", ICDM 2010. J. Wu et al., "On the effectiveness of sampled
    softmax loss for item recommendation", ACM TOIS 42(4), 2024. M. Kula, "Metadata embeddings for
    user and item cold-start recommendations", CBRecSys 2015 (LightFM).

    Examples
    --------
    >>> from aimass_core import HybridSampledSoftmax, Interactions
    >>> x = Interactions.from_arrays(
    ...     list("aabbccdd"), ["tea", "ale", "tea", "ale", "pie", "jam", "pie", "jam"]
    ... )
    >>> kinds = {"item": ["tea", "ale", "pie", "jam"], "kind": ["drink", "drink", "food", "food"]}
    >>> model = HybridSampledSoftmax(n_factors=2, n_negatives=2, max_iter=100)
    >>> model = model.fit(x, item_features=kinds)
    >>> new = {"item": ["gin", "bun"], "kind": ["drink", "food"]}
    >>> model.recommend(["a", "c"], k=1, item_features=new, candidates=["gin", "bun"]).ids.tolist()
    [['gin'], ['bun']]
    """

    def __init__(
        self,
        *,
        n_factors: int = 64,
        feature_share: float = 0.5,
        learning_rate: float = 0.05,
        regularization: float = 0.01,
        regularization_user: float | None = None,
        regularization_positive: float | None = None,
        regularization_negative: float | None = None,
        regularization_bias: float | None = None,
        biases: bool = True,
        negatives: str = "uniform",
        popularity_power: float = 0.75,
        n_negatives: int = 64,
        temperature: float = 1.0,
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
        self.feature_share = feature_share
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.regularization_user = regularization_user
        self.regularization_positive = regularization_positive
        self.regularization_negative = regularization_negative
        self.regularization_bias = regularization_bias
        self.biases = biases
        self.negatives = negatives
        self.popularity_power = popularity_power
        self.n_negatives = n_negatives
        self.temperature = temperature
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
        temperature = as_float(self.temperature, "temperature", above=0.0)
        return self._list_step(X, optimizer, n_threads, "softmax", temperature=temperature)
