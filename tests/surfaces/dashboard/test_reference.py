"""The API reference: an index, a page for each topic, and a search."""

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.in_process import InProcess, in_process
from tallystick.app import SURFACES
from tallystick.surfaces import countapi, native
from tallystick.surfaces.dashboard.reference.document import sections
from tallystick.surfaces.dashboard.reference.finding import find, operations_of
from tallystick.web.openapi import Description
from tallystick.web.surface import openapi_files

WHOLE = Description(openapi_files(SURFACES)).document
TOPICS = sections(WHOLE)
OPERATIONS = operations_of(TOPICS)
METHODS = ("get", "post", "put", "patch", "delete")
LARGEST = 200_000


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(tmp_path) as started:
        yield started


def said(text: str) -> str:
    """A page without its tags."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", text)))


async def test_index_and_topics_name_every_method_path_parameter_and_status(site: InProcess) -> None:
    index = (await site.ask("/docs")).text
    pages = [(await site.ask(f"/docs/{topic.anchor}", headers=[("host", "127.0.0.1:8080")])).text for topic in TOPICS]
    assert all(len(page) < LARGEST for page in (index, *pages))
    rows = set(re.findall(r"(?:^| )((?:[A-Z]+, )*[A-Z]+) (/\S+)", said(index)))
    named = {(method, path) for methods, path in rows for method in methods.split(", ")}
    whole = "\n".join(pages)
    for path, item in WHOLE["paths"].items():
        assert f"<code>{path}</code>" in whole
        for method in METHODS:
            assert method not in item or (method.upper(), path) in named, (method, path)
            assert all(f">{status}<" in whole for status in item.get(method, {}).get("responses", ()))
    for name in ("amount", "update_lowerbound", "callback", "img", "metrics", "Idempotency-Key"):
        assert f"<code>{name}</code>" in whole
    for operation in OPERATIONS:
        path, anchor = operation.address.split("#")
        assert f'href="{operation.address}"' in index
        assert f'id="{anchor}"' in index  # where links to the one page of earlier versions point
        assert f'id="{anchor}"' in pages[TOPICS.index(operation.section)]
        assert path == f"/docs/{operation.section.anchor}"
    for page in pages:
        text = html.unescape(page)
        assert "Also ." not in text
        assert "Also \n" not in text
        # What JSON has to escape is hard to read; the examples do without.
        assert [code for code in re.findall(r"<code[^>]*>(.*?)</code>", text, re.DOTALL) if "\\" in code] == []


def test_anchors_are_unique() -> None:
    anchors = [topic.anchor for topic in TOPICS] + [operation.endpoint.anchor for operation in OPERATIONS]
    assert len(anchors) == len(set(anchors))


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("POST /api/v0/count", ["/api/v0/count"]),
        ("count", ["/count", "/api/v0/count"]),
        ("/hit/example.com/visits", ["/hit/{namespace}/{key}"]),
        ("/hit/example.com/visits?amount=2", ["/hit/{namespace}/{key}"]),
        ("GET /v1/counters", ["/v1/counters"]),
        ("delete webhook of nobody", []),
        ("goals DELETE plausible", ["/api/v1/sites/goals/{id}"]),
        ("\\ ( [", []),
        ("", []),
    ],
)
def test_a_search_finds_methods_paths_and_words(query: str, first: list[str]) -> None:
    found = [operation.endpoint.addresses[0] for operation in find(OPERATIONS, query)]
    assert found[: len(first)] == first
    assert bool(found) == bool(first)
    methods = {word for word in query.split() if word.lower() in METHODS and word.isupper()}
    assert all(methods <= set(operation.endpoint.methods) for operation in find(OPERATIONS, query))


async def test_a_search_is_a_page_and_data(site: InProcess) -> None:
    page = (await site.ask("/docs?q=POST+/api/v0/count", headers=[("accept-language", "de")])).text
    assert "1 Operation gefunden" in page
    assert 'href="/docs/web-analytics-api#countHits"' in page
    data = (await site.ask("/docs.json?q=POST+/api/v0/count")).json()
    assert data["operations"] == [
        {
            "title": "Store hits",
            "topic": "Web analytics API",
            "methods": ["POST"],
            "paths": ["/api/v0/count"],
            "address": "/docs/web-analytics-api#countHits",
        }
    ]
    assert len((await site.ask("/docs.json")).json()["operations"]) == len(OPERATIONS)
    hostile = (await site.ask("/docs?q=%22%3E%3Cscript%3E")).text
    assert "<script>" not in hostile
    assert "Nothing has all of these words." in hostile
    assert (await site.ask("/docs/nothing")).status == 404
    # What is kept of a page is for one address of the server and one language.
    for host, language, word in (("a.example", "en", "Answers"), ("b.example", "de", "Antworten")) * 2:
        headers = [("host", host), ("accept-language", language)]
        text = (await site.ask("/docs/public-counters", headers=headers)).text
        assert f"curl http://{host}/hit/" in text
        assert f"<h3>{word}</h3>" in text


def test_one_entry_tells_of_all_addresses_and_methods() -> None:
    public, operation = sections(Description(openapi_files([countapi.SURFACE, native.SURFACE])).document)
    hit, ready = public.endpoints[0], operation.endpoints[1]
    assert hit.addresses == ("/hit/{namespace}/{key}", "/hit/{key}")
    assert hit.methods == ("GET", "POST", "HEAD", "OPTIONS")
    assert hit.common_parameters == ("namespace", "key", "callback", "img", "page", "Idempotency-Key")
    assert [answer.status for answer in hit.answers] == ["200", "403", "409", "422", "429"]
    assert hit.common_statuses == ("400", "405", "414", "500", "503")
    assert (ready.name, ready.methods) == ("/health/ready", ("GET", "HEAD"))
