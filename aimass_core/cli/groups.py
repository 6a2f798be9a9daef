"""Groups of options that several commands share, each a dataclass."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from types import SimpleNamespace
from typing import Any, get_type_hints

__all__ = ["with_option_groups"]


def with_option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command in whose signature each group is replaced by its options.

    Parameters
    ----------
    command : callable
        Some of its parameters are annotated with a dataclass, whose fields are options of Typer.

    Returns
    -------
    callable
        Takes the options as keyword arguments, and passes each group on as one object.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Size:
    ...     k: int = 10
    >>> @with_option_groups
    ... def show(name: str, size: Size) -> None:
    ...     print(name, size.k)
    >>> show(name="tea", k=3)
    tea 3
    """
    # Without the defaults, for which Python 3.10 would wrap the annotations into Optional.
    annotated = SimpleNamespace(__annotations__=command.__annotations__)
    hints = get_type_hints(annotated, command.__globals__, include_extras=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type] = {}
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        if isinstance(hint, type) and is_dataclass(hint):
            groups[parameter.name] = hint
            parameters += _options_of(hint)
        else:
            parameters.append(
                parameter.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY)
            )
    signature = inspect.Signature(parameters)

    @functools.wraps(command)
    def run(**given: Any) -> None:
        bound = signature.bind(**given)
        bound.apply_defaults()
        values = dict(bound.arguments)
        for name, group in groups.items():
            own = {field.name: values.pop(field.name) for field in fields(group)}
            values[name] = group(**own)
        command(**values)

    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    del run.__wrapped__  # else the signature of the command itself would be read
    return run


def _options_of(group: Any) -> list[inspect.Parameter]:
    """Return the fields of a group as parameters."""
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]
