"""Headers of every response of this surface: CORS, caching, the rate limit's state; and errors as problem+json."""

import re
from collections.abc import Awaitable

import msgspec

from tallystick.server.hot_lane import header_lines
from tallystick.surfaces.counttogether import wire
from tallystick.web.answers import ApiResponse, send_response
from tallystick.web.asgi import Scope, Send
from tallystick.web.cors import preflight_headers
from tallystick.web.rate_limit import Admission
from tallystick.web.refusals import Headers

EXPOSED = (
    b"ETag, Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
    b"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
)
PROBLEM = b"application/problem+json"

_weight = re.compile(rb"q=(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)").fullmatch

_COMMON: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", EXPOSED),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
UNCACHED: Headers = (*_COMMON, (b"cache-control", b"no-store"))
UNCACHED_LINES = header_lines(UNCACHED)
_REVALIDATED: Headers = (*_COMMON, (b"cache-control", b"private, no-cache"), (b"vary", b"authorization"))
"""A response with an ETag may be cached by the client, which revalidates it each time."""

PREFLIGHT: Headers = (
    *preflight_headers(UNCACHED, b"Accept, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID"),
    (b"content-length", b"0"),
)


def limit_headers(admission: Admission, policy: bytes) -> Headers:
    """The state of the person's rate limit, as in the IETF draft and as older clients read it."""
    left, reset = b"%d" % admission.left, b"%d" % admission.wait
    return (
        (b"ratelimit-policy", policy),
        (b"ratelimit", b'"user";r=%b;t=%b' % (left, reset)),
        (b"x-ratelimit-limit", b"%d" % admission.limit),
        (b"x-ratelimit-remaining", left),
        (b"x-ratelimit-reset", reset),
    )


def send_dressed(response: ApiResponse, limit: Headers, accept: bytes, scope: Scope, send: Send) -> Awaitable[None]:
    """Send a response with the headers of this surface; an error as problem+json where the client prefers that.

    No coroutine of its own: hot path.

    Args:
        limit: headers that report the rate limit.
        accept: the request's header.
    """
    if response.status >= 400 and response.body and _prefers_problem(accept):  # noqa: PLR2004  # errors only
        response = _as_problem(response, scope["path"])
    headers = [*(_REVALIDATED if _has_etag(response) else UNCACHED), *limit]
    return send_response(response, headers, scope, send)


def _has_etag(response: ApiResponse) -> bool:
    return any(name == b"etag" for name, _ in response.headers)


def _prefers_problem(accept: bytes) -> bool:
    """Whether an Accept prefers problem+json to JSON."""
    if PROBLEM not in accept:
        return False
    weights = dict(_weighed(part) for part in accept.split(b","))
    return weights[PROBLEM] > weights.get(b"application/json", 0.0) if PROBLEM in weights else False


def _weighed(part: bytes) -> tuple[bytes, float]:
    media_type, *parameters = (word.strip().lower() for word in part.split(b";"))
    weights = [parameter for parameter in parameters if _weight(parameter)]
    return media_type, float(weights[0][2:]) if weights else 1.0


def _as_problem(response: ApiResponse, path: str) -> ApiResponse:
    """An error in the form of RFC 9457."""
    error = msgspec.json.decode(response.body)
    problem = {
        "type": "about:blank",
        "title": error["name"],
        "status": response.status,
        "detail": error["message"],
        "instance": path,
        "code": error["code"],
        "name": error["name"],
        "traceId": error["traceId"],
    }
    return ApiResponse(response.status, wire.json(problem), response.headers, PROBLEM, response.reason)
