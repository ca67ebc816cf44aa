"""Events of shared counters: from a script of streams that break off, both kinds of clients."""

from collections.abc import Callable
from itertools import islice, pairwise

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clients import Script, Step, streamed
from tallystick.client import AsyncCountTogether, CountApi, CountTogether
from tallystick.client.errors import NotFound, RateLimited, ServerFailed, Unauthorized, UnexpectedAnswer
from tallystick.client.events import Connected, CounterDeleted, CounterUpdated, Event, MembersChanged
from tallystick.client.server_sent import Decoder, Message

Listen = Callable[[Script, int], list[Event]]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited; nobody waits."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("time.sleep", waited.append)
    monkeypatch.setattr("asyncio.sleep", sleep)
    return waited


@pytest.fixture(params=["blocking", "awaited"])
def listen(request: pytest.FixtureRequest, pauses: list[float]) -> Listen:  # noqa: ARG001  # nobody waits
    """The first so many events of a server."""

    def first(script: Script, number: int) -> list[Event]:
        with script.client(CountTogether, AsyncCountTogether if request.param == "awaited" else None, "t") as api:
            return list(islice(api.events(timezone="Europe/Berlin"), number))

    return first


def told(event: str, number: int, /, **data: object) -> bytes:
    """An event as the server writes it."""
    return b"event: %b\nid: one:%d\ndata: %b\n\n" % (event.encode(), number, msgspec.json.encode(data))


def updated(number: int, value: int, /, **more: object) -> bytes:
    params: dict[str, object] = {
        "counterId": "c",
        "displayName": "Visitors",
        "data": {"value": value, "mode": "OnlyUp"},
        "version": number,
        "offset": number,
        "epoch": "one",
    }
    return told("counterUpdated", number, **(params | more))


def values(events: list[Event]) -> list[int | None]:
    return [event.data.value for event in events if isinstance(event, CounterUpdated) and event.data]


def connected(number: int, *, recovered: bool, epoch: str = "one") -> bytes:
    return told("connected", number, epoch=epoch, offset=number, recovered=recovered)


FIRST = connected(6, recovered=False)


def test_every_kind_of_event(listen: Listen) -> None:
    more = {"delta": 2, "actor": "u", "at": "2026-01-02T03:04:05Z", "unknown": 1}
    farewell = told("counterDeleted", 9, counterId="c", offset=9, epoch="one", actor=None, version=None)
    people = told("counterMemberlistChanged", 8, counterId="c", offset=8, epoch="one")
    script = Script(streamed(FIRST, updated(7, 3, **more), b": still here\n\n", told("newKind", 8), people, farewell))
    opened, first, changed, gone = listen(script, 4)
    assert opened == Connected(recovered=False)
    assert isinstance(first, CounterUpdated)
    assert (first.counter, first.name, first.delta, first.actor, first.version) == ("c", "Visitors", 2, "u", 7)
    assert first.at is not None
    assert first.at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert isinstance(changed, MembersChanged)
    assert isinstance(gone, CounterDeleted)
    assert gone.offset == 9
    request = script.requests[0]
    assert (request.url.path, dict(request.url.params)) == ("/v1/events", {"timezone": "Europe/Berlin"})
    assert request.headers["Accept"] == "text/event-stream"


def test_a_stream_that_ends_goes_on_where_it_was(listen: Listen, pauses: list[float]) -> None:
    script = Script(
        streamed(FIRST),
        streamed(connected(6, recovered=True), updated(7, 1)),
        streamed(connected(7, recovered=True), updated(8, 2), broken=httpx.ReadTimeout("nothing came")),
        streamed(connected(8, recovered=True), updated(9, 3)),
    )
    events = listen(script, 7)
    assert [event.recovered for event in events if isinstance(event, Connected)] == [False, True, True, True]
    assert values(events) == [1, 2, 3]
    assert [request.headers.get("Last-Event-ID") for request in script.requests] == [
        None,
        "one:6",
        "one:7",
        "one:8",
    ]
    assert len(pauses) == 3


def test_what_could_not_be_recovered_is_told(listen: Listen) -> None:
    # In another numbering a smaller offset is no older.
    lost = connected(1, recovered=False, epoch="two")
    script = Script(streamed(FIRST, updated(7, 9)), streamed(lost, updated(2, 1, epoch="two")))
    events = listen(script, 4)
    assert events[2] == Connected(recovered=False)
    assert values(events) == [9, 1]


def test_what_is_doubled_or_old_is_left_out_but_a_new_day_is_not(listen: Listen) -> None:
    day = updated(8, 0, data={"pastDays": 45})
    next_day = updated(8, 0, data={"pastDays": 46})
    script = Script(streamed(updated(7, 1), updated(7, 1), updated(6, 0), day, next_day, next_day, updated(9, 5)))
    data = [event.data for event in listen(script, 4) if isinstance(event, CounterUpdated)]
    assert [(one.value, one.past_days) for one in data if one] == [(1, None), (None, 45), (None, 46), (5, None)]


def test_pauses_grow_until_it_is_open_again(listen: Listen, pauses: list[float]) -> None:
    down: list[Step] = [httpx.ConnectError("refused"), httpx.Response(503), *[httpx.ReadError("cut")] * 5]
    script = Script(*down, streamed(updated(7, 1)), httpx.ConnectError("refused"), streamed(updated(8, 2)))
    assert values(listen(script, 2)) == [1, 2]
    usual = (1, 2, 5, 10, 30, 30, 30, 1, 2)
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, usual, strict=True))


def test_the_server_says_how_long_to_wait(listen: Listen, pauses: list[float]) -> None:
    script = Script(httpx.Response(429, headers={"Retry-After": "17"}), streamed(FIRST))
    listen(script, 1)
    assert pauses == [17]


@pytest.mark.parametrize("status", [429, 503, 500])
@pytest.mark.parametrize("hint", ["0", "00", "Sun, 06 Nov 1994 08:49:37 GMT", "soon"])
def test_a_stream_pauses_longer_each_time_however_short_the_servers_hint_is(
    listen: Listen, pauses: list[float], status: int, hint: str
) -> None:
    busy = httpx.Response(status, headers={"Retry-After": hint})
    listen(Script(*[busy] * 6, streamed(FIRST)), 1)
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, (1, 2, 5, 10, 30, 30), strict=True))


def test_a_stream_heeds_a_date(listen: Listen, pauses: list[float]) -> None:
    dates = {"Date": "Sun, 01 Mar 2026 12:00:00 GMT", "Retry-After": "Sun, 01 Mar 2026 12:00:40 GMT"}
    listen(Script(httpx.Response(503, headers=dates), streamed(FIRST)), 1)
    assert pauses == [40]


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (httpx.Response(503, headers={"Retry-After": "61"}), ServerFailed),
        (httpx.Response(429, headers={"Retry-After": "9" * 400}), RateLimited),
        (httpx.Response(401), Unauthorized),
        (httpx.Response(404), NotFound),
        (httpx.Response(302, headers={"Location": "/"}), UnexpectedAnswer),
        (streamed(b"event: counterUpdated\ndata: no JSON\n\n"), UnexpectedAnswer),
    ],
)
def test_what_waiting_does_not_change_is_raised(listen: Listen, step: Step, error: type[Exception]) -> None:
    with pytest.raises(error):
        listen(Script(step), 1)


def state(value: int, version: int) -> bytes:
    return b'id: %d\ndata: {"value":%d,"version":%d}\n\n' % (version, value, version)


def test_a_watched_counter_is_told_once_and_until_it_is_gone(pauses: list[float]) -> None:
    script = Script(
        streamed(b"retry: 2000\n\n" + state(0, 1), state(5, 2), broken=httpx.ReadError("cut")),
        streamed(state(5, 2), state(5, 3), b"event: deleted\ndata: {}\n\n"),
        httpx.Response(404, json={"error": "there is no such counter"}),
    )
    with script.client(CountApi, None) as api:
        values = api.watch("visits", "example.com")
        assert list(islice(values, 3)) == [0, 5, 5]
        with pytest.raises(NotFound, match="no such counter"):
            next(values)
    assert [request.url.path for request in script.requests] == ["/live/example.com/visits"] * 3
    assert len(pauses) == 2


STREAM = (
    "\ufeffretry: 2000\r\n: hello\r\rid: a:1\nevent: one\ndata: first\ndata:second\n\n"
    "data: \u2028 is no end of a line\r\n\r\nevent: nothing\n\nid\ndata\n\ndata: not complete"
).encode()
MESSAGES = [
    Message("one", "first\nsecond", "a:1"),
    Message("message", "\u2028 is no end of a line", "a:1"),
    Message("message", "", ""),
]


@given(st.lists(st.integers(0, len(STREAM))))
def test_a_stream_is_read_however_it_is_cut(cuts: list[int]) -> None:
    decoder = Decoder()
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(places)]
    assert [message for piece in pieces for message in decoder.feed(piece)] == MESSAGES
