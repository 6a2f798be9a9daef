"""``aimass models``: the models and their options."""

from __future__ import annotations

import inspect
import re
from typing import Annotated, Any

import typer

from .console import Reporter
from .groups import with_option_groups
from .options import GeneralOptions

__all__ = ["models"]


@with_option_groups
def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]", help="Show the options of this model.", show_default=False
        ),
    ] = None,
    *,
    general: GeneralOptions,
) -> None:
    """List the models, or the options of one model with their defaults and meaning."""
    from ..base.registry import model_names
    from .models import model_class

    reporter = Reporter(general)
    if name is None:
        rows = [_summary(each, model_class(each)) for each in model_names()]
        if reporter.is_json:
            reporter.json({"models": rows})
            return
        header = ["model", "predicts", "vectors", "reasons", "needs", "description"]
        reporter.grid("Models", header, [[row[column] for column in header] for row in rows])
        reporter.text("'aimass models MODEL' shows the options of a model.")
        return
    cls = model_class(name)
    options = _options(cls)
    if reporter.is_json:
        reporter.json({**_summary(name, cls), "options": options})
        return
    header = ["option", "default", "meaning"]
    cells = [[option[column] for column in header] for option in options]
    summary = _summary(name, cls)
    reporter.text(f"{name}: {summary['description']}")
    if summary["needs"]:
        reporter.text(f"Its fit needs: pip install '{summary['needs']}'")
    reporter.grid(f"Options of {name}, for --set or {name}:OPTION=VALUE,...", header, cells)


def _summary(name: str, cls: Any) -> dict[str, Any]:
    lines = (inspect.getdoc(cls) or "").splitlines()
    rates = getattr(cls, "predicts_ratings", False)
    extra = getattr(cls, "needs_extra", None)
    predicts = "ratings" if rates is True else "scores" if rates is False else "either"
    return {
        "model": name,
        "predicts": predicts,
        "vectors": hasattr(cls, "embed"),
        "reasons": hasattr(cls, "explain"),
        "needs": f"aimass_core[{extra}]" if extra else "",
        "description": _plain(lines[0]) if lines else "",
    }


def _plain(text: str) -> str:
    """Return a line of a docstring without its markup."""
    return re.sub(r":\w+:`([^`]*)`", r"\1", text).replace("``", "").replace("`", "")


def _options(cls: Any) -> list[dict[str, Any]]:
    """Return the parameters of a model, those of its similarity and weighting included."""
    from ..similarity import Similarity
    from .models import weighting_options

    parameters = inspect.signature(cls).parameters
    options = _described(cls, parameters)
    if "similarity" in parameters:
        own = inspect.signature(Similarity).parameters
        names = {name: own[name] for name in own if name not in parameters}
        for option in _described(Similarity, names):
            options.append({**option, "meaning": f"(of the similarity) {option['meaning']}"})
    if "weighting" in parameters:
        for name, (owner, *_) in weighting_options().items():
            (option,) = _described(owner, {name: inspect.signature(owner).parameters[name]})
            options.append({**option, "meaning": f"(of the weighting) {option['meaning']}"})
    return options


def _described(cls: Any, parameters: Any) -> list[dict[str, Any]]:
    texts = _parameter_texts(inspect.getdoc(cls) or "")
    empty = inspect.Parameter.empty
    return [
        {
            "option": name,
            "default": "needed" if one.default is empty else _written(one.default),
            "meaning": texts.get(name, ""),
        }
        for name, one in parameters.items()
        if name != "n_threads"
    ]


def _written(default: Any) -> str:
    return default if isinstance(default, str) else repr(default)


def _parameter_texts(doc: str) -> dict[str, str]:
    """Return what the section "Parameters" of a docstring says about each name."""
    match = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", doc, re.M | re.S)
    texts: dict[str, str] = {}
    names: list[str] = []
    for line in (match.group(1) if match else "").splitlines():
        if line and not line.startswith(" "):
            names = [part.strip().lstrip("*") for part in line.partition(" : ")[0].split(",")]
            continue
        words = _plain(line.strip())
        for name in names:
            texts[name] = f"{texts.get(name, '')} {words}".strip()
    return texts
