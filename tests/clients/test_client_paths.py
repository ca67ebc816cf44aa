"""No argument of any call makes its path that of another call: every method of every client, both kinds."""

import inspect
from collections.abc import Iterator
from itertools import product
from typing import Any

import httpx
import pytest

from support.client_calls import arguments_of
from support.clients import Driven
from tallystick.client import (
    AsyncCountApi,
    AsyncCountTogether,
    AsyncGoatCounter,
    AsyncPublicCounters,
    CountApi,
    CountTogether,
    GoatCounter,
    PublicCounters,
)
from tallystick.client.calls import answered, each
from tallystick.client.errors import InvalidArgument

CLIENTS = (
    CountApi,
    AsyncCountApi,
    PublicCounters,
    AsyncPublicCounters,
    GoatCounter,
    AsyncGoatCounter,
    CountTogether,
    AsyncCountTogether,
)
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
    """Whether the call is sent, to its usual path, which this argument then is no part of; if not, it is refused."""
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
        stays = path_stays(client, name, argument, bad)
        assert not (stays and str(usual[argument]) in segments), (argument, bad)


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
