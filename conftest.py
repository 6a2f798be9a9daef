"""What pytest collects: examples of models whose library is not installed are left out."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["aimass_core/deep/*.py"]
