"""A fit on worker processes whose place is a bucket of a local server with the interface of S3.

It needs ``pip install s3fs 'moto[server]'``.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import ImplicitALS

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("s3fs")


@pytest.fixture
def bucket(monkeypatch):
    """Start a server, and name it in the environment, which workers inherit."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    options = {
        "key": "k",
        "secret": "s",
        "client_kwargs": {"endpoint_url": f"http://{host}:{port}", "region_name": "eu-west-1"},
    }
    monkeypatch.setenv("FSSPEC_S3", json.dumps(options))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setitem(fsspec.config.conf, "s3", options)
    fsspec.filesystem("s3").mkdir("shop")
    yield "s3://shop"
    server.stop()


def test_a_fit_in_a_bucket(bucket):
    X = sp.csr_array(np.random.default_rng(0).integers(0, 3, (90, 40)).astype(np.float32))
    expected = ImplicitALS(n_factors=4, max_iter=2).fit(X)
    found = ImplicitALS(n_factors=4, max_iter=2).fit(
        X, executor="processes:2", place=f"{bucket}/runs"
    )
    np.testing.assert_array_equal(found.user_factors_, expected.user_factors_)
    system = fsspec.filesystem("s3")
    system.invalidate_cache()
    assert system.find("shop") == []
    with pytest.raises(FileNotFoundError, match=r"s3://nothing/.*: the bucket must exist"):
        ImplicitALS(n_factors=4, max_iter=2).fit(
            X, executor="processes:1", place="s3://nothing/runs"
        )
