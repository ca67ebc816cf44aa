"""The endpoints that every fault asks, and how a refusal looks in the dialect of each."""

from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from itertools import count
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from support.analytics import FIREFOX, HOST
from support.asking import Answer

Kind = Literal["write", "read", "hit", "statistic", "live", "ready"]
"""What an endpoint needs: ``write`` and ``read`` the ledger, ``hit`` and ``statistic`` the warehouse as well."""

_pages = count()


class Request(NamedTuple):
    """What is sent."""

    method: str
    target: str
    body: object = None
    headers: Mapping[str, str] = {}


class Names(NamedTuple):
    """What a server holds for these requests."""

    token: str
    key: str
    counter: str


class Endpoint(NamedTuple):
    """One endpoint.

    Attributes:
        counts: in which book a success is one more; None where nothing is counted.
        says_so: whether an answer is a refusal in the endpoint's dialect; status and wait are looked at elsewhere.
    """

    name: str
    kind: Kind
    request: Callable[[Names], Request]
    says_so: Callable[[Answer], bool]
    counts: str | None = None


def send(url: str, request: Request, within_s: float) -> Answer | None:
    """The answer to one request on a connection of its own; None when there is none in time."""
    parts = urlsplit(url)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=within_s)
    body = None if request.body is None else msgspec.json.encode(request.body)
    try:
        connection.request(request.method, request.target, body, dict(request.headers))
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, received, response.read())
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def _json_with(*fields: str) -> Callable[[Answer], bool]:
    def says_so(answer: Answer) -> bool:
        body: dict[str, Any] = answer.json()
        return answer.headers["content-type"].startswith("application/json") and list(body) == list(fields)

    return says_so


def _image(answer: Answer) -> bool:
    return answer.body.startswith(b"GIF89a") and bool(answer.headers["x-goatcounter"])


_error, _counttogether = _json_with("error"), _json_with("message", "code", "name", "traceId")


def new_page() -> str:
    """A page that no other request of this process names."""
    return f"/page-{next(_pages)}"


def _countapi(target: str) -> Callable[[Names], Request]:
    return lambda names: Request("GET", target.format(key=names.key))


def _api(method: str, target: str, body: Callable[[], object] = lambda: None) -> Callable[[Names], Request]:
    def request(names: Names) -> Request:
        headers = {"host": HOST, "authorization": f"Bearer {names.token}", "content-type": "application/json"}
        return Request(method, f"/api/v0{target}", body(), headers)

    return request


def _shared(method: str, target: str) -> Callable[[Names], Request]:
    return lambda names: Request(
        method, target.format(counter=names.counter), headers={"authorization": f"Bearer {names.token}"}
    )


def _browser(target: Callable[[], str]) -> Callable[[Names], Request]:
    return lambda _: Request("GET", target(), headers={"host": HOST, "user-agent": FIREFOX})


def _page(target: str, accept: str) -> Callable[[Names], Request]:
    """A page that asks who is logged in; who is not is sent to the login."""
    return lambda _: Request("GET", target, headers={"cookie": "tallystick-login=an-old-one", "accept": accept})


def _html(answer: Answer) -> bool:
    return answer.headers["content-type"].startswith("text/html") and b"</html>" in answer.body


def _event(_: Names) -> Request:
    """A pageview as Plausible's script tells it."""
    body = {"n": "pageview", "u": new_page(), "d": HOST}
    return Request("POST", "/api/event", body, {"user-agent": FIREFOX, "content-type": "text/plain"})


def _one_hit() -> object:
    return {"no_sessions": True, "hits": [{"path": new_page()}]}


ENDPOINTS = (
    Endpoint("hit", "write", _countapi("/hit/{key}"), _error, counts="public"),
    Endpoint("update", "write", _countapi("/update/{key}?amount=1"), _error, counts="public"),
    Endpoint("get", "read", _countapi("/get/{key}"), _error),
    Endpoint("info", "read", _countapi("/info/{key}"), _error),
    Endpoint("stats", "read", _countapi("/stats"), _error),
    Endpoint("pixel", "hit", _browser(lambda: f"/count?p={new_page()}"), _image, counts="hits"),
    Endpoint("event", "hit", _event, _error, counts="hits"),
    Endpoint("api count", "hit", _api("POST", "/count", _one_hit), _error, counts="hits"),
    Endpoint("total", "statistic", _api("GET", "/stats/total"), _error),
    Endpoint("pages", "statistic", _api("GET", "/stats/hits"), _error),
    Endpoint("visitor counter", "statistic", _browser(lambda: "/counter/TOTAL.json"), _error),
    Endpoint("me", "read", _api("GET", "/me"), _error),
    Endpoint("paths", "read", _api("GET", "/paths"), _error),
    Endpoint(
        "increment", "write", _shared("POST", "/v1/counters/{counter}/increment"), _counttogether, counts="shared"
    ),
    Endpoint("counters", "read", _shared("GET", "/v1/counters"), _counttogether),
    Endpoint("counter", "read", _shared("GET", "/v1/counters/{counter}"), _counttogether),
    Endpoint("page", "read", _page("/sites", "application/json"), _error),
    Endpoint("page for people", "read", _page("/sites", "text/html"), _html),
    Endpoint("live", "live", _countapi("/health/live"), _json_with("status")),
    Endpoint("metrics", "live", _countapi("/metrics"), _json_with()),
    Endpoint("ready", "ready", _countapi("/health/ready"), _json_with("status", "reason")),
)

TOTAL_OF_ALL_TIMES = Endpoint(
    "total of all times",
    "statistic",
    _api("GET", "/stats/total?start=2000-01-01T00:00:00Z&end=2099-01-01T00:00:00Z"),
    _error,
)
"""Also what was counted while the clock was off."""
