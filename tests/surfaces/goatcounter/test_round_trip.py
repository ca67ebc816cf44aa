"""What is exported and imported into an empty site gives the same statistics."""

import asyncio
import gzip
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import duckdb
import pytest

from support.analytics import Analytics, analytics_in_process
from support.ledgers import until
from support.warehouses import rows
from tallystick.model.site import Collect
from tallystick.services.imports import json_zip, parquet
from tallystick.services.imports.batches import ImportSource
from tallystick.services.imports.csv_v2 import csv_reader
from tallystick.services.imports.direct_sink import DirectSink
from tallystick.services.imports.lines import LineFile
from tallystick.services.imports.rows import RowFile
from tallystick.services.imports.running import Import, Report
from tallystick.warehouse import parquet_row_count

EVERYTHING = int(sum(Collect))
START = int(datetime(2026, 9, 28, tzinfo=UTC).timestamp())
PERIOD = {"start": "2026-09-28T00:00:00Z", "end": "2026-10-12T23:59:59Z"}
LIMIT = {"limit": 100}
NOW = 1_800_000_000

AGENTS = (("Firefox 140", "Linux "), ("Chrome 138", "Windows 10"), ("Safari 17.5", "iOS 17.5"), ("", ""))
REFS = ("", "https://www.google.com/", "https://example.org/a, b", "newsletter")
PLACES = ("NL", "US-TX", "DE", "")
PAGES = ("browsers", "systems", "locations", "sizes", "toprefs")


def some_hits(count: int) -> list[dict[str, Any]]:
    """Visits of two weeks, bots and events among them; always the same."""
    chance = random.Random(7)
    hits = []
    for _ in range(count):
        browser, system = chance.choice(AGENTS)
        at = datetime.fromtimestamp(START + chance.randrange(14 * 86_400), UTC)
        event = chance.random() < 0.1
        hits.append(
            {
                "path": f"event-{chance.randrange(3)}" if event else f"/{chance.randrange(20)}",
                "title": "A, title",
                "event": event,
                "ref": chance.choice(REFS),
                "query": chance.choice(("", "", "utm_campaign=summer&utm_source=mail&utm_medium=a&utm_term=b")),
                "host": chance.choice(("www.example.com", "", "blog.example.com:8080")),
                "browser": browser,
                "system": system,
                "location": chance.choice(PLACES),
                "language": chance.choice(("nl", "en", "")),
                "size": str(chance.choice((0, 400, 1920))),
                "session": str(chance.randrange(100)),
                "props": chance.choice(({}, {}, {"plan": "pro", 'é"': 'a,"b"'}, {"plan": "free", "seats": 3})),
                "page": chance.choice(("/0", "/only-here", "")) if event else "",
                "interactive": chance.random() < 0.5,
                "device": chance.choice(("Desktop", "Mobile", "Tablet", "")),
                "bot": 5 if chance.random() < 0.05 else 0,
                "created_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )
    return sorted(hits, key=lambda hit: hit["created_at"])


@pytest.fixture
async def counted(analytics: Analytics) -> Analytics:
    """A site with hits."""
    await analytics.change_site(collect=EVERYTHING, collect_regions=())
    for start in range(0, 1_000, 500):
        answer = await analytics.api("POST", "/count", json={"hits": some_hits(1_000)[start : start + 500]})
        assert answer.status == 202, answer
    return analytics


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Analytics]:
    """Another server, with an empty site."""
    data = tmp_path / "other"
    await asyncio.to_thread(data.mkdir)
    async with analytics_in_process(data) as opened:
        await opened.change_site(collect=EVERYTHING, collect_regions=())
        yield opened


async def exported(analytics: Analytics, form: str, folder: Path) -> Path:
    number = (await analytics.api("POST", "/export", json={"format": form})).json()["id"]

    async def over() -> bool:
        told = (await analytics.api("GET", f"/export/{number}")).json()
        assert "error" not in told
        return told["finished_at"] is not None

    await until(over)
    file = folder / f"export.{form}"
    await asyncio.to_thread(file.write_bytes, (await analytics.api("GET", f"/export/{number}/download")).body)
    return file


def opened(form: str, file: Path) -> ImportSource:
    if form == "json":
        return RowFile(file, json_zip.visits(file, lambda: NOW))
    if form == "parquet":
        return RowFile(file, parquet.hits(file, lambda: NOW), total=parquet_row_count(file))
    return LineFile(file, csv_reader(lambda: NOW), quoted=True)


async def imported(analytics: Analytics, form: str, file: Path) -> Report:
    """Import a file into the site."""
    source = await asyncio.to_thread(opened, form, file)
    site = await analytics.services.sites.by_id(analytics.site.id)
    assert site is not None
    sink = DirectSink(analytics.services.ingest, analytics.services.warehouse, site, analytics.services.ledger.passed)
    report, bad = Report(), list[object]()
    work = Import(
        source, sink, report, journal=None, progress=lambda _report, _batch: None, on_bad_line=bad.append
    )  # fmt: skip
    await work.run()
    await asyncio.to_thread(source.close)
    assert bad == []
    return report


async def statistics(analytics: Analytics, *pages: str, figures: bool) -> dict[str, Any]:
    """What the API tells of the period; ids differ between servers and are left out."""
    found: dict[str, Any] = {}
    for name in ("total", "hits", *pages):
        limit = {} if name == "total" else LIMIT
        answer = await analytics.api("GET", f"/stats/{name}?{urlencode({**PERIOD, **limit})}")
        assert answer.status == 200, answer
        found[name] = comparable(answer.json(), figures=figures)
    for path in (await analytics.api("GET", "/paths?limit=200")).json()["paths"]:
        refs = await analytics.api("GET", f"/stats/hits/{path['id']}?{urlencode({**PERIOD, **LIMIT})}")
        found[path["path"]] = (path["title"], path["event"], comparable(refs.json(), figures=figures))
    return found


SOURCES = ("utm_source", "utm_medium", "utm_content", "utm_term", "host", "source", "channel")
ADDED = ("page", "props", "interactive", "device")
FIGURES = frozenset({"visitors", "pageviews", "bounce_rate", "visit_duration"})
"""What only sessions tell."""


def comparable(value: Any, *, figures: bool) -> Any:
    if isinstance(value, dict):
        left_out = {"path_id", "next"} | (set() if figures else FIGURES)
        return {name: comparable(part, figures=figures) for name, part in value.items() if name not in left_out}
    if isinstance(value, list):
        parts = [comparable(part, figures=figures) for part in value]
        return sorted(parts, key=str) if parts and isinstance(parts[0], dict) else parts
    return value


async def test_csv_keeps_everything_that_it_has_columns_for(
    counted: Analytics, empty: Analytics, tmp_path: Path
) -> None:
    file = await exported(counted, "csv", tmp_path)
    report = await imported(empty, "csv", file)
    assert report.sent == gzip.decompress(await asyncio.to_thread(file.read_bytes)).count(b"\n") - 1
    before = await statistics(counted, *PAGES, figures=True)
    assert before["total"]["total"] > 500
    assert await statistics(empty, *PAGES, figures=True) == before


async def test_json_keeps_every_count(counted: Analytics, empty: Analytics, tmp_path: Path) -> None:
    report = await imported(empty, "json", await exported(counted, "json", tmp_path))
    before = await statistics(counted, *PAGES, "languages", figures=False)
    assert report.sent == before["total"]["total"]
    assert await statistics(empty, *PAGES, "languages", figures=False) == before


async def test_parquet_keeps_everything(counted: Analytics, empty: Analytics, tmp_path: Path) -> None:
    await imported(empty, "parquet", await exported(counted, "parquet", tmp_path))
    pages = (*PAGES, "languages", "campaigns")
    before = await statistics(counted, *pages, figures=True)
    assert before["campaigns"]["stats"]
    assert await statistics(empty, *pages, figures=True) == before
    columns = "created, event, ref, " + ", ".join(SOURCES)
    stored = await rows(counted.services.warehouse, f"bot, {columns}")
    assert {row[-1] for row in stored} >= {"Direct", "Organic Search", "Referral"}
    of_people = sorted(row[1:] for row in stored if not row[0])
    assert sorted(await rows(empty.services.warehouse, columns)) == of_people
    added = await of_events(empty)
    assert added == await of_events(counted)
    assert {page for _, _, page, *_ in added} == {None, "/0", "/only-here"}
    assert len({props for *_, props, _, _ in added}) == 3
    assert len(set(added)) > 30


async def of_events(analytics: Analytics) -> list[tuple[Any, ...]]:
    """What hits of people have in columns that were added last, sorted."""
    names = await analytics.services.ledger.read(
        lambda session: dict(session.connection.execute("SELECT id, path FROM path"))
    )
    found = await rows(analytics.services.warehouse, f"bot, created, path, {', '.join(ADDED)}")
    named = [
        (created, names[path], names[page] if page else None, *others)
        for bot, created, path, page, *others in found
        if not bot
    ]
    return sorted(named, key=str)


async def test_parquet_of_a_version_without_sources_is_read(
    counted: Analytics, empty: Analytics, tmp_path: Path
) -> None:
    file, old = await exported(counted, "parquet", tmp_path), tmp_path / "old.parquet"
    with duckdb.connect() as connection:
        columns = f"* EXCLUDE ({', '.join((*SOURCES, *ADDED))})"
        connection.execute(f"COPY (SELECT {columns} FROM read_parquet('{file}')) TO '{old}' (FORMAT parquet)")
    report = await imported(empty, "parquet", old)
    found = await rows(empty.services.warehouse, "ref, source, channel")
    assert report.sent == len(found)
    assert ("example.org/a, b", "example.org", "Referral") in found
    assert ("", "", "Direct") in found
    assert set(await rows(empty.services.warehouse, ", ".join(ADDED))) == {(None, "", True, "")}
