"""The check of a treatment with two arms, as uplift needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_two_arms"]


def check_two_arms(labels: NDArray[Any]) -> None:
    """Raise unless the distinct labels of a treatment are 0 and 1 (or False and True)."""
    shown = ", ".join(map(repr, labels[:5].tolist()))
    if len(labels) < 2:
        raise ValueError(
            f"treatment must have two values, treated and control, got {shown or 'none'}: the "
            "uplift of a treatment that everybody or nobody had cannot be measured"
        )
    if len(labels) > 2:
        raise ValueError(
            f"treatment must have two values, treated and control, got {len(labels)}: {shown}. "
            f"Keep the rows of two arms, then give treatment == {labels.tolist()[-1]!r}"
        )
    if labels.dtype.kind not in "biuf" or labels[0] != 0 or labels[1] != 1:
        raise ValueError(
            f"treatment must be 1 or True for treated and 0 or False for control, got {shown}: "
            f"give treatment == {labels.tolist()[1]!r} if {labels.tolist()[0]!r} is the control"
        )
