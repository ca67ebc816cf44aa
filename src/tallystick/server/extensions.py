"""Keys of ASGI messages that this server understands beyond the specification; other servers ignore them."""

SENT_WITHIN = "tallystick.sent_within"
"""Of ``http.response.start`` and ``websocket.accept``: how many seconds a client that does not read may hold up a later
message. After that ``send`` raises TimeoutError. A response with it counts as an event stream."""

STILL_READS = "tallystick.still_reads"
"""Of ``http.disconnect``: the client has finished sending, but may still read. The next message that ``receive``
returns then says that the connection is lost, or that the response is complete."""

NO_PONG = "tallystick.no_pong"
"""Of ``websocket.accept``: code and reason of the close frame after a missing pong."""


class ConnectionLost(ConnectionError):
    """Raised by ``send`` of HTTP where the connection is lost, which is no error of the application."""
