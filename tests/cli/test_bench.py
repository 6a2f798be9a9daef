"""``aimass bench`` and its suite: finding it, resuming, the report, the gate; nothing is timed."""

from __future__ import annotations

import argparse
import functools
import json
import random
import types
from pathlib import Path

import pytest

typer_testing = pytest.importorskip("typer.testing")
suite_results = pytest.importorskip("suite.results")  # benchmarks/, on the path of the tests
gate, page, run = (pytest.importorskip(f"suite.{name}") for name in ("gate", "page", "run"))

ROOT = Path(__file__).resolve().parents[2]
HEADER = {
    "cpu": "CPU <1>",
    "cpus": 2,
    "threads": 2,
    "isa": "v3",
    "aimass_core": "0",
    "python": "3",
    "versions": {"numpy": "2"},
}


def entry(group, member, wall, **more):
    done = {"status": "done", "note": "", "cpu": [2 * wall], "peak_mib": 1.0, "isa": "v3"}
    return {
        "group": group,
        "member": member,
        "wall": [wall, 2 * wall],
        "extra": {},
        "key": member,
        **done,
        **more,
    }


ROOF = {"gflop": 10.0, "gbyte": 1.0, "peak": 40.0, "bandwidth": 5.0}
ENTRIES = [
    entry("kernel | a", "native", 0.01),
    entry("kernel | a", "native", 0.02, variant="1 thread"),
    entry("kernel | a", "native", 0.03, variant="baseline"),
    entry("kernel | a", "reference", 1.0),
    entry("kernel | a", "peer:fast", 0.005),
    entry("model knn: fit, generated:1k", "native", 0.1, extra={"nnz": 1000}),
    entry("model knn: fit, generated:9k", "native", 0.9, extra={"nnz": 9000}),
    entry("model knn: recommend, x", "native", 0.1, extra={"recall": 0.25}),
    entry("roofline: b", "native", 0.5, extra=ROOF),
    {"group": "slow", "member": "native", "status": "timed out", "note": "took more than 9 s"},
]


def invoke(*words):
    from aimass_core.cli.app import app

    return typer_testing.CliRunner().invoke(app, ["bench", *map(str, words)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--peers", "numpyy"], "no peer 'numpyy'; there are numpy, scipy, and none"),
        (["--only", "zzz"], "--only 'zzz' is searched for in names such as bench_a.py::bench_a"),
        (["--peers", "none", "--only", "peer:scipy"], "no benchmark to run under these options"),
        (["--only", "bench_a"], "is the journal of another run"),
    ],
)
def test_options_that_leave_nothing_to_measure(words, message, tmp_path, monkeypatch, capsys):
    nodes = [f"bench_a.py::bench_a[{m}]" for m in ("native", "peer:numpy", "peer:scipy")]
    monkeypatch.setattr(run, "collected", lambda scale: nodes)
    suite_results.Journal(tmp_path / "report.jsonl", {"plan": "another"})
    assert run.main([*words, "--out", str(tmp_path / "report.html")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_without_the_suite_the_remedy_is_named(tmp_path):
    result = invoke("--suite", tmp_path)
    assert result.exit_code == 2
    assert "Run it inside a clone" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--quick", "--full"], "give one of --quick, --full and --gate"),
        (["--out", "report.pdf"], "must name a file that ends in .html"),
        (["--data", "missing.parquet"], "is not a file"),
    ],
)
def test_bad_options(words, message):
    result = invoke(*words)
    assert result.exit_code == 2
    assert message in result.output


def test_the_report_has_every_measurement_and_picture():
    pytest.importorskip("matplotlib")
    groups = suite_results.summary(ENTRIES)
    members = groups["kernel | a"]
    assert members["native"]["wall"] == 0.01
    assert members["native"]["cpu"] == 0.02
    assert suite_results.ratio(members["reference"], members["native"]) == pytest.approx(100)
    text = suite_results.markdown(HEADER, groups)
    assert (
        "| kernel | a | peer:fast | 5 ms | 10 ms | 1 | **0.50** | 0.50 |" in text
    )  # a loss is bold
    assert "timed out: took more than 9 s" in text
    assert "10 GFLOP/s, 25% of sgemm; 1 GB/s, 20% of the bandwidth" in text  # by CPU time
    html = page.page(HEADER, groups, ["peer: not installed"])
    assert html.count("<svg") == 5  # factors, threads, levels, sizes, roofline
    assert "b: 25% of the roof" in html  # 10 operations for each byte: arithmetic is the bound
    assert "CPU &lt;1&gt;" in html
    assert "not installed" in html
    assert "http" not in html.replace("http://www.w3.org/", "")


def test_an_unknown_peak_is_a_dash(tmp_path, monkeypatch):
    record = pytest.importorskip("suite.record")
    memory = pytest.importorskip("process_memory")
    monkeypatch.setattr(memory, "_SELF", tmp_path)  # a system that does not tell
    monkeypatch.setenv(record.RECORD, str(tmp_path / "record"))
    assert record.record("a", "native", lambda: 1, lambda result: None, True, {}) == 1
    line = json.loads((tmp_path / "record").read_text())
    assert line["peak_mib"] is None
    groups = suite_results.summary([{**line, "status": "done", "note": ""}])
    assert "| - | - | - |  |" in suite_results.markdown(HEADER, groups)


def test_the_peak_of_a_call_counts_one_result():
    memory = pytest.importorskip("process_memory")
    numpy = pytest.importorskip("numpy")
    with memory.PeakMemory() as peak:
        result = numpy.ones(1 << 23)
    if numpy.isnan(peak.mib):
        pytest.skip("the system does not tell the peak of a block")
    assert 60 < peak.mib < 80
    del result


def test_an_interrupted_run_goes_on(tmp_path):
    path = tmp_path / "out" / "report.jsonl"
    journal = suite_results.Journal(path, {"cpu": "a"})
    journal.add(entry("g", "native", 1.0, key="0:x"))
    with path.open("a") as file:
        file.write('{"key": "0:cut sho')
    again = suite_results.Journal(path, {"cpu": "a"})
    assert [e["key"] for e in again.entries] == ["0:x"]
    again.add(entry("g", "native", 1.0, key="0:y"))
    assert len(suite_results.Journal(path, {"cpu": "a"}).entries) == 2
    with pytest.raises(ValueError, match=r"journal of another run \(cpu differ\)"):
        suite_results.Journal(path, {"cpu": "b"})
    (tmp_path / "no.jsonl").write_text("text\n")
    with pytest.raises(ValueError, match="not the journal of a benchmark"):
        suite_results.Journal(tmp_path / "no.jsonl", {})


def test_finished_measurements_are_not_repeated_and_interrupts_are_kept(tmp_path, monkeypatch):
    one, two, three = (run.Measurement(n, "native", {"AIMASS_BENCH_THREADS": "2"}) for n in "abc")
    calls = []

    def measured(measurement, limit, rounds):
        if measurement.node == "b" and "b" not in calls:
            calls.append("b")
            raise KeyboardInterrupt
        calls.append(measurement.node)
        return {k: v for k, v in entry(measurement.node, "native", 1.0).items() if k != "key"}

    monkeypatch.setattr(run, "measured", measured)
    options = argparse.Namespace(repeats=1, limit=1.0, rounds=1, out=tmp_path / "r.html")
    for finished in (False, True):
        journal = suite_results.Journal(tmp_path / "r.jsonl", {})
        assert run.run_all(options, [one, two, three], journal) is finished
        run.write_report(options, journal, HEADER)
        groups = json.loads((tmp_path / "r.json").read_text())["groups"]
        assert list(groups) == (["a", "b", "c"] if finished else ["a"])
    assert calls == ["a", "b", "b", "c"]


def test_the_page_names_the_cases_in_which_a_peer_is_faster():
    groups = suite_results.summary(ENTRIES)
    text = page.outcome(groups)
    assert "1 cases have a peer, and in 1 of them a peer is faster" in text
    assert "<li>kernel | a: fast (0.50)</li>" in text
    del groups["kernel | a"]["peer:fast"]
    assert "0 cases have a peer" in page.outcome(groups)
    assert "<li>" not in page.outcome(groups)


def test_what_is_planned():
    nodes = [
        f"benchmarks/bench_x.py::bench_score_topk[{m}-{n}]"
        for m in ("native", "reference", "peer:a", "peer:b")
        for n in (0, 1)
    ]
    nodes.append("benchmarks/bench_models.py::bench_model[native-item-knn-fit]")
    options = argparse.Namespace(
        scale="small",
        cases=1,
        threads=4,
        peers=["a"],
        models_only=False,
        datasets=["generated:20k", "real:x"],
        sizes=["generated:1M"],
    )
    plan = run.plan(options, nodes, ["baseline"])
    shown = [(m.member, m.variant, m.environment.get("AIMASS_BENCH_DATASET")) for m in plan]
    assert shown == [
        ("native", "", None),
        ("native", "1 thread", None),
        ("native", "2 threads", None),
        ("native", "baseline", None),
        ("reference", "", None),
        ("peer:a", "", None),
        ("native", "", "generated:20k"),
        ("native", "", "real:x"),
        ("native", "", "generated:1M"),
    ]
    assert len({m.key for m in plan}) == len(plan)
    options.models_only = True
    assert len(run.plan(options, nodes, [])) == 3


def test_the_gate_reports_lost_speed_and_lost_cases():
    stored = {"a": 10.0, "b": 8.0, "c": 2.0}
    assert gate.compared({"a": 4.1, "b": 9.0, "c": 2.0}, stored) == {}
    assert list(gate.compared({"a": 3.9, "b": 9.0}, stored)) == ["a", "c"]


@pytest.mark.parametrize(
    ("again", "here", "status"), [(9.0, True, 0), (3.0, True, 1), (3.0, False, 0)]
)
def test_the_gate_measures_suspects_twice(again, here, status, monkeypatch, tmp_path, capsys):
    asked = []

    def ratios(only=None):
        asked.append(only)
        return {"a": 3.9, "b": 9.0} if only is None else {"a": again}

    monkeypatch.setattr(gate, "STORED", tmp_path / "gate.json")
    monkeypatch.setattr(gate, "ratios", ratios)
    monkeypatch.setattr(gate, "isa", lambda: gate.ISA)
    content = {
        "processor": gate.processor() if here else "another",
        "ratios": {"a": 10.0, "b": 8.0},
    }
    gate.STORED.write_text(json.dumps(content))
    assert gate.gate() == status
    assert asked == [None, ["a"]]
    shown = capsys.readouterr()
    assert ("regression: a" in shown.err) == (again == 3.0)
    assert ("no gate here: stored on another" in shown.out) == (not here)


def test_ratios_are_those_of_both_members_in_one_process(monkeypatch, tmp_path):
    record = pytest.importorskip("suite.record")
    monkeypatch.setenv(record.PAIRS, str(tmp_path / "pairs"))
    calls = []
    for member in ("native", "reference", "peer:a"):
        call = functools.partial(calls.append, member)
        assert record.record_pair("a", member, call, lambda result: None) is None
    (line,) = (tmp_path / "pairs").read_text().splitlines()
    assert json.loads(line).keys() == {"group", "ratio"}
    assert calls.count("native") > 3
    monkeypatch.setenv(record.ONLY, '["b"]')
    for member in ("native", "reference"):
        record.record_pair("a", member, lambda: None, lambda result: None)
    assert len((tmp_path / "pairs").read_text().splitlines()) == 1


@pytest.mark.parametrize("slowdown", [1, 3])
def test_a_kernel_that_became_three_times_slower_is_found(slowdown, monkeypatch):
    record = pytest.importorskip("suite.record")
    now, rng = [0.0], random.Random(0)

    def works(seconds):
        def call():
            now[0] += seconds * rng.uniform(0.8, 1.2) * (2 if rng.random() < 0.1 else 1)

        return call

    monkeypatch.setattr(record, "time", types.SimpleNamespace(process_time=lambda: now[0]))
    for _ in range(20):
        found = record._ratio(works(0.002 * slowdown), works(0.04))
        assert bool(gate.compared({"a": found}, {"a": 20.0})) == (slowdown == 3)
