"""No argument of any call makes its path that of another call: every method of every client, both kinds."""

import inspect
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.clients import Driven
from tallystick.client import AsyncCountApi, AsyncCountTogether, AsyncGoatCounter, CountApi, CountTogether, GoatCounter
from tallystick.client.calls import answered, each
from tallystick.client.errors import InvalidArgument

USUAL: dict[str, Any] = {
    "additions": [],
    "amount": 3,
    "annotation_id": 10,
    "code": "a-code",
    "counter": "a-counter",
    "counters": [],
    "etag": '"1"',
    "export": 4,
    "filters": [],
    "funnel": "a-funnel",
    "funnel_id": 11,
    "goal_id": 12,
    "hits": [],
    "idempotency_key": "press-17",
    "invite": "an-invite",
    "key": "a-key",
    "metrics": ["visitors"],
    "name": "Visitors",
    "namespace": "a-namespace",
    "offset": 5,
    "operations": [],
    "page": "browsers",
    "path_id": 6,
    "role": "viewer",
    "row": "a-row",
    "segment_id": 13,
    "site": 7,
    "steps": [],
    "text": "A new design",
    "timezone": "Europe/Berlin",
    "to": Path("export.csv.gz"),
    "token": 8,
    "user": "a-user",
    "value": 9,
}
"""A value for each argument that has no default, and for those that could land in a path."""

CLIENTS = (CountApi, AsyncCountApi, GoatCounter, AsyncGoatCounter, CountTogether, AsyncCountTogether)
METHODS = [
    (client, name)
    for client in CLIENTS
    for name, _ in inspect.getmembers(client, lambda m: isinstance(m, answered | each))
]
DOTS = ("", ".", "..")
NO_TEXTS = (None, True, 1.5, b"..", [".."])
SLASHES = ("a/../b", "/", "../tokens/8", "a\\..\\b")


class NothingIsSent(Exception):
    """In place of an answer."""


def arguments_of(client: type[Any], name: str) -> dict[str, Any]:
    parameters = inspect.signature(getattr(client, name).__wrapped__).parameters.values()
    wanted = [p for p in parameters if p.name in USUAL or (p.default is p.empty and p.kind is not p.VAR_KEYWORD)]
    return {parameter.name: USUAL[parameter.name] for parameter in wanted if parameter.name != "self"}


def paths_sent(client: type[Any], name: str, arguments: dict[str, Any]) -> list[bytes]:
    """The path of the first request of a call, as it is written on the wire."""
    sent: list[bytes] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.raw_path.partition(b"?")[0])
        raise NothingIsSent

    opened = client("http://server.test", transport=httpx.MockTransport(refuse))
    with Driven(opened) if client.__name__.startswith("Async") else opened as api:
        try:
            result = getattr(api, name)(**arguments)
            next(result, None) if isinstance(result, Iterator) else None
        except NothingIsSent:
            pass
    return sent


def path_stays(client: type[Any], name: str, argument: str, value: object) -> bool:
    """Whether the call is sent to its usual path, which this argument then is no part of."""
    usual = arguments_of(client, name)
    try:
        sent = paths_sent(client, name, usual | {argument: value})
    except InvalidArgument:
        return False
    assert sent == paths_sent(client, name, usual)
    return True


@pytest.mark.parametrize(("client", "name"), METHODS)
def test_no_argument_makes_another_path(client: type[Any], name: str) -> None:
    usual = arguments_of(client, name)
    segments = {part.decode().removesuffix(".json") for p in paths_sent(client, name, usual) for part in p.split(b"/")}
    texts = [argument for argument, value in usual.items() if isinstance(value, str | int)]
    for argument, bad in product(texts, DOTS):
        assert path_stays(client, name, argument, bad) == (str(usual[argument]) not in segments), (argument, bad)


@pytest.mark.parametrize(("client", "name"), METHODS)
def test_a_slash_never_makes_another_segment(client: type[Any], name: str) -> None:
    usual = arguments_of(client, name)
    lengths = [path.count(b"/") for path in paths_sent(client, name, usual)]
    for argument, value in product((key for key, value in usual.items() if isinstance(value, str | int)), SLASHES):
        try:
            sent = paths_sent(client, name, usual | {argument: value})
        except InvalidArgument:
            continue
        assert [path.count(b"/") for path in sent] == lengths, (argument, value)
        assert argument == "row" or all(b"/.." not in path and b"\\" not in path for path in sent), (argument, value)


@pytest.mark.parametrize("value", NO_TEXTS)
def test_what_is_no_text_is_no_id(value: Any) -> None:
    with pytest.raises(InvalidArgument):
        paths_sent(CountTogether, "remove", {"counter": "a-counter", "user": value})
    with pytest.raises(InvalidArgument):
        paths_sent(CountApi, "hit", {"key": value, "namespace": "a-namespace"})


def test_a_row_may_hold_slashes_and_anything_else() -> None:
    sent = paths_sent(GoatCounter, "details", {"page": "toprefs", "row": "example.com/ü ?#"})
    assert sent == [b"/api/v0/stats/toprefs/example.com%2F%C3%BC%20%3F%23"]


def test_reserved_words_stay_readable() -> None:
    assert paths_sent(CountApi, "hit", {"key": ":PATHNAME:", "namespace": ":HOST:"}) == [b"/hit/:HOST:/:PATHNAME:"]
    assert paths_sent(CountApi, "hit", {"key": "...", "namespace": "..."}) == [b"/hit/.../..."]


def test_invalid_unicode_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        paths_sent(CountTogether, "delete", {"counter": "\ud800"})
