"""What clients try again, what they do not, and what they raise: against a server that answers from a script."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from email.utils import format_datetime
from typing import Any, NamedTuple

import httpx
import pytest

from support.clients import Script, Step
from tallystick.client import (
    AsyncCountApi,
    AsyncCountTogether,
    AsyncGoatCounter,
    CountApi,
    CountTogether,
    GoatCounter,
    errors,
)
from tallystick.client.goatcounter_answers import Hit

Ask = Callable[[Any], object]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited; nobody waits."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("time.sleep", waited.append)
    monkeypatch.setattr("asyncio.sleep", sleep)
    return waited


Open = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(params=["blocking", "awaited"])
def countapi(request: pytest.FixtureRequest) -> Open:
    return opener(request.param, CountApi, AsyncCountApi)


@pytest.fixture(params=["blocking", "awaited"])
def counttogether(request: pytest.FixtureRequest) -> Open:
    return opener(request.param, CountTogether, AsyncCountTogether)


def opener(kind: str, blocking: type[Any], awaited: type[Any]) -> Open:
    @contextmanager
    def opened(script: Script, **options: Any) -> Iterator[Any]:
        with script.client(blocking, awaited if kind == "awaited" else None, **options) as client:
            yield client

    return opened


def value(number: int = 1) -> httpx.Response:
    return httpx.Response(200, json={"value": number})


def refused(status: int, body: object = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): text for name, text in headers.items()})


GET: Ask = lambda api: api.get("visits")  # noqa: E731  # rows
HIT: Ask = lambda api: api.hit("visits")  # noqa: E731
UPDATE: Ask = lambda api: api.update(1, "visits")  # noqa: E731
SET: Ask = lambda api: api.set(1, "visits")  # noqa: E731
NOT_CONNECTED = (httpx.ConnectError("no"), httpx.ConnectTimeout("no"), httpx.PoolTimeout("no"))
LOST = (
    httpx.ReadError("cut"),
    httpx.ReadTimeout("late"),
    httpx.WriteError("cut"),
    httpx.RemoteProtocolError("no answer"),
)

TRIED_AGAIN: list[tuple[Ask, Step]] = [
    *((ask, error) for error in NOT_CONNECTED for ask in (GET, HIT, UPDATE)),
    *((ask, error) for error in LOST for ask in (GET, HIT, UPDATE)),
    *((ask, refused(status)) for status in (429, 502, 503, 504) for ask in (GET, HIT, UPDATE)),
    (HIT, refused(409, {"error": "being carried out"}, retry_after="1")),
]


@pytest.mark.parametrize(("ask", "problem"), TRIED_AGAIN)
def test_what_does_no_harm_is_tried_again(countapi: Open, pauses: list[float], ask: Ask, problem: Step) -> None:
    script = Script(problem, value(7))
    with countapi(script) as api:
        assert ask(api) == 7
    assert len(script.requests) == 2
    assert len(pauses) == 1


NOT_TRIED_AGAIN: list[tuple[Ask, Step, type[Exception]]] = [
    (GET, refused(500), errors.ServerFailed),
    (GET, refused(400, {"error": "Malformed Namespace/Key"}), errors.BadRequest),
    (GET, httpx.Response(200, text="<html>"), errors.UnexpectedAnswer),
    (GET, httpx.Response(301, headers={"Location": "/"}), errors.UnexpectedAnswer),
    (HIT, refused(403, {"value": 1}), errors.Forbidden),
    (HIT, refused(422, {"error": "another request"}), errors.KeyReused),
    (HIT, refused(409, {"error": "something else"}), errors.Conflict),
    *((SET, error, errors.ConnectionLost) for error in LOST),
    (SET, refused(503), errors.ServerFailed),
    (HIT, refused(429, retry_after="3600"), errors.RateLimited),
]


@pytest.mark.parametrize(("ask", "problem", "error"), NOT_TRIED_AGAIN)
def test_what_could_do_harm_or_is_of_no_use_is_not_tried_again(
    countapi: Open, pauses: list[float], ask: Ask, problem: Step, error: type[Exception]
) -> None:
    script = Script(problem)
    with countapi(script) as api, pytest.raises(error):
        ask(api)
    assert pauses == []


@pytest.mark.parametrize("error", NOT_CONNECTED)
def test_whatever_never_arrived_is_sent_again(countapi: Open, pauses: list[float], error: Exception) -> None:
    script = Script(error, httpx.Response(200, json={"old_value": 0, "value": 1}))
    with countapi(script, idempotent=False) as api:
        assert SET(api).value == 1  # type: ignore[attr-defined]
    assert len(pauses) == 1


def test_every_try_of_a_call_has_its_one_key_and_every_call_its_own(countapi: Open, pauses: list[float]) -> None:
    script = Script(httpx.ReadTimeout("late"), refused(503), value(), value(2))
    with countapi(script) as api:
        HIT(api)
        HIT(api)
    first, second, third, other = script.keys
    assert first is not None
    assert first == second == third != other
    assert len(pauses) == 2


def test_a_server_that_keeps_no_keys_is_not_sent_what_may_have_arrived(countapi: Open, pauses: list[float]) -> None:
    script = Script(httpx.ReadTimeout("late"), refused(503), refused(429), value())
    with countapi(script, idempotent=False) as api:
        for error in (errors.ConnectionLost, errors.ServerFailed):
            with pytest.raises(error):
                HIT(api)
        assert HIT(api) == 1
    assert script.keys == [None] * 4
    assert len(pauses) == 1


def test_a_key_of_ones_own_is_sent_in_any_case(countapi: Open) -> None:
    script = Script(value(), value())
    with countapi(script, idempotent=False, retries=0) as api:
        api.hit("visits", idempotency_key="press-17")
        api.hit("visits")
    assert script.keys == ["press-17", None]


def test_tries_end(countapi: Open, pauses: list[float]) -> None:
    script = Script(*[refused(503, {"error": "not acknowledged"}) for _ in range(9)])
    with countapi(script, retries=8) as api, pytest.raises(errors.ServerFailed, match="not acknowledged"):
        GET(api)
    assert len(script.requests) == 9
    usual = (0.25, 0.5, 1, 2, 4, 8, 16, 30)
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, usual, strict=True))


def test_the_server_says_how_long_to_wait(countapi: Open, pauses: list[float]) -> None:
    script = Script(refused(429, retry_after="7"), refused(503, retry_after="2"), value())
    with countapi(script) as api:
        HIT(api)
    assert pauses == [7, 2]


NOW = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)


def at(seconds: int, form: str = "%a, %d %b %Y %H:%M:%S GMT") -> str:
    """An HTTP date so many seconds after NOW, in one of its three forms."""
    return (NOW + dt.timedelta(seconds=seconds)).strftime(form)


# With these the client's own pauses apply.
NO_HINTS = ("0", "00", "0000", at(0), at(-5), at(-86_400), "soon", "-1", "1.5", "Sun, 99 Nov 2026 08:00:00 GMT", "")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("hint", NO_HINTS)
def test_a_call_pauses_however_short_the_servers_hint_is(
    countapi: Open, pauses: list[float], status: int, hint: str
) -> None:
    script = Script(*[refused(status, retry_after=hint, date=at(0)) for _ in range(4)], value())
    with countapi(script) as api:
        HIT(api)
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, (0.25, 0.5, 1, 2), strict=True))


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_the_server_says_until_when_to_wait_by_its_own_clock(countapi: Open, pauses: list[float], form: str) -> None:
    script = Script(refused(503, retry_after=at(9, form), date=at(0)), value())
    with countapi(script) as api:
        HIT(api)
    assert pauses == [9]


def test_a_date_without_the_servers_clock_is_compared_with_our_own(countapi: Open, pauses: list[float]) -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=50)
    script = Script(refused(429, retry_after=format_datetime(later, usegmt=True)), value())
    with countapi(script) as api:
        HIT(api)
    assert 30 < pauses[0] <= 50


@pytest.mark.parametrize("hint", ["61", at(61), at(10**8), "9" * 400])
def test_a_hint_of_more_than_a_minute_is_raised_at_once(countapi: Open, pauses: list[float], hint: str) -> None:
    script = Script(refused(503, retry_after=hint, date=at(0)))
    with countapi(script) as api, pytest.raises(errors.ServerFailed) as caught:
        HIT(api)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 60
    assert pauses == []


def test_a_request_in_flight_is_waited_for(counttogether: Open, pauses: list[float]) -> None:
    busy = {"message": "it is being carried out", "code": -1409, "name": "RequestInFlight", "traceId": "1"}
    script = Script(refused(409, busy), httpx.Response(200, json=3))
    with counttogether(script) as api:
        assert api.increment("a-counter") == 3
    assert len(set(script.keys)) == 1
    assert len(pauses) == 1


class Row(NamedTuple):
    answer: httpx.Response
    kind: type[errors.Refused]
    message: str
    code: int | None = None
    name: str | None = None
    trace_id: str | None = None
    retry_after: float | None = None


WRONG_TYPE = {"message": "no", "code": -2040, "name": "InvalidOperationForCounterType", "traceId": "ab"}
BY_FIELD = {"errors": {"path": ["must be set", "is odd"], "1": "late"}}
REFUSALS = [
    Row(refused(400, WRONG_TYPE), errors.BadRequest, "no", -2040, "InvalidOperationForCounterType", "ab"),
    Row(refused(401), errors.Unauthorized, "Unauthorized"),
    Row(refused(403, {"message": "not yours", "code": -1403}), errors.Forbidden, "not yours", -1403),
    Row(refused(404, {"message": "no", "code": "not a number"}), errors.NotFound, "Not Found"),
    Row(refused(409, {"message": "last", "name": "LastAdmin"}), errors.Conflict, "last", name="LastAdmin"),
    Row(refused(410, {"message": "over"}), errors.Gone, "over"),
    Row(refused(412, {"message": "changed"}), errors.ChangedMeanwhile, "changed"),
    Row(refused(415, BY_FIELD), errors.Refused, "path: must be set, is odd; 1: late"),
    Row(refused(422, {"message": "reused"}), errors.KeyReused, "reused"),
    Row(refused(429, {"message": "slowly"}, retry_after="61"), errors.RateLimited, "slowly", retry_after=61),
    Row(refused(500, {"error": "unexpected"}), errors.ServerFailed, "unexpected"),
    Row(httpx.Response(500, text="<html>"), errors.ServerFailed, "Internal Server Error"),
]


@pytest.mark.parametrize("row", REFUSALS)
def test_a_refusal_says_what_the_server_said(row: Row) -> None:
    script = Script(row.answer)
    with script.client(CountTogether, None) as api, pytest.raises(errors.Refused) as caught:
        api.delete("a-counter")
    said = caught.value
    assert type(said) is row.kind
    assert Row(row.answer, type(said), said.message, said.code, said.name, said.trace_id, said.retry_after) == row


def test_hits_go_in_batches_each_with_a_key_of_its_own(pauses: list[float]) -> None:
    script = Script(
        httpx.Response(202, json={"status": "ok"}, headers={"X-Goatcounter-Filter": "3, 4"}),
        httpx.ReadTimeout("late"),
        httpx.Response(400, json={"errors": {"7": "path: must be set."}}, headers={"X-Goatcounter-Filter": "0"}),
        httpx.Response(202, json={"status": "ok"}),
    )
    with script.client(GoatCounter, None, "a-token") as api:
        counted = api.count([Hit(path=f"/{number}") for number in range(1_001)], idempotency_key="monday")
    assert counted.errors == {507: "path: must be set."}
    assert counted.filtered == [3, 4, 500]
    assert script.keys == ["monday/0", "monday/1", "monday/1", "monday/2"]
    assert [request.content.count(b'"path"') for request in script.requests] == [500, 500, 500, 1]
    assert len(pauses) == 1


def test_hits_that_are_refused_altogether_are_an_error() -> None:
    script = Script(httpx.Response(400, json={"error": "no hits"}))
    with (
        script.client(GoatCounter, AsyncGoatCounter, "a-token") as api,
        pytest.raises(errors.BadRequest, match="no hits"),
    ):
        api.count([Hit(path="/")])


def test_statistics_of_the_original_are_paged_by_what_was_seen() -> None:
    rows = [{"count": 2, "path_id": 11, "path": "/a"}, {"count": 1, "path_id": 12, "path": "/b"}]
    script = Script(
        httpx.Response(200, json={"hits": rows[:1], "more": True}), httpx.Response(200, json={"hits": rows[1:]})
    )
    with script.client(GoatCounter, None, "a-token") as api:
        assert [hit.path for hit in api.hits()] == ["/a", "/b"]
    assert [request.url.params.get("exclude_paths") for request in script.requests] == [None, "11"]


def test_an_address_that_is_none_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="must begin with http"):
        CountApi("127.0.0.1:8080")


def test_a_token_is_sent_and_not_shown() -> None:
    script = Script(refused(401))
    with script.client(CountTogether, None, "s3cret") as api, pytest.raises(errors.Unauthorized) as caught:
        api.counters()
    assert script.requests[0].headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in f"{caught.value!r} {api!r}"
