"""Intervals hold the truth of simulated campaigns as often as they claim."""

from __future__ import annotations

import numpy as np
import pytest
from interval_coverage import coverage, false_alarms, risk_bands


def test_95_percent_intervals_in_80_campaigns():
    """Within three and a half standard errors of the simulation; `main` prints 1,000 campaigns."""
    error = np.sqrt(0.05 * 0.95 / 80)
    for name, share in coverage(80, 1000).items():
        assert share >= 0.95 - 3.5 * error, name


def test_risk_bands_of_200_campaigns():
    assert abs(risk_bands(200) - 0.9) <= 3.5 * np.sqrt(0.9 * 0.1 / 200)


@pytest.mark.slow
def test_95_percent_intervals_in_1000_campaigns():
    shares = coverage(1000)
    assert {name: share for name, share in shares.items() if not 0.93 <= share <= 0.97} == {}


@pytest.mark.slow
def test_false_alarms_in_1000_campaigns():
    for rate in (0.02, 0.05, 0.2):
        sequential, fixed = false_alarms(1000, rate=rate)
        assert sequential <= 0.05
        assert fixed > 0.2
