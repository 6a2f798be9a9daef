"""The HTML page of a benchmark: one file, pictures inside, no network."""

from __future__ import annotations

import html
import io
import math
import re
from collections import defaultdict
from typing import Any

from process_memory import shown_mib

from suite.results import ratio, roofline_notes, seconds

Groups = dict[str, dict[str, dict[str, Any]]]

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
       color: #1c2430; background: #fff; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid #dde2e8; text-align: right; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
th:last-child, td:last-child { text-align: left; }
td:not(:first-child):not(:last-child) { white-space: nowrap; }
tr.native td { background: #f2f7fc; } .loss { color: #b3261e; font-weight: 600; }
.scroll { overflow-x: auto; } svg { width: 100%; min-width: 44rem; height: auto; }
.note { color: #5a6675; }
"""
COLORS = {"reference": "#9aa5b1", "native": "#1f6fb4"}
PEERS = ("#e08a1e", "#3f9b6c", "#8e5bb5", "#c2504d", "#6b7f2a", "#a06a4f")
MARKERS = ("o", "s", "^", "D")  # with the colors: one look for each of 24 peers


def _svg(figure: Any) -> str:
    """The figure as inline SVG."""
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight")
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    return re.sub(r"^.*?(?=<svg)", "", text, count=1, flags=re.S)


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def _short(group: str) -> str:
    return group if len(group) <= 70 else group[:67] + "..."


def factors(groups: Groups) -> str:
    """Dots: time of every member over the native time, one row for each case."""
    rows = [
        (
            group,
            {
                m: ratio(row, members.get("native"))
                for m, row in members.items()
                if m != "native" and "(" not in m
            },
        )
        for group, members in groups.items()
    ]
    rows = [(g, {m: v for m, v in found.items() if not math.isnan(v)}) for g, found in rows]
    rows = [(group, found) for group, found in rows if found]
    if not rows:
        return ""
    members = sorted({m for _, found in rows for m in found}, key=lambda m: (m != "reference", m))
    others = [m for m in members if m not in COLORS]
    looks = {m: (PEERS[i % 6], MARKERS[i // 6 % 4]) for i, m in enumerate(others)}
    looks |= {m: (color, "o") for m, color in COLORS.items()}
    figure = _figure(10, 1.2 + 0.24 * len(rows))
    axes = figure.add_subplot()
    for member in members:
        points = [(found[member], -y) for y, (_, found) in enumerate(rows) if member in found]
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            looks[member][1],
            markersize=5,
            color=looks[member][0],
            label=member,
        )
    axes.axvline(1.0, color=COLORS["native"], linewidth=1.5, label="native")
    axes.set_xscale("log")
    axes.set_yticks([-y for y in range(len(rows))], [_short(g) for g, _ in rows], fontsize=7)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("time over the native time (log scale; left of 1 the native member loses)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return _svg(figure)


def variants(groups: Groups, pattern: str, name: str) -> str:
    """Bars: native time under variants (threads, instruction sets) over the plain native time."""
    rows = []
    for group, members in groups.items():
        native = members.get("native")
        found = {
            re.sub(r"native \((.*)\)", r"\1", m): ratio(row, native)
            for m, row in members.items()
            if re.fullmatch(rf"native \(({pattern})\)", m)
        }
        found = {m: value for m, value in found.items() if not math.isnan(value)}
        if found:
            rows.append((group, found))
    if not rows:
        return ""
    kinds = sorted({m for _, found in rows for m in found})
    figure = _figure(10, 1.2 + 0.3 * len(rows))
    axes = figure.add_subplot()
    height = 0.8 / len(kinds)
    for number, kind in enumerate(kinds):
        at = [-y - number * height for y, (_, found) in enumerate(rows) if kind in found]
        axes.barh(
            at,
            [found[kind] for _, found in rows if kind in found],
            height=height,
            label=kind,
            color=PEERS[number % len(PEERS)],
        )
    axes.axvline(1.0, color=COLORS["native"], linewidth=1.5, label=name)
    axes.set_yticks([-y for y in range(len(rows))], [_short(g) for g, _ in rows], fontsize=7)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.set_xlabel(f"time over that of {name}")
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return _svg(figure)


def sizes(groups: Groups) -> str:
    """Dots: fit time of the native models, slowest first, one dot for each size of the data."""
    fits: dict[str, dict[int, float]] = defaultdict(dict)
    for group, members in groups.items():
        match = re.match(r"model (\S+): fit, generated", group)
        row = members.get("native", {})
        if match and "wall" in row:
            fits[match[1]][int(row["extra"]["nnz"])] = row["wall"]
    if not any(len(times) > 1 for times in fits.values()):
        return ""
    rows = sorted(fits.items(), key=lambda row: -max(row[1].values()))
    numbers = sorted({n for times in fits.values() for n in times})
    figure = _figure(10, 1.2 + 0.24 * len(rows))
    axes = figure.add_subplot()
    for y, (_, times) in enumerate(rows):
        axes.plot(list(times.values()), [-y] * len(times), color=COLORS["reference"], zorder=1)
    for number, n in enumerate(numbers):
        points = [(times[n], -y) for y, (_, times) in enumerate(rows) if n in times]
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            "o",
            markersize=5,
            color=PEERS[number % len(PEERS)],
            label=f"{n:,} interactions",
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks([-y for y in range(len(rows))], [name for name, _ in rows], fontsize=7)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.set_xlabel("seconds of fit (log scale)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return _svg(figure)


def roofline(groups: Groups) -> str:
    """Rates over the operations for each byte, below the roof of one core."""
    rows = [
        (group.removeprefix("roofline: "), row["extra"], row["cpu"])
        for group, members in groups.items()
        for name, row in members.items()
        if name == "native" and {"gflop", "gbyte"} <= row.get("extra", {}).keys()
    ]
    if not rows:
        return ""
    peak = max(extra["peak"] for _, extra, _ in rows)
    bandwidth = max(extra["bandwidth"] for _, extra, _ in rows)
    intensities = [extra["gflop"] / extra["gbyte"] for _, extra, _ in rows]
    ridge = peak / bandwidth
    ends = [min(*intensities, ridge) / 4, ridge, max(*intensities, ridge) * 4]
    figure = _figure(9, 5)
    axes = figure.add_subplot()
    roof = [min(peak, bandwidth * x) for x in ends]
    label = f"roof: {bandwidth:.3g} GB/s, {peak:.3g} GFLOP/s of sgemm"
    axes.plot(ends, roof, color=COLORS["reference"], label=label)
    for number, ((group, extra, cpu), x) in enumerate(zip(rows, intensities, strict=True)):
        rate = extra["gflop"] / cpu
        share = rate / min(extra["peak"], extra["bandwidth"] * x)
        axes.plot(
            [x],
            [rate],
            "o",
            color=PEERS[number % len(PEERS)],
            label=f"{_short(group)}: {share:.0%} of the roof",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set_xlabel("operations for each byte that must be moved (log scale)")
    axes.set_ylabel("GFLOP/s of one thread (log scale)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), frameon=False)
    note = (
        "<p class='note'>Operations and bytes are those of the plain algorithm on its arrays. "
        "score_topk reads 8-bit codes of the items first and leaves out what their bounds exclude, "
        "so that it may lie above the roof.</p>"
    )
    return _svg(figure) + note


def outcome(groups: Groups) -> str:
    """How many cases have a peer, and in which of them a peer is faster."""
    compared = losses = 0
    lines = []
    for group, members in groups.items():
        factors = {
            member: ratio(row, members.get("native"))
            for member, row in members.items()
            if member.startswith("peer:") and "(" not in member
        }
        factors = {member: value for member, value in factors.items() if not math.isnan(value)}
        compared += bool(factors)
        faster = sorted((value, member) for member, value in factors.items() if value < 1)
        if faster:
            losses += 1
            names = ", ".join(f"{member[5:]} ({value:.2f})" for value, member in faster)
            lines.append(f"<li>{html.escape(f'{group}: {names}')}</li>")
    text = (
        f"<p>{sum(map(len, groups.values()))} results of {len(groups)} cases. "
        f"{compared} cases have a peer, and in {losses} of them a peer is faster"
    )
    if not lines:
        return f"{text}.</p>"
    return f"{text} (in brackets its time over the native time):</p><ul>{''.join(lines)}</ul>"


def _table(groups: Groups) -> str:
    cells = [
        "<tr><th>case</th><th>member</th><th>wall</th><th>CPU</th><th>peak MiB</th>"
        "<th>wall / native</th><th>CPU / native</th><th>note</th></tr>"
    ]
    for group, members in groups.items():
        native = members.get("native")
        for member, row in members.items():
            kind = ' class="native"' if member == "native" else ""
            name = f"<td>{html.escape(group)}</td><td>{html.escape(member)}</td>"
            if row["status"] != "done":
                note = html.escape(f"{row['status']}: {row['note']}"[:200])
                cells.append(f'<tr>{name}<td colspan="5"></td><td class="loss">{note}</td></tr>')
                continue
            factor = ratio(row, native)
            loss = ' class="loss"' if factor < 1 and member.startswith("peer:") else ""
            shown, shown_cpu = (
                "" if math.isnan(factor) or row is native else f"{ratio(row, native, field):.2f}"
                for field in ("wall", "cpu")
            )
            extra = row["extra"]
            notes = [f"recall@10 {extra['recall']:.3f}"] if "recall" in extra else []
            note = "; ".join(notes + roofline_notes(row))
            cells.append(
                f"<tr{kind}>{name}<td>{seconds(row['wall'])}</td><td>{seconds(row['cpu'])}</td>"
                f"<td>{shown_mib(row['peak_mib'])}</td><td{loss}>{shown}</td>"
                f"<td>{shown_cpu}</td><td>{note}</td></tr>"
            )
    return f'<div class="scroll"><table>{"".join(cells)}</table></div>'


def page(header: dict[str, Any], groups: Groups, skipped: list[str]) -> str:
    """The whole document."""
    try:
        import matplotlib  # noqa: F401 - the pictures need it
    except ImportError:
        pictures = [("Pictures", "<p>Pictures need matplotlib: pip install matplotlib</p>")]
    else:
        pictures = [
            ("Native, NumPy reference and peers", factors(groups)),
            ("Threads", variants(groups, r"\d+ threads?", f"{header['threads']} threads")),
            ("Instruction-set levels", variants(groups, r"[a-z]\w*", header["isa"])),
            ("Size of the data", sizes(groups)),
            ("Roofline of one core", roofline(groups)),
        ]
    versions = ", ".join(f"{name} {value}" for name, value in header["versions"].items())
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Benchmarks of aimass_core</title><style>{STYLE}</style></head><body>",
        "<h1>Benchmarks of aimass_core</h1>",
        f"<p>{html.escape(header['cpu'])}, {header['cpus']} CPUs, {header['threads']} threads, "
        f"instruction set {header['isa']}, Python {header['python']}.<br>"
        f"<span class='note'>{html.escape(versions)}</span></p>",
        "<p class='note'>Each measurement runs in its own process, and its result is checked "
        "before its time counts. Times are the best of all rounds. CPU time counts all threads. "
        "The peak is the memory of one call above what the process held before it. Other programs "
        "on the machine lengthen wall times, and CPU times hardly.</p>",
    ]
    parts.append(outcome(groups))
    parts += [
        f"<h2>{title}</h2><div class='scroll'>{picture}</div>"
        for title, picture in pictures
        if picture
    ]
    parts += ["<h2>All measurements</h2>", _table(groups)]
    if skipped:
        entries = "".join(f"<li>{html.escape(line)}</li>" for line in skipped)
        parts.append(f"<h2>Left out</h2><ul class='note'>{entries}</ul>")
    return "".join(parts) + "</body></html>\n"
