"""Builds GoatCounter's calls: batches of hits, pages of rows, and polling of exports."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice, repeat
from typing import TypeAlias

import httpx
import msgspec
from msgspec import Struct

from tallystick.client import goatcounter_answers as answers
from tallystick.client.calls import Call, Flow, Page, Pause, Repeat, json_as
from tallystick.client.errors import ExportFailed, refusal
from tallystick.client.goatcounter_answers import Counted, Export, Hit, PathVisits, Row, Site
from tallystick.client.paths import path_of_names

API = "/api/v0"
MOST_HITS = 500
"""Hits in one request."""

ROWS = 100
PATHS = 200
POLLS_S = (0.25, 0.5, 1.0, 2.0, 4.0)
INVALID = frozenset({int(httpx.codes.BAD_REQUEST)})

OnExportState: TypeAlias = Callable[[Export], None]


class _Sites(Struct):
    sites: list[Site]


class _Paths(Struct):
    paths: list[answers.Path]
    more: bool = False


class _Hits(Struct):
    hits: list[PathVisits]
    more: bool = False
    next: str | None = None


class _Rows(Struct):
    stats: list[Row] = []
    refs: list[Row] = []
    more: bool = False


class _Errors(Struct):
    errors: dict[int, str]


_sites = json_as(_Sites)
_paths_in = json_as(_Paths)
_hits_in = json_as(_Hits)
_rows_in = json_as(_Rows)
_errors_in = json_as(_Errors)


def sites_in(response: httpx.Response) -> list[Site]:
    """Decode a list of sites."""
    return _sites(response).sites


def batches(hits: Iterable[Hit]) -> Iterator[list[Hit]]:
    """Split hits into batches of the size that one request takes."""
    left = iter(hits)
    while batch := list(islice(left, MOST_HITS)):
        yield batch


def count_of(body: object, key: str | None) -> Call[Counted]:
    """Store a batch."""
    return Call(
        method="POST",
        path=f"{API}/count",
        body=body,
        read=_counted,
        accepts=INVALID,
        repeat=Repeat.KEYED,
        key=key,
    )


def _counted(response: httpx.Response) -> Counted:
    """Decode the result of a batch: a 400 that names hits refuses only those, any other 400 refuses all."""
    filtered = [int(place) for place in response.headers.get("X-Goatcounter-Filter", "").split(",") if place]
    if response.is_success:
        return Counted({}, filtered)
    try:
        return Counted(_errors_in(response).errors, filtered)
    except msgspec.DecodeError:
        raise refusal(response) from None


def paths_after(after: int) -> Call[Page[answers.Path]]:
    """Get the paths with ids above ``after``."""

    def read(response: httpx.Response) -> Page[answers.Path]:
        body = _paths_in(response)
        return Page(body.paths, paths_after(body.paths[-1].id) if body.more and body.paths else None)

    query = {"limit": PATHS, "after": after}
    return Call(method="GET", path=f"{API}/paths", query=query, read=read, repeat=Repeat.SAFE)


def hits_beyond(query: Mapping[str, str], seen: tuple[int, ...], cursor: str | None = None) -> Call[Page[PathVisits]]:
    """Get the next page of paths: after a cursor on Tallystick, by excluding the paths so far on GoatCounter."""

    def read(response: httpx.Response) -> Page[PathVisits]:
        body = _hits_in(response)
        if not body.more or not body.hits:
            return Page(body.hits)
        return Page(body.hits, hits_beyond(query, (*seen, *(hit.path_id for hit in body.hits)), body.next))

    where = {"cursor": cursor} if cursor else {"exclude_paths": ",".join(map(str, seen)) or None}
    sent: dict[str, str | int | None] = {**query, **where, "limit": ROWS}
    return Call(method="GET", path=f"{API}/stats/hits", query=sent, read=read, repeat=Repeat.SAFE)


def rows_from(path: str, query: Mapping[str, str], offset: int) -> Call[Page[Row]]:
    """Get the rows of a statistic from ``offset`` on."""

    def read(response: httpx.Response) -> Page[Row]:
        body = _rows_in(response)
        rows = body.stats or body.refs
        return Page(rows, rows_from(path, query, offset + len(rows)) if body.more and rows else None)

    sent: dict[str, str | int | None] = {**query, "limit": ROWS, "offset": offset}
    return Call(method="GET", path=f"{API}/stats{path}", query=sent, read=read, repeat=Repeat.SAFE)


def export_state(number: int) -> Call[Export]:
    """Get the state of an export."""
    return Call(method="GET", path=API + path_of_names("export", number), read=json_as(Export), repeat=Repeat.SAFE)


def finished(number: int, on_state: OnExportState | None) -> Flow[Export]:
    """Poll an export until it is written."""
    for pause in chain(POLLS_S, repeat(POLLS_S[-1])):
        state: Export = yield export_state(number)
        if on_state is not None:
            on_state(state)
        if state.error is not None:
            raise ExportFailed(state.error)
        if state.finished_at is not None:
            return state
        yield Pause(pause)
    raise AssertionError
