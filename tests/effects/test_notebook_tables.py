"""What a notebook shows of reports: the table of their printed form, with escaped text."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from aimass_core.effects import campaign_effect, off_policy_value, uplift_report


@pytest.fixture
def campaign():
    rng = np.random.default_rng(0)
    treated = rng.random(400) < 0.5
    return treated, rng.random(400) < 0.2 + 0.2 * treated


def test_effects(campaign):
    treated, bought = campaign
    report = campaign_effect(treated, {"a <b>": bought}, expected={True: 0.5, False: 0.5})
    text = report._repr_html_()
    assert "a &lt;b&gt;" in text
    assert "<small>[" in text
    assert "confidence" in text
    assert "sample ratio" in text
    assert text.count("<tr>") == 2


def test_uplift(campaign):
    treated, bought = campaign
    report = uplift_report(np.arange(400.0), treated, bought, n_resamples=100)
    text = report._repr_html_()
    assert text.count("<tr>") == 1 + repr(report).count("\n") + 1
    assert "400 customers; [ ] 95% confidence" in text


def test_policies(campaign):
    _, bought = campaign
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = off_policy_value(bought, np.full(400, 0.01), np.full(400, 0.5))
    text = report._repr_html_()
    assert "effective sample size 400" in text
    assert "WARNING: the mean weight is not 1" in text
