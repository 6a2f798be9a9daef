"""What training by PyTorch needs: the library, threads and seeds of a fit, and the losses.

PyTorch is imported by a call of `fit` alone. Its number of threads and the state of its random
numbers are those of the caller again once the fit ends.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.memory import available_memory
from ..base.optional import import_optional
from ..exceptions import NumericalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = [
    "as_device",
    "check_loss",
    "check_memory",
    "embedding_table",
    "n_scored",
    "numpy_weights",
    "parts_of_batch",
    "softmax_loss",
    "trainer",
]

_LOGITS = 1 << 25  # numbers held at once; a batch with more of them is computed in parts
_CHECKED = 1 << 26  # numbers from which the available memory is read
_PARALLEL = 1 << 27  # products in a step from which several threads pay


def as_device(device: Any) -> str:
    """Return the checked parameter ``device``; PyTorch is not imported.

    Parameters
    ----------
    device : str
        "cpu", "cuda", or "cuda:1" and so on.

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If it is not a string.
    ValueError
        If it names no device.
    """
    if not isinstance(device, str):
        raise TypeError(f"device must be a string such as 'cpu' or 'cuda', got {device!r}")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise ValueError(f"device must be 'cpu', 'cuda', 'cuda:1' and so on, got {device!r}")
    return device


@contextlib.contextmanager
def trainer(
    name: str, device: str, n_threads: int, seed: int, products_of_step: int
) -> Iterator[Any]:
    """Yield PyTorch with the threads and the seed of a fit; both are restored afterwards.

    Parameters
    ----------
    name : str
        Class of the model, for messages.
    device : str
        From `as_device`.
    n_threads : int
        Threads of PyTorch.
    seed : int
        Of first weights and dropout.
    products_of_step : int
        About how many products a step of training takes. Short steps run on one thread, where
        waiting for others would take longer than the work.

    Yields
    ------
    module
        PyTorch.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    RuntimeError
        If it has no such device.
    """
    torch = import_optional("torch", f"{name}.fit", "deep")
    devices: list[int] = []
    if device != "cpu":
        devices = [int(device.partition(":")[2] or 0)]
        n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if devices[0] >= n_devices:
            raise RuntimeError(
                f"device={device!r} needs that NVIDIA GPU and PyTorch built for CUDA; PyTorch "
                f"finds {n_devices} of them. device='cpu' trains here"
            )
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads if products_of_step >= _PARALLEL else 1)
    try:
        with torch.random.fork_rng(devices=devices):
            torch.default_generator.manual_seed(seed)
            for number in devices:
                with torch.cuda.device(number):
                    torch.cuda.manual_seed(seed)
            yield torch
    finally:
        torch.set_num_threads(before)


def embedding_table(torch: Any, n: int, n_factors: int, device: str) -> Any:
    """Return vectors that start normal with an expected length of 1, to be learned.

    Parameters
    ----------
    torch : module
        PyTorch.
    n, n_factors : int
        Shape.
    device : str
        From `as_device`.

    Returns
    -------
    torch.nn.Parameter
    """
    return torch.nn.Parameter((torch.randn(n, n_factors) * n_factors**-0.5).to(device))


def n_scored(n_items: int, n_negatives: int | None) -> int:
    """Return how many items the softmax of a target is taken over.

    Parameters
    ----------
    n_items : int
        Number of items.
    n_negatives : int or None
        Items drawn for a batch; None: all items.

    Returns
    -------
    int
    """
    return n_items if n_negatives is None else n_negatives + 1


def softmax_loss(
    torch: Any, users: Any, table: Any, targets: Any, negatives: Any, n_items: int
) -> Any:
    """Return the cross-entropy of a softmax over items, summed over rows.

    Parameters
    ----------
    torch : module
        PyTorch.
    users : tensor of shape (n, n_factors)
        Vectors that score items by their inner product.
    table : tensor of shape (n_vectors, n_factors)
        Vectors of items, of all of them where ``negatives`` is None.
    targets : tensor of int64, shape (n,)
        Row of the table of each target.
    negatives : tensor of int64, shape (m,), or None
        Rows of uniformly drawn items whose scores stand for those of all others; None: all items.
    n_items : int
        Number of items.

    Returns
    -------
    tensor
        One number, with its graph.
    """
    cross_entropy = torch.nn.functional.cross_entropy
    if negatives is None:
        return cross_entropy(users @ table.T, targets, reduction="sum")
    positive = (users * table[targets]).sum(dim=1, keepdim=True)
    n_others, n_drawn = max(n_items - 1, 1), len(negatives)
    drawn = users @ table[negatives].T + float(np.log(n_others / n_drawn))
    drawn = drawn.masked_fill(negatives[None] == targets[:, None], -float("inf"))
    scores = torch.cat([positive, drawn], dim=1)
    return cross_entropy(scores, torch.zeros_like(targets), reduction="sum")


def check_memory(name: str, n_numbers: int, cause: str) -> None:
    """Raise MemoryError where float32 numbers do not fit into memory; allocates nothing.

    Parameters
    ----------
    name : str
        Class of the model, for the message.
    n_numbers : int
        About how many numbers are held at once.
    cause : str
        The parameter to lower, with its value.

    Raises
    ------
    MemoryError
        With the estimate, the available memory and the remedy.
    """
    if n_numbers < _CHECKED:
        return
    need, free = 4 * n_numbers / 2**30, available_memory() / 2**30
    if need > free:
        raise MemoryError(
            f"{name} needs about {need:,.1f} GiB with {cause}, and {free:.1f} GiB are available: "
            "lower it, or n_factors"
        )


def parts_of_batch(n_rows: int, numbers_of_row: int) -> Iterator[slice]:
    """Yield consecutive parts of a batch whose numbers fit into the memory meant for them.

    Parameters
    ----------
    n_rows : int
        Rows of the batch.
    numbers_of_row : int
        Scores and activations that the loss of a row takes.

    Yields
    ------
    slice
        At least one row.
    """
    size = max(1, _LOGITS // max(numbers_of_row, 1))
    for begin in range(0, n_rows, size):
        yield slice(begin, min(begin + size, n_rows))


def check_loss(loss: float, epoch: int) -> float:
    """Return the mean loss of an epoch.

    Parameters
    ----------
    loss : float
        Of the epoch.
    epoch : int
        Its number, from 1.

    Returns
    -------
    float

    Raises
    ------
    NumericalError
        If it is not finite.
    """
    if not np.isfinite(loss):
        raise NumericalError(
            f"training diverged in epoch {epoch}: the loss is {loss}. Lower learning_rate"
        )
    return loss


def numpy_weights(network: Any) -> dict[str, NDArray[np.float32]]:
    """Return copies of the weights of a network.

    Parameters
    ----------
    network : torch.nn.Module
        On any device.

    Returns
    -------
    dict of str to ndarray of float32
        By the names that PyTorch gives them.
    """
    state: Mapping[str, Any] = network.state_dict()
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in state.items()}
