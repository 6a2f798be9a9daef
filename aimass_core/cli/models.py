"""Model names of the command line, and options given as text."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .errors import ModelError, is_input_error

__all__ = [
    "ModelSpec",
    "model_class",
    "naming_models",
    "parse_models",
    "parsed_value",
    "weighting_options",
]

_WORDS = {"None": None, "True": True, "False": False}


@dataclass(frozen=True)
class ModelSpec:
    """A model by name with its options; `build` makes a fresh, unfitted one."""

    name: str
    label: str
    options: dict[str, Any]

    def build(self) -> Any:
        """Return an unfitted model with these options."""
        from ..base.foreign import as_recommender
        from ..similarity import Similarity

        cls = model_class(self.name)
        names = _parameters(cls)
        direct = {name: value for name, value in self.options.items() if name in names}
        nested = {name: value for name, value in self.options.items() if name not in names}
        of_weighting = {name: nested.pop(name) for name in weighting_options() if name in nested}
        if of_weighting:
            direct["weighting"] = _weighting(cls, direct.get("weighting"), of_weighting)
        if nested:
            measure = nested.pop("measure", direct.get("similarity", "cosine"))
            direct["similarity"] = Similarity(measure, **nested)
        return as_recommender(cls(**direct))


def model_class(name: str) -> Any:
    """Return the class of a model by its registered name.

    Parameters
    ----------
    name : str
        As 'aimass models' lists it.

    Returns
    -------
    type

    Raises
    ------
    ValueError
        For an unknown name, with the nearest one.
    """
    from ..base.registry import find, model_names

    try:
        return find(name)
    except KeyError:
        close = _closest_model(name)
        hint = f"; did you mean {close!r}?" if close else ""
        raise ValueError(
            f"--model: there is no model {name!r}; the models are {', '.join(model_names())}{hint}"
        ) from None


def _closest_model(name: str) -> str | None:
    """Return the registered name that a name is close to, as written here or as a class name."""
    import difflib

    from ..base.registry import model_modules, model_names

    names = {_letters(each): each for each in model_names()}
    for cls, module in model_modules().items():
        names.setdefault(_letters(cls), module.rpartition(".")[2].replace("_", "-"))
    close = difflib.get_close_matches(_letters(name), list(names), n=1)
    return names[close[0]] if close else None


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


@contextmanager
def naming_models(specs: list[ModelSpec]) -> Iterator[None]:
    """Put the names of models before messages about options that they were given.

    Parameters
    ----------
    specs : list of ModelSpec
        The models that are fitted.

    Raises
    ------
    ModelError
        In place of an error of input whose message names such an option.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        words = set(re.findall(r"\w+", str(error))) - {"random_state"}  # it comes from --seed
        names = [spec.name for spec in specs if words & set(spec.options)]
        if not names or not is_input_error(error):
            raise
        raise ModelError(f"--model {' or '.join(dict.fromkeys(names))}: {error}") from error


def _parameters(cls: Any) -> list[str]:
    """Return the names of the constructor's arguments."""
    return sorted(inspect.signature(cls).parameters)


def _options_of(cls: Any) -> list[str]:
    """Return the options of a model, those of its similarity and weighting included."""
    from ..similarity import Similarity

    names = _parameters(cls)
    of_similarity = Similarity._param_names() if "similarity" in names else []
    return names + of_similarity + (list(weighting_options()) if "weighting" in names else [])


def weighting_options() -> dict[str, list[Any]]:
    """Return the options of weightings that a model takes, with the classes that have each.

    Returns
    -------
    dict
        Option name -> classes. "documents" is not among them: the model decides it.
    """
    from ..data.weighting._by_name import WEIGHTINGS

    options: dict[str, list[Any]] = {}
    for name in ("bm25", "tf_idf"):
        for option in WEIGHTINGS[name]._param_names():
            if option != "documents":
                options.setdefault(option, []).append(WEIGHTINGS[name])
    return options


def _weighting(cls: Any, name: Any, options: dict[str, Any]) -> Any:
    """Return the weighting of a model by name with options."""
    from ..data.weighting._by_name import WEIGHTINGS, as_weighting

    for option in options:
        owners = [n for n, c in WEIGHTINGS.items() if c in weighting_options()[option]]
        if name not in owners:
            needed = " or ".join(f"weighting={owner}" for owner in owners)
            raise ValueError(f"--model: the option {option} needs {needed}, got weighting={name}")
    weighting = as_weighting(name, documents=getattr(cls, "_entities", "items"))
    assert weighting is not None
    return weighting.set_params(**options)


def _parse_option(text: str, where: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"{where}: expected OPTION=VALUE, got {text!r}; such as n_neighbors=200")
    return name.strip(), parsed_value(value)


def parsed_value(text: str) -> Any:
    """Return the value of an option that is written as text.

    Parameters
    ----------
    text : str
        A JSON scalar, ``None``, ``True`` or ``False``; anything else is text itself.

    Returns
    -------
    object
    """
    text = text.strip()
    if text in _WORDS:
        return _WORDS[text]
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def parse_models(
    models: list[str], settings: list[str] | None, defaults: dict[str, Any] | None = None
) -> list[ModelSpec]:
    """Turn ``--model`` and ``--set`` texts into models, with every name checked.

    Parameters
    ----------
    models : list of str
        ``NAME`` or ``NAME:OPTION=VALUE,...``.
    settings : list of str or None
        ``OPTION=VALUE``; each goes to every model that has the option. The value is read as a
        JSON scalar, else as text; an option written with the model itself wins.
    defaults : dict or None
        Options set where a model has them and nothing else does, such as ``random_state``.

    Returns
    -------
    list of ModelSpec
        In the order given.

    Raises
    ------
    ValueError
        For an unknown model, for an option that no model has, or one written without ``=``.
    """
    shared = dict(_parse_option(text, "--set") for text in settings or [])
    used: set[str] = set()
    known: dict[str, list[str]] = {}
    specs = []
    for text in models:
        name, _, inline = text.partition(":")
        known[name] = _options_of(model_class(name))
        own = dict(_parse_option(part, f"--model {name}") for part in inline.split(",") if part)
        for option in own:
            if option not in known[name]:
                raise _unknown_option(f"--model {name}", option, known[name], name)
        taken = {option: value for option, value in shared.items() if option in known[name]}
        used.update(taken)
        given = {o: v for o, v in (defaults or {}).items() if o in known[name]}
        options = {**given, **taken, **own}
        _check_needed(name, options)
        specs.append(ModelSpec(name, text, options))
    for option in shared:
        if option not in used:
            names = sorted(set().union(*known.values()))
            raise _unknown_option("--set", option, names, " or ".join(known))
    return specs


def _check_needed(name: str, options: dict[str, Any]) -> None:
    parameters = inspect.signature(model_class(name)).parameters.values()
    needed = [
        one.name
        for one in parameters
        if one.default is one.empty
        and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        and one.name not in options
    ]
    if needed:
        raise ValueError(
            f"--model {name}: it needs the options {', '.join(needed)}; pass each as --set "
            "OPTION=VALUE, or build the model in Python and pass its file by --model-file"
        )


def _unknown_option(where: str, option: str, names: list[str], model: str) -> ValueError:
    from ..base.validation import suggest

    return ValueError(
        f"{where}: {model} has no option {option!r}; "
        f"the options are {', '.join(names)}{suggest(option, names)}"
    )
