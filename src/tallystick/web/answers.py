"""Responses of an API, and sending them: common headers, compression, HEAD, files, streams."""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import ClassVar

from msgspec import Struct
from starlette.responses import FileResponse

from tallystick.server.hot_lane import Answer, header_lines, with_length
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.compression import WORTH_COMPRESSING, compressed, takes_gzip
from tallystick.web.event_stream import stream_head
from tallystick.web.refusals import Headers

JSON = b"application/json; charset=utf-8"
PNG = b"image/png"
"""Compressed already."""
_WITHOUT_LENGTH = frozenset({204, 304})


def _type_line(content_type: bytes) -> bytes:
    return header_lines([(b"content-type", content_type)])


_TYPE_LINES = {JSON: _type_line(JSON)}


class ApiResponse(Struct, frozen=True):
    """A whole response without the headers that all responses of a surface share.

    Attributes:
        content_type: JSON is named only with a body, because an empty one is not JSON; another type always, because an
            empty file is one.
        reason: what the metrics count a refusal as, where the status alone does not tell.
    """

    status: int
    body: bytes = b""
    headers: Headers = ()
    content_type: bytes = JSON
    reason: str | None = None


class FileDownload(Struct, frozen=True):
    """A file, sent as it lies on the disk.

    Attributes:
        name: what the client saves it as.
    """

    status: ClassVar[int] = 200
    reason: ClassVar[None] = None

    path: str
    name: str
    content_type: bytes


class Stream(Struct, frozen=True):
    """A response without an end of its own.

    Attributes:
        run: sends ``http.response.body`` messages; the last one has no ``more_body``.
        close: called at the end, also when ``run`` was not.
    """

    status: ClassVar[int] = 200
    reason: ClassVar[None] = None

    content_type: bytes
    run: Callable[[Receive, Send], Awaitable[None]]
    headers: Headers
    close: Callable[[], None]


AnyResponse = ApiResponse | FileDownload | Stream


async def send_response(response: ApiResponse, headers: list[tuple[bytes, bytes]], scope: Scope, send: Send) -> None:
    """Send a whole response; of a HEAD request only its headers.

    Args:
        headers: those that come before the response's own, which are added to this list.
    """
    body = response.body
    headers.extend(response.headers)
    if _has_type(response):
        headers.append((b"content-type", response.content_type))
    if len(body) >= WORTH_COMPRESSING and response.content_type != PNG:
        headers.append((b"vary", b"accept-encoding"))
        if takes_gzip(scope):
            body = await compressed(body)
            headers.append((b"content-encoding", b"gzip"))
    if response.status not in _WITHOUT_LENGTH:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def answer_of(response: ApiResponse, lines: bytes) -> Answer:
    """A whole response as the hot lane sends it: as ``send_response`` does, for a body too short for compression.

    Args:
        lines: the headers that come before the response's own.
    """
    assert len(response.body) < WORTH_COMPRESSING
    if response.headers:
        lines += header_lines(response.headers)
    if _has_type(response):
        lines += _TYPE_LINES.get(response.content_type) or _type_line(response.content_type)
    return response.status, with_length(lines, response.body), response.body


def _has_type(response: ApiResponse) -> bool:
    return bool(response.body) or response.content_type is not JSON


async def send_file(
    download: FileDownload, common: Iterable[tuple[bytes, bytes]], scope: Scope, receive: Receive, send: Send
) -> None:
    """Send a file; it is not compressed, because files that are offered are compressed already."""
    response = FileResponse(
        Path(download.path), download.status, media_type=download.content_type.decode(), filename=download.name
    )
    response.raw_headers.extend(common)
    await response(scope, receive, send)


async def send_stream(stream: Stream, common: Headers, receive: Receive, send: Send) -> None:
    """Send the head of a stream, then run it."""
    headers = [*common, *stream.headers, (b"content-type", stream.content_type)]
    try:
        await send(stream_head(headers))
        await stream.run(receive, send)
    finally:
        stream.close()


async def send_preflight(headers: Headers, send: Send) -> None:
    """Answer a CORS preflight with 200."""
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
