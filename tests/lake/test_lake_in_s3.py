"""A lake in object storage: moto's server speaks S3."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.lakes import MEMORY_MB, QuickLakeStore, fresh_database
from support.postgres import free_port
from tallystick.errors import InvalidSetting
from tallystick.warehouse.lake.chores import Chores
from tallystick.warehouse.lake.object_storage import add_credentials

BUCKET = "hits"
ENDPOINT = "AWS_ENDPOINT_URL"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a storage with an empty bucket, which the environment names."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _until_it_listens(port)
            urllib.request.urlopen(urllib.request.Request(f"{url}/{BUCKET}", method="PUT"), timeout=10).close()
            for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "REGION": "us-east-1"}.items():
                monkeypatch.setenv(f"AWS_{name}", value)
            monkeypatch.setenv(ENDPOINT, url)
            yield url
        finally:
            server.terminate()


def _until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


def listed(endpoint: str) -> int:
    """The number of files in the bucket."""
    with urllib.request.urlopen(f"{endpoint}/{BUCKET}?list-type=2&prefix=lake/", timeout=10) as response:
        return int(response.read().count(b"<Key>"))


def test_rows_are_written_read_and_removed(endpoint: str, tmp_path: Path) -> None:
    url, files = fresh_database(), f"s3://{BUCKET}/lake"
    writer = QuickLakeStore(url, files, MEMORY_MB, work=tmp_path / "a", epoch=1)
    writer.open()
    reader = QuickLakeStore(url, files, MEMORY_MB, work=tmp_path / "b")
    reader.open()
    count = "SELECT count(*), count(DISTINCT key) FROM request"
    with writer.session() as writing, reader.session() as reading:
        for _ in range(2):
            writing.connection.execute("INSERT INTO request SELECT range::VARCHAR, 'b', 'c', 1 FROM range(3000)")
        assert reading.connection.execute(count).fetchall() == [(6_000, 3_000)]
        writing.connection.execute("DELETE FROM request WHERE key < '5'")
        chores = Chores(grace_s=0)
        chores.flush(writing.connection)
        chores.rewrite(writing.connection, 0.0)
        before = listed(endpoint)
        chores.expire(writing.connection)
        chores.remove_orphans(writing.connection, kept_s=0)
        chores.look(writing.connection)
        assert chores.counts.files == listed(endpoint) < before
        [(rows, _)] = reading.connection.execute(count).fetchall()
        assert 0 < rows < 6_000
    reader.close()
    writer.close()


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", ENDPOINT: "minio:9000"}, "must be a URL"),
    ],
)
def test_what_is_missing_is_said(environment: dict[str, str], message: str, tmp_path: Path) -> None:
    store = QuickLakeStore("postgresql://nowhere", "s3://a/b", MEMORY_MB, work=tmp_path)
    with pytest.raises(InvalidSetting, match=message):
        add_credentials(None, store.files, environment)  # type: ignore[arg-type]
