"""Readers of tables: text files, JSON, workbooks, Parquet, Arrow files, data frames, databases.

`open_readers` turns what a caller has (a table, path, URL, glob, folder, list, connection) into
readers. A reader knows the names of its columns and reads those that are wanted, and only those,
as `Column` objects. One module holds the reader of one format; ``files`` opens, decompresses and
recognises files; ``options`` holds what a caller can say about a format.
"""

from __future__ import annotations

from .opening import open_readers
from .options import ReadOptions

__all__ = ["ReadOptions", "open_readers"]
