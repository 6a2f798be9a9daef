"""WARP: ranking losses that weigh a violation by the rank it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.registry import register
from ..base.validation import as_float, as_int, csr_parts
from ._sgd_ranking import SgdRanking, as_penalties
from ._sgd_state import number_of_strata

if TYPE_CHECKING:
    import scipy.sparse as sp

    from ._sgd_ranking import Step
    from ._sgd_state import Optimizer

__all__ = ["WARP"]

_MOST_STRATA = 8  # more cost quality: on MovieLens 1M NDCG@10 is .394 with 4, .392 with 8


@register("warp")
class WARP(SgdRanking):
    r"""Matrix factorisation for the head of the list: weighted approximate-rank pairwise loss.

    For each stored entry (u, i) an epoch draws items j that the user does not have until one of
    them violates the margin, :math:`s_{uj} > s_{ui} - m` with :math:`s_{ui} = x_u^T y_i + b_i`. If
    it took q of the user's N other items, the step is that of the hinge loss

    .. math:: \ln(\max(1, \lfloor N / q \rfloor)) \, (m + s_{uj} - s_{ui}),

    because q estimates the rank of the item i. With ``n_positives`` above 1 this is the
    k-order-statistic loss (k-OS WARP): i is the ``k_positive``-th best of so many positives.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors, 1 to 16384.
    learning_rate : float, default=0.05
        Length of a step, above 0.
    optimizer : {"sgd", "momentum", "adagrad", "adam"}, default="adagrad"
        How a gradient moves parameters. "momentum": along a running sum; "adagrad": divided by
        the root of the sum of squares; "adam": both as running means. The state of a row changes
        in its own steps only.
    momentum : float, default=0.9
        Of "momentum" and "adam", in [0, 1).
    decay : float, default=0.999
        Of the running mean of squares of "adam", in [0, 1).
    regularization : float, default=1e-05
        L2 penalty, applied in each step to what the step moves; at least 0.
    regularization_user, regularization_positive, regularization_negative : float, optional
        The penalty of user factors, and of the factors of positive and negative items. Default:
        ``regularization``.
    regularization_bias : float, optional
        The penalty of item biases. Default: ``regularization``.
    biases : bool, default=True
        Learn a bias for each item.
    negatives : {"uniform", "popularity"}, default="uniform"
        How negatives are drawn from the items that the user does not have: all alike, or with
        probability proportional to ``count ** popularity_power``.
    popularity_power : float, default=0.75
        See ``negatives``; at least 0.
    n_candidates : int, default=32
        Negatives drawn at most before an entry counts as ranked well.
    margin : float, default=1.0
        m, above 0.
    n_positives : int, default=1
        Positives drawn for a step.
    k_positive : int, default=1
        Which of the ``n_positives`` a step raises, in descending order of their scores.
    max_iter : int, default=30
        Epochs; each takes one step for every positive.
    init_scale : float, default=0.1
        Factors start normal with standard deviation ``init_scale / sqrt(n_factors)``.
    update_iter : int, default=5
        Epochs of `partial_fit` over the rows that change.
    metric : str, default="ndcg@10"
        Metric on the validation part of `fit`.
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
        Zero for users without a positive.
    item_factors_ : ndarray of shape (n_items, n_factors)
        Learned vectors.
    item_bias_ : ndarray of shape (n_items,)
        Learned biases; zero without ``biases``.
    losses_ : ndarray of float64
        Mean loss of the drawn pairs in each epoch.
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
    An epoch takes O(nnz f q) multiply-adds, where q is the mean number of draws, which grows as the
    model improves. Memory, the part of the catalogue that negatives come from, and new users: as
    `BPR`. The items are cut into at most 8 parts, so that more than 8 threads do not help, and
    steps of one user follow each other closely. The positives of a k-OS step come from the items
    that the user has in the same part, and there are few parts where users have few items.

    References
    ----------
    J. Weston, S. Bengio and N. Usunier, "WSABIE: scaling up to large vocabulary image annotation",
    IJCAI 2011. J. Weston, H. Yee and R. Weiss, "Learning to rank recommendations with the k-order
    statistic loss", RecSys 2013. M. Kula, "Metadata embeddings for user and item cold-start
    recommendations", CBRecSys 2015 (LightFM).

    Examples
    --------
    >>> from aimass_core import WARP, Interactions
    >>> x = Interactions.from_arrays(list("aabbcc"), ["tea", "pie", "tea", "pie", "tea", "nut"])
    >>> model = WARP(n_factors=2, max_iter=200).fit(x)
    >>> model.recommend(["c"], k=1).ids.tolist()
    [['pie']]
    """

    def __init__(
        self,
        *,
        n_factors: int = 64,
        learning_rate: float = 0.05,
        optimizer: str = "adagrad",
        momentum: float = 0.9,
        decay: float = 0.999,
        regularization: float = 1e-05,
        regularization_user: float | None = None,
        regularization_positive: float | None = None,
        regularization_negative: float | None = None,
        regularization_bias: float | None = None,
        biases: bool = True,
        negatives: str = "uniform",
        popularity_power: float = 0.75,
        n_candidates: int = 32,
        margin: float = 1.0,
        n_positives: int = 1,
        k_positive: int = 1,
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
        self.regularization_bias = regularization_bias
        self.biases = biases
        self.negatives = negatives
        self.popularity_power = popularity_power
        self.n_candidates = n_candidates
        self.margin = margin
        self.n_positives = n_positives
        self.k_positive = k_positive
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
        indptr, indices, _ = csr_parts(X)
        n_candidates = as_int(self.n_candidates, "n_candidates", minimum=1, maximum=1 << 20)
        n_positives = as_int(self.n_positives, "n_positives", minimum=1, maximum=1 << 20)
        k_positive = as_int(self.k_positive, "k_positive", minimum=1, maximum=n_positives)
        margin = as_float(self.margin, "margin", above=0.0)
        penalties, weights = as_penalties(self), self._negative_weights()
        strata = min(number_of_strata(X), _MOST_STRATA)
        if n_positives > 1:  # a user has about so many positives in a part
            filled = max(int(np.count_nonzero(np.diff(X.indptr))), 1)
            strata = max(1, min(strata, X.nnz // (filled * n_positives)))

        def epoch(users: Any, items: Any, number: int, seed: int) -> tuple[float, int, int, int]:
            return kernels.pairwise_epoch(
                indptr,
                indices,
                users,
                items,
                optimizer.steps(),
                penalties,
                weights,
                loss="warp" if n_positives == 1 else "kos",
                n_candidates=n_candidates,
                n_positives=n_positives,
                k_positive=k_positive,
                margin=margin,
                n_strata=strata,
                seed=seed,
                epoch=number,
                n_threads=n_threads,
            )

        return epoch
