"""Properties with texts that are meant to harm: where they are shown or exported, they are texts and nothing else."""

import asyncio
import csv
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import pytest

from support.analytics import FIREFOX, HOST, Analytics
from support.asking import Answer
from support.ledgers import until
from tallystick.model.props import decoded
from tallystick.model.text import storable

HOSTILE = (
    "=1+1",
    "@SUM(A1)",
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}",
    "a\nb\r\nc\td",
    "a\x1b[31mb\x00c\x85d",
    "\u202egnp.exe",
    "'); DROP TABLE hit; --",
    '"}, {"x": "y',
    "$.\"a\"', '$.b",
    "\ud800",
    "%00%0a",
)
MARKS = ("=1+1", "alert(1)", "DROP TABLE", "gnp.exe", "7 * 7")
"""Parts of them that no escaping changes."""
KEYS = {f"{text} {number}": text for number, text in enumerate(HOSTILE)}
STORED = {storable(name): storable(text) for name, text in KEYS.items()}


async def tell(analytics: Analytics, **body: Any) -> None:
    sent = {"n": "Buy", "u": f"https://{HOST}/pricing", "d": HOST, **body}
    answer = await analytics.ask(
        "/api/event", method="POST", headers={"user-agent": FIREFOX}, body=json.dumps(sent).encode(), client="192.0.2.1"
    )
    assert (answer.status, answer.headers.get("x-plausible-dropped")) == (202, None), answer


@pytest.fixture
async def told(analytics: Analytics) -> Analytics:
    """A site that was told an event and a pageview with all of them, as names and as values."""
    await tell(analytics, p={"plan": HOSTILE[0], **KEYS})
    await tell(analytics, n="pageview", p=json.dumps(KEYS))
    for text in HOSTILE:
        await tell(analytics, p={"plan": text})
    return analytics


async def exported(analytics: Analytics, form: str) -> bytes:
    begun = await analytics.api("POST", "/export", json={"format": form})
    number = begun.json()["id"]

    async def over() -> bool:
        return (await analytics.api("GET", f"/export/{number}")).json()["finished_at"] is not None

    await until(over)
    return (await analytics.api("GET", f"/export/{number}/download")).body


async def test_the_csv_of_goatcounter_has_no_properties(told: Analytics) -> None:
    text = gzip.decompress(await exported(told, "csv")).decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert {len(row) for row in rows} == {14}
    assert [row[0] for row in rows[1:]] == ["Buy", "/pricing", *["Buy"] * len(HOSTILE)]
    assert not any(mark in text for mark in MARKS)


async def test_statistics_as_json_have_no_properties(told: Analytics) -> None:
    archive = zipfile.ZipFile(io.BytesIO(await exported(told, "json")))
    text = "".join(archive.read(name).decode() for name in archive.namelist())
    assert "/pricing" in text
    assert not any(mark in text for mark in MARKS)


async def test_a_parquet_file_has_them_as_they_were_told(told: Analytics, tmp_path: Path) -> None:
    file = tmp_path / "hits.parquet"
    await asyncio.to_thread(file.write_bytes, await exported(told, "parquet"))
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT path, page, props FROM read_parquet(?) ORDER BY id", [str(file)]).fetchall()
    assert [row[:2] for row in rows] == [("Buy", "/pricing"), ("/pricing", ""), *[("Buy", "/pricing")] * len(HOSTILE)]
    props = [decoded(text) for *_, text in rows]
    assert props[:2] == [{"plan": HOSTILE[0], **STORED}, STORED]
    assert props[2:] == [{"plan": storable(text)} for text in HOSTILE]


async def asked(analytics: Analytics, **question: Any) -> Answer:
    body = {"site_id": HOST, "metrics": ["events"], "date_range": "all", **question}
    return await analytics.ask(
        "/api/v2/query",
        method="POST",
        headers={"authorization": f"Bearer {analytics.token}"},
        body=json.dumps(body).encode(),
    )


async def test_questions_answer_with_texts(told: Analytics) -> None:
    answer = await asked(told, dimensions=["event:props:plan"], filters=[["is", "event:name", ["Buy"]]])
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == (
        "application/json; charset=utf-8",
        "nosniff",
    )
    found = {row["dimensions"][0]: row["metrics"] for row in answer.json()["results"]}
    assert found == {storable(text): [1 + (text == HOSTILE[0])] for text in HOSTILE}


async def test_names_and_values_of_questions_are_texts(told: Analytics) -> None:
    for name, text in STORED.items():
        answer = await asked(told, dimensions=[f"event:props:{name}"], filters=[["is", f"event:props:{name}", [text]]])
        assert answer.status == 200, (name, answer.text)
        assert answer.json()["results"] == [{"dimensions": [text], "metrics": [2]}]
    for text in HOSTILE:
        answer = await asked(told, filters=[["is", "event:props:plan", [storable(text)]]])
        assert answer.json()["results"] == [{"dimensions": [], "metrics": [1 + (text == HOSTILE[0])]}]
    assert len(await told.hits()) == len(HOSTILE) + 2


PAGES = ("/", "/sites", "/docs", "/counter/Buy.html", "/counter/Buy.svg")


async def answers(analytics: Analytics) -> list[Answer]:
    return [await analytics.ask(path, headers={"accept": "text/html"}) for path in PAGES]


async def test_no_page_shows_them(told: Analytics) -> None:
    await told.change_site(allow_counter=True)
    for answer in await answers(told):
        assert answer.status < 500
        assert not any(mark in answer.text for mark in MARKS)
    for path in ("/stats/hits", "/stats/total", "/paths", "/stats/browsers", "/sites"):
        answer = await told.api("GET", path)
        assert answer.status == 200, path
        assert not any(mark in answer.text for mark in MARKS)
