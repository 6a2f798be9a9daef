"""The style sheet of the report: phone and paper, light and dark, nothing loaded from outside."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1d2733; --soft: #5c6875;
  --line: #d5dae0; --card: #f6f7f9; --high: 200, 69, 47; --low: 58, 111, 176; }
@media (prefers-color-scheme: dark) { :root { --paper: #171c22; --ink: #e4e9ef; --soft: #9aa6b3;
  --line: #39424d; --card: #1f262e; --high: 226, 106, 84; --low: 96, 148, 212; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 66rem; padding: 1.2rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.6rem; margin: .2rem 0; overflow-wrap: anywhere; } h2 { font-size: 1.2rem;
  margin: 2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
p, ul { margin: .4rem 0; } .soft { color: var(--soft); font-size: .9rem; }
.cards { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); }
.card { background: var(--card); border-radius: .6rem; padding: .8rem 1rem;
  border-left: .35rem solid var(--own); }
.key { display: inline-block; min-width: 1.6em; padding: 0 .4em; border-radius: 1em;
  text-align: center; font-weight: 700; background: var(--own); }
.big { font-size: 1.35rem; font-weight: 650; }
.bar { height: .35rem; border-radius: 1rem; background: var(--line); margin: .35rem 0; }
.bar i { display: block; height: 100%; border-radius: 1rem; background: var(--own); }
ul.what { list-style: none; padding: 0; font-size: .9rem; } ul.what li { padding: .1rem 0;
  overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; width: 100%; }
th, td { padding: .3rem .5rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere;
  min-width: 7rem; }
td small { display: block; opacity: .75; }
figure { margin: .6rem 0; } figure img { max-width: 100%; height: auto; border-radius: .4rem; }
figcaption { color: var(--soft); font-size: .9rem; }
.pair { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); }
.note { border-left: .3rem solid #ee8844; background: var(--card); border-radius: .4rem;
  padding: .5rem .8rem; margin: .5rem 0; }
@media print { .card, figure { break-inside: avoid; } }
"""
