"""Recorded exchanges: requests as they are sent and answers as they arrive, byte by byte, in their order.

In a file of them each begins with a line of its title. Lines of a request begin with ``>``, those of its answer with
``<``. What differs from run to run stands in braces.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tallystick.web.pixel import PIXEL

OF_THE_HTTP_SERVER = ("server", "date", "connection")

Placeholders = Sequence[tuple[re.Pattern[str], str]]
"""What differs from run to run, and what stands for it."""


class Exchange(NamedTuple):
    """One request and its answer."""

    title: str
    request: str
    answer: str


def recorded(file: Path) -> Iterator[Exchange]:
    """The exchanges of a file."""
    for block in file.read_text("utf-8").strip().split("\n\n"):
        title, *lines = block.splitlines()
        sent, received = ("\n".join(line[2:] for line in lines if line.startswith(sign)) for sign in (">", "<"))
        yield Exchange(title.removeprefix("# "), sent, received)


def as_sent(request: str, token: str) -> bytes:
    """The request's bytes; its length is filled in."""
    head, blank, body = request.replace("{token}", token).partition("\n\n")
    lines = [*head.splitlines(), "Connection: close"]
    if blank:
        lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join([*lines, "", body]).encode()


def as_recorded(received: bytes, placeholders: Placeholders) -> str:
    """The answer without what the HTTP server adds."""
    head, _, body = received.partition(b"\r\n\r\n")
    lines = [line for line in head.decode().split("\r\n") if line.split(":")[0] not in OF_THE_HTTP_SERVER]
    text = "\n".join([*lines, "", "{gif}" if body == PIXEL else body.decode()]).rstrip("\n")
    for pattern, placeholder in placeholders:
        text = pattern.sub(placeholder, text)
    return text
