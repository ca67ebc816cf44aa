"""What every answer of this surface carries: CORS, caching, the limit's numbers, compression."""

from pathlib import Path

from starlette.responses import FileResponse

from tallystick.surfaces.goatcounter.api.calling import Answer, Headers
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.compression import WORTH_COMPRESSING, compressed, takes_gzip
from tallystick.web.cors import ANY_HEADER
from tallystick.web.rate_limit import Admission

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
EXPOSED = (
    "X-Rate-Limit-Limit, X-Rate-Limit-Remaining, X-Rate-Limit-Reset, X-Goatcounter-Filter, Retry-After, "
    "Content-Disposition"
)

_COMMON: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-credentials", b"true"),  # the original's; browsers never honour it together with *
    (b"access-control-expose-headers", EXPOSED.encode()),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
PREFLIGHT: Headers = (
    *_COMMON,
    (b"access-control-allow-headers", ANY_HEADER + b", Content-Type, Idempotency-Key"),
    (b"access-control-allow-methods", ", ".join(METHODS).encode()),
    (b"access-control-max-age", b"86400"),
    (b"allow", ", ".join(METHODS).encode()),
)


def limit_headers(admission: Admission) -> Headers:
    """Whole numbers, as clients read them."""
    return (
        (b"x-rate-limit-limit", b"%d" % admission.limit),
        (b"x-rate-limit-remaining", b"%d" % admission.left),
        (b"x-rate-limit-reset", b"%d" % admission.wait),
    )


async def send_answer(answer: Answer, admission: Admission | None, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer, dressed.

    Args:
        admission: of the limit that the request fell under.
    """
    headers = [*_COMMON, *(limit_headers(admission) if admission else ()), *answer.headers]
    if answer.file is not None:
        await _send_file(answer, headers, scope, receive, send)
        return
    body = answer.body
    if answer.content_type:
        headers.append((b"content-type", answer.content_type))
    if len(body) >= WORTH_COMPRESSING:
        headers.append((b"vary", b"accept-encoding"))
        if takes_gzip(scope):
            body = await compressed(body)
            headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def _send_file(
    answer: Answer, headers: list[tuple[bytes, bytes]], scope: Scope, receive: Receive, send: Send
) -> None:
    """A file goes out as it lies on the disk: an export is compressed already."""
    assert answer.file is not None
    path, name = answer.file
    response = FileResponse(Path(path), answer.status, media_type=answer.content_type.decode(), filename=name)
    response.raw_headers.extend(headers)
    await response(scope, receive, send)
