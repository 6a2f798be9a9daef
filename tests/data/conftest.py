"""Property tests are about answers: on a busy machine none of them is to fail for its time."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("any-time", deadline=None)
settings.load_profile("any-time")
