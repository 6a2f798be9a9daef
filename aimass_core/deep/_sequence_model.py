"""What models of sequences share: training by next items, and answers on NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.caller import warn_caller
from ..base.fit_options import FitOptions
from ..base.progress import logger
from ..base.random import as_generator
from ..base.validation import as_float, as_int
from ..factorization._als import MAX_FACTORS
from ..factorization._model import FactorModel
from ..factorization._sgd_training import run_epochs
from ._sequences import Sequences, Windows
from ._training import (
    as_device,
    check_loss,
    check_memory,
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
    from ..base.query import Query

    Array = NDArray[Any]

__all__ = ["SequenceModel", "check_training_parameters"]

MAX_LAYERS = 64
_BLOCK = 1 << 20  # numbers of an input of the network in answers
_COPIES = 4  # of each weight in training: itself, its gradient and two moments of AdamW


class SequenceModel(FactorModel):
    """Base of networks that map the items of a user, in their order, to a vector.

    The score of an item is its inner product with that vector. A subclass defines the network
    twice: ``_network`` and ``_outputs`` for PyTorch, ``_last_output`` for NumPy, with the weights
    that ``_shapes`` names.
    """

    needs_extra: ClassVar[str | None] = "deep"
    _keeps_times: ClassVar[bool] = True
    _orders_profiles: bool = True
    _learned_arrays: ClassVar[tuple[str, ...]] = ("user_factors_", "item_factors_", "weights_")
    _state: ClassVar[tuple[str, ...]] = (
        *FactorModel._state,
        "timestamps_",
        "time_unit_",
        "events_",
        "weights_",
        "losses_",
        "scores_",
        "n_iter_",
    )

    weights_: dict[str, NDArray[np.float32]]
    losses_: NDArray[np.float64]
    scores_: NDArray[np.float64]
    n_iter_: int

    n_factors: int
    n_layers: int
    max_length: int
    dropout: float
    n_negatives: int | None
    learning_rate: float
    regularization: float
    batch_size: int
    max_iter: int
    metric: Any
    patience: int
    validation_interval: int
    random_state: Any
    n_threads: int | None
    device: str

    @property
    def _dtype(self) -> Any:
        return np.dtype(np.float32)

    # ---- what a subclass defines -------------------------------------------------------------

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight of the network, by the name that PyTorch gives it."""
        raise NotImplementedError

    def _network(self, torch: Any) -> Any:
        """Return the network as a module of PyTorch."""
        raise NotImplementedError

    def _outputs(self, torch: Any, network: Any, x: Any) -> Any:
        """Return the vector after each position of some sequences, in training.

        Parameters
        ----------
        torch : module
            PyTorch.
        network : torch.nn.Module
            From `_network`.
        x : tensor of shape (n, length, n_factors)
            Vectors of the items, padded at the end.

        Returns
        -------
        tensor of shape (n, length, n_factors)
        """
        raise NotImplementedError

    def _last_output(self, x: Array, parameters: dict[str, Any]) -> Array:
        """Return the vector after the last position of some sequences of one length.

        Parameters
        ----------
        x : ndarray of float32, shape (n, length, n_factors)
            Vectors of the items.
        parameters : dict
            Of the fit.

        Returns
        -------
        ndarray of float32, shape (n, n_factors)
        """
        raise NotImplementedError

    def _numbers_of_window(self, length: int, parameters: dict[str, Any]) -> int:
        """Return about how many numbers the network holds at once for one sequence.

        Parameters
        ----------
        length : int
            Items of the sequence.
        parameters : dict
            Those of the model.

        Returns
        -------
        int
            Activations that training keeps for the gradient, without the scores of items.
        """
        raise NotImplementedError

    def _check_parameters(self) -> None:
        """Raise TypeError or ValueError for a parameter of a wrong type or out of its range."""
        check_training_parameters(self)
        as_int(self.n_layers, "n_layers", minimum=1, maximum=MAX_LAYERS)
        as_int(self.max_length, "max_length", minimum=1)

    # ---- learning ----------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        validation: Any = None,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Learn from users x items, in the order of time.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of shape (n_users, n_items)
            Entries above 0 are positives; others count as seen only. `Interactions` with times give
            the order. Items of a user at the same time, and all items where X has no times, have no
            order: each epoch draws one.
        y : None
            Must be None; scikit-learn passes it.
        validation : Interactions or matrix like X, optional
            Held-out entries of the same users. ``metric`` is computed on them, the entries of X
            left out of the lists; training ends after ``patience`` computations without a better
            value, and the best weights are kept.
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
        MemoryError
            Where the network or the longest sequence does not fit into memory, before training.
        NumericalError
            Where training diverges; the message names the epoch and the remedy.
        ValueError
            For a parameter out of its range, a broken matrix or values that are not finite.

        Warns
        -----
        UserWarning
            Where no user has two items, so that there is no next item to learn from.
        """
        return self._fit(X, y, FitOptions(X, validation, None, callback, verbose))

    def _learn(self, n_threads: int) -> None:
        self._check_parameters()
        rng = as_generator(self.random_state)
        sequences = Sequences.of(self.user_items_, self.timestamps_)
        if self.timestamps_ is None:
            logger.info("%s: X has no times, so each epoch draws an order", type(self).__name__)
        windows = sequences.windows(self.max_length)
        if not len(windows):
            warn_caller(
                f"{type(self).__name__} learns nothing, because no user has two items: its lists "
                "are those of random vectors. Use Popularity, or fit on longer histories"
            )
        self._check_training_memory(windows)
        seed = int(rng.integers(2**63))
        work = sequences.n_inputs(self.batch_size, self.max_length) * self.n_factors
        work *= n_scored(self.n_items, self.n_negatives) + self.n_layers * self.n_factors
        with trainer(type(self).__name__, self.device, n_threads, seed, work) as torch:
            network = self._network(torch).to(self.device)
            table = embedding_table(torch, self.n_items, self.n_factors, self.device)
            take_epoch = self._epochs(torch, network, table, sequences, windows, rng)

            def set_learned() -> None:
                self.item_factors_ = table.detach().cpu().numpy().copy()
                self.weights_ = numpy_weights(network)
                self.user_factors_ = self._vectors_of(sequences)

            run_epochs(self, take_epoch, set_learned, self.max_iter, n_threads)

    def _check_training_memory(self, windows: Windows) -> None:
        """Raise MemoryError where the weights or the longest window do not fit into memory."""
        weights = sum(math.prod(shape) for shape in self._shapes().values())
        weights += self.n_items * self.n_factors
        longest = int(windows.lengths.max(initial=1))
        numbers = _COPIES * weights + self._numbers_of_window(longest, self.get_params(deep=False))
        check_memory(type(self).__name__, numbers, f"max_length={self.max_length}")

    def _epochs(
        self,
        torch: Any,
        network: Any,
        table: Any,
        sequences: Sequences,
        windows: Windows,
        rng: np.random.Generator,
    ) -> Callable[[int], dict[str, float]]:
        """Return the function that takes an epoch over all windows of the sequences."""
        optimizer = torch.optim.AdamW(
            [table, *network.parameters()],
            lr=self.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=self.regularization,
        )
        longest = int(windows.lengths.max(initial=1))
        numbers_of_window = longest * n_scored(self.n_items, self.n_negatives)
        numbers_of_window += self._numbers_of_window(longest, self.get_params(deep=False))
        on_device = {"device": self.device}

        def take_epoch(number: int) -> dict[str, float]:
            items = sequences.drawn(rng)
            order = rng.permutation(len(windows))
            network.train()
            total = 0.0
            for begin in range(0, len(windows), self.batch_size):
                batch = order[begin : begin + self.batch_size]
                n_targets = int(windows.lengths[batch].sum())
                negatives = None
                if self.n_negatives is not None:
                    drawn = rng.integers(self.n_items, size=self.n_negatives)
                    negatives = torch.as_tensor(drawn, **on_device)
                optimizer.zero_grad()
                for part in parts_of_batch(len(batch), numbers_of_window):
                    positions, is_input = windows.take(batch[part])
                    inputs = torch.as_tensor(items[positions], **on_device)
                    targets = torch.as_tensor(items[positions + 1][is_input], **on_device)
                    x = torch.nn.functional.embedding(inputs, table) * self.n_factors**0.5
                    outputs = self._outputs(torch, network, x)
                    outputs = outputs[torch.as_tensor(is_input, **on_device)]
                    loss = softmax_loss(torch, outputs, table, targets, negatives, self.n_items)
                    (loss / n_targets).backward()
                    total += float(loss.detach())
                optimizer.step()
            n_targets = int(windows.lengths.sum())
            return {"loss": check_loss(total / max(n_targets, 1), number)}

        return take_epoch

    # ---- answers -----------------------------------------------------------------------------

    def _vectors_of(self, sequences: Sequences) -> Array:
        """Return the vectors of users; zero for a user without items."""
        parameters = self._fitted_parameters()
        f = self.item_factors_.shape[1]
        vectors = np.zeros((len(sequences), f), dtype=np.float32)
        for users, items in sequences.newest(parameters["max_length"]):
            length = items.shape[1]
            check_memory(
                type(self).__name__,
                self._numbers_of_window(length, parameters),
                f"max_length={parameters['max_length']}",
            )
            size = max(1, _BLOCK // (length * f))
            for begin in range(0, len(users), size):
                part = slice(begin, begin + size)
                x = self.item_factors_[items[part]] * np.float32(f**0.5)
                vectors[users[part]] = self._last_output(x, parameters)
        return vectors

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> Array:
        return self._vectors_of(Sequences.of(profiles, None))

    def _vectors_of_query(self, query: Query) -> tuple[Array, None]:
        if query.users is not None:
            return self.user_factors_[query.users], None
        return self._vectors_of(Sequences.of(query.profiles, query.times)), None

    def fold_in(
        self, user_items: Any, *, unknown_items: str = "warn", n_threads: int | None = None
    ) -> Array:
        """Return the vectors of users who were not in the fit; the model does not change.

        Parameters
        ----------
        user_items : Interactions, sparse matrix or 2-D array of shape (n, n_items)
            Interactions of these users; `Interactions` are matched by item id, and their times give
            the order. Without times the items are in the order of columns.
        unknown_items : {"warn", "error"}, default="warn"
            Items that the model does not know are dropped with one warning, or raise.
        n_threads : int, optional
            Not used.

        Returns
        -------
        ndarray of float32, shape (n, n_factors)
            One row for each user.
        """
        self._check_fitted()
        profiles, _ = self._new_profiles(user_items, unknown_items)
        return self._vectors_of(Sequences.of(profiles, self._new_times(user_items)))

    def _remains(self) -> str:
        return (
            "The weights of the network and the vectors of items were learned from the "
            "interactions of the forgotten users, too; the next fit removes that influence."
        )

    def _check_state(self) -> None:
        super()._check_state()
        self._check_parameters()
        check_weights(self.weights_, self._shapes())
        if self.item_factors_.shape[1] != self.n_factors or self.item_factors_.dtype != np.float32:
            raise ValueError("vectors of items that do not fit the parameters")


def check_weights(weights: Any, shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise ValueError where the weights of a file are not those of the network.

    Parameters
    ----------
    weights : dict of str to ndarray
        As read.
    shapes : dict of str to tuple of int
        The shape of each weight.
    """
    if not isinstance(weights, dict) or set(weights) != set(shapes):
        raise ValueError("weights that are not those of the network")
    for name, shape in shapes.items():
        values = weights[name]
        good = isinstance(values, np.ndarray) and values.dtype == np.float32
        if not good or values.shape != shape or not np.isfinite(values).all():
            raise ValueError(f"weights {name!r} that do not fit the network")


def check_training_parameters(model: Any) -> None:
    """Raise TypeError or ValueError for a parameter that all models of this package have.

    Parameters
    ----------
    model : SequenceModel or TwoTower
        With its parameters as given.
    """
    as_int(model.n_factors, "n_factors", minimum=1, maximum=MAX_FACTORS)
    dropout = as_float(model.dropout, "dropout", minimum=0.0)
    if dropout >= 1:
        raise ValueError(f"dropout must be below 1, got {dropout}")
    if model.n_negatives is not None:
        as_int(model.n_negatives, "n_negatives", minimum=1)
    as_float(model.learning_rate, "learning_rate", above=0.0)
    as_float(model.regularization, "regularization", minimum=0.0)
    as_int(model.batch_size, "batch_size", minimum=1)
    as_int(model.max_iter, "max_iter", minimum=1)
    as_int(model.patience, "patience", minimum=1)
    as_int(model.validation_interval, "validation_interval", minimum=1)
    as_device(model.device)
