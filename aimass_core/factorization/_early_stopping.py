"""When training ends: a metric on held-out entries, and the best parameters so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.metric_names import RATING_NAMES, parse_metric_name
from ..base.validation import as_int

if TYPE_CHECKING:
    from ..base.recommender import Recommender

__all__ = ["EarlyStopping"]

_ERRORS = ("rmse", "mae", "mse")  # lower is better


class EarlyStopping:
    """Compute a metric of a model after its epochs and keep the best learned attributes.

    Parameters
    ----------
    model : Recommender
        The model in training; its learned attributes are those of the last epoch.
    data : object
        The training part, as given to ``fit``.
    validation : Interactions or matrix like ``data``, or None
        Held-out entries of the same users; None: nothing is computed.
    metric : str
        Name of a metric of `evaluate`, such as "ndcg@10" or "rmse".
    patience : int
        Computations without a better metric before training ends.
    interval : int
        Epochs between two computations.
    attributes : tuple of str
        Names of the learned attributes to keep.

    Raises
    ------
    ValueError
        For an unknown metric, with or without a validation part.
    """

    def __init__(
        self,
        model: Recommender,
        data: Any,
        validation: Any,
        *,
        metric: Any,
        patience: Any,
        interval: Any,
        attributes: tuple[str, ...],
    ) -> None:
        self.scores: list[float] = []
        self._model, self._split = model, (data, validation)
        self._metric = _checked_metric(model, metric)
        self._patience = as_int(patience, "patience", minimum=1)
        self._interval = as_int(interval, "validation_interval", minimum=1)
        self._attributes = attributes
        self._best: tuple[float, int, dict[str, Any]] | None = None
        self._waits = 0

    @property
    def is_used(self) -> bool:
        """Whether there is a validation part."""
        return self._split[1] is not None

    def is_due(self, number: int, last: int) -> bool:
        """Return whether the metric is computed after epoch `number` of at most `last`."""
        return self.is_used and (number % self._interval == 0 or number == last)

    def update(self, number: int) -> tuple[float, bool]:
        """Return the metric after epoch `number`, and whether training should end."""
        from ..evaluation import evaluate

        table = evaluate(
            {"model": self._model}, self._split, metrics=[self._metric], fit=False, intervals=False
        )
        row = table["model"]
        name = next(name for name in row if not name.endswith("_s"))
        value = row.get(f"{name}:warm", row[name])  # users whom the model knows
        if not np.isfinite(value):
            raise ValueError(f"validation: {self._metric} is {value} on this part")
        self.scores.append(float(value))
        score = -value if str(name).startswith(_ERRORS) else value
        if self._best is None or score > self._best[0]:
            kept = {name: getattr(self._model, name) for name in self._attributes}
            self._best, self._waits = (score, number, kept), 0
        else:
            self._waits += 1
        return float(value), self._waits >= self._patience

    def restore(self, number: int) -> int:
        """Put the best attributes back; return the epoch they are of."""
        if self._best is None:
            return number
        vars(self._model).update(self._best[2])
        return self._best[1]


def _checked_metric(model: Recommender, metric: Any) -> Any:
    """Return the metric, a name or a function, where the model can be judged by it."""
    if callable(metric):
        return metric
    _, known, _ = parse_metric_name(metric, "metric")
    if known in RATING_NAMES and not model.predicts_ratings:
        raise ValueError(
            f"metric holds {metric!r}, an error of ratings, but {type(model).__name__} only ranks: "
            "name a metric of lists such as 'ndcg@10'"
        )
    return metric
