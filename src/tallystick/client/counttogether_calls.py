"""Builds CountTogether's calls."""

from collections.abc import Callable
from typing import TypeVar

import httpx
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from tallystick.client.calls import Call, Page, Repeat, json_as
from tallystick.client.counttogether_answers import Counter, Entry
from tallystick.client.paths import path_of_names

T = TypeVar("T")

ENTRIES = 500
"""Entries of a history in one request."""


_counter = json_as(Counter)
_entries = json_as(list[Entry])
number = json_as(int)
"""Decodes a bare number."""


def of(counter: str, *more: str) -> str:
    """The path of a counter, or of a resource below it.

    Raises:
        InvalidArgument
    """
    return path_of_names("v1", "counters", counter, *more)


def step(counter: str, verb: str, amount: int) -> str:
    """The path of an increment or decrement; amounts other than 1 exist only in v2."""
    return of(counter, verb) if amount == 1 else path_of_names("v2", "counters", counter, verb, amount)


def said(**members: object) -> dict[str, object]:
    """A JSON object without the members that are ``UNSET``."""
    return {name: value for name, value in members.items() if value is not UNSET}


def look(path: str, read: Callable[[httpx.Response], T], **query: str | int | None) -> Call[T]:
    """A read."""
    return Call(method="GET", path=path, query=query, read=read, repeat=Repeat.SAFE)


def change(  # noqa: PLR0913  # a request
    method: str,
    path: str,
    read: Callable[[httpx.Response], T],
    body: object | UnsetType = UNSET,
    *,
    key: str | None = None,
    etag: str | None = None,
) -> Call[T]:
    """A change, which the server carries out once for its Idempotency-Key."""
    headers = {} if etag is None else {"If-Match": etag}
    return Call(method=method, path=path, read=read, body=body, headers=headers, repeat=Repeat.KEYED, key=key)


def counter_in(response: httpx.Response) -> Counter:
    """Decode a counter together with its ETag."""
    return replace(_counter(response), etag=response.headers.get("ETag"))


def history(counter: str, order: str | None, after: int | None) -> Call[Page[Entry]]:
    """Get the entries after an offset."""

    def read(response: httpx.Response) -> Page[Entry]:
        entries = _entries(response)
        return Page(entries, None if len(entries) < ENTRIES else history(counter, order, entries[-1].offset))

    return look(of(counter, "history"), read, limit=ENTRIES, order=order, after=after)
