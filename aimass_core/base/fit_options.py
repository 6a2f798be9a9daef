"""What a call of `fit` was given besides the parameters of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .progress import Progress
from .validation import as_bool

if TYPE_CHECKING:
    from .progress import Event

__all__ = ["FitOptions"]


@dataclass(frozen=True)
class FitOptions:
    """Arguments of a call of `fit`.

    Parameters
    ----------
    data : Interactions, sparse matrix, 2-D array, RowBlocks or None
        The training data as given.
    validation : Interactions or matrix, optional
        Held-out entries.
    start : fitted model or pair of arrays, optional
        Factors to start from.
    callback : callable, optional
        Called with an `Event` after each step.
    verbose : bool, default=False
        Whether to show a progress bar.
    item_features, user_features : FeatureTable, table or matrix, optional
        Features of items and of users as given.
    executor : str or object with ``submit``, optional
        Where the blocks of the fit are computed; see `open_executor`. Default: in this process.
    place : path-like, optional
        Folder for the files of an executor.
    """

    data: Any = None
    validation: Any = None
    start: Any = None
    callback: Callable[[Event], Any] | None = field(default=None, repr=False)
    verbose: bool = False
    item_features: Any = None
    user_features: Any = None
    executor: Any = field(default=None, repr=False)
    place: Any = None

    def progress(self, n_steps: int) -> Progress:
        """Return the reporter of these options.

        Parameters
        ----------
        n_steps : int
            Steps there are at most.

        Returns
        -------
        Progress
            Its stage is "fit".

        Raises
        ------
        TypeError
            For a callback that is no function, and for ``verbose`` other than a bool.
        """
        verbose = as_bool(self.verbose, "verbose")
        return Progress("fit", n_steps, callback=self.callback, verbose=verbose)
