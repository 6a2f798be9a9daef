"""Addresses of cloud storage: a stand-in under each name, and a client and a server of S3.

The stand-in shows that an address reaches fsspec with its options; it says nothing of the clients
gcsfs and adlfs themselves. The server needs ``pip install s3fs 'moto[server]'``.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from aimass_core import Interactions

pa = pytest.importorskip("pyarrow")
fsspec = pytest.importorskip("fsspec")

TEXT = "user,item\n1,a\n1,b\n2,a\n"
EXPECTED = [(1, "a", 1.0), (1, "b", 1.0), (2, "a", 1.0)]


def read(url: str, **options: Any) -> list[Any]:
    return list(Interactions.from_table(url, user="user", item="item", **options))


def parquet() -> bytes:
    from pyarrow import parquet

    target = io.BytesIO()
    parquet.write_table(pa.table({"user": [1, 1, 2], "item": ["a", "b", "a"]}), target)
    return target.getvalue()


@pytest.fixture(params=["s3", "gs", "abfs"])
def bucket(request: pytest.FixtureRequest) -> Iterator[str]:
    """A file system under the name of a cloud storage, which asks for its credentials."""
    from fsspec.implementations.memory import MemoryFileSystem

    name = request.param

    class Cloud(MemoryFileSystem):  # type: ignore[misc]
        protocol = name
        store: ClassVar[dict[str, Any]] = {}
        pseudo_dirs: ClassVar[list[str]] = [""]
        cachable = False

        def __init__(self, *, token: str | None = None, **options: Any) -> None:
            super().__init__(**options)
            if token != "secret":
                raise PermissionError("no token")

        @classmethod
        def _strip_protocol(cls, path: str) -> Any:
            return MemoryFileSystem._strip_protocol(path.removeprefix(f"{name}://"))

    from fsspec.registry import _registry

    known = _registry.get(name)
    fsspec.register_implementation(name, Cloud, clobber=True)
    system = Cloud(token="secret")
    system.pipe_file("/shop/a.csv", TEXT.encode())
    system.pipe_file("/shop/day=1/a.parquet", parquet())
    yield f"{name}://shop"
    _registry.pop(name, None)
    if known is not None:
        _registry[name] = known


def test_urls_reach_the_file_system_with_their_options(bucket: str) -> None:
    storage = {"storage_options": {"token": "secret"}}
    for path in ("a.csv", "*.csv", "day=1/a.parquet", "day=1/"):
        assert read(f"{bucket}/{path}", **storage) == EXPECTED
    with pytest.raises(PermissionError):
        read(f"{bucket}/a.csv")
    with pytest.raises(FileNotFoundError):
        read(f"{bucket}/nothing.csv", **storage)


@pytest.fixture
def s3() -> Iterator[dict[str, Any]]:
    """A local server with the interface of S3, and the options that lead to it."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    options = {
        "key": "k",
        "secret": "s",
        "client_kwargs": {"endpoint_url": f"http://{host}:{port}", "region_name": "eu-west-1"},
    }
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    system = fsspec.filesystem("s3", **options)
    system.mkdir("shop")
    system.pipe_file("shop/a.csv", TEXT.encode())
    system.pipe_file("shop/parts/1.parquet", parquet())
    system.pipe_file("shop/parts/_SUCCESS", b"")
    yield options
    server.stop()


def test_an_s3_server(s3: dict[str, Any]) -> None:
    for path in ("a.csv", "*.csv", "parts/", "parts/1.parquet"):
        assert read(f"s3://shop/{path}", storage_options=s3) == EXPECTED
    with pytest.raises(FileNotFoundError):
        read("s3://shop/nothing.csv", storage_options=s3)
