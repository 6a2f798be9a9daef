"""Online Retail II, from the UCI Machine Learning Repository."""

from __future__ import annotations

import io
import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ...base.optional import import_optional
from ...base.persistence import replacing
from ...exceptions import DamagedFileError
from ._fetch import (
    Archive,
    Dataset,
    fetch_archive,
    import_pyarrow,
    prepared_folder,
    zip_member,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pyarrow import Table

__all__ = ["clean_transactions", "fetch_online_retail"]

LICENCE = "CC BY 4.0: D. Chen, Online Retail II, UCI, 2019, doi 10.24432/C5CG6D"
ARCHIVE = Archive(
    name="online-retail-ii",
    base_url="https://archive.ics.uci.edu/static/public/502",
    path="online+retail+ii.zip",
    max_bytes=256 << 20,
)
MEMBER = "online_retail_II.xlsx"
N_LINES = 1_067_371  # 525,461 and 541,910, as published
HEADER = (
    "Invoice",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "Price",
    "Customer ID",
    "Country",
)
NAMES = (
    "invoice",
    "stock_code",
    "description",
    "quantity",
    "invoice_date",
    "price",
    "customer_id",
    "country",
)


def _read_sheets(workbook: bytes) -> list[Table]:
    """Return the two yearly sheets, every line as it is."""
    pa = import_pyarrow()
    openpyxl = import_optional("openpyxl", "reading the Online Retail workbook")
    types = (
        pa.string(),
        pa.string(),
        pa.string(),
        pa.int32(),
        pa.timestamp("ms"),
        pa.float64(),
        pa.int32(),
        pa.string(),
    )

    def text(value: Any) -> str | None:
        return None if value is None else str(value)

    tables = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns about styles
        book = openpyxl.load_workbook(io.BytesIO(workbook), read_only=True, data_only=True)
        for sheet in book.worksheets:
            rows = sheet.iter_rows(values_only=True)
            if tuple(next(rows, ()))[: len(HEADER)] != HEADER:
                raise DamagedFileError(f"{MEMBER}: sheet {sheet.title!r} has other columns")
            columns = list(zip(*(row[: len(HEADER)] for row in rows))) or [()] * len(HEADER)
            for i in (0, 1, 2, 7):
                columns[i] = tuple(map(text, columns[i]))
            arrays = [pa.array(column, kind) for column, kind in zip(columns, types)]
            tables.append(pa.table(dict(zip(NAMES, arrays))))
    return tables


def clean_transactions(years: list[Table]) -> tuple[Table, Table]:
    """Return purchase lines and items from the yearly sheets of Online Retail II.

    Parameters
    ----------
    years : list of pyarrow.Table
        In order of time; columns as in the workbook, in lower case with underscores.

    Returns
    -------
    interactions : pyarrow.Table
        Lines of known customers with positive quantity and price whose stock code begins with
        five digits (no postage, fees, samples); ``item_id`` numbers the upper-case stock codes
        in ascending order. Days that two sheets share are taken from the later one.
    items : pyarrow.Table
        Of each ``item_id`` the stock code, the latest description as title, the median price.
    """
    pa = import_pyarrow()
    pc = pa.compute
    parts = []
    for table, later in zip(years, [*years[1:], None]):
        kept = table
        if later is not None and len(later):
            kept = table.filter(pc.less(table["invoice_date"], pc.min(later["invoice_date"])))
        parts.append(kept.select([n for n in NAMES if n != "country"]))
    lines = pa.concat_tables(parts, promote_options="permissive")
    positive = pc.and_(pc.greater(lines["quantity"], 0), pc.greater(lines["price"], 0))
    product = pc.match_substring_regex(lines["stock_code"], "^[0-9]{5}[A-Za-z]*$")
    lines = lines.filter(pc.and_(pc.and_(positive, product), pc.is_valid(lines["customer_id"])))
    codes = pc.utf8_upper(lines["stock_code"]).to_numpy(zero_copy_only=False).astype(str)
    distinct, item = np.unique(codes, return_inverse=True)
    price = lines["price"].to_numpy()
    order = np.lexsort((price, item))
    bounds = np.searchsorted(item[order], np.arange(len(distinct) + 1))
    low, high = (bounds[:-1] + bounds[1:] - 1) // 2, (bounds[:-1] + bounds[1:]) // 2
    last = np.zeros(len(distinct), dtype=np.int64)
    last[item] = np.arange(len(item))  # the latest description is the item's title
    seconds = pc.divide(pc.cast(lines["invoice_date"].cast(pa.timestamp("ms")), pa.int64()), 1000)
    interactions = pa.table(
        {
            "user_id": lines["customer_id"].cast(pa.int32()),
            "item_id": pa.array(item.astype(np.int32)),
            "quantity": lines["quantity"].cast(pa.int32()),
            "price": lines["price"].cast(pa.float32()),
            "timestamp": seconds,
            "invoice": lines["invoice"],
        }
    )
    items = pa.table(
        {
            "item_id": pa.array(np.arange(len(distinct), dtype=np.int32)),
            "stock_code": pa.array(distinct.tolist(), pa.string()),
            "title": lines["description"].take(pa.array(last)),
            "median_price": pa.array((price[order][low] + price[order][high]) / 2),
        }
    )
    return interactions, items


def _cached(archive: Path) -> tuple[Table, Table]:
    """Return the cleaned tables, kept beside the archive: the workbook takes minutes to read."""
    pq = import_pyarrow().parquet
    paths = [archive.with_name(f"online_retail_{part}.parquet") for part in ("events", "items")]
    newer = all(p.is_file() and p.stat().st_mtime >= archive.stat().st_mtime for p in paths)
    if not newer:
        years = _read_sheets(zip_member(archive, MEMBER))
        n_lines = sum(map(len, years))
        if n_lines != N_LINES:
            raise DamagedFileError(
                f"{archive} holds {n_lines} lines, published are {N_LINES}; delete it"
            )
        for path, table in zip(paths, clean_transactions(years)):
            with replacing(path) as file:
                pq.write_table(table, file)
    events, items = (pq.read_table(path) for path in paths)
    return events, items


def fetch_online_retail(
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    base_url: str | None = None,
    timeout: float = 60.0,
) -> Dataset:
    """Fetch the purchases of a UK gift wholesaler: from ``AIMASS_DATA``, the cache, or UCI.

    Parameters
    ----------
    cache_dir : path, optional
        Where the archive is kept; default ``AIMASS_CACHE``, else the system's cache folder.
    base_url : str, optional
        A mirror; default https://archive.ics.uci.edu/static/public/502.
    timeout : float, default 60
        Seconds without an answer after which the download fails.

    Returns
    -------
    Dataset
        Table of ``user_id`` (customer number), ``item_id``, ``quantity``, ``price``,
        ``timestamp`` (seconds, shop-local wall clock), ``invoice``: purchase lines cleaned as
        `clean_transactions` does. Items with stock code, title and median price.

    Raises
    ------
    ConnectionError
        When the download fails; the message says which file to put where by hand.
    DamagedFileError
        When the archive cannot be read, or does not have the published number of lines.
    ImportError
        If pyarrow is not installed, or, to read the downloaded workbook, openpyxl.

    Notes
    -----
    UCI publishes no checksum: the file is checked by its columns and by the published number of
    1,067,371 lines. Reading the workbook takes minutes, once; the cleaned tables are kept as
    Parquet beside it.

    References
    ----------
    .. [1] D. Chen, S. L. Sain, K. Guo, "Data Mining for the Online Retail Industry", Journal of
       Database Marketing and Customer Strategy Management 19(3), 2012.

    Examples
    --------
    >>> from aimass_core.data.datasets import fetch_online_retail
    >>> fetch_online_retail().to_interactions().shape  # doctest: +SKIP
    (5852, 4619)
    """
    pq = import_pyarrow().parquet
    folder = prepared_folder(ARCHIVE.name)
    if folder is not None:
        tables = [pq.read_table(folder / f"{part}.parquet") for part in ("interactions", "items")]
        return Dataset(ARCHIVE.name, tables[0], tables[1], None, folder, LICENCE, "quantity")
    path = fetch_archive(ARCHIVE, cache_dir, base_url, timeout)
    events, items = _cached(path)
    return Dataset(ARCHIVE.name, events, items, None, path, LICENCE, "quantity")
