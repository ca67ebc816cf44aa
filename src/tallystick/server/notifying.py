"""Tells the service manager how far the server is: sd_notify(3), for units with ``Type=notify``."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

VARIABLE = "NOTIFY_SOCKET"


def notify_service_manager(*, status: str, state: str = "", environment: Mapping[str, str] = os.environ) -> None:
    """Send a state to the service manager that has started this process; usually there is none.

    Args:
        status: a sentence for people, which ``systemctl status`` shows.
        state: ``READY`` or ``STOPPING``.
    """
    place = environment.get(VARIABLE, "")
    if not place.startswith(("/", "@")):
        return
    lines = [f"STATUS={status}", *([f"{state}=1"] if state else [])]
    # A manager that is gone or does not read must not hold up the server.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)  # noqa: FBT003  # its only form
        sender.sendto("\n".join(lines).encode(), place.replace("@", "\0", 1) if place[0] == "@" else place)
