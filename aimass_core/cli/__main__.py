"""Lets ``python -m aimass_core.cli`` stand in for the ``aimass`` command."""

from __future__ import annotations

from . import main

main()
