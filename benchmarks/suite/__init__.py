"""The benchmark suite of ``aimass bench``: every measurement in its own process, and its report.

The cases are the files ``bench_*.py`` beside this folder. `run` plans and starts measurements,
`record` makes one, `results` reads and compares them, `page` draws the HTML page, and `gate` holds
ratios against stored ones.
"""
