"""Bayesian personalised ranking: a user's items before all others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .. import kernels
from ..base.registry import register
from ..base.validation import as_int, csr_parts
from ..kernels import cuda
from ._sgd_ranking import SgdRanking, as_penalties
from ._sgd_state import number_of_strata

if TYPE_CHECKING:
    from collections.abc import Callable

    import scipy.sparse as sp

    from ._sgd_ranking import Step
    from ._sgd_state import Optimizer

__all__ = ["BPR"]


@register("bpr")
class BPR(SgdRanking):
    r"""Matrix factorisation that ranks each user's items above drawn others (BPR).

    For each stored entry (u, i) an epoch draws an item j that the user does not have, and takes a
    gradient step on

    .. math:: -\ln \sigma(s_{ui} - s_{uj}), \qquad s_{ui} = x_u^T y_i + b_i

    with L2 penalties of what the step moves.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors, 1 to 16384.
    learning_rate : float, default=0.1
        Length of a step, above 0.
    optimizer : {"sgd", "momentum", "adagrad", "adam"}, default="adagrad"
        How a gradient moves parameters. "momentum": along a running sum; "adagrad": divided by
        the root of the sum of squares; "adam": both as running means. The state of a row changes
        in its own steps only.
    momentum : float, default=0.9
        Of "momentum" and "adam", in [0, 1).
    decay : float, default=0.999
        Of the running mean of squares of "adam", in [0, 1).
    regularization : float, default=0.03
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
    n_candidates : int, default=8
        Negatives drawn for a step; the one with the highest score is used (dynamic negative
        sampling). More of them favour the head of the list; 1 is BPR as published.
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
    device : str, default="cpu"
        Where the steps of `fit` are taken. "cuda" is an NVIDIA GPU by the kernels of this package,
        which need the optional extension; the steps are the same, factors agree to rounding.

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
    An epoch takes O(nnz f n_candidates) multiply-adds. Memory: the matrix, 8 bytes for each entry,
    the factors, and once or twice their size for "momentum", "adagrad" and "adam". Users and items
    are cut into parts anew in each epoch, and threads work on parts that share no rows, so the
    result has the same bits for any number of threads. A negative comes from the part of the items
    that holds the positive: a random sample of the catalogue.

    New users get a ridge regression of their items on the item factors, scaled so that users of
    the fit get about the factors that training gave them.

    References
    ----------
    S. Rendle, C. Freudenthaler, Z. Gantner and L. Schmidt-Thieme, "BPR: Bayesian personalized
    ranking from implicit feedback", UAI 2009. W. Zhang, T. Chen, J. Wang and Y. Yu, "Optimizing
    top-n collaborative filtering via dynamic negative item sampling", SIGIR 2013. A. Milogradskii
    et al., "Revisiting BPR: an investigation into reproducibility", RecSys 2024. R. Gemulla, E.
    Nijkamp, P. Haas and Y. Sismanis, "Large-scale matrix factorization with distributed stochastic
    gradient descent", KDD 2011.

    Examples
    --------
    >>> from aimass_core import BPR, Interactions
    >>> x = Interactions.from_arrays(list("aabbcc"), ["tea", "pie", "tea", "pie", "tea", "nut"])
    >>> model = BPR(n_factors=2, max_iter=200).fit(x)
    >>> model.recommend(["c"], k=1).ids.tolist()
    [['pie']]
    """

    def __init__(
        self,
        *,
        n_factors: int = 64,
        learning_rate: float = 0.1,
        optimizer: str = "adagrad",
        momentum: float = 0.9,
        decay: float = 0.999,
        regularization: float = 0.03,
        regularization_user: float | None = None,
        regularization_positive: float | None = None,
        regularization_negative: float | None = None,
        regularization_bias: float | None = None,
        biases: bool = True,
        negatives: str = "uniform",
        popularity_power: float = 0.75,
        n_candidates: int = 8,
        max_iter: int = 30,
        init_scale: float = 0.1,
        update_iter: int = 5,
        metric: str = "ndcg@10",
        patience: int = 3,
        validation_interval: int = 1,
        dtype: str = "float32",
        random_state: Any = 0,
        n_threads: int | None = None,
        device: str = "cpu",
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
        self.max_iter = max_iter
        self.init_scale = init_scale
        self.update_iter = update_iter
        self.metric = metric
        self.patience = patience
        self.validation_interval = validation_interval
        self.dtype = dtype
        self.random_state = random_state
        self.n_threads = n_threads
        self.device = device

    def _step(self, X: sp.csr_array, optimizer: Optimizer, n_threads: int) -> Step:
        indptr, indices, _ = csr_parts(X)
        n_candidates = as_int(self.n_candidates, "n_candidates", minimum=1, maximum=1 << 20)
        strata = number_of_strata(X)
        penalties, weights = as_penalties(self), self._negative_weights()
        gpu = cuda.required_number_of(getattr(self, "device", "cpu"))  # a subclass has none
        take_epoch: Callable[..., tuple[float, int, int, int]] = (
            kernels.pairwise_epoch if gpu is None else partial(cuda.pairwise_epoch, device=gpu)
        )

        def epoch(users: Any, items: Any, number: int, seed: int) -> tuple[float, int, int, int]:
            return take_epoch(
                indptr,
                indices,
                users,
                items,
                optimizer.steps(),
                penalties,
                weights,
                loss="bpr",
                n_candidates=n_candidates,
                n_positives=1,
                k_positive=1,
                margin=1.0,
                n_strata=strata,
                seed=seed,
                epoch=number,
                n_threads=n_threads,
            )

        return epoch
