"""What every model shares: parameters in scikit-learn's manner, the fitted check, save."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

from ..exceptions import NotFittedError
from .arguments import explains_names
from .html import describe, details, named_values
from .validation import suggest

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from typing_extensions import Self

__all__ = ["Estimator", "clone"]


class Estimator:
    """Keyword-only parameters stored untouched; learned attributes end in ``_``.

    ``get_params``/``set_params`` follow scikit-learn, so that ``clone``, ``GridSearchCV`` and
    ``Pipeline`` work although scikit-learn is never imported.
    """

    # Names of the learned attributes that a file holds; `_restore` derives the rest.
    _state: ClassVar[tuple[str, ...]] = ()
    _fitted_with: dict[str, Any]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, member in list(vars(cls).items()):
            if inspect.isfunction(member) and (name == "__init__" or not name.startswith("_")):
                setattr(cls, name, explains_names(member))

    @classmethod
    def _param_names(cls) -> list[str]:
        return sorted(inspect.signature(cls).parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's arguments.

        Parameters
        ----------
        deep : bool, default=True
            Also return the arguments of models given as arguments, as ``argument__name``.

        Returns
        -------
        dict
            Name to value.
        """
        params = {name: getattr(self, name) for name in self._param_names()}
        if deep:
            for name, value in list(params.items()):
                if isinstance(value, Estimator):
                    params.update({f"{name}__{n}": v for n, v in value.get_params().items()})
        return params

    def set_params(self, **params: Any) -> Self:
        """Set constructor arguments; they take effect at the next ``fit``.

        Parameters
        ----------
        **params
            Name to value.

        Returns
        -------
        Self
            The object itself.

        Raises
        ------
        ValueError
            For a name that is not a parameter.
        """
        names = self._param_names()
        for name, value in params.items():
            outer, _, inner = name.partition("__")
            if inner and isinstance(getattr(self, outer, None), Estimator):
                getattr(self, outer).set_params(**{inner: value})
                continue
            if name not in names:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}{suggest(name, names)}; "
                    f"it has {', '.join(names)}"
                )
            setattr(self, name, value)
        return self

    def _refuse_idle(self, names: Iterable[str], condition: str) -> None:
        """Raise ValueError for a parameter that has no effect but differs from its default.

        Parameters
        ----------
        names : iterable of str
            Parameters that have no effect; those that the model does not have are passed over.
        condition : str
            Why, such as ``"solver='cholesky'"``.
        """
        defaults = inspect.signature(type(self)).parameters
        for name in (n for n in names if n in defaults):
            value = getattr(self, name)
            if value is not defaults[name].default and value != defaults[name].default:
                raise ValueError(f"{name}={value!r} has no effect with {condition}: leave it out")

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        shown = [
            f"{name}={value!r}"
            for name, value in self.get_params(deep=False).items()
            if repr(value) != repr(defaults[name].default)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _facts(self) -> dict[str, str]:
        """Return what a notebook shows of a fitted model at first sight, by name."""
        return {}

    def _repr_html_(self) -> str:
        """Return the parameters and what was learned, for a notebook."""
        signature = inspect.signature(type(self).__init__).parameters
        params = self.get_params(deep=False)
        changed = [n for n, v in params.items() if repr(v) != repr(signature[n].default)]
        is_fitted = self.__sklearn_is_fitted__()
        state = "fitted" if is_fitted else "not fitted"
        parts = [f"<p><strong>{type(self).__name__}</strong> ({state})</p>"]
        if is_fitted:
            parts.append(named_values(self._facts()))
        shown = {name: describe(value) for name, value in params.items()}
        title = f"{len(params)} parameters, {len(changed)} of them not the default"
        parts.append(details(title, named_values(shown, bold=changed)))
        learned = {
            name: describe(value)
            for name, value in sorted(vars(self).items())
            if name.endswith("_") and not name.startswith("_")
        }
        if learned:
            title = f"{len(learned)} learned attributes"
            parts.append(details(title, named_values(learned)))
        return f"<div>{''.join(parts)}</div>"

    def __sklearn_is_fitted__(self) -> bool:
        names = reversed(vars(self))  # learned attributes come after the parameters
        return any(name.endswith("_") and not name.startswith("_") for name in names)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags  # its caller is scikit-learn itself

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            input_tags=InputTags(sparse=True),
        )

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(f"this {type(self).__name__} is not fitted: call fit(X) first")

    def _fitted_parameters(self) -> dict[str, Any]:
        """Return the parameters of the last fit, whatever ``set_params`` did since."""
        return getattr(self, "_fitted_with", None) or self.get_params(deep=False)

    def _adopt_state(self, fresh: Self) -> Self:
        """Adopt what a fresh model of the same parameters has learned, all at once."""
        fresh._fitted_with = fresh.get_params(deep=False)
        learned = {name: v for name, v in vars(fresh).items() if name not in fresh._fitted_with}
        for name in getattr(self, "_learned", ()):  # nothing of an earlier fit stays
            del vars(self)[name]
        vars(self).update(learned, _learned=tuple(learned))
        return self

    def _restore(self) -> None:
        """Check and complete a model whose ``_state`` came from a file."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model to one file, atomically and without pickle.

        Parameters
        ----------
        path : str or path-like
            The file; an older one is replaced only once the new one is complete.
        """
        from .persistence import save

        self._check_fitted()
        save(self, path)


def clone(estimator: Any) -> Any:
    """Return an unfitted estimator with the same parameters; estimators among them are cloned."""
    params = estimator.get_params(deep=False)
    return type(estimator)(
        **{n: clone(v) if isinstance(v, Estimator) else v for n, v in params.items()}
    )
