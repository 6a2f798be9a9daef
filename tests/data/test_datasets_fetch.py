"""Fetching against a local server: right, cut, wrong, missing, at once, and offline."""

from __future__ import annotations

import hashlib
import io
import socket
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from aimass_core.data import datasets
from aimass_core.data.datasets import _fetch, _movielens, _retail
from aimass_core.exceptions import DamagedFileError

pa = pytest.importorskip("pyarrow")

RATINGS = [(1, 10, 5, 100), (1, 20, 3, 101), (2, 10, 4, 102), (2, 30, 1, 103), (3, 20, 2, 104)]


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in members.items():
            file.writestr(name, text)
    return buffer.getvalue()


def rows(separator, values=RATINGS):
    return "".join(separator.join(map(str, row)) + "\n" for row in values)


def small_100k():
    flags = ["|".join("1" if i in on else "0" for i in range(19)) for on in ([5], [1, 8], [])]
    films = "".join(
        f"{10 * (i + 1)}|Film \xe9 {i}|01-Jan-1995||u|{f}\n" for i, f in enumerate(flags)
    )
    members = {f"ml-100k/u{k}.test": rows("\t", [RATINGS[k - 1]]) for k in range(1, 6)}
    members["ml-100k/u.data"] = rows("\t")
    members["ml-100k/u.item"] = films.encode("latin1")
    members["ml-100k/u.user"] = "1|24|M|technician|85711\n2|53|F|other|T8H1N\n3|23|M|writer|02139\n"
    return zipped(members)


SMALL = {
    "100k": small_100k(),
    "1m": zipped(
        {
            "ml-1m/ratings.dat": rows("::"),
            "ml-1m/movies.dat": '10::Film: one "two" (1995)::Drama|War\n'
            "20::B::Comedy\n30::C::War\n",
            "ml-1m/users.dat": "1::F::1::10::48067\n2::M::56::16::01234\n3::M::25::15::55117\n",
        }
    ),
    "10m": zipped(
        {
            "ml-10M100K/ratings.dat": rows("::", [(u, i, r - 0.5, t) for u, i, r, t in RATINGS]),
            "ml-10M100K/movies.dat": "10::A\xe9::Drama\n20::B::Comedy\n30::C::War\n",
        }
    ),
    "20m": zipped(
        {
            "ml-20m/ratings.csv": "userId,movieId,rating,timestamp\n" + rows(","),
            "ml-20m/movies.csv": 'movieId,title,genres\n10,"A, The (1995)",Drama\n20,B,War\n',
        }
    ),
    "25m": zipped(
        {
            "ml-25m/ratings.csv": "userId,movieId,rating,timestamp\n" + rows(","),
            "ml-25m/movies.csv": 'movieId,title,genres\n10,"A, The (1995)",Drama\n20,B,War\n',
        }
    ),
}


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server of small stand-ins, known to the package under the checksums that they have."""
    monkeypatch.delenv("AIMASS_DATA", raising=False)
    monkeypatch.setenv("AIMASS_CACHE", str(tmp_path / "cache"))
    files = {}
    for size, body in SMALL.items():
        release = _movielens.RELEASES[size]
        archive = replace(release.archive, md5=hashlib.md5(body).hexdigest())
        monkeypatch.setitem(
            _movielens.RELEASES, size, replace(release, archive=archive, n_rows=len(RATINGS))
        )
        files["/" + archive.path] = body

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.requests.append(self.path)
            served.hold.wait(5)
            if self.path not in files:
                self.send_error(404)
                return
            body = files[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) - served.cut])

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            """A client that hangs up is part of the tests."""

    served = Server(("127.0.0.1", 0), Handler)
    served.files, served.requests, served.cut = files, [], 0
    served.hold = threading.Event()
    served.hold.set()
    served.url = f"http://127.0.0.1:{served.server_port}"
    served.cache = tmp_path / "cache"
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join()


def left_over(server):
    return [path.name for path in server.cache.glob("*")] if server.cache.exists() else []


@pytest.mark.parametrize("size", list(SMALL))
def test_every_release_is_read(server, size):
    found = datasets.fetch_movielens(size, base_url=server.url)
    shift = 0.5 if size == "10m" else 0
    for position, name in enumerate(("user_id", "item_id", "rating", "timestamp")):
        expected = np.array([row[position] for row in RATINGS]) - (shift if name == "rating" else 0)
        np.testing.assert_array_equal(found.table[name].to_numpy(), expected)
    types = {name: str(found.table.schema.field(name).type) for name in found.table.column_names}
    assert types["user_id"] == types["item_id"] == "int32"
    assert (types["rating"], types["timestamp"]) == ("float", "int64")
    titles = found.items["title"].to_pylist()
    if size == "100k":
        assert found.table["fold"].to_pylist() == [1, 2, 3, 4, 5]
        assert titles[0] == "Film \xe9 0"
        assert found.items["genres"].to_pylist() == ["Comedy", "Action|Drama", ""]
    elif size == "1m":
        assert titles[0] == 'Film: one "two" (1995)'
    elif size in ("20m", "25m"):
        assert titles[0] == "A, The (1995)"
    if size in ("100k", "1m"):
        assert found.users["zip_code"].to_pylist()[1:] in (["T8H1N", "02139"], ["01234", "55117"])
    x = found.to_interactions()
    assert x.shape == (3, 3)
    assert x.timestamps is not None
    assert "research" in found.licence
    assert size in repr(found)


def test_second_call_needs_no_network(server):
    datasets.fetch_movielens("100k", base_url=server.url)
    datasets.fetch_movielens("100k", base_url="http://127.0.0.1:1")
    assert server.requests == ["/ml-100k.zip"]
    assert left_over(server) == ["ml-100k.zip"]


def test_cache_dir_argument_wins(server, tmp_path):
    found = datasets.fetch_movielens("1m", base_url=server.url, cache_dir=tmp_path / "mine")
    assert found.path == tmp_path / "mine" / "ml-1m.zip"
    assert left_over(server) == []


def test_cut_connection(server):
    server.cut = 10
    with pytest.raises(ConnectionError, match=r"after \d+ of \d+ bytes.*put it at .*ml-100k\.zip"):
        datasets.fetch_movielens("100k", base_url=server.url)
    assert left_over(server) == []


def test_wrong_checksum(server):
    server.files["/ml-100k.zip"] = server.files["/ml-1m.zip"]
    with pytest.raises(DamagedFileError, match="nothing was kept"):
        datasets.fetch_movielens("100k", base_url=server.url)
    assert left_over(server) == []


def test_not_found(server):
    with pytest.raises(ConnectionError, match=r"404.*Download it by hand"):
        datasets.fetch_movielens("100k", base_url=server.url + "/elsewhere")
    assert left_over(server) == []


def test_connection_refused(server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ConnectionError, match="AIMASS_DATA names"):
        datasets.fetch_movielens("100k", base_url=f"http://127.0.0.1:{port}")
    assert left_over(server) == []


def test_silent_server(server):
    server.hold.clear()
    with pytest.raises(ConnectionError, match="timed out"):
        datasets.fetch_movielens("100k", base_url=server.url, timeout=0.2)
    server.hold.set()
    assert left_over(server) == []


def test_file_too_large(server, monkeypatch):
    release = _movielens.RELEASES["100k"]
    small = replace(release, archive=replace(release.archive, max_bytes=100))
    monkeypatch.setitem(_movielens.RELEASES, "100k", small)
    with pytest.raises(ConnectionError, match="larger than the 100 bytes"):
        datasets.fetch_movielens("100k", base_url=server.url)
    assert left_over(server) == []


def test_several_at_once(server):
    server.hold.clear()
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(datasets.fetch_movielens, "100k", base_url=server.url) for _ in range(4)
        ]
        server.hold.set()
        assert {len(job.result().table) for job in jobs} == {5}
    assert left_over(server) == ["ml-100k.zip"]


def test_wrong_file_put_there_by_hand(server):
    server.cache.mkdir()
    (server.cache / "ml-100k.zip").write_bytes(b"something else")
    with pytest.raises(DamagedFileError, match="not the published file"):
        datasets.fetch_movielens("100k", base_url=server.url)


def test_wrong_number_of_ratings(server, monkeypatch):
    release = replace(_movielens.RELEASES["100k"], n_rows=7)
    monkeypatch.setitem(_movielens.RELEASES, "100k", release)
    with pytest.raises(DamagedFileError, match="5 ratings, published are 7"):
        datasets.fetch_movielens("100k", base_url=server.url)


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "C:\\evil", "..\\evil"])
def test_unsafe_zip_members(tmp_path, name):
    (tmp_path / "a.zip").write_bytes(zipped({"good": "x", name: "y"}))
    with pytest.raises(DamagedFileError, match="member with the path"):
        _fetch.zip_member(tmp_path / "a.zip", "good")


def test_bad_zips(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"bomb": b"\0" * 5_000_000, "./": ""}))
    with pytest.raises(DamagedFileError, match="at most 1000000 expected"):
        _fetch.zip_member(path, "bomb", 1_000_000)
    with pytest.raises(DamagedFileError, match="no member missing"):
        _fetch.zip_member(path, "missing")
    path.write_bytes(zipped({"a": "x" * 1000})[:-30])
    with pytest.raises(DamagedFileError, match="cannot be read"):
        _fetch.zip_member(path, "a")
    damaged = bytearray(zipped({"a": np.random.default_rng(0).bytes(1000)}))
    damaged[200] ^= 255
    path.write_bytes(damaged)
    with pytest.raises(DamagedFileError, match="cannot be read"):
        _fetch.zip_member(path, "a")


def test_bad_arguments(server):
    with pytest.raises(ValueError, match="size must be one of 100k"):
        datasets.fetch_movielens("100K")
    with pytest.raises(ValueError, match="timeout must be above 0"):
        datasets.fetch_movielens("100k", timeout=0)
    with pytest.raises(ValueError, match="must start with https"):
        datasets.fetch_movielens("100k", base_url="file:///etc")


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("AIMASS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert _fetch.cache_folder() == tmp_path / "aimass"
    monkeypatch.setenv("AIMASS_CACHE", str(tmp_path / "own"))
    assert _fetch.cache_folder() == tmp_path / "own"


def test_prepared_folder_comes_first(server, monkeypatch, tmp_path):
    folder = tmp_path / "data" / "movielens-100k"
    folder.mkdir(parents=True)
    table = pa.table({"user_id": [1], "item_id": [2], "rating": [3.0]})
    pa.parquet.write_table(table, folder / "interactions.parquet")
    monkeypatch.setenv("AIMASS_DATA", str(tmp_path / "data"))
    found = datasets.fetch_movielens("100k", base_url=server.url)
    assert found.table.equals(table)
    assert found.items is found.users is None
    assert found.path == folder
    assert found.to_interactions().timestamps is None
    assert server.requests == []
    datasets.fetch_movielens("1m", base_url=server.url)  # not prepared: fetched
    assert server.requests == ["/ml-1m.zip"]


# ---- Online Retail II ------------------------------------------------------------------------

FIRST = [
    (489434, "85048", "BALL", 12, datetime(2009, 12, 1, 7, 45), 6.95, 13085, "UK"),
    ("C489435", "85048", "BALL", -12, datetime(2009, 12, 1, 8), 6.95, 13085, "UK"),
    (489436, "POST", "POSTAGE", 1, datetime(2009, 12, 1, 9), 18.0, 13085, "UK"),
    (489437, 22350, "CAT", 3, datetime(2009, 12, 2, 9), 2.5, None, "UK"),
    (489438, "79323w", "LIGHT", 3, datetime(2009, 12, 2, 9), 2, 13078, "UK"),
    (489999, "85048", "BALL", 1, datetime(2010, 12, 1, 8, 26), 6.95, 13085, "UK"),
]
SECOND = [
    (489999, "85048", "BALL", 1, datetime(2010, 12, 1, 8, 26), 6.95, 13085, "UK"),
    (536365, "79323W", "NEW LIGHT", 6, datetime(2010, 12, 2), 4.0, 17850, "UK"),
    (536366, "22350", "CAT", 6, datetime(2010, 12, 2), 0, 17850, "UK"),
]


def test_retail_workbook(server, monkeypatch):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, lines in (("Year 2009-2010", FIRST), ("Year 2010-2011", SECOND)):
        sheet = book.create_sheet(title)
        for line in (_retail.HEADER, *lines):
            sheet.append(line)
    buffer = io.BytesIO()
    book.save(buffer)
    server.files["/online+retail+ii.zip"] = zipped({_retail.MEMBER: buffer.getvalue()})
    with pytest.raises(DamagedFileError, match="9 lines, published are 1067371"):
        datasets.fetch_online_retail(base_url=server.url)
    monkeypatch.setattr(_retail, "N_LINES", 9)
    for _ in range(2):  # the second time from the cleaned tables
        found = datasets.fetch_online_retail(base_url=server.url)
        assert found.table["user_id"].to_pylist() == [13085, 13078, 13085, 17850]
        assert found.table["item_id"].to_pylist() == [1, 0, 1, 0]
        assert found.table["quantity"].to_pylist() == [12, 3, 1, 6]
        assert found.table["invoice"].to_pylist()[0] == "489434"
        assert found.table["timestamp"].to_pylist()[0] == 1259653500
        assert found.items["stock_code"].to_pylist() == ["79323W", "85048"]
        assert found.items["title"].to_pylist() == ["NEW LIGHT", "BALL"]
        assert found.items["median_price"].to_pylist() == [3.0, 6.95]
        assert found.to_interactions().matrix.sum() == 22
        monkeypatch.setattr(_retail, "_read_sheets", None)
    assert server.requests == ["/online+retail+ii.zip"]


def test_retail_without_openpyxl(server, monkeypatch):
    server.files["/online+retail+ii.zip"] = zipped({_retail.MEMBER: b""})
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ImportError, match="pip install openpyxl"):
        datasets.fetch_online_retail(base_url=server.url)


def test_real_movielens(real_data):
    real_data("movielens-100k")
    found = datasets.fetch_movielens("100k")
    assert found.to_interactions().shape == (943, 1682)
    assert np.bincount(found.table["fold"].to_numpy()).tolist() == [0] + [20000] * 5


def test_real_retail(real_data):
    folder = real_data("online-retail-ii")
    found = datasets.fetch_online_retail()
    assert found.to_interactions().shape == (5852, 4619)
    years = ("transactions_2009_2010", "transactions_2010_2011_sales")
    sheets = [pa.parquet.read_table(folder / f"{year}.parquet") for year in years]
    events, items = datasets.clean_transactions(sheets)
    for name in found.table.column_names:
        assert events[name].to_pylist() == found.table[name].to_pylist()
    assert items["stock_code"].to_pylist() == found.items["stock_code"].to_pylist()
