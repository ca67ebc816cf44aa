"""Clients that follow a shared counter through whatever happens to servers, by events and by a socket."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from torture.endpoints import Names

SILENT_AT_MOST_S = 17.0
"""Of a stream of events, which has a comment every 15 seconds; of a socket, which is tried with a ping."""
TRIED_AGAIN_AFTER_S = 0.3


class Follower:
    """One client on a thread of its own. It goes on at another server where it was.

    Args:
        url: a server to connect to.
        by_socket: a WebSocket, in place of server-sent events.

    Attributes:
        changes: number of changes of the counter that came in.
        wrong: what was wrong with them.
    """

    def __init__(self, url: Callable[[], str], names: Names, *, by_socket: bool) -> None:
        self._url, self._names, self._by_socket = url, names, by_socket
        self._epoch, self._offset, self._value = "", -1, 0
        self.changes = 0
        self.wrong: list[str] = []
        self._headers = {"authorization": f"Bearer {names.token}"}
        self._stopping, self._connected = Event(), Event()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self, within_s: float) -> None:
        """Begin, and return when it follows."""
        self._thread.start()
        assert self._connected.wait(within_s), "no server lets a client follow"

    def stop(self) -> None:
        """End; the thread may wait for a server that is gone."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with suppress(OSError, HTTPException, WebSocketException, TimeoutError):
                for kind, told in self._by_websocket() if self._by_socket else self._by_events():
                    self._note(kind, told)
                    if self._stopping.is_set():
                        return
            self._stopping.wait(TRIED_AGAIN_AFTER_S)

    def _note(self, kind: str, told: dict[str, Any]) -> None:
        if kind == "connected":
            if self._epoch and not told["recovered"]:
                self.wrong.append(f"at {self._offset} it could not go on: {told}")
            self._epoch, self._offset = told["epoch"], max(self._offset, told["offset"])
            self._connected.set()
        elif told["counterId"] == self._names.counter:
            if told["offset"] <= self._offset or told["value"] != self._value + 1:
                self.wrong.append(f"after {self._value} at {self._offset} came {told}")
            self._offset, self._value = told["offset"], told["value"]
            self.changes += 1

    def _by_events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        parts = urlsplit(self._url())
        last = {"last-event-id": f"{self._epoch}:{self._offset}"} if self._epoch else {}
        with closing(HTTPConnection(str(parts.hostname), parts.port, timeout=SILENT_AT_MOST_S)) as connection:
            connection.request("GET", "/v2/events", headers=self._headers | last)
            response = connection.getresponse()
            kind = ""
            while response.status == 200 and (line := response.readline().decode()):
                name, _, text = line.rstrip().partition(": ")
                if name == "event":
                    kind = text
                elif name == "data":
                    yield kind, json.loads(text)

    def _by_websocket(self) -> Iterator[tuple[str, dict[str, Any]]]:
        url = self._url().replace("http", "ws", 1)
        place = f"epoch={self._epoch or 'none'}&offset={max(self._offset, 0)}"
        with connect(
            f"{url}/v2/ws?{place}",
            additional_headers=self._headers,
            open_timeout=SILENT_AT_MOST_S,
            ping_timeout=SILENT_AT_MOST_S,
            close_timeout=1,
        ) as socket:
            for message in socket:
                told = json.loads(message)
                yield told["method"], told["params"]

    def until(self, changes: int, within_s: float) -> None:
        """Return when it has had so many changes, each once and in their order."""
        deadline = time.monotonic() + within_s
        while self.changes < changes and not self.wrong:
            kind = "socket" if self._by_socket else "events"
            assert time.monotonic() < deadline, f"a client by {kind} has {self.changes} of {changes} changes"
            time.sleep(0.05)
        assert not self.wrong, self.wrong[:3]
        assert self.changes == changes
