"""Requests that the server itself refuses: what is not HTTP, is too large, too slow, or one too many."""

from collections.abc import Callable

from msgspec import Struct

from tallystick.server.hot_lane import Answer


class Refusal(Struct, frozen=True):
    """Why the server refuses a request before any surface sees it.

    Attributes:
        status: HTTP status.
        message: for the client, without a full stop.
        reason: in the metrics.
        retry_after: seconds after which trying again may help, or None.
    """

    status: int
    message: str
    reason: str
    retry_after: int | None = None


RefusalAnswer = Callable[[str, Refusal], Answer]
"""The answer to a refused request, in the words of the surface that owns the path (empty where it is not known)."""
