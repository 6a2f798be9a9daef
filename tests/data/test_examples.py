"""The examples in the docstrings of the data package are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import aimass_core.data

MODULES = [
    info.name
    for info in pkgutil.walk_packages(aimass_core.data.__path__, "aimass_core.data.")
    if ".datasets" not in info.name
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
