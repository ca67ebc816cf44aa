"""Whatever the published clients of shared counters can send is carried out; refusals have a reason of the README."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import quote
from zoneinfo import available_timezones

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from support.asking import Answer
from support.counting_together import Person, counting_together
from tallystick.model.line import line_problems

once = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)

Mode = Literal["OnlyUp", "OnlyDown", "UpAndDown"]
MIN, MAX = -(2**63), 2**63 - 1


class Client:
    """A program with a token, in the loop of this module."""

    def __init__(self, runner: asyncio.Runner, person: Person) -> None:
        self._runner, self._person = runner, person
        self._counter = ""

    def send(
        self,
        method: str,
        target: str,
        json: object = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """Send one request."""
        return self._runner.run(self._person.ask(method, target, json, headers=headers))

    def create(self, json: object, query: str = "") -> Any:
        """A new counter, as it is answered; the one before is deleted."""
        if self._counter:
            self.send("DELETE", f"/v1/counters/{self._counter}")
        answer = self.send("POST", f"/v1/counters{query}", json)
        assert answer.status == 201, answer.text
        self._counter = answer.json()["id"]
        return answer.json()

    def read(self, target: str) -> Any:
        """What a GET answers."""
        answer = self.send("GET", target)
        assert answer.status == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with asyncio.Runner() as runner:
        context = counting_together(tmp_path_factory.mktemp("every-change"))
        together = runner.run(context.__aenter__())
        yield Client(runner, runner.run(together.person()))
        runner.run(context.__aexit__(None, None, None))


# What the clients send beside what they want: headers of libraries, zones, parameters against caches.
latin = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30)
dresses = st.fixed_dictionaries(
    {},
    optional={
        "user-agent": latin,
        "library-version": st.sampled_from(["1.0.1", ""]) | latin,
        "library-platform": latin,
        "library-platform-version": latin,
        "accept": st.sampled_from(["*/*", "application/json", "text/plain, */*;q=0.1", ""]),
        "content-type": st.sampled_from(["application/json; charset=utf-8", "text/json", "application/octet-stream"]),
        "accept-language": latin,
        "cache-control": st.just("no-cache"),
    },
)
zones = st.sampled_from(sorted(available_timezones() - {"localtime"}))
queries = st.lists(
    zones.map(lambda zone: f"timezone={quote(zone, safe='/')}")
    | zones.map(lambda zone: f"timezone={quote(zone, safe='')}")
    | st.sampled_from(["_=1764358000", "x=%FF", "format", "a=1&a=2", ""]),
    max_size=3,
).map(lambda parts: "?" + "&".join(parts) if parts else "")
slashes = st.sampled_from(["", "/"])

names = (
    st.text(min_size=5, max_size=40)
    | st.sampled_from(["Visitors", "  spaced  ", "\N{GRINNING FACE}" * 40, "Gäste heute", "你好世界吗", "e\u0301" * 40])
).filter(lambda name: not line_problems(name.strip(), 40) and 5 <= len(name.strip()) <= 40)
modes: st.SearchStrategy[Mode] = st.sampled_from(["OnlyUp", "OnlyDown", "UpAndDown"])
values = st.integers(-20, 20) | st.integers(MIN, MAX) | st.sampled_from([MIN, MAX, 2**53 + 1])
amounts = st.integers(1, 20) | st.integers(1, MAX) | st.just(MAX)
ids = st.sampled_from([str.lower, str.upper])


class Move(Struct, frozen=True):
    """An increment or a decrement, as v1 or v2 spell it."""

    up: bool
    amount: int | None
    version: int

    def target(self, counter: str) -> str:
        """Where it is sent."""
        amount = f"/{self.amount}" if self.version == 2 and self.amount is not None else ""
        return f"/v{self.version}/counters/{counter}/{'increment' if self.up else 'decrement'}{amount}"

    def after(self, value: int) -> int:
        """The value that it makes of another one."""
        amount = self.amount if self.version == 2 and self.amount is not None else 1
        return value + amount if self.up else value - amount


class Write(Struct, frozen=True):
    """A counter that is written: whole with PUT, or some fields with PATCH."""

    whole: bool
    name: str | None
    value: int | None


moves = st.builds(Move, up=st.booleans(), amount=st.none() | amounts, version=st.sampled_from([1, 2]))
writes = st.builds(Write, whole=st.booleans(), name=st.none() | names, value=st.none() | values)
no_bodies = st.sampled_from([None, b"", b"{}", b"null", b'""', b"[]"])


def refusal(mode: Mode, before: int, after: int, *, moves: bool) -> str | None:
    """The name under which the contract refuses a change of a value; a move against the mode is refused for that."""
    against_mode = (mode == "OnlyUp" and after < before) or (mode == "OnlyDown" and after > before)
    if against_mode and moves:
        return "InvalidOperationForCounterType"
    if not MIN <= after <= MAX or not MIN <= after - before <= MAX:
        return "ValueOutOfRange"
    return "InvalidOperationForCounterType" if against_mode else None


@once
@given(
    name=names,
    mode=modes,
    value=values,
    steps=st.lists(st.tuples(moves | writes, queries, slashes, ids, no_bodies, dresses), max_size=6),
)
@example(
    name="Visitors",
    mode="OnlyUp",
    value=MAX,
    steps=[(Move(up=True, amount=None, version=1), "", "", str.lower, None, {})],
)
def test_each_request_of_the_published_clients_is_carried_out(
    client: Client, name: str, mode: Mode, value: int, steps: list[Any]
) -> None:
    created = client.create({"displayName": name, "type": "UpDown", "data": {"mode": mode, "value": value}})
    uid, shown = created["id"], created["displayName"]
    for wanted, query, slash, spelled, no_body, dress in steps:
        target = f"/v{2 if isinstance(wanted, Write) and not wanted.whole else 1}/counters/{spelled(uid)}{slash}{query}"
        after, renamed = value, None
        if isinstance(wanted, Move):
            after = wanted.after(value)
            answer = client.send("POST", f"{wanted.target(spelled(uid))}{slash}{query}", no_body, dress)
        elif wanted.whole:
            whole = client.read(f"/v1/counters/{uid}{query}")
            renamed = wanted.name
            whole["displayName"] = wanted.name or shown
            if wanted.value is not None:
                whole["data"]["value"] = after = wanted.value
            answer = client.send("PUT", target, whole, dress)
        elif wanted.name is None and wanted.value is None:
            continue
        else:
            sent = {"name": wanted.name, "value": wanted.value}
            renamed, after = wanted.name, value if wanted.value is None else wanted.value
            answer = client.send("PATCH", target, {field: each for field, each in sent.items() if each is not None})
        reason = refusal(mode, value, after, moves=isinstance(wanted, Move))
        if reason is None:
            assert answer.status == 200, (wanted, answer.text)
            value = after
            if isinstance(wanted, Move):
                assert answer.text == str(value)
            else:
                told = answer.json()
                shown = told["displayName" if wanted.whole else "name"]
                assert renamed is None or len(shown) <= len(renamed)
        else:
            assert (answer.status, answer.json()["name"]) == (400, reason), wanted
        assert client.read(f"/v2/counters/{uid}{query}")["value"] == value
        first, second = client.read(f"/v1/counters/{uid}"), client.read(f"/v2/counters/{uid}")
        assert (first["displayName"], first["data"]) == (shown, {"value": value, "mode": mode})
        assert (second["name"], second["value"]) == (shown, value)


days = st.dates().map(lambda day: day.isoformat())
offsets = st.sampled_from(["Z", "+00:00", "-05:30", "+14:00", ""])
inner = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001  # offsets are added
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001
).map(lambda moment: moment.isoformat())
dates = st.one_of(
    days.map(lambda day: {"dateOnly": day}),
    days.map(lambda day: {"date": day}),
    st.tuples(inner, offsets).map(lambda pair: {"date": "".join(pair)}),
    inner.map(lambda moment: {"date": f"{moment}Z", "dateOnly": moment[:10]}),
)


@once
@given(
    name=names,
    data=dates,
    type_=st.sampled_from(["FromDate", "ToDate"]),
    query=queries,
    more=st.dictionaries(st.sampled_from(["owner", "color", "tags", "x"]), st.none() | st.integers() | names),
    other=days,
)
def test_what_a_client_has_read_of_days_it_may_write(  # noqa: PLR0913, PLR0917  # the parts of a request
    client: Client, name: str, data: dict[str, str], type_: str, query: str, more: dict[str, Any], other: str
) -> None:
    created = client.create({"displayName": name, "type": type_, "data": data}, query)
    uid, field = created["id"], "startDate" if type_ == "FromDate" else "endDate"
    read = client.read(f"/v1/counters/{uid}{query}")
    written = client.send("PUT", f"/v1/counters/{uid}{query}", more | read)
    assert (written.status, written.json()) == (200, read)
    flat = client.read(f"/v2/counters/{uid}{query}")
    patched = client.send("PATCH", f"/v2/counters/{uid}{query}", {"name": flat["name"], field: flat[field]})
    assert (patched.status, patched.json()) == (200, flat)
    moved = client.send("PATCH", f"/v2/counters/{uid}{query}", {field: other})
    assert moved.status == 200, moved.text
    assert client.read(f"/v1/counters/{uid}{query}")["data"]["dateOnly"] == other
    for verb in ("increment", "decrement"):
        refused = client.send("POST", f"/v1/counters/{uid}/{verb}{query}")
        assert (refused.status, refused.json()["code"]) == (400, -2040)


def reasons() -> set[tuple[int, str, int]]:
    """Code, name and status of every error of the surface's README."""
    readme = files("tallystick.surfaces.counttogether").joinpath("README.md").read_text("utf-8")
    rows = re.findall(r"^\| (-\d+) \| (\w+) \| (\d{3}) \|", readme, re.MULTILINE)
    return {(int(code), name, int(status)) for code, name, status in rows}


REASONS = {row for row in reasons() if row[1] != "Unknown"}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    "name value mode goal allowExceed minValue resetValue confirm startDate endDate"
    " displayName data type date dateOnly offset amount operations role origin scopes"
)
fields = st.sampled_from(FIELDS.split())
some_values = json_values | st.sampled_from(["UpDown", "OnlyUp", "2026-02-30", "0000-01-01", "member", -1, 2**63])
objects = st.dictionaries(fields, some_values | st.dictionaries(fields, some_values, max_size=3), max_size=5)
SEGMENTS = "increment decrement set reset undo history members invites batch 0 -1 5 1.0 %2F é me x"
segments = st.sampled_from(["", "9" * 30, *SEGMENTS.split()])
targets = st.tuples(
    st.sampled_from(["/v1/counters", "/v2/counters"]), st.lists(segments, max_size=2).map("/".join), st.booleans()
)
any_queries = (
    st.text(max_size=30).map(quote)
    | st.sampled_from(["timezone=Nowhere", "timezone=", "limit=0", "after=x", "order=up", "&" * 200, "a=" * 150])
    | queries.map(lambda query: query[1:])
)


@once
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
    target=targets,
    query=any_queries,
    body=objects | json_values | st.binary(max_size=40),
    headers=st.fixed_dictionaries(
        {},
        optional={
            "idempotency-key": latin,
            "if-match": latin | st.sampled_from(["*", '"1-00000000"', '"1-00000000", "2-00000000"']),
            "accept": latin,
        },
    ),
)
def test_a_request_is_refused_only_for_reasons_of_the_readme(  # noqa: PLR0913, PLR0917  # the parts of a request
    client: Client,
    method: str,
    target: tuple[str, str, bool],
    query: str,
    body: object,
    headers: dict[str, str],
) -> None:
    created = client.create({"displayName": "Visitors", "type": "UpDown"})
    uid, (root, rest, own) = created["id"], target
    path = f"{root}/{uid if own else ''}/{rest}".rstrip("/") if own or rest else root
    answer = client.send(method, f"{path}?{query}", body, headers)
    if answer.status in {200, 201, 204}:
        return
    if method != "HEAD":
        told = answer.json()
        assert (told["code"], told["name"], answer.status) in REASONS, (path, answer.text)
        assert told.get("message") or told.get("detail")
    # What is refused has changed nothing.
    assert client.read(f"/v1/counters/{uid}") == created
