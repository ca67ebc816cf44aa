"""Clients without sockets, for requests inside the server's process."""

import asyncio

from load import BadAnswers


class Responses:
    """Counts the responses of all connections, and wakes the one who waits for them."""

    def __init__(self) -> None:
        self._missing = 0
        self._all: asyncio.Future[None] | None = None

    def expect(self, number: int) -> "asyncio.Future[None]":
        """A future that is done after this number of responses."""
        self._missing, self._all = number, asyncio.get_running_loop().create_future()
        return self._all

    def note(self, data: bytes) -> None:
        """Look at what a connection writes."""
        if not data.startswith(b"HTTP/1.1"):
            return  # the rest of a response that is written in parts
        self._missing -= 1
        if self._all is None or self._all.done():
            return
        if data[9:12] != b"200":
            self._all.set_exception(BadAnswers(data.decode()))
        elif not self._missing:
            self._all.set_result(None)


class Client(asyncio.Transport):
    """Stands in the place of a socket."""

    def __init__(self, responses: Responses) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 80)})
        self.write = responses.note  # type: ignore[method-assign]

    def is_closing(self) -> bool:  # noqa: D102
        return False

    def _nothing(self, *_arguments: object) -> None: ...

    close = abort = pause_reading = resume_reading = set_write_buffer_limits = _nothing
