"""What one connection may cost, and what is counted of connections."""

import resource
from collections import Counter
from dataclasses import dataclass

MOST_PIPELINED = 64
"""Requests of one connection that wait for the one before them; what arrived behind them is not parsed yet."""

SLICE = 4_096
"""Bytes that are parsed at once, so that only few requests are parsed beyond ``MOST_PIPELINED``. Requests may follow a
body at any byte of a slice, so slices of bodies are no larger."""

WRITTEN_WITHIN_S = 60.0
"""How long a client may leave a response unread that does not fit into the buffers."""

LINGERS_S = 2.0
"""How long the rest of a refused request is read and thrown away, so that the client gets to see the response."""

UNREAD_BODY_WITHIN_S = 10.0
"""How long the rest of a body may take to arrive after its request was answered."""

BEYOND_LIMIT = 64
"""Connections beyond the limit that are answered with 503; more are closed without a word."""

CROWDED = 0.9
"""Share of the allowed connections from which on idle ones are closed early."""

CROWDED_IDLE_S = 5.0
"""How long connections may be idle then."""

OTHER_FILES = 512
"""Descriptors that are left for databases, exports and connections that are refused."""

LEAST_BY_DEFAULT, MOST_BY_DEFAULT = 64, 100_000
"""Bounds of the number of connections that is derived from the limit of open files."""


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """Limits of the operator.

    Attributes:
        connections: open at one time.
        head_bytes: of a request line with its headers.
        head_count: headers of a request.
        head_within_s: seconds in which a request line and its headers must arrive.
        idle_s: seconds after which a connection without a request is closed.
    """

    connections: int = 10_000
    head_bytes: int = 65_536
    head_count: int = 100
    head_within_s: float = 30.0
    idle_s: float = 75.0


def open_files_limit() -> int | None:
    """How many files this process may have open at one time; None where the system sets no limit."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # RLIM_INFINITY is -1, and may not be calculated with.
    return None if descriptors == resource.RLIM_INFINITY else descriptors


def room_for_connections() -> int:
    """How many connections the limit of open files leaves room for, beside databases and other files."""
    descriptors = open_files_limit()
    if descriptors is None:
        return MOST_BY_DEFAULT
    return max(LEAST_BY_DEFAULT, min(MOST_BY_DEFAULT, descriptors - OTHER_FILES))


class ConnectionCounts:
    """Counted on the event loop, read by the metrics page.

    Attributes:
        open: connections by kind: ``http``, ``websocket``, ``events``.
        hot: requests answered in the hot lane.
        left: requests of the lane's URLs that went the ordinary way, by reason.
        refused: requests and connections that the server refused, by reason.
    """

    def __init__(self) -> None:
        self.open: Counter[str] = Counter(http=0, websocket=0, events=0)
        self.hot = 0
        self.left: Counter[str] = Counter()
        self.refused: Counter[str] = Counter(dict.fromkeys(REFUSED, 0))


REFUSED = (
    "malformed request",
    "head too large",
    "head too slow",
    "too many connections",
    "version",
    "expectation",
    "method",
    "handshake",
    "stopping",
    "failed",
)
"""Why the server refuses."""
