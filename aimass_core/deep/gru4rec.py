"""GRU4Rec: a recurrent network over the items of a user, trained to predict the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.registry import register
from ..base.validation import as_int
from ..factorization._als import MAX_FACTORS
from ._layers import dense, gru
from ._sequence_model import SequenceModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["GRU4Rec"]


@register("gru4rec")
class GRU4Rec(SequenceModel):
    r"""Gated recurrent units over the items of a user, and a softmax over the next item.

    The state :math:`s_t` is updated by the vector of each item in turn:

    .. math:: s_t = (1 - z_t) \odot n_t + z_t \odot s_{t-1}, \quad
        p(i \mid i_1, \dots, i_t) = \frac{\exp(h_t^T y_i)}{\sum_j \exp(h_t^T y_j)}

    with the update gate :math:`z_t`, the new state :math:`n_t`, :math:`h_t = W s_t + b`, and the
    same vectors :math:`y` as in the input. `fit` needs PyTorch
    (``pip install 'aimass_core[deep]'``). Answers, saving and loading do not.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors, 1 to 16384.
    n_hidden : int, default=64
        Length of the state, 1 to 16384.
    n_layers : int, default=1
        Recurrent layers, 1 to 64.
    max_length : int, default=50
        Newest items of a user that an answer uses. Training cuts longer sequences into windows of
        this length.
    dropout : float, default=0.2
        Share of inputs and outputs, and of states between layers, that training sets to zero, below
        1.
    n_negatives : int, optional
        Items drawn uniformly for each batch, over which the softmax is taken. Default: all items.
    learning_rate : float, default=0.003
        Of AdamW, above 0.
    regularization : float, default=0.0
        Weight decay of AdamW, at least 0.
    batch_size : int, default=32
        Windows in a step.
    max_iter : int, default=15
        Epochs.
    metric : str, default="ndcg@10"
        Metric on the validation part of `fit`.
    patience : int, default=3
        Computations of the metric without a better value before training ends.
    validation_interval : int, default=1
        Epochs between two computations of the metric.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of first weights, dropout, order of windows, ties of time and negatives.
    n_threads : int, optional
        Threads of PyTorch in `fit`, as in `SASRec`.
    device : str, default="cpu"
        Where `fit` trains, as in `SASRec`.

    Attributes
    ----------
    item_factors_ : ndarray of float32, shape (n_items, n_factors)
        Vectors of items.
    user_factors_ : ndarray of float32, shape (n_users, n_factors)
        Output after the last item of each user; zero for a user without items.
    weights_ : dict of str to ndarray of float32
        Weights of the network, by the names of PyTorch.
    losses_, scores_, n_iter_, user_items_
        As in `SASRec`.

    Notes
    -----
    An epoch costs O(n L (n_items f + n_layers h (f + h))) for n windows of length L and a state of
    length h. A new user costs O(n_layers L h (f + h)) and one exact search. The paper trains on
    sessions in parallel with negatives of the same batch; here the loss is that over all items, or
    over ``n_negatives``. The answer for a user has the same bits alone and in any batch.

    References
    ----------
    B. Hidasi, A. Karatzoglou, L. Baltrunas and D. Tikk, "Session-based recommendations with
    recurrent neural networks", ICLR 2016. B. Hidasi and A. Karatzoglou, "Recurrent neural networks
    with top-k gains for session-based recommendations", CIKM 2018.

    Examples
    --------
    >>> from aimass_core import GRU4Rec, Interactions
    >>> x = Interactions.from_arrays(
    ...     list("aaabbbccc"), ["tea", "pie", "jam"] * 3, times=[1, 2, 3] * 3
    ... )
    >>> model = GRU4Rec(n_factors=8, n_hidden=8, dropout=0.0, max_iter=100).fit(x)
    >>> new = Interactions.from_arrays(["eve", "eve"], ["tea", "pie"], times=[5, 6])
    >>> model.recommend_new(new, k=1).ids.tolist()
    [['jam']]
    """

    n_hidden: int

    def __init__(
        self,
        *,
        n_factors: int = 64,
        n_hidden: int = 64,
        n_layers: int = 1,
        max_length: int = 50,
        dropout: float = 0.2,
        n_negatives: int | None = None,
        learning_rate: float = 0.003,
        regularization: float = 0.0,
        batch_size: int = 32,
        max_iter: int = 15,
        metric: str = "ndcg@10",
        patience: int = 3,
        validation_interval: int = 1,
        random_state: Any = 0,
        n_threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.n_factors = n_factors
        self.n_hidden = n_hidden
        self.n_layers = n_layers
        self.max_length = max_length
        self.dropout = dropout
        self.n_negatives = n_negatives
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.metric = metric
        self.patience = patience
        self.validation_interval = validation_interval
        self.random_state = random_state
        self.n_threads = n_threads
        self.device = device

    def _check_parameters(self) -> None:
        super()._check_parameters()
        as_int(self.n_hidden, "n_hidden", minimum=1, maximum=MAX_FACTORS)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        f, h = self.n_factors, self.n_hidden
        shapes: dict[str, tuple[int, ...]] = {"output.weight": (f, h), "output.bias": (f,)}
        for layer in range(self.n_layers):
            shapes |= {
                f"gru.weight_ih_l{layer}": (3 * h, h if layer else f),
                f"gru.weight_hh_l{layer}": (3 * h, h),
                f"gru.bias_ih_l{layer}": (3 * h,),
                f"gru.bias_hh_l{layer}": (3 * h,),
            }
        return shapes

    def _numbers_of_window(self, length: int, parameters: dict[str, Any]) -> int:
        of_position = parameters["n_factors"] + 8 * parameters["n_hidden"]
        return int(parameters["n_layers"] * length * of_position)

    def _network(self, torch: Any) -> Any:
        nn = torch.nn
        units = nn.GRU(
            self.n_factors,
            self.n_hidden,
            self.n_layers,
            batch_first=True,
            dropout=self.dropout if self.n_layers > 1 else 0.0,
        )
        return nn.ModuleDict({"gru": units, "output": nn.Linear(self.n_hidden, self.n_factors)})

    def _outputs(self, torch: Any, network: Any, x: Any) -> Any:
        dropout = torch.nn.functional.dropout
        states, _ = network["gru"](dropout(x, self.dropout))
        return network["output"](dropout(states, self.dropout))

    def _last_output(self, x: Array, parameters: dict[str, Any]) -> Array:
        states = gru(x, self.weights_, parameters["n_layers"])
        last: Array = dense(states, self.weights_, "output.")[:, -1]
        return last.astype(np.float32, copy=False)
