"""The page that exports what a site has counted."""

import asyncio
import gzip
import zipfile
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from support.analytics import Analytics, analytics_in_process
from support.ledgers import until
from support.pages import Visitor, owner
from tallystick.model.export import KEPT_MS
from tallystick.services.exports import exports as exports_module
from tallystick.services.exports.exports import WAITING_AT_MOST

PAGE = "/sites/1/exports"
FORMULA = "/=HYPERLINK(1)"
TITLE = "=cmd|' /C calc'!A0"


@pytest.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    async with analytics_in_process(tmp_path) as running:
        yield running


async def written(person: Visitor) -> list[dict[str, Any]]:
    """The site's exports, when all are written."""
    exports: list[dict[str, Any]] = []

    async def over() -> bool:
        exports[:] = (await person.get(f"{PAGE}.json")).json()["exports"]
        return all(each["finished_at"] for each in exports)

    await until(over)
    return exports


async def shows(person: Visitor, text: str) -> bool:
    """Whether the page has a text."""
    return text in (await person.get(PAGE)).text


async def export(person: Visitor, **fields: str) -> dict[str, Any]:
    """Fill in the form, and wait for the export."""
    answer = await person.fill(PAGE, fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sites/stats.example.com/exports?done=started")
    return (await written(person))[0]


async def test_hits_are_exported_from_where_the_last_export_ended(analytics: Analytics) -> None:
    async with owner(analytics) as person:
        shown = await person.get(PAGE)
        assert "There are no exports yet." in shown.text
        assert "after the last export" not in shown.text
        await analytics.pixel(p=FORMULA, t=TITLE)
        first = await export(person, format="csv")
        assert (first["state"], first["rows"], first["error"]) == ("ready", 1, None)

        shown = await person.get(PAGE)
        assert f"ended with hit {first['last_hit_id']}" in shown.text
        assert "data-working" not in shown.text
        assert "<noscript>" not in shown.text
        file = await person.get(first["download"])
        assert file.headers["content-type"] == "application/gzip"
        assert file.headers["content-disposition"] == f'attachment; filename="{first["file"]}"'
        assert file.headers["x-content-type-options"] == "nosniff"
        assert file.headers["cache-control"] == "private, no-store"
        assert len(file.content) == first["bytes"]
        lines = gzip.decompress(file.content).decode().splitlines()
        assert [line.split(",")[:2] for line in lines[1:]] == [[FORMULA, TITLE]]

        safe = await person.get(f"{first['download']}?spreadsheet=1")
        assert "\"'=cmd|" in gzip.decompress(safe.content).decode()
        assert "spreadsheet.csv.gz" in safe.headers["content-disposition"]

        await analytics.pixel(p="/second")
        second = await export(person, format="csv", which="last", last=str(first["last_hit_id"]))
        assert (second["start_from_hit_id"], second["rows"]) == (first["last_hit_id"], 1)
        third = await export(person, format="parquet", which="after", after=str(second["last_hit_id"]))
        assert (third["rows"], third["last_hit_id"]) == (0, second["last_hit_id"])
        file = await person.get(third["download"])
        assert file.headers["content-type"] == "application/vnd.apache.parquet"
        assert file.content.startswith(b"PAR1")


async def test_statistics_are_exported_by_day(analytics: Analytics) -> None:
    async with owner(analytics) as person:
        await analytics.pixel(p="/")
        made = await export(person, format="json", since="2099-01-01")
        assert (made["rows"], made["start_from_day"]) == (0, "2099-01-01T00:00:00Z")
        made = await export(person, format="json")
        assert made["rows"] > 0
        assert zipfile.is_zipfile(BytesIO((await person.get(made["download"])).content))


async def test_a_form_that_cannot_be_is_shown_again(analytics: Analytics) -> None:
    async with owner(analytics) as person:
        for fields, message in (
            ({"format": "xml"}, "must be one of these"),
            ({"format": "csv", "which": "after", "after": "-1"}, "must be the number of a hit"),
            ({"format": "csv", "which": "after", "after": '"><script>'}, "must be the number of a hit"),
            ({"format": "json", "which": "after", "after": "1"}, "is for hits"),
            ({"format": "json", "since": "yesterday"}, "must be a date such as"),
            ({"format": "parquet", "since": "2026-03-10"}, "is for statistics as JSON"),
        ):
            answer = await person.fill(PAGE, fields)
            assert answer.status_code == 422, fields
            assert message in answer.text, fields
            assert '"><script>' not in answer.text
        assert (await written(person)) == []


async def test_files_are_deleted_by_hand_and_by_time(analytics: Analytics) -> None:
    async with owner(analytics) as person:
        made = await export(person, format="csv")
        answer = await person.fill(PAGE, {"id": str(made["id"])}, action=f"{PAGE}/delete")
        assert answer.status_code == 303
        (found,) = await written(person)
        assert (found["state"], found["download"], found["rows"]) == ("deleted", None, 0)
        assert (await person.get(made["download"])).status_code == 410
        assert "The file is deleted." in (await person.get(PAGE)).text

        made = await export(person, format="csv")
        analytics.clock.advance(seconds=KEPT_MS / 1000)
        assert [each["state"] for each in await written(person)] == ["deleted", "deleted"]
        assert "The file is deleted" in (await person.get(made["download"])).text


async def test_what_is_not_written_yet_says_why(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = asyncio.Event()

    async def fails(_ledger: object, _warehouse: object, _export: object, file: Path) -> None:
        await asyncio.to_thread(file.write_bytes, b"x" * 2_500)
        await goes_on.wait()
        raise OSError(28, "No space left on <device>")

    monkeypatch.setattr(exports_module, "write_export", fails)
    async with owner(analytics) as person:
        for _ in range(WAITING_AT_MOST):
            assert (await person.fill(PAGE, {"format": "csv"})).status_code == 303
        await until(lambda: shows(person, "2.5 kB so far"))
        shown = await person.get(PAGE)
        assert "Waiting to be written." in shown.text
        assert "data-working" in shown.text
        assert '<noscript><meta http-equiv="refresh"' in shown.text
        refused = await person.fill(PAGE, {"format": "csv"})
        assert "10 exports of this site are waiting to be written" in refused.text
        first = (await person.get(f"{PAGE}.json")).json()["exports"][-1]
        assert first["state"] == "writing"
        undeleted = await person.fill(PAGE, {"id": str(first["id"])}, action=f"{PAGE}/delete")
        assert "still being written" in undeleted.text
        goes_on.set()
        assert {(each["state"], each["error"]) for each in await written(person)} == {
            ("failed", "No space left on <device>")
        }
        assert "It failed: No space left on &lt;device&gt;." in (await person.get(PAGE)).text
        assert (await person.get(f"{PAGE}/{first['id']}/file")).status_code == 404
