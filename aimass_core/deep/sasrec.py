"""SASRec: self-attention over the items of a user, trained to predict the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.registry import register
from ..base.validation import as_int
from ._layers import attention, dense, layer_norm, relu
from ._sequence_model import SequenceModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["SASRec"]


@register("sasrec")
class SASRec(SequenceModel):
    r"""Self-attentive sequential recommendation: a causal transformer over the items of a user.

    The input at position t is the vector of the item there plus a vector of the position. Each
    layer adds attention over the earlier positions and a network of two layers. With the output
    :math:`h_t` of the last layer, the probability of the next item is

    .. math:: p(i \mid i_1, \dots, i_t) = \frac{\exp(h_t^T y_i)}{\sum_j \exp(h_t^T y_j)}

    with the same vectors :math:`y` as in the input. `fit` needs PyTorch
    (``pip install 'aimass_core[deep]'``). Answers, saving and loading do not.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors, 1 to 16384; a multiple of ``n_heads``.
    n_layers : int, default=2
        Layers of the transformer, 1 to 64.
    n_heads : int, default=1
        Heads of attention in a layer.
    max_length : int, default=50
        Newest items of a user that an answer uses. Training cuts longer sequences into windows of
        this length. Time and memory grow with the square of the longest window.
    dropout : float, default=0.2
        Share of inputs, attention and hidden units that training sets to zero, below 1.
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
        Threads of PyTorch in `fit`. Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.
        Another number may change the last bits of what is learned, because PyTorch then adds in
        another order; ``n_threads=1`` is reproducible on machines of one kind.
    device : str, default="cpu"
        Where `fit` trains: "cpu", "cuda", or "cuda:1" and so on. Training on a GPU is not
        reproducible bit by bit.

    Attributes
    ----------
    item_factors_ : ndarray of float32, shape (n_items, n_factors)
        Vectors of items.
    user_factors_ : ndarray of float32, shape (n_users, n_factors)
        Output after the last item of each user; zero for a user without items.
    weights_ : dict of str to ndarray of float32
        Weights of the network, by the names of PyTorch.
    losses_ : ndarray of float64, shape (n_epochs,)
        Mean cross-entropy of each epoch.
    scores_ : ndarray of float64
        The metric at each computation; empty without a validation part.
    n_iter_ : int
        Epoch of the weights.
    user_items_ : csr_array of shape (n_users, n_items)
        The interactions.

    Notes
    -----
    An epoch costs O(n L (n_items f + n_layers (f^2 + L f))) for n windows of length L. A batch is
    computed in parts of at least one window, which takes O(L n_items + n_layers L (n_heads L + f))
    numbers. A new user costs O(n_layers L f (f + L)) and one exact search, which is that of
    `FactorIndex`. An item counts once for a user, at the time of its entry. Positions are counted
    from the oldest item of a window, so that histories of each length occur in training; the paper
    counts them from the newest. The list of a user is bit-identical alone and in any batch.

    References
    ----------
    W.-C. Kang and J. McAuley, "Self-attentive sequential recommendation", ICDM 2018. A. Klenitskiy
    and A. Vasilev, "Turning dross into gold loss: is BERT4Rec really better than SASRec?", RecSys
    2023, for the loss over all items.

    Examples
    --------
    >>> from aimass_core import Interactions, SASRec
    >>> x = Interactions.from_arrays(
    ...     list("aaabbbccc"), ["tea", "pie", "jam"] * 3, times=[1, 2, 3] * 3
    ... )
    >>> model = SASRec(n_factors=8, n_layers=1, dropout=0.0, max_iter=60).fit(x)
    >>> new = Interactions.from_arrays(["eve", "eve"], ["tea", "pie"], times=[5, 6])
    >>> model.recommend_new(new, k=1).ids.tolist()
    [['jam']]
    """

    n_heads: int

    def __init__(
        self,
        *,
        n_factors: int = 64,
        n_layers: int = 2,
        n_heads: int = 1,
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
        self.n_layers = n_layers
        self.n_heads = n_heads
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
        n_heads = as_int(self.n_heads, "n_heads", minimum=1)
        if self.n_factors % n_heads:
            raise ValueError(f"n_heads must divide n_factors={self.n_factors}, got {n_heads}")

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        f = self.n_factors
        shapes: dict[str, tuple[int, ...]] = {
            "position.weight": (self.max_length, f),
            "norm.weight": (f,),
            "norm.bias": (f,),
        }
        of_layer: dict[str, tuple[int, ...]] = {
            "self_attn.in_proj_weight": (3 * f, f),
            "self_attn.in_proj_bias": (3 * f,),
        }
        for name in ("self_attn.out_proj", "linear1", "linear2"):
            of_layer |= {f"{name}.weight": (f, f), f"{name}.bias": (f,)}
        for name in ("norm1", "norm2"):
            of_layer |= {f"{name}.weight": (f,), f"{name}.bias": (f,)}
        for layer in range(self.n_layers):
            shapes |= {f"layers.{layer}.{name}": shape for name, shape in of_layer.items()}
        return shapes

    def _numbers_of_window(self, length: int, parameters: dict[str, Any]) -> int:
        of_position = 2 * parameters["n_heads"] * length + 8 * parameters["n_factors"]
        return int(parameters["n_layers"] * length * of_position)

    def _network(self, torch: Any) -> Any:
        nn = torch.nn
        layers = [
            nn.TransformerEncoderLayer(
                self.n_factors,
                self.n_heads,
                dim_feedforward=self.n_factors,
                dropout=self.dropout,
                batch_first=True,
                norm_first=True,
            )
            for _ in range(self.n_layers)
        ]
        return nn.ModuleDict(
            {
                "position": nn.Embedding(self.max_length, self.n_factors),
                "layers": nn.ModuleList(layers),
                "norm": nn.LayerNorm(self.n_factors),
            }
        )

    def _outputs(self, torch: Any, network: Any, x: Any) -> Any:
        length = x.shape[1]
        positions = network["position"](torch.arange(length, device=x.device))
        x = torch.nn.functional.dropout(x + positions, self.dropout)
        is_later = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        for layer in network["layers"]:
            x = layer(x, src_mask=is_later, is_causal=True)
        return network["norm"](x)

    def _last_output(self, x: Array, parameters: dict[str, Any]) -> Array:
        weights = self.weights_
        x = x + weights["position.weight"][: x.shape[1]]
        for layer in range(parameters["n_layers"]):
            name = f"layers.{layer}."
            last_only = layer == parameters["n_layers"] - 1
            normed = layer_norm(x, weights, f"{name}norm1.")
            mixed = attention(
                normed, weights, f"{name}self_attn.", parameters["n_heads"], last_only=last_only
            )
            x = (x[:, -1:] if last_only else x) + mixed
            normed = layer_norm(x, weights, f"{name}norm2.")
            hidden = relu(dense(normed, weights, f"{name}linear1."))
            x = x + dense(hidden, weights, f"{name}linear2.")
        last: Array = layer_norm(x, weights, "norm.")[:, -1]
        return last.astype(np.float32, copy=False)
