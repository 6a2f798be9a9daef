"""How soon a call ends after Ctrl-C: one way to ask for all tests."""

from __future__ import annotations

import os
import subprocess
import sys

CHILD = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
{prepare}

def call():
    {call}

def clocks():  # other programs delay the first one, and several threads add up in the second
    return time.perf_counter(), time.process_time()

wait, share = float(sys.argv[1]), float(sys.argv[2])
if share:
    begin = time.perf_counter()
    call()
    wait = share * (time.perf_counter() - begin)

def press():
    global pressed
    pressed = clocks()
    os.kill(os.getpid(), signal.SIGINT)

threading.Timer(wait, press).start()
try:
    while True:  # a call may end before the signal comes: then the next one hears it
        call()
except KeyboardInterrupt:
    print(min(now - then for now, then in zip(clocks(), pressed)))
"""


def seconds_to_stop(prepare: str, call: str, wait: float = 0.3, share: float = 0.0) -> float:
    """Return the seconds from Ctrl-C to the exception, in a process of its own.

    The signal comes `wait` seconds after the first call began, or after a `share` of the time that
    a whole call takes. The call is repeated until the signal has come.
    """
    code = CHILD.format(prepare=prepare, call="\n    ".join(call.strip().splitlines()))
    paths = os.pathsep.join([os.path.dirname(__file__), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", code, str(wait), str(share)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split()[-1])


def stops_within_half_a_second(prepare: str, call: str, **when: float) -> bool:
    """Tell whether one of three attempts does: a busy machine may delay the process itself."""
    for _ in range(3):
        try:
            if seconds_to_stop(prepare, call, **when) < 0.5:
                return True
        except subprocess.TimeoutExpired:
            continue
    return False
