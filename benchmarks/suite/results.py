"""Finished measurements: a journal of JSON lines, their summary, and a Markdown table."""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from process_memory import shown_mib

FORMAT, VERSION = "aimass-bench", 1


class Journal:
    """Finished measurements in a file of JSON lines; the same run goes on where it was stopped.

    A line that was cut short is ignored. A journal of another machine, version or plan is refused.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self._path = path
        self.entries: list[dict[str, Any]] = []
        header = {"format": FORMAT, "version": VERSION, **header}
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        if not lines:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(header) + "\n")
            return
        try:
            found = json.loads(lines[0])
            self.entries = [json.loads(line) for line in lines[1:]]
        except ValueError:
            raise ValueError(f"{path} is not the journal of a benchmark: delete it") from None
        if found != header:
            differs = sorted(k for k in header if found.get(k) != header[k])
            raise ValueError(
                f"{path} is the journal of another run ({', '.join(differs)} differ): give another "
                "--out, or delete it"
            )
        path.write_text("".join(line + "\n" for line in lines))

    def has(self, key: str) -> bool:
        """Whether a measurement is finished."""
        return any(entry["key"] == key for entry in self.entries)

    def add(self, entry: dict[str, Any]) -> None:
        """Write a finished measurement to disk."""
        self.entries.append(entry)
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())


def label(entry: dict[str, Any]) -> str:
    """The member with what sets it apart from the plain one: threads, instruction set."""
    text = entry["member"]
    if entry.get("variant"):
        text += f" ({entry['variant']})"
    return text


def summary(entries: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Group -> member -> the best times of all repeats, the median peak, and the status."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        found[entry["group"]][label(entry)].append(entry)
    out: dict[str, dict[str, dict[str, Any]]] = {}
    for group, members in found.items():
        out[group] = {}
        for member, repeats in members.items():
            done = [e for e in repeats if e["status"] == "done"]
            if not done:
                out[group][member] = {"status": repeats[-1]["status"], "note": repeats[-1]["note"]}
                continue
            peaks = sorted(e["peak_mib"] for e in done if e["peak_mib"] is not None)
            wall = [value for e in done for value in e["wall"]]
            out[group][member] = {
                "status": "done",
                "wall": min(wall),
                "wall_median": sorted(wall)[len(wall) // 2],
                "cpu": min(value for e in done for value in e["cpu"]),
                "peak_mib": peaks[len(peaks) // 2] if peaks else None,
                "isa": done[0]["isa"],
                "extra": done[0]["extra"],
                "n": len(wall),
            }
    return out


def ratio(row: dict[str, Any], native: dict[str, Any] | None, field: str = "wall") -> float:
    """Time of a member over the native time; NaN where either is missing."""
    if native is None or "wall" not in row or "wall" not in native:
        return math.nan
    return float(row[field] / max(native[field], 1e-12))


def seconds(value: float) -> str:
    """A time with three significant digits in the unit that suits it."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if value * factor >= 1 or unit == "us":
            return f"{value * factor:.3g} {unit}"
    raise AssertionError


def roofline_notes(row: dict[str, Any]) -> list[str]:
    """Rates of a kernel whose arithmetic or traffic is counted, by CPU time of its one thread."""
    extra, notes = row["extra"], []
    if "gflop" in extra:
        rate = extra["gflop"] / row["cpu"]
        notes.append(f"{rate:.3g} GFLOP/s, {rate / extra['peak']:.0%} of sgemm")
    if "gbyte" in extra:
        rate = extra["gbyte"] / row["cpu"]
        notes.append(f"{rate:.3g} GB/s, {rate / extra['bandwidth']:.0%} of the bandwidth")
    return notes


def markdown(header: dict[str, Any], groups: dict[str, dict[str, dict[str, Any]]]) -> str:
    """One table with a row for each measurement; a ratio in bold is that of a faster peer."""
    lines = [
        "# Benchmarks",
        "",
        f"{header['cpu']}, {header['cpus']} CPUs, {header['threads']} threads, instruction set "
        f"{header['isa']}, aimass_core {header['aimass_core']}. Times are the best of all rounds; "
        "CPU time counts all threads; the peak is above what the process held before the call.",
        "",
        "| case | member | wall | CPU | peak MiB | wall / native | CPU / native | note |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for group, members in groups.items():
        native = members.get("native")
        for member, row in members.items():
            if row["status"] != "done":
                note = f"{row['status']}: {row['note']}"[:160].replace("|", "/")
                lines.append(f"| {group} | {member} | - | - | - | - | - | {note} |")
                continue
            factor = ratio(row, native)
            shown, shown_cpu = (
                "-" if math.isnan(factor) or row is native else f"{ratio(row, native, field):.2f}"
                for field in ("wall", "cpu")
            )
            if shown != "-" and factor < 1 and member.startswith("peer:"):
                shown = f"**{shown}**"
            notes = [f"recall@10 {row['extra']['recall']:.3f}"] if "recall" in row["extra"] else []
            notes += roofline_notes(row)
            lines.append(
                f"| {group} | {member} | {seconds(row['wall'])} | {seconds(row['cpu'])} | "
                f"{shown_mib(row['peak_mib'])} | {shown} | {shown_cpu} | "
                f"{'; '.join(notes)} |"
            )
    return "\n".join(lines) + "\n"
