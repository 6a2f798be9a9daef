"""Results of ``transform`` as an array or a data frame, as scikit-learn's pipelines ask for it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from .optional import import_optional
from .validation import as_choice

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["TransformOutput"]

_KINDS = ("default", "pandas", "polars")


class TransformOutput:
    """Base class of estimators whose ``transform`` returns membership probabilities."""

    # The attribute that scikit-learn's clone copies.
    _sklearn_output_config: dict[str, str]

    def get_feature_names_out(self, input_features: object = None) -> Any:
        """Return the names of the columns of ``transform``.

        Parameters
        ----------
        input_features : object
            Ignored; a Pipeline passes the names of the input.

        Returns
        -------
        ndarray of object
        """
        raise NotImplementedError

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what ``transform`` returns.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            An array, or a data frame with the names of `get_feature_names_out`. None changes
            nothing.

        Returns
        -------
        Self
            The object itself.

        Raises
        ------
        ValueError
            For another word.
        """
        if transform is not None:
            as_choice(transform, "transform", _KINDS)
            self._sklearn_output_config = {"transform": transform}
        return self

    def _as_output(self, X: Any, values: Any) -> Any:
        """Return the values in the form that was chosen here, or for scikit-learn as a whole."""
        kind = getattr(self, "_sklearn_output_config", {}).get("transform")
        sklearn = sys.modules.get("sklearn")
        if kind is None and sklearn is not None:
            kind = sklearn.get_config().get("transform_output")
        if kind not in ("pandas", "polars"):
            return values
        library = import_optional(kind)
        names = self.get_feature_names_out().tolist()
        values = np.asarray(values)
        if kind == "polars":
            return library.DataFrame(values, schema=names)
        index = X.index if isinstance(X, library.DataFrame) else None
        return library.DataFrame(values, columns=names, index=index)
