"""A lake in object storage: moto's server speaks S3."""

import asyncio
import gzip
import os
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import AsyncMock

import duckdb
import pytest

from builders import NOW
from support.analytics import EMAIL, prepare
from support.lakes import MEMORY_MB, QuickLakeStore, fresh_database, fresh_lake
from support.ledgers import until
from support.nodes import lease_of, node, opened_quickly
from support.storages import BUCKET, Door, ObjectStorage
from support.warehouses import a_hit, rows
from tallystick.errors import InvalidSetting, StoreBusy
from tallystick.ledger import Ledger
from tallystick.ledger.postgresql import PostgresqlDatabase
from tallystick.model.site import Site
from tallystick.services.file_places import BucketPlace, FilePlace, FolderPlace, NoRoom
from tallystick.services.imports import uploads
from tallystick.services.imports.direct_sink import DirectSink
from tallystick.services.imports.running import BatchResult
from tallystick.services.imports.upload_folder import Upload, UploadKind, UploadOptions
from tallystick.services.imports.uploads import UNFINISHED_KEPT_S, SentFile
from tallystick.services.ingest.ingest import Knowledge
from tallystick.services.readiness import Readiness
from tallystick.services.services import Services, build_services
from tallystick.warehouse.lake import bucket, catalogue, keeper, mover, moves, object_storage
from tallystick.warehouse.lake.bucket import LakeBucket
from tallystick.warehouse.lake.chores import Chores
from tallystick.warehouse.lake.object_storage import add_credentials
from tallystick.warehouse.lake.store import lake_error
from tallystick.warehouse.lake.warehouse import LakeWarehouse

ENDPOINT = "AWS_ENDPOINT_URL"
QUIET = SimpleNamespace(full=False, waiting=0, measurements=(), lanes_free=AsyncMock(return_value=True))
"""A ledger in which nothing happens."""
INSERT = "INSERT INTO request SELECT range::VARCHAR, 'b', 'c', 1 FROM range(3000)"


@pytest.fixture(scope="module")
def storage() -> Iterator[ObjectStorage]:
    """A storage with a bucket, which the environment names."""
    with ObjectStorage.started() as storage, pytest.MonkeyPatch.context() as patch:
        for name, value in storage.environment().items():
            patch.setenv(name, value)
        yield storage


@pytest.fixture
def endpoint(storage: ObjectStorage) -> str:
    """The URL of the storage."""
    return storage.url


def line(number: int) -> str:
    """A line of a log."""
    at = f"08/Mar/2026:{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02} +0000"
    return f'192.0.2.7 - - [{at}] "GET /{number} HTTP/1.1" 200 512 "-" "Mozilla/5.0 (X11) Firefox/140.0"\n'


def listed(endpoint: str, prefix: str = "lake/") -> int:
    """The number of files in the bucket."""
    with urllib.request.urlopen(f"{endpoint}/{BUCKET}?list-type=2&prefix={prefix}", timeout=10) as response:
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
        chores.flush(writing.connection, "request")
        chores.rewrite(writing.connection, "request", 0.0)
        before = listed(endpoint)
        chores.expire(writing.connection)
        uploads = LakeBucket(files, "uploads")
        (tmp_path / "x.parquet").write_bytes(b"no hits")
        uploads.put("x.parquet", tmp_path / "x.parquet")
        chores.remove_orphans(writing.connection, kept_s=0)
        assert uploads.size("x.parquet") == 7, "only files of hits are removed"
        uploads.remove("x.parquet")
        chores.look(writing.connection)
        assert chores.counts.files == listed(endpoint) < before
        [(rows, _)] = reading.connection.execute(count).fetchall()
        assert 0 < rows < 6_000
    reader.close()
    writer.close()


def test_files_that_are_no_hits_are_kept_whole_and_removed(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, other = (LakeBucket(f"s3://{BUCKET}/other", "exports") for _ in range(2))
    hits = LakeBucket(f"s3://{BUCKET}/other", "uploads")
    content = os.urandom(6 << 20)
    (tmp_path / "a").write_bytes(content)
    monkeypatch.setattr(bucket, "PART_BYTES", 5 << 20)
    files.put("1.parquet", tmp_path / "a")
    assert (other.size("1.parquet"), other.size("2.parquet"), list(other.names())) == (6 << 20, None, ["1.parquet"])
    assert hits.names() == {}
    other.get("1.parquet", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == content
    with pytest.raises(FileNotFoundError):
        other.get("2.parquet", tmp_path / "c")
    assert not (tmp_path / "c").exists()

    # A server that is killed while it sends has left nothing to see, and its parts are removed.
    client, key = files._client, files._key("3.zip")  # noqa: SLF001  # as the killed one
    begun = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    client.upload_part(Bucket=BUCKET, Key=key, UploadId=begun, PartNumber=1, Body=b"abc")
    assert list(other.names()) == ["1.parquet"]
    other.remove_parts()  # moto says of all that they are old
    assert "Uploads" not in client.list_multipart_uploads(Bucket=BUCKET)

    # Gone by the time that it is removed: another server was quicker, or the file is complete.
    files._remove_part({"Key": key, "UploadId": begun})  # noqa: SLF001
    with pytest.raises(StoreBusy, match="the storage of the lake refused CreateMultipartUpload: NoSuchBucket"):
        LakeBucket("s3://no-such-bucket/other", "exports").put("1", tmp_path / "a")

    other.remove("1.parquet")
    other.remove("1.parquet")
    assert (files.size("1.parquet"), listed(endpoint, "other/")) == (None, 0)
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    away = LakeBucket(f"s3://{BUCKET}/other", "exports")
    for use in (away.names, lambda: away.size("1"), lambda: away.put("1", tmp_path / "a")):
        with pytest.raises(StoreBusy, match="the storage of the lake does not answer"):
            use()


def test_a_storage_that_is_away_is_given_up(
    storage: ObjectStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, door = fresh_database(), Door(storage.port)
    monkeypatch.setenv(ENDPOINT, door.url)
    monkeypatch.setattr(object_storage, "MOVER_WAITS_S", 1)
    monkeypatch.setattr(object_storage, "TRIED_AGAIN", 0)
    writer = QuickLakeStore(url, f"s3://{BUCKET}/away", MEMORY_MB, work=tmp_path, epoch=1)
    writer.open()
    with writer.session() as session:
        session.connection.execute(INSERT)
        refusals = [partial(door.refusing, status) for status in (429, 500, 502, 503, 504)]
        aways: list[Callable[[], AbstractContextManager[None]]] = [door.shut, storage.frozen, *refusals]
        for away in aways:
            for statement in (INSERT, "SELECT max(key) FROM request"):
                began = time.monotonic()
                with away(), pytest.raises(duckdb.Error) as failed:
                    session.connection.execute(statement)
                error = lake_error(failed.value)
                answer = (error.retry_after, "storage of the lake does not answer" in str(error))
                assert answer == (1, True), failed.value
                assert time.monotonic() - began < 25, "a file takes several requests, each of one second"
        session.connection.execute(INSERT)
        assert session.connection.execute("SELECT count(*) FROM request").fetchall() == [(6_000,)]
    writer.close()
    door.close()


async def test_a_storage_that_comes_back_is_used_at_once_and_one_server_keeps_the_lease(
    storage: ObjectStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, door = await asyncio.to_thread(fresh_database), Door(storage.port)
    monkeypatch.setenv(ENDPOINT, door.url)
    monkeypatch.setitem(cast("dict[str, int]", catalogue.OPTIONS), "data_inlining_row_limit", 5)
    pauses = (mover, "TRIED_AGAIN_AFTER_S"), (mover, "RESTS_S"), (mover, "WAITS_S"), (keeper, "LOOKS_EVERY_S")
    for module, name in pauses:
        monkeypatch.setattr(module, name, 0.1)
    monkeypatch.setattr(mover, "TRIES", 1)
    with opened_quickly(), closing(door):
        async with AsyncExitStack() as stack:
            two = [
                await stack.enter_async_context(node(url, tmp_path, name, files=f"s3://{BUCKET}/two"))
                for name in ("one", "two")
            ]
            await two[0].append([a_hit(1)] * 6)
            assert await paths(two[1]) == {1}
            # Each server tries as the mover, gives the lease up, and no job or change of a person takes it back.
            with door.shut():
                await two[0].append([a_hit(2)] * 6)
                await until(lambda: all(each.failures for each in two))
                await until(lambda: asyncio.to_thread(lambda: not lease_of(url).valid))
                failures = [each.failures for each in two]
                for each in two:
                    for change in (each.write, each.carry_out):
                        with pytest.raises(StoreBusy):
                            await change(lambda session: session.delete_site(9))
                assert (await epoch(url), [each.failures for each in two]) == (2, failures)
                ready = [await Readiness(cast("Ledger", QUIET), each).reason() for each in two]
                assert ready == [None, None], "both count"
            assert await paths(two[1]) == {1, 2}
            assert await epoch(url) == 3
            await until(lambda: sum(each.failing for each in two) == 0)

            # One that alone does not reach it leaves the lease to the other one, and hits and changes too.
            one, other = sorted(two, key=lambda each: not each.carries_out_jobs)
            monkeypatch.setattr(one._mover, "_reaches", lambda: False)  # noqa: SLF001
            monkeypatch.setattr(moves, "begin", partial(_fails_under, 3, moves.begin))
            await one.append([a_hit(3)] * 6)
            assert await paths(other) == {1, 2, 3}
            with pytest.raises(StoreBusy, match="storage of the lake does not answer"):
                await one.write(lambda session: session.delete_site(9))
            monkeypatch.setattr(one._mover, "_reaches", lambda: True)  # noqa: SLF001
            with pytest.raises(StoreBusy, match="another node"):
                await one.carry_out(lambda session: session.delete_site(9))
            assert (other.carries_out_jobs, await epoch(url)) == (True, 4)
            await one.write(lambda session: session.delete_site(9))
            assert one.carries_out_jobs


async def paths(warehouse: LakeWarehouse) -> set[int]:
    """Those that have hits."""
    return {path for (path,) in await rows(warehouse, "path")}


async def epoch(url: str) -> int:
    """How often the lease was taken."""
    return (await asyncio.to_thread(lease_of, url)).epoch


def _fails_under(failing: int, begin: Callable[..., int], opened: object, given: int, batches: object) -> int:
    """Begin a move, unless it is under an epoch."""
    if given == failing:
        msg = "Could not connect to server"
        raise duckdb.IOException(msg)
    return begin(opened, given, batches)


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


class Servers:
    """The mover of a lake and another server, with the files that they share.

    Attributes:
        place: the files of a kind, as a server with a name has them.
    """

    def __init__(
        self, mover: Services, other: Services, site: Site, place: Callable[[str, str], FilePlace], folder: Path
    ) -> None:
        self.mover, self.other, self.site, self.place, self._folder = mover, other, site, place, folder
        self.before = self.local()

    async def send(self, lines: int) -> Upload:
        """Send a file to the other server."""
        async with await self.other.uploads.arriving(self.site.id, 0) as file:
            await file.write("".join(map(line, range(lines))).encode())
            sent = SentFile("a.log", UploadKind.LOG, UploadOptions(format="combined"))
            return await self.other.uploads.add(file, self.site, EMAIL, sent)

    async def seen(self, upload: Upload) -> Upload:
        """An upload as the other server shows it."""
        found = await self.other.uploads.get(self.site.id, upload.id)
        assert found is not None
        return found

    def local(self) -> list[str]:
        """What lies in the folders of the servers."""
        files = [file for name in ("one", "two", "shared") for file in (self._folder / name).glob("*ports/*")]
        return [str(file) for file in [*files, *self._folder.glob("*/uploads/*")]]


@pytest.fixture(params=["bucket", "folder"])
async def servers(endpoint: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Servers]:
    def place(name: str, kind: str) -> FilePlace:
        if request.param == "folder":
            return FolderPlace(tmp_path / "shared" / kind)
        return BucketPlace(tmp_path / name / kind, LakeBucket(f"s3://{BUCKET}/files", kind))

    url, found = await asyncio.to_thread(fresh_lake, tmp_path / "files"), []
    knowledge = await asyncio.to_thread(Knowledge.load)
    prepared = await asyncio.to_thread(prepare, tmp_path, database=url)
    with opened_quickly():
        async with AsyncExitStack() as stack:
            for name in ("one", "two"):
                ledger = await Ledger.open(PostgresqlDatabase(url))
                stack.push_async_callback(ledger.close)
                warehouse = await stack.enter_async_context(node(url, tmp_path, name))
                build = partial(build_services, data=tmp_path / name, place=partial(place, name), knowledge=knowledge)
                found.append(await asyncio.to_thread(build, ledger, warehouse))
                await until(lambda: found[0].warehouse.carries_out_jobs)
            servers = Servers(found[0], found[1], prepared.site, place, tmp_path)
            yield servers
            assert await asyncio.to_thread(servers.local) == servers.before
            assert await asyncio.to_thread(listed, endpoint, "files/") == 0


async def test_the_mover_imports_what_any_server_takes(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    mover, other = servers.mover, servers.other
    upload = await servers.send(3)
    assert not await other.uploads.import_next(), "it is not the mover"
    assert await mover.uploads.import_next()
    found = await servers.seen(upload)
    assert (found.state, found.error, found.report.stored) == ("done", "", 3)
    again = await servers.send(3)
    await mover.uploads.import_next()
    assert (await servers.seen(again)).report.before == 3, "the lines were imported before"

    waits, go_on = asyncio.Event(), asyncio.Event()

    async def held(*_: object) -> BatchResult:
        waits.set()
        await go_on.wait()
        return BatchResult({}, {})

    monkeypatch.setattr(DirectSink, "send", held)
    stopped, waiting = await servers.send(1_500), await servers.send(1)
    importing = asyncio.create_task(mover.uploads.import_next())
    await waits.wait()
    await mover.uploads.exchange()
    assert (await servers.seen(stopped)).state == "reading"
    for each in (waiting, stopped):
        stopping = asyncio.create_task(other.uploads.stop(each))
        await asyncio.sleep(0.3)
        await mover.uploads.exchange()
        if each is stopped:
            go_on.set()
        await stopping
        assert (await servers.seen(each)).state == "stopped"
    assert await importing

    # A file of a server that died is removed when that can no longer be about to enter it.
    left = servers.place("two", "uploads")
    await asyncio.to_thread((left.work / "cd34.arriving").write_bytes, b"abc")
    await asyncio.to_thread(left.keep, left.work / "cd34.arriving", "cd34.data")
    for kept_s, size in ((UNFINISHED_KEPT_S, 3), (0.0, None)):
        monkeypatch.setattr(uploads, "UNFINISHED_KEPT_S", kept_s)
        for services in (mover, other):
            await services.uploads.sweep()
        assert await asyncio.to_thread(left.size, "cd34.data") == size


@pytest.mark.parametrize("servers", ["bucket"], indirect=True)
async def test_a_file_without_room_fails_and_keeps_no_other_waiting(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = await servers.send(2), await servers.send(1)
    place = servers.mover.uploads._folder._place  # noqa: SLF001
    fetched = place.fetch

    def fetch(name: str) -> Path:
        if name.startswith(large.id):
            raise NoRoom
        return fetched(name)

    monkeypatch.setattr(place, "fetch", fetch)
    while await servers.mover.uploads.import_next():
        pass
    seen = await servers.seen(large)
    assert (seen.state, "make room, and send it again" in seen.error) == ("failed", True)
    assert (await servers.seen(small)).state == "done"


@pytest.mark.parametrize("servers", ["bucket"], indirect=True)
async def test_any_server_serves_exports(servers: Servers) -> None:
    mover, other = servers.mover, servers.other
    await servers.send(3)
    await mover.uploads.import_next()
    await other.exports.create(servers.site, "csv")
    assert await mover.exports.write_next()
    [export] = await other.exports.latest(servers.site.id)
    assert await other.exports.sizes([export]) == {export.id: export.size}
    for services in (other, mover):
        file = await services.exports.file(export)
        assert file is not None
        assert len(gzip.decompress(await asyncio.to_thread(file.read_bytes)).splitlines()) == 4
    assert await other.exports.spreadsheet_file(export)
    await other.exports.discard(export)
    for services in (mover, other):
        assert await services.exports.file(export) is None
    other.ledger.clock = lambda: NOW * 2
    await other.exports.sweep()


@pytest.mark.parametrize("servers", ["bucket"], indirect=True)
async def test_a_server_that_is_no_longer_the_mover_leaves_the_file_to_the_next(servers: Servers) -> None:
    upload, mover = await servers.send(1_500), servers.mover.uploads
    moves = iter([True, False, False])

    class Losing(type(servers.mover.warehouse)):  # type: ignore[misc]  # a class that is not known before
        carries_out_jobs = property(lambda _: next(moves, True))

    servers.mover.warehouse.__class__ = Losing
    with pytest.raises(StoreBusy, match="another server goes on"):
        await mover.import_next()
    assert mover.waits
    assert not await mover.import_next()
    assert ((await servers.seen(upload)).state, mover.waits) == ("reading", "")
    assert await mover.import_next()
    assert (await servers.seen(upload)).report.stored == 1_500
