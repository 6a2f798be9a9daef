"""factorize_bytes against its reference: any bytes, any number of threads."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass_core import _core, reference


def pack(strings, dtype=np.int64):
    offsets = np.cumsum([0, *map(len, strings)]).astype(dtype)
    return offsets, np.frombuffer(b"".join(strings), np.uint8)


def check(strings, n_threads=2, dtype=np.int64):
    arrays = pack(strings, dtype)
    codes, first = _core.factorize_bytes(*arrays, n_threads)
    expected_codes, expected_first = reference.factorize_bytes(*arrays, 1)
    assert (codes.dtype, first.dtype) == (np.int32, np.int64)
    np.testing.assert_array_equal(codes, expected_codes)
    np.testing.assert_array_equal(first, expected_first)
    distinct = [strings[row] for row in first]
    assert distinct == sorted(set(strings))
    assert all(distinct[code] == string for code, string in zip(codes, strings, strict=True))


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.text(max_size=6).map(str.encode),
            st.sampled_from([b"", b"\0", b"\0\0", b"a", b"a\0", b"A", b" a", b"12345678" * 3]),
        ),
        max_size=60,
    ),
    st.sampled_from([np.int32, np.int64]),
)
def test_equals_reference(strings, dtype):
    check(strings, dtype=dtype)


@pytest.mark.parametrize("length", range(36))
def test_every_length_sees_every_byte(length):
    base = bytes(range(100, 100 + length))
    changed = [base[:i] + b"!" + base[i + 1 :] for i in range(length)]
    check([base, *changed, base[::-1], base, base + b"\0", *changed])


@pytest.mark.parametrize("n_threads", [1, 2, 3, 7])
@pytest.mark.parametrize("n_distinct", [1, 300, 200_000])
def test_pieces_and_threads(n_distinct, n_threads):
    rng = np.random.default_rng(n_distinct)
    check([b"user-%d" % i for i in rng.integers(0, n_distinct, 250_000)], n_threads)


def test_unicode_forms_stay_apart_and_sort_by_code_point():
    texts = ["é", "e\u0301", "", "\0", "😀", "日本", "z", "é", "😀"]
    check([text.encode() for text in texts])


def test_a_slice_of_a_longer_column():
    offsets, data = pack([b"aa", b"b", b"cc", b"b"])
    codes, first = _core.factorize_bytes(offsets[1:], data, 1)
    np.testing.assert_array_equal(codes, [0, 1, 0])
    np.testing.assert_array_equal(first, [0, 1])


def test_long_strings():
    check([b"x" * 100_000, b"x" * 100_000 + b"y", b"x" * 99_999, b"x" * 100_000])


@pytest.mark.parametrize(
    "offsets", [[-1, 2], [0, 5], [2, 1], [0, 3, 1, 3], [0, 2**62], [0, -(2**62), 3]]
)
def test_offsets_are_checked_before_a_byte_is_read(offsets):
    data = np.zeros(3, np.uint8)
    for kernel in (_core.factorize_bytes, reference.factorize_bytes):
        with pytest.raises(ValueError, match="offsets must ascend"):
            kernel(np.array(offsets), data, 1)


def test_empty_and_what_the_border_refuses():
    nothing = np.empty(0, np.uint8)
    codes, first = _core.factorize_bytes(np.zeros(1, np.int64), nothing, 2)
    assert len(codes) == len(first) == 0
    with pytest.raises(ValueError, match="offsets"):
        _core.factorize_bytes(np.empty(0, np.int64), nothing, 1)
    with pytest.raises(TypeError):
        _core.factorize_bytes(np.zeros(1, np.uint64), nothing, 1)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers that signal")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_it_listens_to_signals_all_the_time(n_threads):
    # ids that share their first 8 bytes are told apart by slow comparisons of strings
    n = 2_000_000
    rows = np.random.default_rng(0).permutation(n)[:, None]
    digits = rows // 10 ** np.arange(7)[::-1] % 10 + ord("0")
    data = np.hstack([np.full((n, 9), ord("c")), digits]).astype(np.uint8).ravel()
    offsets = np.arange(n + 1) * 16

    def longest_silence():
        heard = [time.process_time()]  # not the seconds that other programs take
        before = signal.signal(signal.SIGALRM, lambda *_: heard.append(time.process_time()))
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        try:
            _core.factorize_bytes(offsets, data, n_threads)
            heard.append(time.process_time())
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        return np.diff(heard).max()

    assert any(longest_silence() < 0.5 * n_threads for _ in range(3))
