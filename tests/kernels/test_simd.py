"""Choice of the ISA level."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from aimass_core import _core


def run(level):
    return subprocess.run(
        [sys.executable, "-c", "from aimass_core import _core; print(_core.isa())"],
        env={**os.environ, "AIMASS_ISA": level},
        capture_output=True,
        text=True,
        check=False,
    )


def test_best_level_is_the_default():
    result = run("")
    assert result.stdout.strip() == _core.isa_available()[-1], result.stderr


@pytest.mark.parametrize("level", _core.isa_available())
def test_environment_forces_a_level(level):
    assert run(level).stdout.strip() == level


def test_unknown_level_is_refused():
    result = run("avx9000")
    assert result.returncode != 0
    assert "AIMASS_ISA: ISA level 'avx9000' is unknown or not supported" in result.stderr


def test_force():
    before = _core.isa()
    try:
        for level in _core.isa_available():
            _core.force_isa(level)
            assert _core.isa() == level
        with pytest.raises(ValueError, match="use one of: baseline"):
            _core.force_isa("v9")
    finally:
        _core.force_isa(before)
