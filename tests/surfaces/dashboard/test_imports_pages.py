"""The page that takes files to import into a site."""

import asyncio
import gzip
import zipfile
from collections.abc import AsyncIterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.analytics import Analytics, analytics_in_process, analytics_server
from support.ledgers import until
from support.pages import PASSWORD, Visitor, owner, token_in
from support.server import running_server
from tallystick.errors import StoreFull
from tallystick.services.accounts.sites import delete_site
from tallystick.services.file_places import ROOM_LEFT, FolderPlace
from tallystick.services.imports import upload_folder, uploads
from tallystick.services.imports.csv_v2 import COLUMNS
from tallystick.services.imports.direct_sink import DirectSink
from tallystick.services.imports.journal import ImportRecord, ImportRecordFiles
from tallystick.services.imports.marks import FileMark
from tallystick.services.imports.running import BatchResult, Report
from tallystick.services.imports.shared_records import SharedUploadRecords, Unended
from tallystick.services.imports.upload_folder import Upload, UploadKind, UploadOptions
from tallystick.services.imports.uploads import LOOKED_KEPT_MS, SentFile, Uploads
from tallystick.services.ingest.ingest import Arrival
from tallystick.surfaces.dashboard.moving.import_form import shown_name

PAGE = "/sites/1/imports"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
HOSTILE = '"><img src=x onerror=alert(1)>.log'
VISITORS = """date,visitors,pageviews,bounces,visits,visit_duration
2026-01-01,3,5,1,4,60
2026-01-02,2,2,2,2,0
"""


def line(number: int, *, path: str = "", status: int = 200, agent: str = "Mozilla/5.0 (X11) Firefox/140.0") -> str:
    at = f"08/Mar/2026:{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02} +0000"
    return f'192.0.2.7 - - [{at}] "GET {path or f"/{number}"} HTTP/1.1" {status} 512 "-" "{agent}"\n'


LOG = line(1) + line(2) + line(3, path="/x.css") + line(4, agent=BOT) + "<b>nonsense</b>\n"


def a_zip(**files: str) -> bytes:
    with zipfile.ZipFile(content := BytesIO(), "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.csv", text)
    return content.getvalue()


@pytest.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    async with analytics_in_process(tmp_path) as running:
        yield running


async def sent(person: Visitor, name: str, content: bytes | str, **fields: str) -> httpx.Response:
    """Send the form with a file."""
    token = token_in((await person.get(PAGE)).text)
    body = content if isinstance(content, bytes) else content.encode()
    return await person.client.post(
        PAGE, data={"token": token, "format": "combined", "exclude": "static\nredirect", **fields},
        files={"file": (name, body)}, headers={"accept": "text/html"},
    )  # fmt: skip


async def imported(person: Visitor, name: str, content: bytes | str, **fields: str) -> dict[str, Any]:
    """Send a file, and wait for the end of its import."""
    answer = await sent(person, name, content, **fields)
    assert answer.status_code == 303, answer.text
    return await ended(person, answer.headers["location"])


async def ended(person: Visitor, address: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def over() -> bool:
        found.update((await person.get(f"{address}.json")).json())
        return found["finished_at"] is not None

    await until(over)
    return found


async def test_a_log_is_imported_and_says_what_it_has_brought(analytics: Analytics, tmp_path: Path) -> None:
    async with owner(analytics) as person:
        assert "There are no imports yet." in (await person.get(PAGE)).text
        found = await imported(person, f"/var/log/{HOSTILE}", gzip.compress(LOG.encode()), kind="log")
        assert (found["state"], found["error"]) == ("done", None)
        assert (found["lines"], found["stored"], found["bots"], found["unreadable_lines"]) == (5, 3, 1, 1)
        assert found["left_out"] == {"static": 1}
        assert found["examples"] == [{"where": "line 5", "reason": "it is not of the format combined"}]
        assert len(await analytics.hits()) == 3
        await until(lambda: not list((tmp_path / "uploads").glob("*.data*")))

        for address in (PAGE, f"{PAGE}/{found['id']}"):
            shown = (await person.get(address)).text
            assert "<img src=x" not in shown
            assert "&lt;img src=x onerror=alert(1)&gt;.log" in shown
            assert "/var/log" not in shown
            assert "3 hits imported." in shown
            assert "data-working" not in shown
            assert "<noscript>" not in shown
        assert "line 5" in shown
        assert "1 line could not be read" in shown

        again = await imported(person, "grown.log", LOG + line(6), kind="log")
        assert (again["imported_before"], again["stored"]) == (5, 1)
        anew = await imported(person, "grown.log", LOG, kind="log", anew="on")
        assert (anew["imported_before"], anew["stored"]) == (0, 3)
        assert len(await analytics.hits()) == 7
        listed = (await person.get(f"{PAGE}.json")).json()["imports"]
        assert {each["id"] for each in listed} == {anew["id"], again["id"], found["id"]}


async def test_hits_go_round_through_the_pages(analytics: Analytics) -> None:
    """What one page exports another one imports, in each format of hits; and Umami's, which is sorted first."""
    async with owner(analytics) as person:
        hit = {"path": "/a", "title": "Title", "created_at": "2026-03-01T10:00:00Z", "session": "one"}
        assert (await analytics.api("POST", "/count", json={"hits": [hit]})).status == 202
        for form, name in (("csv", "x.csv.gz"), ("parquet", "x.parquet"), ("json", "x.zip")):
            await person.fill("/sites/1/exports", {"format": form})
            exports: list[dict[str, Any]] = []

            async def written(exports: list[dict[str, Any]] = exports) -> bool:
                exports[:] = (await person.get("/sites/1/exports.json")).json()["exports"]
                return bool(exports[0]["state"] == "ready")

            await until(written)
            content = (await person.get(exports[0]["download"])).content
            before = len(await analytics.hits())
            found = await imported(person, name, content, kind=form)
            assert (found["state"], found["stored"]) == ("done", before), (found, form)
        table = "url,created_at,session_id\n/u,2026-03-08 10:00:00,1\n/v,2026-03-08 10:01:00,1\n"
        found = await imported(person, "umami.csv", table, kind="umami")
        assert (found["state"], found["stored"]) == ("done", 2), found

        async def noted() -> bool:
            return "an export of Umami" in (await person.get("/sites/1/notes")).text

        await until(noted)


async def test_a_file_that_has_nothing_to_import_has_failed(analytics: Analytics) -> None:
    nothing = b"\0" * 100_000
    columns = ",".join(COLUMNS)
    async with owner(analytics) as person:
        for content, fields, message in (
            (nothing, {"kind": "log"}, "the file has nothing but NUL bytes, so no line can be read"),
            (gzip.compress(nothing), {"kind": "csv"}, "the file has nothing but NUL bytes"),
            (nothing, {"kind": "umami"}, "the file has nothing but NUL bytes"),
            (b"#Version: 1.0\n\n", {"kind": "log"}, "lines of a log in the format combined were expected"),
            (columns, {"kind": "csv"}, "the file has no hit: a CSV file of hits was expected"),
        ):
            found = await imported(person, "x.log", content, **fields)
            assert found["state"] == "failed", found
            assert message in found["error"], found
        shown = (await person.get(f"{PAGE}/{found['id']}", **{"accept-language": "de"})).text
        assert "Die Datei hat keinen Zugriff: erwartet wurde eine CSV-Datei von Zugriffen." in shown
        # What was imported before is nothing wrong.
        assert (await imported(person, "x.log", LOG, kind="log"))["state"] == "done"
        assert (await imported(person, "x.log", LOG, kind="log"))["state"] == "done"


async def test_figures_are_imported_whole_and_removed(analytics: Analytics) -> None:
    async with owner(analytics) as person:
        content = a_zip(imported_visitors_20260101_20260102=VISITORS)
        found = await imported(person, "plausible.zip", content, kind="plausible")
        assert (found["state"], found["rows"], found["figures_import"]) == ("done", 2, 1)
        assert "2 rows of figures imported." in (await person.get(f"{PAGE}/{found['id']}")).text
        again = await imported(person, "plausible.zip", content, kind="plausible")
        assert "had been imported before" in (await person.get(f"{PAGE}/{again['id']}")).text
        other = a_zip(imported_visitors_20260101_20260101=VISITORS.rpartition("2026-01-02")[0])
        refused = await imported(person, "other.zip", other, kind="plausible")
        assert refused["state"] == "failed"
        assert "has imported days of the same tables before" in refused["error"]
        assert "Nothing was imported." in (await person.get(f"{PAGE}/{refused['id']}")).text
        replaced = await imported(person, "other.zip", other, kind="plausible", replace="on")
        assert (replaced["state"], replaced["rows"]) == ("done", 1)

        (figures,) = (await person.get(f"{PAGE}.json")).json()["figures"]
        assert (figures["name"], figures["last_day"]) == ("other.zip", "2026-01-01")
        fields = {"id": str(figures["id"]), "confirm": "plausible.zip"}
        assert (await person.fill(PAGE, fields, action=f"{PAGE}/remove")).status_code == 422
        answer = await person.fill(PAGE, fields | {"confirm": "other.zip"}, action=f"{PAGE}/remove")
        assert answer.status_code == 303
        assert (await person.get(f"{PAGE}.json")).json()["figures"] == []


async def test_what_cannot_be_imported_is_refused_before_anything_is_kept(
    analytics: Analytics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with owner(analytics) as person:
        for name, content, fields, message in (
            ("", "", {"kind": "log"}, "must be chosen"),
            ("x.log", LOG, {}, "must be one of these"),
            ("x.log", "", {"kind": "log"}, "is empty"),
            ("x.log", LOG, {"kind": "log", "format": "apache"}, "must be one of these"),
            ("x.log", LOG, {"kind": "log", "format": "own", "own_format": "$nothing"}, "cannot be read"),
            ("x.log", LOG, {"kind": "log", "exclude": "re:("}, "has a rule that cannot be read"),
            ("x.csv", "no,export\n", {"kind": "json"}, "The file is not a ZIP."),
            ("x.parquet", "PAR1", {"kind": "parquet"}, "The file is no Parquet export of Tallystick"),
            ("x.csv", b"\xff\xfe\x00", {"kind": "csv"}, "The file is UTF-16"),
        ):
            answer = await sent(person, name, content, **fields)
            assert answer.status_code == 422, (fields, answer.text)
            assert message in answer.text, (fields, answer.text)
            assert str(tmp_path) not in answer.text
        with monkeypatch.context() as patch:
            patch.setattr(upload_folder.UploadFolder, "free_bytes", lambda _: ROOM_LEFT + 100)
            assert "has no room for this file" in (await sent(person, "x.log", LOG, kind="log")).text
            sizes = iter([10**10, ROOM_LEFT])
            patch.setattr(upload_folder.UploadFolder, "free_bytes", lambda _: next(sizes, 0))
            assert "has no room for this file" in (await sent(person, "x.log", LOG, kind="log")).text
        assert (await person.get(f"{PAGE}.json")).json()["imports"] == []
        assert list((tmp_path / "uploads").iterdir()) == []


async def test_only_our_own_form_is_taken(analytics: Analytics, tmp_path: Path) -> None:
    async with owner(analytics) as person:
        client = person.client
        files = {"file": ("x.log", LOG.encode())}
        token = token_in((await person.get(PAGE)).text)
        foreign = {"sec-fetch-site": "cross-site"}
        assert (await client.post(PAGE, data={"kind": "log"}, files=files)).status_code == 403
        assert (await client.post(PAGE, data={"token": token}, files=files, headers=foreign)).status_code == 403
        assert (await client.post(PAGE, data={"token": token, "kind": "log"})).status_code == 415
        two = [("file", ("x.log", LOG.encode())), ("file", ("y.log", LOG.encode()))]
        fields = {"token": token, "kind": "log", "format": "combined"}
        assert (await client.post(PAGE, data=fields, files=two)).status_code == 400
        kind = {"content-type": "multipart/form-data; boundary=x"}
        for body in (
            b"--x\r\nbroken",
            b"--x\r\n\r\n\r\n--x--",
            b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb",
        ):
            assert (await client.post(PAGE, content=body, headers=kind)).status_code == 400, body
        large = b'--x\r\nContent-Disposition: form-data; name="token"\r\n\r\n' + b"0" * 70_000 + b"\r\n--x--"
        assert (await client.post(PAGE, content=large, headers=kind)).status_code == 413
        assert not list((tmp_path / "uploads").glob("*"))


async def test_a_file_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path, max_upload=1) as analytics, owner(analytics) as person:
        assert "At most 1 MB." in (await person.get(PAGE)).text
        for size in (1_000_001, 2_000_000):
            answer = await sent(person, "x.log", b"x" * size, kind="log")
            assert answer.status_code == 422
            assert "is larger than this server accepts" in answer.text
        assert list((tmp_path / "uploads").iterdir()) == []
        # Larger than what other requests may have.
        assert (await sent(person, "x.log", b"x" * 1_000_000, kind="log")).status_code == 303


class Killed(BaseException):
    """The server ends here."""


def own_uploads(analytics: Analytics, folder: Path, shared: SharedUploadRecords | None = None) -> Uploads:
    """A service whose imports begin when a test wants it."""
    of = analytics.services
    files = upload_folder.UploadFolder(FolderPlace(folder / "up"), upload_folder.UploadRecordFiles(folder / "up"))
    journal = ImportRecordFiles(folder / "journals")
    return Uploads(of.ledger, of.warehouse, of.sites, of.ingest, of.aggregates, files, journal, shared)


async def queued(service: Uploads, analytics: Analytics, content: str) -> Upload:
    async with await service.arriving(analytics.site.id, len(content)) as file:
        await file.write(content.encode())
        sent_file = SentFile("x.log", UploadKind.LOG, UploadOptions(format="combined"))
        return await service.add(file, analytics.site, "owner@example.com", sent_file)


class NobodyStops(SharedUploadRecords):
    """Other servers see what is stored, and ask for nothing."""

    def unended(self) -> Sequence[Unended]:
        return []


@pytest.mark.parametrize(
    "moment", ["before the hits", "before the counts", "before the journal", "after other servers were told"]
)
async def test_an_import_goes_on_exactly_where_the_server_was_killed(
    analytics: Analytics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    count, kills = 2_500, [1_000, 2_000]
    running, loop = list[Uploads](), asyncio.get_running_loop()

    class DyingJournal(uploads.UploadJournal):
        def note(self, entry: ImportRecord, mark: FileMark, until: int | None) -> ImportRecord:
            dies = kills and mark.lines == kills[0] and (until is None) == (moment != "before the hits")
            if not dies:
                return super().note(entry, mark, until)
            if moment == "before the journal":
                self._stored(mark)
            if moment == "after other servers were told":
                asyncio.run_coroutine_threadsafe(running[-1].exchange(), loop).result(20)
            kills.pop(0)
            raise Killed

    monkeypatch.setattr(uploads, "UploadJournal", DyingJournal)
    upload = await queued(own_uploads(analytics, tmp_path), analytics, "nonsense\n" + "".join(map(line, range(count))))
    while kills:
        running.append(own_uploads(analytics, tmp_path, NobodyStops(analytics.services.ledger)))
        with pytest.raises(Killed):
            await running[-1].import_next()
    service = own_uploads(analytics, tmp_path)
    assert await service.import_next()
    found = await service.get(analytics.site.id, upload.id)
    assert found is not None
    assert (found.state, found.report.stored, found.report.bad, len(found.bad)) == ("done", count, 1, 1)
    assert len(await analytics.hits()) == count
    assert not await service.import_next()


async def test_a_file_that_ends_the_server_again_and_again_is_given_up(
    analytics: Analytics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise Killed

    upload = await queued(own_uploads(analytics, tmp_path), analytics, LOG)
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "source_of", dies)
        for _ in range(uploads.MOST_STARTS):
            with pytest.raises(Killed):
                await own_uploads(analytics, tmp_path).import_next()
    service = own_uploads(analytics, tmp_path)
    await service.import_next()
    found = await service.get(analytics.site.id, upload.id)
    assert found is not None
    assert (found.state, found.error) == ("failed", "the server has ended 3 times while it was reading this file")
    assert await analytics.hits() == []


async def test_an_import_can_be_stopped(analytics: Analytics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it waits, and after a batch; what is stored stays, and the same file goes on from there."""
    service, count = own_uploads(analytics, tmp_path), 2_500
    content = "".join(map(line, range(count)))
    waiting, running = [await queued(service, analytics, content) for _ in range(2)]
    await service.stop(waiting)
    send = DirectSink.send

    async def stopped_meanwhile(self: DirectSink, key: str, arrivals: Sequence[Arrival]) -> BatchResult:
        found = await service.get(analytics.site.id, running.id)
        assert found is not None
        await service.stop(found)
        return await send(self, key, arrivals)

    with monkeypatch.context() as patch:
        patch.setattr(DirectSink, "send", stopped_meanwhile)
        assert await service.import_next()
    assert not await service.import_next()
    last = await queued(service, analytics, content)
    assert await service.import_next()
    uploads_by_id = {upload.id: upload for upload in await service.latest(analytics.site.id)}
    assert [
        (uploads_by_id[each.id].state, uploads_by_id[each.id].report.stored) for each in (waiting, running, last)
    ] == [("stopped", 0), ("stopped", 1_000), ("done", 1_500)]
    assert len(await analytics.hits()) == count
    assert not list((tmp_path / "up").glob("*.data*"))
    async with owner(analytics) as person:
        found = await imported(person, "x.log", LOG, kind="log")
        answer = await person.fill(PAGE, {"id": found["id"]}, action=f"{PAGE}/stop")
        assert (answer.status_code, answer.headers["location"][-16:]) == (303, found["id"])
        assert (await person.fill(PAGE, {"id": "0" * 16}, action=f"{PAGE}/stop")).status_code == 404


async def test_a_file_is_looked_at_before_it_is_imported(analytics: Analytics) -> None:
    async with owner(analytics) as person:
        found = await imported(person, "x.log", LOG, kind="log", look="on")
        assert (found["state"], found["looks"]) == ("looked", True)
        assert await analytics.hits() == []
        there = f"{PAGE}/{found['id']}"
        shown = (await person.get(there)).text
        assert "Nothing is imported yet." in shown
        assert f"{found['stored']} hit" in shown
        assert "would be imported" in shown
        assert "would be imported" in (await person.get(PAGE)).text
        assert (await person.fill(there, {"id": found["id"]}, action=f"{PAGE}/begin")).status_code == 303
        done = await ended(person, there)
        assert (done["state"], done["looks"], done["stored"]) == ("done", False, found["stored"])
        assert len(await analytics.hits()) == found["stored"] > 0
        again = await imported(person, "y.log", LOG, kind="log", look="on")
        assert (again["stored"], again["imported_before"]) == (0, done["lines"]), "its lines are there already"
        answer = await person.fill(f"{PAGE}/{again['id']}", {"id": again["id"]}, action=f"{PAGE}/stop")
        assert answer.status_code == 303
        assert "Nothing was imported." in (await person.get(f"{PAGE}/{again['id']}")).text
        third = await imported(person, "z.log", LOG, kind="log", look="on")
        analytics.clock.now += LOOKED_KEPT_MS + 1
        state = "looked"
        for _ in range(100):  # its record may still be being stored
            await analytics.services.uploads.sweep()
            state = (await person.client.get(f"{PAGE}/{third['id']}.json")).json()["state"]
            if state == "stopped":
                break
            await asyncio.sleep(0.02)
        assert state == "stopped"


async def test_a_full_store_puts_an_import_off(
    analytics: Analytics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        msg = "the disk is full"
        raise StoreFull(msg)

    service = own_uploads(analytics, tmp_path)
    upload = await queued(service, analytics, LOG)
    with monkeypatch.context() as patch:
        patch.setattr(DirectSink, "send", full)
        for _ in range(uploads.MOST_STARTS + 2):
            with pytest.raises(StoreFull):
                await service.import_next()
        assert service.waits == "the disk is full"
    assert await service.import_next()
    found = await service.get(analytics.site.id, upload.id)
    assert found is not None
    assert (found.state, found.report.stored, service.waits) == ("done", 3, "")


async def test_a_deleted_site_takes_its_uploads_along(analytics: Analytics, tmp_path: Path) -> None:
    service = own_uploads(analytics, tmp_path)
    await queued(service, analytics, LOG)
    await analytics.services.ledger.write(delete_site, analytics.site.id, analytics.clock())
    analytics.services.sites.invalidate()
    await service.import_next()
    assert list((tmp_path / "up").iterdir()) == []


async def test_what_a_killed_server_has_left_is_removed(analytics: Analytics, tmp_path: Path) -> None:
    service, folder = analytics.services.uploads, tmp_path / "uploads"
    async with owner(analytics) as person:
        found = await imported(person, "x.log", LOG, kind="log")
        await until(lambda: not list(folder.glob("*.data*")))
        for name in (f"{found['id']}.data", f"{'0' * 16}.arriving", f"{'1' * 16}.data.zip", f"{'2' * 16}.json"):
            (folder / name).write_text("{")
        await service.sweep()
        assert [file.name for file in folder.iterdir()] == [f"{found['id']}.json"]
        analytics.clock.advance(seconds=91 * 86_400)
        await service.sweep()
        assert list(folder.iterdir()) == []


def test_names_of_files_are_shown_without_folders_and_tricks() -> None:
    assert shown_name("C:\\logs\\x.log") == "x.log"
    assert shown_name("../../etc/\u202egol.x\n") == "gol.x"
    assert len(shown_name("x" * 1_000)) == 120


def test_counts_survive_their_record(tmp_path: Path) -> None:
    folder = upload_folder.UploadRecordFiles(tmp_path)
    upload = upload_folder.Upload(
        id="0" * 16, site=1, name="x", actor="a@example.com", size=1, kind=upload_folder.UploadKind.CSV,
        options=upload_folder.UploadOptions(exclude=("a",)), created=1,
    )  # fmt: skip
    upload.report = Report(lines=3)
    upload.report.notes["bots"] += 2
    folder.save(upload)
    assert folder.one(upload.id) == upload
    found = folder.one(upload.id)
    assert found is not None
    assert found.report.notes["none"] == 0


async def test_an_upload_survives_kill_9(tmp_path: Path) -> None:
    """The server is killed in the middle of an import; after a start each line is there once."""
    count = 8_000
    with analytics_server(tmp_path, password=PASSWORD) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            person = Visitor(client)
            assert (await person.log_in("owner@example.com", PASSWORD)).status_code == 303
            answer = await sent(person, "access.log", "".join(map(line, range(count))), kind="log")
            address = answer.headers["location"]
            stored = 0
            while not stored:
                stored = (await person.get(f"{address}.json")).json()["stored"]
            await asyncio.to_thread(server.server.kill)
            cookies = client.cookies
    (record,) = (tmp_path / "uploads").glob("*.json")
    assert '"state":"reading"' in record.read_text()
    with running_server(tmp_path, "--rate-limit", "off") as again:
        async with httpx.AsyncClient(base_url=again.url, timeout=30, cookies=cookies) as client:
            found = await ended(Visitor(client), address)
            assert (found["state"], found["lines"], found["stored"]) == ("done", count, count)
            shown = await client.get("/sites/1.json?period=2026-03-08..2026-03-08")
            assert shown.json()["numbers"]["pageviews"]["now"] == count
