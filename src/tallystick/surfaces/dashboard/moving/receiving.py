"""Reads a form with a file as it arrives: the file is written to the disk and never held as a whole."""

from collections.abc import AsyncIterator, Awaitable, Callable

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from tallystick.surfaces.dashboard.support.forms import MOST_BYTES, MOST_FIELDS, Form
from tallystick.web.bodies import BodyCutShort

FILE_FIELD = "file"
WRITTEN_AT_ONCE = 1_048_576

Write = Callable[[bytes], Awaitable[None]]
Accept = Callable[[Form, str], Awaitable[Write]]
"""Called with the fields before the file and the file's name; returns what takes its parts."""


async def receive_form(http: Request, accept: Accept) -> Form:
    """Read a form. Fields behind the file are not read.

    Raises:
        HTTPException: the body is not a form with files (415), is damaged or has several files (400), or has too
            much beside the file (413).
        BodyRefused: the body is incomplete, or too slow.
    """
    fields: dict[str, list[str]] = {}
    segment, write, text, size = None, None, b"", 0
    part = bytearray()
    async for event in _events(http):
        if isinstance(event, MultipartSegment):
            segment, text = event, b""
            if _is_file(segment):
                write = await accept(Form(fields), segment.filename or "")
        elif event is None:
            assert segment is not None
            if not _is_file(segment) and write is None:
                fields.setdefault(segment.name or "", []).append(text.decode("utf-8", "replace"))
        elif segment is not None and _is_file(segment) and write is not None:
            part += event
            if len(part) >= WRITTEN_AT_ONCE:
                await write(bytes(part))
                part.clear()
        else:
            text, size = text + event, size + len(event)
            if size > MOST_BYTES:
                raise HTTPException(413)
    if write is not None and part:
        await write(bytes(part))
    return Form(fields)


def _is_file(segment: MultipartSegment) -> bool:
    return bool(segment.name == FILE_FIELD)


async def _events(http: Request) -> AsyncIterator[MultipartSegment | bytes | None]:
    kind, options = parse_options_header(http.headers.get("content-type", ""))
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise HTTPException(415)
    try:
        files, parser = 0, PushMultipartParser(options["boundary"], max_segment_count=MOST_FIELDS, strict=True)
        with parser:
            async for chunk in http.stream():
                if chunk:
                    for event in parser.parse(chunk):
                        files += isinstance(event, MultipartSegment) and _is_file(event)
                        if files > 1:  # or it would be read as the end of the first one
                            raise HTTPException(400)
                        yield event
    except MultipartError as error:
        raise HTTPException(400) from error
    except ClientDisconnect as error:
        raise BodyCutShort from error
