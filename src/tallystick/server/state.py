"""What all connections of a server share."""

import asyncio
import time
from email.utils import formatdate

from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from tallystick.server.hot_lane import HotLanes
from tallystick.server.limits import ConnectionCounts, ConnectionLimits
from tallystick.server.refusals import RefusalAnswer


class SharedState(ServerState):
    """uvicorn's state, with what our connections need besides.

    Attributes:
        now: the event loop's time, a second old at most: for deadlines, which are not exact.
        idle_s: how long a connection may be idle at this moment.
        stopping: whether each response is the last one of its connection.
    """

    def __init__(
        self,
        lanes: HotLanes,
        refusal_answer: RefusalAnswer,
        limits: ConnectionLimits,
        counts: ConnectionCounts,
    ) -> None:
        super().__init__()
        self.lanes, self.refusal_answer, self.limits, self.counts = lanes, refusal_answer, limits, counts
        self.now, self.idle_s = asyncio.get_running_loop().time(), limits.idle_s
        self.stopping = False
        self._beginnings: dict[int, bytes] = {}
        self.tick()

    def tick(self) -> None:
        """Read the clocks; called once a second."""
        self.now = asyncio.get_running_loop().time()
        date = formatdate(time.time(), usegmt=True).encode()
        self.default_headers = [(b"date", date)]  # of uvicorn's own responses to handshakes
        self._date = b"date: %b\r\n" % date
        self._beginnings.clear()

    def beginning(self, status: int) -> bytes:
        """Status line and Date of a response."""
        beginning = self._beginnings.get(status)
        if beginning is None:
            beginning = self._beginnings[status] = STATUS_LINE[status] + self._date
        return beginning
