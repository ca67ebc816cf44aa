"""What every answer of this surface carries: CORS, caching, the limit's numbers, compression, problem+json."""

import re

import msgspec

from tallystick.surfaces.counttogether import wire
from tallystick.surfaces.counttogether.answers import Answer, Headers, Stream
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.compression import WORTH_COMPRESSING, compressed, takes_gzip
from tallystick.web.cors import ANY_HEADER
from tallystick.web.rate_limit import Admission

METHODS = b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
EXPOSED = (
    b"ETag, Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
    b"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
)
ASKED = ANY_HEADER + b", Accept, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID"
"""Old browsers read the wildcard as the name of a header."""

PROBLEM = b"application/problem+json"

_WITHOUT_LENGTH = frozenset({204, 304})
_weight = re.compile(rb"q=(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)").fullmatch

_COMMON: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", EXPOSED),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
_UNCACHED: Headers = ((b"cache-control", b"no-store"),)
_REVALIDATED: Headers = ((b"cache-control", b"private, no-cache"), (b"vary", b"authorization"))
"""An answer with an ETag may be kept by its reader, and is asked for again each time."""

PREFLIGHT: Headers = (
    *_COMMON,
    *_UNCACHED,
    (b"access-control-allow-headers", ASKED),
    (b"access-control-allow-methods", METHODS),
    (b"access-control-max-age", b"86400"),
    (b"allow", METHODS),
    (b"content-length", b"0"),
)


def limit_headers(admission: Admission, policy: bytes) -> Headers:
    """What is left to a person, by the standard's draft and as older clients read it."""
    left, reset = b"%d" % admission.left, b"%d" % admission.wait
    return (
        (b"ratelimit-policy", policy),
        (b"ratelimit", b'"user";r=%b;t=%b' % (left, reset)),
        (b"x-ratelimit-limit", b"%d" % admission.limit),
        (b"x-ratelimit-remaining", left),
        (b"x-ratelimit-reset", reset),
    )


async def send_answer(answer: Answer, limit: Headers, scope: Scope, accept: bytes, send: Send) -> None:
    """Send an answer, dressed.

    Args:
        limit: what there is to tell of the limit that the request fell under.
        accept: the request's header.
    """
    body, media_type = answer.body, answer.content_type
    if answer.status >= 400 and body and _prefers_problem(accept):  # noqa: PLR2004  # errors only
        body, media_type = _problem(answer, scope["path"]), PROBLEM
    headers = [*_COMMON, *(_REVALIDATED if _has_etag(answer) else _UNCACHED), *limit, *answer.headers]
    if body:
        headers.append((b"content-type", media_type))
    if len(body) >= WORTH_COMPRESSING:
        headers.append((b"vary", b"accept-encoding"))
        if takes_gzip(scope):
            body = await compressed(body)
            headers.append((b"content-encoding", b"gzip"))
    if answer.status not in _WITHOUT_LENGTH:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def send_stream(stream: Stream, limit: Headers, receive: Receive, send: Send) -> None:
    """Send the head of an answer that goes on, and let it go on."""
    headers = [*_COMMON, *_UNCACHED, *limit, *stream.headers, (b"content-type", stream.content_type)]
    try:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await stream.run(receive, send)
    finally:
        stream.close()


def _has_etag(answer: Answer) -> bool:
    return any(name == b"etag" for name, _ in answer.headers)


def _prefers_problem(accept: bytes) -> bool:
    """Whether an Accept names problem+json, and not JSON as at least as welcome."""
    if PROBLEM not in accept:
        return False
    weights = dict(_weighed(part) for part in accept.split(b","))
    return weights[PROBLEM] > weights.get(b"application/json", 0.0) if PROBLEM in weights else False


def _weighed(part: bytes) -> tuple[bytes, float]:
    media_type, *parameters = (word.strip().lower() for word in part.split(b";"))
    found = [parameter for parameter in parameters if _weight(parameter)]
    return media_type, float(found[0][2:]) if found else 1.0


def _problem(answer: Answer, path: str) -> bytes:
    """An error as RFC 9457 has it."""
    error = msgspec.json.decode(answer.body)
    return wire.json(
        {
            "type": "about:blank",
            "title": error["name"],
            "status": answer.status,
            "detail": error["message"],
            "instance": path,
            "code": error["code"],
            "name": error["name"],
            "traceId": error["traceId"],
        }
    )
