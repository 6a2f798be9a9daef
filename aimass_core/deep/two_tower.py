"""Two towers: one network maps users to vectors, another one maps items, features included."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..base.csr import with_scipy_indices
from ..base.events import group_rows
from ..base.fit_options import FitOptions
from ..base.random import as_generator
from ..base.registry import register
from ..base.validation import as_float, as_int, wrap_csr
from ..factorization._als import MAX_FACTORS
from ..factorization._model import FactorModel
from ..factorization._sgd_ranking import positives
from ..factorization._sgd_training import run_epochs
from ..hybrid._design import has_features, normalized_rows
from ..hybrid._feature_factors import FeatureFactors
from ._layers import dense, relu
from ._sequence_model import check_training_parameters, check_weights
from ._training import (
    check_loss,
    embedding_table,
    n_scored,
    numpy_weights,
    parts_of_batch,
    softmax_loss,
    trainer,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.progress import Event

    Array = NDArray[Any]

__all__ = ["TwoTower"]

_TABLES = (
    "history_factors_",
    "item_feature_factors_",
    "user_feature_factors_",
)


@register("two-tower")
class TwoTower(FeatureFactors):
    r"""Two-tower network: vectors of users from what they have, vectors of items from features.

    The input of a user u is the sum of the vectors of the user's items :math:`S_u` and of the
    user's features; that of an item is a vector of its own and the sum of those of its features:

    .. math:: x_u = \frac{\sum_{j \in S_u} a_j}{\sqrt{|S_u|}} + C^T \frac{g_u}{|g_u|}, \quad
        x_i = e_i + B^T \frac{g_i}{|g_i|}, \quad
        t(x) = x + W_2 \max(W_1 x + b_1, 0) + b_2

    Each side has its own network t; that of items has no :math:`b_2`. A score is the inner product
    of both outputs. Training maximises a softmax over items, with the target left out of
    :math:`S_u`. New items and users have the vectors of their features. `fit` needs PyTorch
    (``pip install 'aimass_core[deep]'``). Answers, saving and loading do not.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors, 1 to 16384.
    n_hidden : int, default=64
        Hidden units of each tower, 1 to 16384.
    dropout : float, default=0.2
        Share of inputs and hidden units that training sets to zero, below 1.
    id_dropout : float, default=0.2
        Share of the items with features that lose their own vector in a step of training, and of
        the users with features that lose their items, so that the features learn to stand alone; 0
        to 1.
    n_negatives : int, optional
        Items drawn uniformly for each batch, over which the softmax is taken. Default: all items.
    learning_rate : float, default=0.001
        Of AdamW, above 0.
    regularization : float, default=0.0
        Weight decay of AdamW, at least 0.
    batch_size : int, default=1024
        Pairs of a user and an item in a step.
    max_iter : int, default=10
        Epochs.
    metric : str, default="ndcg@10"
        Metric on the validation part of `fit`.
    patience : int, default=3
        Computations of the metric without a better value before training ends.
    validation_interval : int, default=1
        Epochs between two computations of the metric.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of first weights, dropout, order of pairs and negatives.
    n_threads : int, optional
        Threads of PyTorch in `fit`, as in `SASRec`.
    device : str, default="cpu"
        Where `fit` trains, as in `SASRec`.

    Attributes
    ----------
    item_factors_, user_factors_ : ndarray of float32, shape (n, n_factors)
        Outputs of the towers. A user without items and features has zeros.
    history_factors_ : ndarray of float32, shape (n_items, n_factors)
        Vectors of items in the input of a user.
    item_feature_factors_, user_feature_factors_ : ndarray of float32, shape (n_features, n_factors)
        Vectors of the features; no rows in a fit without them.
    weights_ : dict of str to ndarray of float32
        Weights of the towers, by the names of PyTorch.
    losses_, scores_, n_iter_, user_items_
        As in `SASRec`.

    Notes
    -----
    An epoch costs O(nnz f (n_items + mean length of a history)), and for each step O(n_items f h)
    for h hidden units; with ``n_negatives``, that many items in place of n_items. A new user costs
    O(length f + f h) and one exact search. The order of interactions has no effect. The answer for
    a user has the same bits alone and in any batch.

    References
    ----------
    P. Covington, J. Adams and E. Sargin, "Deep neural networks for YouTube recommendations", RecSys
    2016. X. Yi et al., "Sampling-bias-corrected neural modeling for large corpus item
    recommendations", RecSys 2019. M. Volkovs, G. Yu and T. Poutanen, "DropoutNet: addressing cold
    start in recommender systems", NeurIPS 2017, for ``id_dropout``.

    Examples
    --------
    >>> from aimass_core import Interactions, TwoTower
    >>> x = Interactions.from_arrays(
    ...     list("aabbccdd"), ["tea", "ale", "tea", "ale", "pie", "jam", "pie", "jam"]
    ... )
    >>> kinds = {"item": ["tea", "ale", "pie", "jam"], "kind": ["drink", "drink", "food", "food"]}
    >>> model = TwoTower(n_factors=8, n_hidden=8, max_iter=100).fit(x, item_features=kinds)
    >>> new = {"item": ["gin", "bun"], "kind": ["drink", "food"]}
    >>> model.recommend(["a", "c"], k=1, item_features=new, candidates=["gin", "bun"]).ids.tolist()
    [['gin'], ['bun']]
    """

    needs_extra: ClassVar[str | None] = "deep"
    _learned_arrays: ClassVar[tuple[str, ...]] = (
        "user_factors_",
        "item_factors_",
        "weights_",
        *_TABLES,
    )
    _state: ClassVar[tuple[str, ...]] = (
        *FeatureFactors._state,
        "weights_",
        *_TABLES,
        "losses_",
        "scores_",
        "n_iter_",
    )

    weights_: dict[str, NDArray[np.float32]]
    history_factors_: Array
    item_feature_factors_: Array
    user_feature_factors_: Array
    losses_: NDArray[np.float64]
    scores_: NDArray[np.float64]
    n_iter_: int

    def __init__(
        self,
        *,
        n_factors: int = 64,
        n_hidden: int = 64,
        dropout: float = 0.2,
        id_dropout: float = 0.2,
        n_negatives: int | None = None,
        learning_rate: float = 0.001,
        regularization: float = 0.0,
        batch_size: int = 1024,
        max_iter: int = 10,
        metric: str = "ndcg@10",
        patience: int = 3,
        validation_interval: int = 1,
        random_state: Any = 0,
        n_threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.n_factors = n_factors
        self.n_hidden = n_hidden
        self.dropout = dropout
        self.id_dropout = id_dropout
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

    @property
    def _dtype(self) -> Any:
        return np.dtype(np.float32)

    def _check_parameters(self) -> None:
        check_training_parameters(self)
        as_int(self.n_hidden, "n_hidden", minimum=1, maximum=MAX_FACTORS)
        as_float(self.id_dropout, "id_dropout", minimum=0.0, maximum=1.0)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        f, h = self.n_factors, self.n_hidden
        shapes: dict[str, tuple[int, ...]] = {}
        for side in ("item", "user"):
            shapes |= {f"{side}.0.weight": (h, f), f"{side}.0.bias": (h,)}
            shapes[f"{side}.3.weight"] = (f, h)
        shapes["user.3.bias"] = (f,)  # one of items would add the same to all scores of a user
        return shapes

    # ---- learning ----------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        item_features: Any = None,
        user_features: Any = None,
        validation: Any = None,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Learn from users x items, and from features of items and users.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of shape (n_users, n_items)
            Entries above 0 are positives; others count as seen only.
        y : None
            Must be None; scikit-learn passes it.
        item_features, user_features : FeatureTable, table, matrix or 2-D array, optional
            As in `FeatureRecommender.fit`.
        validation : Interactions or matrix like X, optional
            Held-out entries of the same users: as in `SASRec.fit`.
        callback : callable, optional
            Called with an `Event` after each epoch; a true result ends training.
        verbose : bool, default=False
            Show a progress bar on standard error.

        Returns
        -------
        Self
            The object itself. If ``fit`` raises, the object stays what it was.

        Raises
        ------
        ImportError
            Without PyTorch: ``pip install 'aimass_core[deep]'``.
        NumericalError
            Where training diverges; the message names the epoch and the remedy.
        ValueError
            For a parameter out of its range, and for features none of whose ids is one of X.
        """
        options = FitOptions(X, validation, None, callback, verbose, item_features, user_features)
        return self._fit(X, y, options)

    def _learn(self, n_threads: int) -> None:
        self._check_parameters()
        rng = as_generator(self.random_state)
        seed = int(rng.integers(2**63))
        work = min(self.batch_size, self.user_items_.nnz) * self.n_factors
        work *= n_scored(self.n_items, self.n_negatives)
        with trainer("TwoTower", self.device, n_threads, seed, work) as torch:
            training = _Training(torch, self, rng)

            def set_learned() -> None:
                self.weights_ = numpy_weights(training.towers)
                for name, table in training.tables.items():
                    setattr(self, name, table.detach().cpu().numpy().copy())
                own = training.own.detach().cpu().numpy().copy()
                self._set_vectors(own)

            run_epochs(self, training.take_epoch, set_learned, self.max_iter, n_threads)

    def _set_vectors(self, own: Array) -> None:
        """Set the outputs of both towers for items and users of the fit."""
        X = positives(self.user_items_)
        features = self.item_features_
        if features is not None:  # the vector of an item without positives was never a target
            counts = np.bincount(X.indices, minlength=self.n_items)
            own[(counts == 0) & has_features(features)] = 0
            own += _sums(features, self.item_feature_factors_)
        self.item_factors_ = self._tower("item", own)
        self.user_factors_ = self._solve_new(X, self.user_features_, 1)

    # ---- answers -----------------------------------------------------------------------------

    def _tower(self, side: str, inputs: Array) -> Array:
        """Return the outputs of a tower, each row computed by itself."""
        x = inputs[:, None]
        hidden = relu(dense(x, self.weights_, f"{side}.0."))
        outputs: Array = (x + dense(hidden, self.weights_, f"{side}.3."))[:, 0]
        return outputs.astype(np.float32, copy=False)

    def _factors_of(self, side: str, features: sp.csr_array) -> Array:
        if side == "item":
            return self._tower("item", _sums(features, self.item_feature_factors_))
        profiles = sp.csr_array((features.shape[0], self.n_items), dtype=np.float32)
        return self._solve_new(profiles, features, 1)

    def _solve_new(
        self, profiles: sp.csr_array, features: sp.csr_array | None, n_threads: int
    ) -> Array:
        X = positives(profiles)
        counts = np.diff(X.indptr)
        ones = wrap_csr(X.indptr, X.indices, np.ones(X.nnz, dtype=np.float32), X.shape)
        inputs: Array = with_scipy_indices(ones) @ self.history_factors_
        inputs /= np.sqrt(np.maximum(counts, 1))[:, None].astype(np.float32)
        is_known = counts > 0
        if features is not None and len(self.user_feature_factors_):
            inputs += _sums(features, self.user_feature_factors_)
            is_known |= has_features(features)
        outputs = self._tower("user", inputs * np.float32(inputs.shape[1] ** 0.5))
        outputs[~is_known] = 0
        return outputs

    def _remains(self) -> str:
        return (
            "The weights of the towers and the vectors of items and features were learned from the "
            "interactions of the forgotten users, too; the next fit removes that influence."
        )

    def _check_state(self) -> None:
        FactorModel._check_state(self)
        self._check_parameters()
        check_weights(self.weights_, self._shapes())
        f = self.n_factors
        sizes = {"history_factors_": self.n_items}
        for side, encoder in (("item", self.item_encoder_), ("user", self.user_encoder_)):
            sizes[f"{side}_feature_factors_"] = 0 if encoder is None else encoder.n_features
        for name, n in sizes.items():
            check_weights({name: getattr(self, name)}, {name: (n, f)})
        if self.item_factors_.shape[1] != f or self.item_factors_.dtype != np.float32:
            raise ValueError("vectors of items that do not fit the parameters")


def _sums(features: sp.csr_array, table: Array) -> Array:
    """Return the sums of the vectors of features, in rows of features scaled to length one."""
    if not len(table):
        return np.zeros((features.shape[0], table.shape[1]), dtype=np.float32)
    product = with_scipy_indices(normalized_rows(features)) @ table.astype(np.float64)
    sums: Array = product.astype(np.float32)
    return sums


class _Rows(NamedTuple):
    """A sparse matrix as PyTorch sums vectors by it, converted once for all steps."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    data: NDArray[np.float32]

    @classmethod
    def of(cls, X: sp.csr_array) -> _Rows:
        return cls(X.indptr.astype(np.int64), X.indices.astype(np.int64), X.data.astype(np.float32))


class _Training:
    """The epochs of a `TwoTower`: its tables and towers in PyTorch, and their steps.

    Parameters
    ----------
    torch : module
        PyTorch.
    model : TwoTower
        With its training data.
    rng : numpy.random.Generator
        Of the order of pairs and the negatives.
    """

    def __init__(self, torch: Any, model: TwoTower, rng: np.random.Generator) -> None:
        self._torch, self._model, self._rng = torch, model, rng
        f, device = model.n_factors, model.device
        n_of = {"history_factors_": model.n_items}
        self._features: dict[str, _Rows] = {}
        self._has_features: dict[str, NDArray[np.bool_]] = {}
        for side in ("item", "user"):
            features = getattr(model, f"{side}_features_")
            if features is not None:
                self._features[side] = _Rows.of(normalized_rows(features))
                self._has_features[side] = has_features(features)
            n_of[f"{side}_feature_factors_"] = 0 if features is None else features.shape[1]
        self.own = embedding_table(torch, model.n_items, f, device)
        self.tables = {n: embedding_table(torch, size, f, device) for n, size in n_of.items()}
        nn, h = torch.nn, model.n_hidden
        self.towers = nn.ModuleDict(
            {
                side: nn.Sequential(
                    nn.Linear(f, h),
                    nn.ReLU(),
                    nn.Dropout(model.dropout),
                    nn.Linear(h, f, bias=side == "user"),
                )
                for side in ("item", "user")
            }
        ).to(device)
        X = positives(model.user_items_)
        self._history = _Rows.of(X)._replace(data=np.ones(X.nnz, dtype=np.float32))
        self._n_of_user = np.diff(self._history.indptr)
        self._user_of_pair = np.repeat(np.arange(X.shape[0]), self._n_of_user)
        self._optimizer = torch.optim.AdamW(
            [self.own, *(t for t in self.tables.values() if len(t)), *self.towers.parameters()],
            lr=model.learning_rate,
            weight_decay=model.regularization,
        )

    def take_epoch(self, number: int) -> dict[str, float]:
        """Take a step for each batch of pairs, in a random order.

        Parameters
        ----------
        number : int
            Of the epoch, from 1.

        Returns
        -------
        dict
            The mean loss.
        """
        model, rng, n_pairs = self._model, self._rng, len(self._user_of_pair)
        order = rng.permutation(n_pairs)
        scores_of_pair = n_scored(model.n_items, model.n_negatives)
        self.towers.train()
        total = 0.0
        for begin in range(0, n_pairs, model.batch_size):
            batch = order[begin : begin + model.batch_size]
            negatives = None
            if model.n_negatives is not None:
                negatives = rng.integers(model.n_items, size=model.n_negatives)
            self._optimizer.zero_grad()
            for part in parts_of_batch(len(batch), scores_of_pair):
                loss = self._loss(batch[part], negatives)
                (loss / len(batch)).backward()
                total += float(loss.detach())
            self._optimizer.step()
        return {"loss": check_loss(total / max(n_pairs, 1), number)}

    def _loss(self, pairs: Array, negatives: Array | None) -> Any:
        """Return the summed loss of some pairs."""
        targets = self._history.indices[pairs]
        if negatives is None:
            items, rows, drawn = np.arange(self._model.n_items), targets, None
        else:
            both = np.concatenate([targets, negatives])
            items, inverse = np.unique(both, return_inverse=True)
            inverse = inverse.reshape(-1)
            rows, drawn = inverse[: len(targets)], self._tensor(inverse[len(targets) :])
        return softmax_loss(
            self._torch,
            self._users(pairs),
            self._items(items),
            self._tensor(rows),
            drawn,
            self._model.n_items,
        )

    def _tensor(self, values: Array) -> Any:
        return self._torch.as_tensor(values, device=self._model.device)

    def _tower(self, side: str, x: Any) -> Any:
        x = self._torch.nn.functional.dropout(x, self._model.dropout)
        return x + self.towers[side](x)

    def _bags(self, X: _Rows, rows: Array, table: Any) -> Any:
        """Return sums of the rows of a table that some rows of a matrix name, by its values."""
        bounds, entries = group_rows(X.indptr, rows)
        return self._torch.nn.functional.embedding_bag(
            self._tensor(X.indices[entries]),
            table,
            self._tensor(bounds[:-1]),
            mode="sum",
            per_sample_weights=self._tensor(X.data[entries]),
        )

    def _kept(self, has_some: Array) -> Any:
        """Return 0 for some of the rows that have features, 1 for all others."""
        draws = self._torch.rand(len(has_some)).numpy()
        kept = (draws >= self._model.id_dropout) | ~has_some
        return self._tensor(kept.astype(np.float32)[:, None])

    def _items(self, items: Array) -> Any:
        """Return the outputs of the tower of items for some items."""
        x = self.own[self._tensor(items)]
        features = self._features.get("item")
        if features is not None:
            x = x * self._kept(self._has_features["item"][items])
            x = x + self._bags(features, items, self.tables["item_feature_factors_"])
        return self._tower("item", x)

    def _users(self, pairs: Array) -> Any:
        """Return the outputs of the tower of users for pairs, without the item of the pair."""
        rows = self._user_of_pair[pairs]
        users, inverse = np.unique(rows, return_inverse=True)
        inverse = inverse.reshape(-1)
        history = self.tables["history_factors_"]
        sums = self._bags(self._history, users, history)[self._tensor(inverse)]
        sums = sums - history[self._tensor(self._history.indices[pairs])]
        n_others = np.maximum(self._n_of_user[rows] - 1, 1)
        x = sums / self._tensor(np.sqrt(n_others)[:, None].astype(np.float32))
        features = self._features.get("user")
        if features is not None:
            x = x * self._kept(self._has_features["user"][rows])
            own = self._bags(features, users, self.tables["user_feature_factors_"])
            x = x + own[self._tensor(inverse)]
        return self._tower("user", x * self._model.n_factors**0.5)
