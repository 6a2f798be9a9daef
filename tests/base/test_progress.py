"""Progress of long work: events, the bar, and the log."""

from __future__ import annotations

import copy
import logging
import threading
import time

import pytest

from aimass_core.base import progress
from aimass_core.base.progress import Progress, log_duration


@pytest.fixture
def no_wait(monkeypatch):
    """Show the bar at once, and its clock often."""
    monkeypatch.setattr(progress, "_BAR_AFTER", -1.0)
    monkeypatch.setattr(progress, "_BAR_EVERY", 0.0)
    monkeypatch.setattr(progress, "_CLOCK_EVERY", 0.001)


def test_the_bar_moves_during_a_long_step(no_wait, capsys):
    with Progress("fit", 2, verbose=True) as bar:
        deadline = time.monotonic() + 30
        while not bar._drawn and time.monotonic() < deadline:
            time.sleep(0.001)
        bar.step(1, {"loss": 0.25})
        bar.step(2)
    shown = capsys.readouterr().err
    assert "fit [..............................] 0/2, 0 s" in shown
    assert "1/2, loss 0.25, 0 s, 0 s left" in shown
    assert "fit [##############################] 2/2" in shown
    assert shown.endswith("\n")


def test_blocks_within_a_step_are_shown(no_wait, capsys):
    reported = []

    class Callback:
        def __call__(self, event):
            pass

        def blocks(self, *numbers):
            reported.append(numbers)

    with Progress("fit", 2, verbose=True, callback=Callback()) as bar:
        bar.blocks(3, 8)
        bar.step(1)
    shown = capsys.readouterr().err
    assert "0/2, block 3/8, 0 s" in shown
    assert "1/2, 0 s" in shown
    assert reported == [(3, 8)]


def test_no_thread_stays_behind(no_wait, capsys):
    before = threading.active_count()
    with pytest.raises(KeyError), Progress("fit", 2, verbose=True):
        raise KeyError
    assert threading.active_count() == before


def test_short_work_shows_no_bar(capsys):
    with Progress("fit", 1, verbose=True) as bar:
        bar.step(1)
    assert capsys.readouterr().err == ""


def test_a_callback_gets_events_and_may_end_the_work():
    events = []
    bar = Progress("fit", 3, callback=lambda event: events.append(event) or event.step == 2)
    assert [bar.step(n, {"loss": float(n)}) for n in (1, 2)] == [False, True]
    assert [(e.stage, e.step, e.n_steps, e.values) for e in events] == [
        ("fit", 1, 3, {"loss": 1.0}),
        ("fit", 2, 3, {"loss": 2.0}),
    ]
    assert copy.deepcopy(events[0]) == events[0]


def test_durations_are_logged(caplog):
    with caplog.at_level(logging.INFO, "aimass_core"), log_duration("%s of %d", "sum", 3):
        pass
    assert caplog.messages[0].startswith("sum of 3 in 0.")
