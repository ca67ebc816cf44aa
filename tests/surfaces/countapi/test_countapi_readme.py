"""The surface's README tells what the surface does: its tables are replayed."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.in_process import InProcess, in_process
from tallystick.model.counter import INT64_MAX
from tallystick.surfaces import countapi
from tallystick.surfaces.countapi.routes import KEYED, PLAIN

README = (Path(countapi.__file__).parent / "README.md").read_text("utf-8")


def section(title: str) -> str:
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(table: str) -> list[list[str]]:
    """The cells of a table's rows, without its head."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_endpoint_has_a_row() -> None:
    first_cells = [row[0] for row in rows(section("Endpoints"))]
    assert {re.match(r"`/(\w+)", cell)[1] for cell in first_cells} == {*KEYED, *PLAIN}  # type: ignore[index]
    assert len(first_cells) == len(KEYED) + len(PLAIN)


async def test_the_day_on_a_counter(tmp_path: Path) -> None:
    example = re.search(r"```text\n(.*?)```", section("Endpoints"), re.DOTALL)
    assert example
    async with in_process(tmp_path) as site:
        for line in example[1].splitlines():
            target, status, body = line.split(maxsplit=2)
            answer = await site.ask(target)
            assert (answer.status, answer.text) == (int(status), body), line


async def test_the_order_of_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.web.rate_limit.time", SimpleNamespace(monotonic=lambda: 1_000.0))
    examples = [row[1:] for row in rows(section("Order of checks")) if row[2]]
    assert len(examples) >= 13
    async with in_process(tmp_path, creation_limit=2) as site:
        await prepare(site)
        for status, example in examples:
            request, *key = example.strip("`").split("` with `")
            method, target = request.split()
            answer = await site.ask(target, method=method, headers=[("idempotency-key", each) for each in key])
            assert answer.status == int({"as `get`": "404", "as then": "403"}.get(status, status)), example


async def prepare(site: InProcess) -> None:
    await site.ask("/create?key=present&value=1&update_upperbound=5")
    await site.ask(f"/create?key=top&value={INT64_MAX}")
    await site.ask("/update/present?amount=99", headers=[("idempotency-key", "used")])


async def test_the_same_request_twice(tmp_path: Path) -> None:
    example = re.search(r"```text\n(.*?)```", section("The same request twice"), re.DOTALL)
    assert example
    async with in_process(tmp_path) as site:
        for line in example[1].splitlines():
            target, key, told, body = re.split(r" {2,}", line)
            status, *replayed = told.split()
            answer = await site.ask(target, headers=[("idempotency-key", key)])
            assert (answer.status, answer.text) == (int(status), body), line
            assert ("idempotent-replayed" in answer.headers) == bool(replayed), line


async def test_every_message_it_quotes_exists(tmp_path: Path) -> None:
    requests = [
        "/update/visits?amount=5.5",
        "/update/visits",
        "/set/visits?value=9223372036854775808",
        "/create?update_lowerbound=1",
        "/create?update_upperbound=-1",
    ]
    async with in_process(tmp_path) as site:
        messages = [(await site.ask(request)).json()["error"] for request in requests]
    for message in messages:
        assert f"`{message}`" in README, message
