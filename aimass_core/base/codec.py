"""Objects of this package as a JSON tree and named arrays, and back. Used by `persistence`."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..exceptions import DamagedFileError
from .estimator import Estimator
from .foreign import AdaptedModel
from .registry import find, name_of
from .validation import as_csr, csr_parts, wrap_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

__all__ = ["decode", "encode"]


def _class(name: str) -> Any:
    """Return the registered class that a file names; a file can name no other."""
    try:
        return find(name)
    except KeyError as error:
        raise DamagedFileError(error.args[0]) from None


def encode(thing: Any, arrays: Arrays) -> dict[str, Any]:
    """Return a tree for JSON; put the arrays into ``arrays``."""
    named = thing.model if isinstance(thing, AdaptedModel) else thing
    if name_of(type(named)) is None:
        raise TypeError(
            f"{type(named).__name__} can't be saved: give a fitted model or Interactions. A model "
            "of your own needs the decorator @aimass_core.register(name)"
        )
    return _encode(thing, "", arrays)


def _encode(thing: Any, at: str, arrays: Arrays) -> dict[str, Any]:
    """Return one node; ``at`` is the prefix of the names of its arrays."""
    if isinstance(thing, AdaptedModel):
        thing._check_fitted()
        parameters = {n: _plain(v, n) for n, v in thing._foreign_parameters().items()}
        own = {n: _encode(v, f"{at}{n}.", arrays) for n, v in thing._foreign_state().items()}
        shared = {n: _encode(getattr(thing, n), f"{at}model.{n}.", arrays) for n in thing._state}
        return {
            "adapted": name_of(type(thing.model)),
            "parameters": parameters,
            "own": own,
            "state": shared,
        }
    if isinstance(thing, Estimator):
        thing._check_fitted()
        name = name_of(type(thing))
        parameters = {n: _plain(v, n) for n, v in thing._fitted_parameters().items()}
        state = {
            name: _encode(getattr(thing, name), f"{at}{name}.", arrays) for name in thing._state
        }
        return {"class": name, "parameters": parameters, "state": state}
    if isinstance(thing, np.ndarray) and thing.dtype.kind in "OU":
        return _encode_text(thing, at)
    if isinstance(thing, np.ndarray):
        arrays[at + "values"] = thing
        return {"array": at + "values"}
    if sp.issparse(thing):
        indptr, indices, data = csr_parts(thing)
        arrays.update({f"{at}indptr": indptr, f"{at}indices": indices, f"{at}data": data})
        return {"csr": at, "shape": [int(n) for n in thing.shape]}
    name = name_of(type(thing))
    if name == "idmap":
        parts = thing.to_arrays()
        arrays.update({f"{at}{part}": array for part, array in parts.items()})
        names = {part: at + part for part in parts}
        return {"class": name, "kind": thing.kind, "arrays": names, "name": thing.name}
    if name == "interactions":
        parts = {
            part: _encode(getattr(thing, part), f"{at}{part}.", arrays)
            for part in ("matrix", "users", "items", "timestamps")
        }
        if thing.events is not None:
            parts["events"] = _encode(thing.events.to_arrays(), f"{at}events.", arrays)
        return {"class": name, "parts": parts, "unit": thing.time_unit, "report": thing.report}
    if name == "feature-table":
        parts = {
            part: _encode(getattr(thing, part), f"{at}{part}.", arrays)
            for part in ("ids", "matrix", "encoder")
        }
        return {"class": name, "parts": parts}
    if isinstance(thing, dict):
        entries = [
            [_plain(key, "context"), _encode(value, f"{at}{number}.", arrays)]
            for number, (key, value) in enumerate(thing.items())
        ]
        return {"map": entries}
    return {"plain": _plain(thing, at)}


def _encode_text(texts: NDArray[Any], at: str) -> dict[str, Any]:
    """Return the node of an array of text, such as labels of classes."""
    values = texts.tolist()
    if texts.ndim != 1 or not all(isinstance(value, str) for value in values):
        raise TypeError(
            f"the array {at.rstrip('.')!r} can't be saved in a file: only numbers, booleans and "
            f"1-D arrays of text can, got dtype {texts.dtype} of shape {texts.shape}"
        )
    return {"text": [str(value) for value in values], "fixed_width": texts.dtype.kind == "U"}


def _plain(value: Any, name: str) -> Any:
    """Return a parameter as JSON."""
    if isinstance(value, Estimator) and name_of(type(value)) is not None:
        own = {n: _plain(v, n) for n, v in value.get_params(deep=False).items()}
        return {"model": name_of(type(value)), "parameters": own}
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        value = value.item()
    if isinstance(value, (np.datetime64, datetime.date)):
        return {"datetime": str(np.datetime64(value))}
    if isinstance(value, datetime.timedelta):
        value = np.timedelta64(value, "us")
    if isinstance(value, np.timedelta64):
        unit, count = np.datetime_data(value.dtype)
        return {"timedelta": [int(value.astype(np.int64)) * count, unit]}
    if isinstance(value, (tuple, list)):
        return [_plain(v, name) for v in value]
    if isinstance(value, Mapping):
        return {"pairs": [[_plain(k, name), _plain(v, name)] for k, v in value.items()]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"{name}={value!r} can't be saved in a file: only numbers, words and dates can (a function "
        "would have to be executed on loading)"
    )


def _unplain(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"pairs"}:
            return {_unplain(k): _unplain(v) for k, v in value["pairs"]}
        if set(value) == {"model", "parameters"}:
            own = {name: _unplain(v) for name, v in value["parameters"].items()}
            return _class(value["model"])(**own)
        if set(value) == {"datetime"}:
            return np.datetime64(value["datetime"])
        return np.timedelta64(*value["timedelta"])
    return tuple(_unplain(v) for v in value) if isinstance(value, list) else value


def decode(node: dict[str, Any], arrays: Arrays) -> Any:
    """Return the object that `encode` took apart; check everything that its arrays claim."""
    if "array" in node:
        return arrays[node["array"]]
    if "text" in node:
        return _decode_text(node)
    if "csr" in node:
        return _decode_csr(node, arrays)
    if "map" in node:
        return {_unplain(key): decode(value, arrays) for key, value in node["map"]}
    if "plain" in node:
        return _unplain(node["plain"])
    if "adapted" in node:
        return _decode_adapted(node, arrays)
    cls = _class(node["class"])
    if node["class"] == "idmap":
        parts = {part: arrays[array_name] for part, array_name in node["arrays"].items()}
        return cls.from_arrays(node["kind"], parts, node.get("name"))
    if node["class"] == "interactions":
        parts = {name: decode(part, arrays) for name, part in node["parts"].items()}
        return cls(**parts, time_unit=node["unit"], report=node["report"])
    if node["class"] == "feature-table":
        return cls(**{name: decode(part, arrays) for name, part in node["parts"].items()})
    model = cls(**{name: _unplain(value) for name, value in node["parameters"].items()})
    if set(node["state"]) != set(cls._state):
        raise DamagedFileError(f"the state of {node['class']} is not complete")
    for name in cls._state:
        setattr(model, name, decode(node["state"][name], arrays))
    model._restore()
    return model


def _decode_text(node: dict[str, Any]) -> NDArray[Any]:
    values = node["text"]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise DamagedFileError("an array of text holds something else")
    return np.array(values, dtype=np.str_ if node["fixed_width"] else object)


def _decode_adapted(node: dict[str, Any], arrays: Arrays) -> AdaptedModel:
    """Return a model of another author, whose class was registered when its module was imported."""
    cls = _class(node["adapted"])
    if issubclass(cls, Estimator):
        raise DamagedFileError(f"{node['adapted']!r} is not a model of another author")
    foreign = cls(**{name: _unplain(value) for name, value in node["parameters"].items()})
    for name, value in node["own"].items():
        if not name.endswith("_") or name.startswith("_"):
            raise DamagedFileError(f"{name!r} is not the name of a learned attribute")
        setattr(foreign, name, decode(value, arrays))
    model = AdaptedModel(model=foreign)
    if set(node["state"]) != set(model._state):
        raise DamagedFileError(f"the state of {node['adapted']} is not complete")
    for name in model._state:
        setattr(model, name, decode(node["state"][name], arrays))
    model._restore()
    return model


def _decode_csr(node: dict[str, Any], arrays: Arrays) -> sp.csr_array:
    indptr, indices, data = (arrays[node["csr"] + part] for part in ("indptr", "indices", "data"))
    n_rows, n_cols = node["shape"]
    good = (
        indptr.dtype == np.int64
        and indices.dtype == np.int32
        and data.dtype in (np.dtype(np.float32), np.dtype(np.float64))
        and indptr.ndim == indices.ndim == data.ndim == 1
        and len(indptr) == n_rows + 1
        and len(indices) == len(data)
        and 0 <= n_cols < 2**31
    )
    if not good:
        raise DamagedFileError("a sparse matrix has arrays of wrong types or lengths")
    return as_csr(wrap_csr(indptr, indices, data, (n_rows, n_cols)))
