"""pytest-benchmark JSON as a markdown table: native | NumPy reference | peers, losses included.

Usage: ``python benchmarks/report.py RESULTS.json [OUT.md]``. A time is the best of the rounds.
A factor is that member's time over the native time: above 1 the native kernel is faster, below 1
(in bold) it loses.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from process_memory import shown_mib

Rows = dict[str, dict[str, dict[str, Any]]]


def read(path: Path) -> tuple[dict[str, Any], Rows]:
    """Machine information, and group -> member -> benchmark record."""
    document = json.loads(path.read_text())
    rows: Rows = defaultdict(dict)
    for record in document["benchmarks"]:
        rows[record["group"]][record["extra_info"]["member"]] = record
    return document["machine_info"].get("aimass", {}), rows


def seconds(value: float) -> str:
    """A time with three significant digits in the unit that suits it."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if value * factor >= 1 or unit == "us":
            return f"{value * factor:.3g} {unit}"
    raise AssertionError


def _cell(record: dict[str, Any], native: dict[str, Any] | None) -> str:
    time = record["stats"]["min"]
    text = seconds(time)
    if native is not None and record is not native:
        factor = time / native["stats"]["min"]
        text += f" ({factor:.2g}x)" if factor >= 1 else f" (**{factor:.2g}x**)"
    if "rows" in record["extra_info"]:
        text += f", {record['extra_info']['rows'] / time / 1e6:.3g} M rows/s"
    if "gbyte" in record["extra_info"] and "gflop" not in record["extra_info"]:
        rate = record["extra_info"]["gbyte"] / time
        text += (
            f", {rate:.3g} GB/s, {rate / record['extra_info']['bandwidth']:.0%} of the bandwidth"
        )
    if "gflop" in record["extra_info"]:
        rate = record["extra_info"]["gflop"] / time
        text += f", {rate:.3g} GFLOP/s, {rate / record['extra_info']['peak']:.0%} of sgemm"
    if "peak_mib" in record["extra_info"]:
        text += f", {shown_mib(record['extra_info']['peak_mib'])} MiB"
    return text


def table(machine: dict[str, Any], rows: Rows) -> str:
    """The markdown text."""
    versions = {name: v for name, v in machine.get("versions", {}).items() if v}
    lines = [
        f"{machine.get('cpu', 'unknown CPU')}, ISA level {machine.get('isa')}, "
        f"{machine.get('threads')} threads, scale {machine.get('scale')}. "
        + ", ".join(f"{name} {v}" for name, v in versions.items())
        + ".",
        "",
        "| case | native | NumPy reference | fastest peer | others |",
        "|---|---:|---:|---:|---|",
    ]
    for group, members in rows.items():
        native = members.get("native")
        peers = sorted(
            (record["stats"]["min"], member[5:], record)
            for member, record in members.items()
            if member.startswith("peer:")
        )
        named = [f"{name} {_cell(record, native)}" for _, name, record in peers]
        others = named[1:] + [
            f"{member} {_cell(record, native)}"
            for member, record in members.items()
            if member not in ("native", "reference") and not member.startswith("peer:")
        ]
        reference = members.get("reference")
        lines.append(
            f"| {group} | {_cell(native, None) if native else '-'} "
            f"| {_cell(reference, native) if reference else '-'} "
            f"| {named[0] if named else '-'} | {'; '.join(others) or '-'} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Entry point; returns the exit status."""
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    text = table(*read(Path(sys.argv[1])))
    if len(sys.argv) == 3:
        Path(sys.argv[2]).write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
