"""``/api/v0/export``: begun, watched, downloaded, and gone after a day."""

import asyncio
import csv
import gzip
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from support.analytics import HOST, Analytics
from support.asking import Answer
from support.ledgers import until
from tallystick.errors import StoreFull
from tallystick.model.account import Permission
from tallystick.model.hit import Bot
from tallystick.services.exports import exports, json_zip, writing
from tallystick.services.exports.exports import Exports
from tallystick.services.files import whole_file

HEADER = (
    "2Path,Title,Event,UserAgent,Browser,System,Session,Bot,Referrer,Referrer scheme,Screen size,Location,"
    "FirstVisit,Date\n"
)
DAY_S = 86_400


def a_hit(path: str = "/a", at: str = "2026-10-01T10:00:00Z", **fields: Any) -> dict[str, Any]:
    return {"path": path, "created_at": at, "session": "one", **fields}


async def counted(analytics: Analytics, *hits: dict[str, Any]) -> None:
    answer = await analytics.api("POST", "/count", json={"hits": hits})
    assert answer.status == 202, answer


async def finished(analytics: Analytics, **body: Any) -> dict[str, Any]:
    """An export that is asked for, and written."""
    begun = await analytics.api("POST", "/export", json=body or None)
    assert begun.status == 202, begun
    return await until_finished(analytics, begun.json()["id"])


async def until_finished(analytics: Analytics, number: int, host: str = HOST) -> dict[str, Any]:
    told: dict[str, Any] = {}

    async def over() -> bool:
        told.update((await analytics.api("GET", f"/export/{number}", headers={"host": host})).json())
        return told["finished_at"] is not None

    await until(over)
    return told


async def download(analytics: Analytics, number: int) -> Answer:
    return await analytics.api("GET", f"/export/{number}/download")


async def lines(analytics: Analytics, **body: Any) -> str:
    """The CSV of an export."""
    told = await finished(analytics, **body)
    return gzip.decompress((await download(analytics, told["id"])).body).decode()


async def test_an_export_is_begun_watched_and_downloaded(analytics: Analytics) -> None:
    await counted(analytics, a_hit(), a_hit("/b"))
    begun = await analytics.api("POST", "/export", json={"format": "csv"})
    number = begun.json()["id"]
    expected = {
        "id": number,
        "site_id": analytics.site.id,
        "format": "csv",
        "start_from_hit_id": 0,
        "last_hit_id": None,
        "path": "",
        "created_at": "2027-01-15T08:00:00Z",
        "finished_at": None,
        "num_rows": None,
        "size": None,
        "hash": None,
    }
    assert (begun.status, begun.json()) == (202, expected)
    told = await until_finished(analytics, number)
    answer = await download(analytics, number)
    digest = hashlib.sha256(answer.body).hexdigest()
    finish = {"last_hit_id": 2, "finished_at": "2027-01-15T08:00:00Z", "num_rows": 2, "size": "0.1"}
    assert told == {**expected, **finish, "hash": f"sha256-{digest}"}
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in answer.headers
    name = f"goatcounter-export-{analytics.site.code}-20270115T080000Z-0.csv.gz"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


async def test_every_column_of_the_csv(analytics: Analytics) -> None:
    await analytics.change_site(collect=511, collect_regions=())
    await counted(
        analytics,
        a_hit(
            "/a,b",
            title='A "quoted"\ntitle',
            ref="https://www.google.com/search",
            size="1920,1080,2",
            location="US-TX",
            user_agent="Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ),
        a_hit("/a,b", at="2026-10-01T10:00:59Z", title='A "quoted"\ntitle', browser="Links ", system="Linux "),
        a_hit("click", event=True, session="", no_session=True, at="2026-10-02T23:59:59Z", ref="a, b"),
        a_hit("/bot", bot=int(Bot.WEBDRIVER)),
    )
    (_, _, session, *_), *_ = await analytics.hits()
    told = f"{session >> 32:x}-{session & 0xFFFFFFFF:x}"
    title = '"A ""quoted""\ntitle"'
    assert await lines(analytics) == HEADER + (
        f'"/a,b",{title},0,,Firefox 140,Windows 10,{told},0,Google,g,"1920,0,1",US-TX,1,2026-10-01T10:00:00Z\n'
        f'"/a,b",{title},0,,Links ,Linux ,{told},0,,o,"0,0,1",,0,2026-10-01T10:00:59Z\n'
        'click,,1,,,,0-0,0,"a, b",o,"0,0,1",,1,2026-10-02T23:59:59Z\n'
    )


async def test_the_next_export_goes_on_behind_the_last_hit(analytics: Analytics) -> None:
    await counted(analytics, a_hit("/1"), a_hit("/bot", bot=5), a_hit("/2"))
    first = await finished(analytics)
    assert (first["num_rows"], first["last_hit_id"]) == (2, 3)
    second = await finished(analytics, start_from_hit_id=first["last_hit_id"])
    assert (second["num_rows"], second["last_hit_id"]) == (0, 3)
    await counted(analytics, a_hit("/3"))
    text = await lines(analytics, start_from_hit_id=3)
    assert [line.partition(",")[0] for line in text.splitlines()[1:]] == ["/3"]


async def test_equal_hits_make_equal_files(analytics: Analytics) -> None:
    await counted(analytics, a_hit())
    first, second = await finished(analytics), await finished(analytics)
    assert first["hash"] == second["hash"]


async def test_an_empty_export_is_the_header(analytics: Analytics) -> None:
    assert await lines(analytics) == HEADER
    assert (await finished(analytics))["last_hit_id"] == 0


async def test_a_long_export_is_written_in_parts(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.services.exports.csv_v2.ROWS_AT_ONCE", 3)
    await counted(analytics, *(a_hit(f"/{number}") for number in range(10)))
    text = await lines(analytics)
    assert [line.partition(",")[0] for line in text.splitlines()[1:]] == [f"/{number}" for number in range(10)]


async def test_another_sites_hits_are_not_in_it(analytics: Analytics) -> None:
    await counted(analytics, a_hit())
    begun = await analytics.api("PUT", "/sites", json={"cname": "other.example.com"})
    assert begun.status == 200, begun
    other = {"host": "other.example.com"}
    number = (await analytics.api("POST", "/export", headers=other)).json()["id"]
    assert (await analytics.api("GET", f"/export/{number}")).status == 404
    assert (await analytics.api("GET", f"/export/{number}/download")).status == 404
    assert (await until_finished(analytics, number, other["host"]))["num_rows"] == 0


WITHOUT_SENSE: list[tuple[dict[str, Any], int, dict[str, Any]]] = [
    ({"format": "xml"}, 400, {"error": 'unknown format: "xml"'}),
    (
        {"format": "csv", "start_from_day": "2026-01-01"},
        400,
        {
            "error": "start_from_day is only valid for JSON exports",
        },
    ),
    ({"format": "json", "start_from_hit_id": 3}, 400, {"error": "start_from_hit_id is only valid for CSV exports"}),
    (
        {"format": "json", "start_from_day": "soon"},
        400,
        {
            "errors": {"start_from_day": ["must be a date or an RFC 3339 time"]},
        },
    ),
    (
        {"format": "json", "start_from_day": "2026-W01-1"},
        400,
        {
            "errors": {"start_from_day": ["must be a date or an RFC 3339 time"]},
        },
    ),
    (
        {"format": "json", "start_from_day": "9999-12-31T23:59:59-23:59"},
        400,
        {
            "errors": {"start_from_day": ["must be a date or an RFC 3339 time"]},
        },
    ),
    ({"colour": 1}, 400, {"error": 'unknown parameter: "colour"'}),
]


async def test_what_makes_no_sense_is_refused(analytics: Analytics) -> None:
    for body, status, answer in WITHOUT_SENSE:
        refused = await analytics.api("POST", "/export", json=body)
        assert (refused.status, refused.json()) == (status, answer), (body, status, answer)


@pytest.mark.parametrize("path", ["/export/7", "/export/7/download"])
async def test_an_unknown_export_is_not_found(analytics: Analytics, path: str) -> None:
    assert (await analytics.api("GET", path)).status == 404
    refused = await analytics.api("GET", path.replace("7", "x"))
    assert (refused.status, refused.json()) == (400, {"errors": {"id": ["must be a whole number"]}})


async def test_exports_need_their_permission(analytics: Analytics) -> None:
    token = await analytics.new_token(Permission.COUNT, Permission.STATS)
    for method, path in (("POST", "/export"), ("GET", "/export/1"), ("GET", "/export/1/download")):
        assert (await analytics.api(method, path, token=token)).status == 403


async def test_a_file_is_kept_for_a_day(analytics: Analytics) -> None:
    number = (await finished(analytics))["id"]
    file = next((analytics.running.data / "exports").glob("*"))
    analytics.clock.advance(seconds=DAY_S - 1)
    await analytics.services.exports.sweep()
    assert (await download(analytics, number)).status == 200
    analytics.clock.advance(seconds=1)
    gone = await download(analytics, number)
    deleted = "exports are kept for 24 hours; this export file has been deleted"
    assert (gone.status, gone.json()) == (400, {"error": deleted})
    assert await asyncio.to_thread(file.exists)
    await analytics.services.exports.sweep()
    assert not await asyncio.to_thread(file.exists)
    assert (await analytics.api("GET", f"/export/{number}")).json()["num_rows"] == 0


async def test_a_file_that_was_removed_by_hand_is_told(analytics: Analytics) -> None:
    number = (await finished(analytics))["id"]
    await asyncio.to_thread(next((analytics.running.data / "exports").glob("*")).unlink)
    assert (await download(analytics, number)).status == 400


async def test_an_export_waits_for_those_before_it(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Event()
    write = writing.FORMATS["csv"]

    async def waiting(*arguments: Any) -> writing.WrittenExport:
        await gate.wait()
        return await write(*arguments)

    monkeypatch.setitem(writing.FORMATS, "csv", waiting)
    numbers = [(await analytics.api("POST", "/export")).json()["id"] for _ in range(exports.WAITING_AT_MOST)]
    busy = await analytics.api("POST", "/export")
    assert (busy.status, busy.headers["retry-after"]) == (503, "1")
    assert not any(writer.last_failed for writer in analytics.services.ledger.measurements)
    early = await download(analytics, numbers[0])
    assert (early.status, early.json()) == (202, {"error": "still being generated"})
    gate.set()
    for number in numbers:
        assert (await until_finished(analytics, number))["num_rows"] == 0


async def test_an_export_that_was_under_way_is_written_after_a_restart(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    await counted(analytics, a_hit())

    async def stuck(_ledger: object, _warehouse: object, _export: object, file: Path) -> writing.WrittenExport:
        await asyncio.to_thread(file.write_bytes, b"half of it")
        return await asyncio.Event().wait()  # type: ignore[return-value]  # it never ends

    with monkeypatch.context() as patch:
        patch.setitem(writing.FORMATS, "csv", stuck)
        number = (await analytics.api("POST", "/export")).json()["id"]
        await asyncio.sleep(0.1)
        await analytics.running.application.tasks.close()
    assert (await analytics.api("GET", f"/export/{number}")).json()["finished_at"] is None
    analytics.running.application.tasks.start()
    assert (await until_finished(analytics, number))["num_rows"] == 1


async def test_an_export_that_is_called_off_while_its_file_is_opened_leaves_none_behind(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, go_on = threading.Event(), threading.Event()

    @contextmanager
    def slow(file: Path, **options: Any) -> Iterator[Path]:
        opening.set()
        go_on.wait(timeout=30)
        with whole_file(file, **options) as partial:
            yield partial

    monkeypatch.setattr(exports, "whole_file", slow)
    assert (await analytics.api("POST", "/export")).status == 202
    await asyncio.to_thread(opening.wait, 30)
    closing = asyncio.create_task(analytics.running.application.tasks.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    assert await asyncio.to_thread(lambda: list((analytics.running.data / "exports").glob("*"))) == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (StoreFull("the disk is full"), "the disk is full"),
        (RuntimeError("a secret"), "the export could not be written"),
    ],
)
async def test_an_export_that_fails_says_why(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    async def failing(*_: object) -> writing.WrittenExport:
        raise error

    monkeypatch.setitem(writing.FORMATS, "csv", failing)
    failed = await finished(analytics)
    assert failed["error"] == told
    assert (await download(analytics, failed["id"])).json() == {"error": told}
    assert await asyncio.to_thread(lambda: list((analytics.running.data / "exports").glob("*"))) == []


async def test_the_json_export_is_a_zip_of_counts(analytics: Analytics) -> None:
    await analytics.change_site(collect=511, collect_regions=())
    await counted(
        analytics,
        a_hit(title="A", ref="https://example.org/", browser="Firefox 140", system="Linux ", location="US-TX"),
        a_hit(session="two", language="nl", size="800"),
        a_hit("click", event=True, at="2026-10-02T10:30:00Z"),
        a_hit("/bot", bot=5),
    )
    told = await finished(analytics, format="json")
    answer = await download(analytics, told["id"])
    name = f"goatcounter-export-{analytics.site.code}-20270115T080000Z"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        files = {info.filename.removeprefix(f"{name}/"): archive.read(info) for info in archive.infolist()}
    assert set(files) == {"info.json"} | {
        f"{kind}.jsonl"
        for kind in (
            *("paths", "refs", "browsers", "systems", "locations", "languages"),
            *("hit_stats", "browser_stats", "system_stats", "location_stats", "size_stats", "language_stats"),
        )
    }
    assert files["paths.jsonl"].splitlines() == [
        b'{"id":1,"path":"/a","title":"A"}',
        b'{"id":2,"path":"click","title":"","event":true}',
    ]
    assert files["hit_stats.jsonl"].splitlines() == [
        b'{"hour":"2026-10-01T10:00:00Z","path_id":1,"ref_id":1,"count":1}',
        b'{"hour":"2026-10-01T10:00:00Z","path_id":1,"ref_id":2,"count":1}',
        b'{"hour":"2026-10-02T10:00:00Z","path_id":2,"ref_id":1,"count":1}',
    ]
    assert files["refs.jsonl"].splitlines() == [
        b'{"id":1,"ref":"","ref_scheme":"o"}',
        b'{"id":2,"ref":"example.org","ref_scheme":"h"}',
    ]
    assert b'{"day":"2026-10-01","path_id":1,"location":"US-TX","count":1}' in files["location_stats.jsonl"]
    assert b'{"day":"2026-10-01","path_id":1,"width":800,"count":1}' in files["size_stats.jsonl"]
    assert b'{"iso_639_3":"nld","name":"Dutch"}' in files["languages.jsonl"]
    assert b'"country_name":"United States"' in files["locations.jsonl"]
    assert b'"export_version":"1.0"' in files["info.json"]


async def test_a_json_export_may_begin_at_a_day(analytics: Analytics) -> None:
    await counted(analytics, a_hit(), a_hit("/b", at="2026-10-02T00:00:00Z"), a_hit("/c", at="2026-10-20T00:00:00Z"))
    told = await finished(analytics, format="json", start_from_day="2026-10-02")
    assert told["start_from_day"] == "2026-10-02T00:00:00Z"
    with zipfile.ZipFile(io.BytesIO((await download(analytics, told["id"])).body)) as archive:
        hits = next(archive.read(name) for name in archive.namelist() if name.endswith("hit_stats.jsonl"))
    assert [line[9:19] for line in hits.splitlines()] == [b"2026-10-02", b"2026-10-20"]


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("0001-01-01T00:00:00Z", None),
        ("0987-06-05", "0987-06-05T00:00:00Z"),
        ("2026-01-01T01:00:00+02:00", "2025-12-31T23:00:00Z"),
    ],
)
async def test_the_day_may_be_any_time_but_the_one_that_go_calls_empty(
    analytics: Analytics, sent: str, told: str | None
) -> None:
    begun = await analytics.api("POST", "/export", json={"format": "json", "start_from_day": sent})
    assert (begun.status, begun.json().get("start_from_day")) == (202, told)
    await until_finished(analytics, begun.json()["id"])


async def test_one_old_hit_makes_no_long_json_export(analytics: Analytics) -> None:
    await counted(analytics, a_hit(), a_hit("/old", at="1991-08-06T00:00:00Z"), a_hit("/b", at="2026-10-20T00:00:00Z"))
    windows = await analytics.services.warehouse.read(
        lambda session: session.visit_windows(analytics.site.id, 0, json_zip.WINDOW_S)
    )
    assert [window * json_zip.WINDOW_S // DAY_S for window in windows] == [7_882, 20_727, 20_741]
    told = await finished(analytics, format="json")
    with zipfile.ZipFile(io.BytesIO((await download(analytics, told["id"])).body)) as archive:
        hits = next(archive.read(name) for name in archive.namelist() if name.endswith("hit_stats.jsonl"))
    assert [line[9:19] for line in hits.splitlines()] == [b"1991-08-06", b"2026-10-01", b"2026-10-20"]


async def test_the_parquet_export_has_everything(analytics: Analytics, tmp_path: Path) -> None:
    await counted(analytics, a_hit(query="utm_campaign=summer", title="A"), a_hit("/bot", bot=5))
    told = await finished(analytics, format="parquet")
    answer = await download(analytics, told["id"])
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    file = tmp_path / "file.parquet"
    await asyncio.to_thread(file.write_bytes, answer.body)
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT id, path, title, first, campaign, ref_scheme, epoch(created) FROM read_parquet(?)", [str(file)]
        ).fetchall()
    assert rows == [(1, "/a", "A", True, "summer", "o", 1_790_848_800)]


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "  =1+1", "\uff1d1+1", "=cmd|' /C calc'!A0", 'a;=1+1"']


async def formulas(analytics: Analytics) -> None:
    await counted(analytics, *(a_hit(text, title=text, event=True, ref=text) for text in FORMULAS))


def cells(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(gzip.decompress(body).decode(), newline="")))


def looks_like_a_formula(cell: str) -> bool:
    return cell.lstrip()[:1] in {*"=+-@", "\uff1d"}


@pytest.mark.parametrize("asked", ["when it is begun", "when it is downloaded", "both times"])
async def test_a_spreadsheet_gets_no_formulas(analytics: Analytics, asked: str) -> None:
    await formulas(analytics)
    begun = await analytics.api("POST", "/export" + ("?spreadsheet=1" if asked != "when it is downloaded" else ""))
    told = await until_finished(analytics, begun.json()["id"])
    query = "?spreadsheet=1" if asked != "when it is begun" else ""
    for _ in range(2):
        answer = await analytics.api("GET", f"/export/{told['id']}/download{query}")
        assert answer.headers["content-disposition"].endswith('-0.spreadsheet.csv.gz"')
        header, *rows = cells(answer.body)
        assert ",".join(header) + "\n" == HEADER
        assert len(rows) == len(FORMULAS)
        assert not any(looks_like_a_formula(cell) for row in rows for cell in row)
        assert {row[0].removeprefix("'") for row in rows} >= {"=1+1", "+1", "-1", "@SUM(A1)", 'a;=1+1"'}
    if asked != "when it is downloaded":
        assert told["hash"] == f"sha256-{hashlib.sha256(answer.body).hexdigest()}"


async def test_programs_get_what_was_counted(analytics: Analytics) -> None:
    await formulas(analytics)
    told = await finished(analytics)
    await analytics.api("GET", f"/export/{told['id']}/download?spreadsheet=1")
    _, *rows = cells((await download(analytics, told["id"])).body)
    assert {row[0] for row in rows} >= {"=1+1", "+1", "-1", "@SUM(A1)"}


async def test_line_ends_in_a_cell_end_no_row(analytics: Analytics) -> None:
    texts = ["a\rb", "a\nb", "a\r\nb", '"a"\r', "=1\r+1"]
    hits = [a_hit(f"/{place}", title=text, browser=text, location='a"\rb') for place, text in enumerate(texts)]
    await counted(analytics, *hits, a_hit("/last"))
    told = await finished(analytics)
    for query in ("", "?spreadsheet=1"):
        body = (await analytics.api("GET", f"/export/{told['id']}/download{query}")).body
        header, *rows = cells(body)
        assert {len(row) for row in rows} == {len(header)}
        assert [row[0] for row in rows] == [*(f"/{place}" for place in range(len(texts))), "/last"]
        stored = {row[0]: row[1].removeprefix("'") for row in rows}
        assert [stored[f"/{place}"].split() for place in range(len(texts))] == [text.split() for text in texts]


@pytest.mark.parametrize("form", ["json", "parquet"])
async def test_only_csv_is_for_spreadsheets(analytics: Analytics, form: str) -> None:
    told = await finished(analytics, format=form)
    for answer in (
        await analytics.api("POST", "/export?spreadsheet=1", json={"format": form}),
        await analytics.api("GET", f"/export/{told['id']}/download?spreadsheet=1"),
    ):
        assert (answer.status, answer.json()) == (400, {"error": "spreadsheet is only valid for CSV exports"})


async def test_both_forms_of_an_export_are_gone_after_a_day(analytics: Analytics) -> None:
    told = await finished(analytics)
    await analytics.api("GET", f"/export/{told['id']}/download?spreadsheet=1")
    folder = analytics.running.data / "exports"
    assert len(await asyncio.to_thread(lambda: list(folder.glob("*")))) == 2
    analytics.clock.now += DAY_S * 1000
    await analytics.services.exports.sweep()
    assert await asyncio.to_thread(lambda: list(folder.glob("*"))) == []


async def test_a_digest_that_cannot_be_read_fails_one_export(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> tuple[int, str]:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(exports, "_size_and_digest", broken)
        failed = await finished(analytics)
    assert failed["error"] == "Input/output error"
    folder = analytics.running.data / "exports"

    async def is_empty() -> bool:
        return not await asyncio.to_thread(lambda: list(folder.glob("*")))

    await until(is_empty)  # what was written is removed after the error is told
    assert "error" not in await finished(analytics)


async def test_whatever_fails_the_next_export_is_written(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "TRY_AGAIN_AFTER_S", 0.01)
    finish, failing = Exports._finish, [True]  # noqa: SLF001  # the place where nothing else may fail

    async def failing_once(*arguments: Any, **options: Any) -> None:
        if failing.pop() if failing else False:
            msg = "out of the blue"
            raise RuntimeError(msg)
        await finish(*arguments, **options)

    monkeypatch.setattr(Exports, "_finish", failing_once)
    assert "error" not in await finished(analytics)


async def test_an_export_whose_site_is_deleted_meanwhile_leaves_no_file(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = writing.FORMATS["csv"], asyncio.Event()

    async def deleting(*arguments: Any) -> writing.WrittenExport:
        await analytics.services.ledger.write(
            lambda session: session.common.remove_exports_of_site(session.connection, site=analytics.site.id)
        )
        written.set()
        return await write(*arguments)

    monkeypatch.setitem(writing.FORMATS, "csv", deleting)
    assert (await analytics.api("POST", "/export")).status == 202
    await written.wait()
    folder = analytics.running.data / "exports"

    async def gone() -> bool:
        return not await asyncio.to_thread(lambda: list(folder.glob("*")))

    await until(gone)
    await analytics.running.application.tasks.close()
    assert await gone()
