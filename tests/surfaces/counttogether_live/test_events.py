"""Server-sent events: a person's counters, and public ones."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest

from support.live_server import LiveServer, Person
from support.server import tallystick

NAMES = iter(f"counter{number}" for number in range(1_000))


class Events:
    """The events of a stream, one after the other."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._text = response.iter_text()
        self._rest = ""

    def next(self) -> dict[str, str]:
        """The fields of the next event; comments and ``retry`` are passed over."""
        while True:
            while "\n\n" not in self._rest:
                self._rest += next(self._text)
            block, _, self._rest = self._rest.partition("\n\n")
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "data" in fields:
                return fields

    def next_data(self) -> dict[str, Any]:
        """The data of the next event."""
        told: dict[str, Any] = msgspec.json.decode(self.next()["data"])
        return told


@contextmanager
def stream(server: LiveServer, path: str, **headers: str) -> Iterator[Events]:
    """A stream of events, that may wait for ten seconds."""
    with server.http.stream("GET", server.url + path, headers=headers, timeout=10) as response:
        assert response.status_code == 200, response.read()
        yield Events(response)


def shared(server: LiveServer) -> tuple[Person, str]:
    ada = server.person()
    return ada, ada.new_counter()


def test_events_are_what_sockets_are_told(server: LiveServer) -> None:
    ada, counter = shared(server)
    with stream(server, "/v1/events", **ada.headers) as events:
        headers = events.response.headers
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
        connected = events.next()
        assert connected["event"] == "connected"
        ada.increment(counter)
        told = events.next()
    params = msgspec.json.decode(told["data"])
    assert told["event"] == "counterUpdated"
    assert told["id"] == f"{params['epoch']}:{params['offset']}"
    assert connected["id"] == f"{params['epoch']}:{params['offset'] - 1}"
    assert params["data"] == {"value": 1, "mode": "UpAndDown"}


def test_the_words_of_v2(server: LiveServer) -> None:
    ada, counter = shared(server)
    with stream(server, "/v2/events", **ada.headers) as events:
        events.next()
        ada.increment(counter)
        assert events.next_data()["value"] == 1


def test_the_last_event_is_where_a_stream_goes_on(server: LiveServer) -> None:
    ada, counter = shared(server)
    with stream(server, "/v2/events", **ada.headers) as events:
        place = events.next()["id"]
    ada.increment(counter)
    ada.increment(counter)
    with stream(server, "/v2/events", **ada.headers, **{"last-event-id": place}) as events:
        assert events.next_data()["recovered"]
        ada.increment(counter)
        assert [events.next_data()["value"] for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_parameter_stands_for_the_last_event_where_programs_cannot_set_the_header(
    server: LiveServer, version: str
) -> None:
    ada, counter = shared(server)
    with stream(server, f"/{version}/events", **ada.headers) as events:
        before = events.next()["id"]
        ada.increment(counter)
        after = events.next()["id"]
    ada.increment(counter)
    for place, missed in ((before, 2), (quote(before), 2), (after, 1)):
        with stream(server, f"/{version}/events?lastEventId={place}&timezone=UTC", **ada.headers) as events:
            assert events.next_data()["recovered"]
            numbers = [int(events.next()["id"].partition(":")[2]) for _ in range(missed)]
            assert numbers == sorted(numbers)
    # An EventSource that comes back sends both; the header is newer.
    with stream(server, f"/{version}/events?lastEventId={before}", **ada.headers, **{"last-event-id": after}) as events:
        connected = events.next()
        assert (connected["event"], connected["id"]) == ("connected", after)
    with stream(server, f"/{version}/events?lastEventId=nonsense", **ada.headers) as events:
        assert not events.next_data()["recovered"]


@pytest.mark.parametrize("last", ["7", "another:7", ":", "x" * 100 + ":1", "another:-1"])
def test_a_last_event_of_somebody_else_is_no_error(server: LiveServer, last: str) -> None:
    ada, _ = shared(server)
    with stream(server, "/v1/events", **ada.headers, **{"last-event-id": last}) as events:
        assert not events.next_data()["recovered"]


def test_of_events_the_headers_alone(server: LiveServer) -> None:
    ada, _ = shared(server)
    answer = server.http.head(f"{server.url}/v1/events", headers=ada.headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert server.http.get(f"{server.url}/v1/events").status_code == 401


def test_a_revoked_token_ends_its_stream(server: LiveServer) -> None:
    ada, _ = shared(server)
    number = ada.ask("GET", "/v1/tokens").json()[0]["id"]
    with stream(server, "/v1/events", **ada.headers) as events:
        events.next()
        assert ada.ask("DELETE", f"/v1/tokens/{number}").status_code == 204
        with pytest.raises(StopIteration):
            events.next()


def count(server: LiveServer, key: str) -> None:
    assert server.server.get(f"/hit/example.com/{key}").status_code == 200


def test_a_public_counter_as_it_changes(server: LiveServer) -> None:
    key = next(NAMES)
    count(server, key)
    with stream(server, f"/live/example.com/{key}") as events:
        headers = events.response.headers
        assert headers["access-control-allow-origin"] == "*"
        assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
        first = events.next()
        assert (first["id"], first["data"]) == ("1", '{"value":1,"version":1}')
        count(server, key)
        assert events.next()["data"] == '{"value":2,"version":2}'


def test_a_counter_that_goes_ends_its_stream(server: LiveServer) -> None:
    key = next(NAMES)
    count(server, key)
    with stream(server, f"/live/example.com/{key}") as events:
        events.next()
        delete(server, key)
        assert events.next()["event"] == "deleted"
        with pytest.raises(StopIteration):
            events.next()


def delete(server: LiveServer, key: str) -> None:
    """As an operator would."""
    answer = tallystick("counter", "delete", f"example.com/{key}", "--data", server.data, "--yes")
    assert answer.returncode == 0, answer.stderr + answer.stdout


REFUSED = [
    ("GET", "/live/example.com/none", 404),
    ("GET", "/live/example.com", 404),
    ("GET", "/live/example.com/none/more", 404),
    ("GET", "/live/x/none", 400),
    ("GET", "/live/:shared/none", 400),
    ("POST", "/live/example.com/none", 405),
    ("HEAD", "/live/example.com/none", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), REFUSED)
def test_what_cannot_be_followed(server: LiveServer, method: str, path: str, status: int) -> None:
    answer = server.http.request(method, server.url + path)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, "*")
    assert answer.content == b"" if method == "HEAD" else re.fullmatch(r'\{"error":".+"\}', answer.text)


def test_of_a_public_counter_the_headers_alone(server: LiveServer) -> None:
    key = next(NAMES)
    count(server, key)
    answer = server.http.head(f"{server.url}/live/example.com/{key}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
