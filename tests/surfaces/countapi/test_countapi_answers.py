"""What surrounds the body: headers of every answer, JSONP, the image; and what never counts."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import pytest

from support.asking import Answer, ask, exchange, new_name
from support.in_process import in_process
from support.server import RunningServer, running_server
from tallystick.errors import StoreBusy, StoreClosed, StoreFailed, StoreFull
from tallystick.model.counter import RefusalReason
from tallystick.surfaces.countapi.errors import REFUSALS

JSON = "application/json; charset=utf-8"
SCRIPT = "text/javascript; charset=utf-8"


def assert_open_and_fresh(answer: Answer) -> None:
    """Pages of every origin may read it, and nobody may keep it."""
    assert answer.headers["access-control-allow-origin"] == "*"
    assert {"X-Path", "Retry-After"} <= set(answer.headers["access-control-expose-headers"].split(", "))
    assert "no-store" in answer.headers["cache-control"]
    assert "location" not in answer.headers
    assert "set-cookie" not in answer.headers


EVERY_STATUS: list[tuple[str, str, int, str | None]] = [
    ("GET", "/hit/NS/visits", 200, "NS/visits"),
    ("POST", "/hit/NS/visits", 200, "NS/visits"),
    ("GET", "/info/NS/visits", 200, "NS/visits"),
    ("GET", "/create?namespace=NS&key=new", 200, "NS/new"),
    ("GET", "/stats", 200, None),
    ("GET", "/hit/ab", 400, None),
    ("GET", "/update/NS/visits?amount=x", 400, "NS/visits"),
    ("GET", "/set/NS/visits", 400, "NS/visits"),
    ("GET", "/set/:HOST:/visits", 400, ".../visits"),
    ("GET", "/update/NS/visits?amount=2", 403, "NS/visits"),
    ("GET", "/set/NS/visits?value=2", 403, "NS/visits"),
    ("GET", "/get/NS/missing", 404, "NS/missing"),
    ("GET", "/info/NS/missing", 404, "NS/missing"),
    ("GET", "/no/such/path", 404, None),
    ("PUT", "/hit/NS/visits", 405, None),
    ("DELETE", "/get/NS/visits", 405, None),
    ("PATCH", "/stats", 405, None),
    ("GET", "/create?namespace=NS&key=visits", 409, "NS/visits"),
    ("GET", "/get/NS/visits?" + "x" * 8_193, 414, None),
]


@pytest.mark.parametrize(("method", "target", "status", "path"), EVERY_STATUS, ids=lambda value: str(value)[:30])
def test_every_answer_is_json_open_and_fresh(
    shared_server: RunningServer, method: str, target: str, status: int, path: str | None
) -> None:
    namespace = new_name()
    ask(shared_server.url, f"/hit/{namespace}/visits")
    answer = ask(shared_server.url, target.replace("NS", namespace), method=method)
    assert answer.status == status
    assert answer.path == (None if path is None else path.replace("NS", namespace))
    assert answer.headers["content-type"] == JSON
    assert isinstance(answer.json(), dict)
    assert_open_and_fresh(answer)


UNAVAILABLE = [
    (StoreBusy("too many requests are waiting"), 503, "Not acknowledged: too many requests are waiting.", "1"),
    (StoreFull("the disk is full"), 503, "Not acknowledged: the disk is full.", "30"),
    (StoreClosed("the server is stopping"), 503, "Not acknowledged: the server is stopping.", "5"),
    (StoreFailed("disk I/O error in /var/lib"), 500, "Not acknowledged: the storage failed.", None),
    (RuntimeError("a secret of the inside"), 500, "Internal error.", None),
]


def refusing(error: Exception) -> Callable[..., NoReturn]:
    def refuse(*_arguments: object) -> NoReturn:
        raise error

    return refuse


@pytest.mark.parametrize(("error", "status", "message", "retry_after"), UNAVAILABLE, ids=lambda value: str(value)[:30])
async def test_a_ledger_that_fails_is_never_a_success(  # noqa: PLR0913, PLR0917  # the columns of a table
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    message: str,
    retry_after: str | None,
) -> None:
    async with in_process(tmp_path) as site:
        monkeypatch.setattr(site.application.ledger, "count", refusing(error))
        answer = await site.ask("/hit/mysite.com/visits")
        assert (answer.status, answer.json()) == (status, {"error": message})
        assert answer.headers.get("retry-after") == retry_after
        assert (answer.path, answer.headers["content-type"]) == ("mysite.com/visits", JSON)
        assert_open_and_fresh(answer)
        as_script = await site.ask("/hit/mysite.com/visits?callback=show")
        assert as_script.status == 200
        assert inside(as_script, "show") == {"error": message, "status": status, "code": status}
        assert (await site.ask("/hit/mysite.com/visits?img")).status == status


# JSONP


def inside(answer: Answer, callback: str) -> dict[str, object]:
    """What the function is called with."""
    called = re.fullmatch(rf"/\*\*/{re.escape(callback)}\((.*)\);", answer.text)
    assert called, answer.text
    value: dict[str, object] = json.loads(called[1])
    return value


SCRIPTED = [
    ("/hit/NS/visits?callback=show", 200, {"value": 2}),
    ("/get/NS/visits/?x=1&callback=show", 200, {"value": 1}),
    ("/update/NS/visits?amount=2&callback=show", 403, {"value": 1}),
    ("/get/NS/missing?callback=show", 404, {"value": None}),
    ("/set/NS/visits?value=3&callback=show", 403, {"old_value": 1, "value": 1}),
    ("/create?namespace=NS&key=visits&callback=show", 409, {"namespace": None, "key": None, "value": None}),
    ("/hit/ab?callback=show", 400, {"error": "Malformed Namespace/Key"}),
    ("/set/NS/visits?callback=show", 400, {"error": "value is missing"}),
    (
        "/nowhere?callback=show",
        404,
        {"error": "not found: there are get, set, update, hit, create, info and stats"},
    ),
]


@pytest.mark.parametrize(("target", "status", "body"), SCRIPTED, ids=lambda value: str(value)[:40])
def test_jsonp_never_fails_at_http_level(
    shared_server: RunningServer, target: str, status: int, body: dict[str, object]
) -> None:
    namespace = new_name()
    ask(shared_server.url, f"/hit/{namespace}/visits")
    answer = ask(shared_server.url, target.replace("NS", namespace))
    assert answer.status == 200
    assert inside(answer, "show") == {**body, "status": status, "code": status}
    assert answer.headers["content-type"] == SCRIPT
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (answer.path is None) == target.startswith(("/hit/ab?", "/nowhere"))
    assert_open_and_fresh(answer)


def test_jsonp_is_written_byte_for_byte(shared_server: RunningServer) -> None:
    answer = ask(shared_server.url, f"/hit/{new_name()}?callback=app.on_$value1")
    assert answer.text == '/**/app.on_$value1({"value":1,"status":200,"code":200});'


@pytest.mark.parametrize(
    "callback",
    [
        *("f", "_", "$", "$_", "_f1", "jQuery34109_1", "angular.callbacks._0", "a.b.c.d", "window.JSONP_callback"),
        *("a" * 128, "null", "alert"),
    ],
)
def test_a_callback_is_the_name_of_a_function(shared_server: RunningServer, callback: str) -> None:
    answer = ask(shared_server.url, f"/get/{new_name()}?callback={callback}")
    assert answer.status == 200
    assert inside(answer, callback) == {"value": None, "status": 404, "code": 404}


@pytest.mark.parametrize(
    "callback",
    [
        *(
            "alert(1)//",
            "alert(1);f",
            "f;g",
            "<script>alert(1)</script>",
            "</script><script>",
            "f\nalert(1)",
            "f\r\nX: y",
        ),
        *("f\n", " f", "f ", "1f", "f.1", ".f", "f.", "f..g", "f[0]", "f['g']", "f()", "`f`", "f=g", "f,g", "f-g", "?"),
        *(
            "new f",
            "f/*",
            "*/f",
            "f\u2028",
            "f\x00",
            "é",
            "\uff46",
            "\\u0066",
        ),
        *("a" * 129, "a." * 4_000 + "a", "CWS\x07\x0e000hCD0Up0IZ"),
    ],
    ids=ascii,
)
def test_any_other_callback_is_refused_and_not_sent_back(shared_server: RunningServer, callback: str) -> None:
    key = new_name()
    answer = ask(shared_server.url, f"/hit/{key}?callback={quote(callback, safe='')}")
    refused = {"error": "callback must be the name of a JavaScript function"}
    too_long = {"error": "The query is too long."}
    assert (answer.status, answer.json()) in [(400, refused), (414, too_long)]
    assert answer.headers["content-type"] == JSON
    assert_open_and_fresh(answer)
    assert ask(shared_server.url, f"/get/{key}").status == 404


@pytest.mark.parametrize("query", ["callback", "callback=", "callback=&callback=f"])
def test_an_empty_callback_is_none(shared_server: RunningServer, query: str) -> None:
    answer = ask(shared_server.url, f"/hit/{new_name()}?{query}")
    assert (answer.text, answer.headers["content-type"]) == ('{"value":1}', JSON)


# The image


@pytest.mark.parametrize("query", ["img", "img=", "img=1", "img=0", "x=y&img", "img&callback=show"])
def test_an_image_counts(shared_server: RunningServer, query: str) -> None:
    key = new_name()
    answer = ask(shared_server.url, f"/hit/{key}?{query}")
    assert (answer.status, answer.path, answer.headers["content-type"]) == (200, f"default/{key}", "image/gif")
    assert_open_and_fresh(answer)
    assert {"no-store", "no-cache", "max-age=0"} == set(answer.headers["cache-control"].split(", "))
    assert_is_one_transparent_pixel(answer.body)
    assert ask(shared_server.url, f"/get/{key}").json() == {"value": 1}


def assert_is_one_transparent_pixel(gif: bytes) -> None:
    header, size, control, image = gif[:6], gif[6:10], gif[19:27], gif[27:37]
    assert header == b"GIF89a"
    assert size == b"\1\0\1\0"
    assert control[:3] == b"\x21\xf9\x04"
    assert control[3] & 1, "no colour is transparent"
    assert image == b"\x2c\0\0\0\0\1\0\1\0\0"
    assert gif[-1:] == b"\x3b"
    assert len(gif) < 50


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/get/missing-image?img", 404),
        ("/hit/ab?img", 400),
        ("/update/visits-image?img&amount=9", 403),
        ("/x?img", 404),
    ],
)
def test_an_image_keeps_the_status(shared_server: RunningServer, target: str, status: int) -> None:
    ask(shared_server.url, "/hit/visits-image")
    answer = ask(shared_server.url, target)
    assert (answer.status, answer.headers["content-type"]) == (status, "image/gif")
    assert_is_one_transparent_pixel(answer.body)


# What counts and what does not


def test_post_is_an_alias_and_its_body_is_not_read(shared_server: RunningServer) -> None:
    key = new_name()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    created = ask(shared_server.url, f"/create?key={key}&value=5", method="POST", headers=form, body=b"value=9")
    assert (created.status, created.json()["value"]) == (200, 5)
    assert ask(shared_server.url, f"/hit/{key}", method="POST").json() == {"value": 6}
    assert ask(shared_server.url, f"/update/{key}?amount=1", method="POST", body=b"x" * 100_000).json() == {"value": 7}
    assert ask(shared_server.url, f"/update/{key}", method="POST", headers=form, body=b"amount=1").status == 400
    assert ask(shared_server.url, f"/get/{key}", method="POST").json() == {"value": 7}


def test_a_connection_goes_on_after_a_body_that_nobody_read(shared_server: RunningServer) -> None:
    key = new_name()
    posted = f"POST /hit/{key} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    last = f"GET /hit/{key} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = exchange(shared_server.url, (posted + last).encode())
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.endswith(b'{"value":2}')


HEADED = [
    ("/hit/KEY", 404),
    ("/hit/PRESENT", 200),
    ("/update/PRESENT?amount=1", 200),
    ("/update/KEY?amount=1", 404),
    ("/set/PRESENT?value=7", 200),
    ("/set/KEY?value=7", 404),
    ("/create?key=KEY", 404),
    ("/create?key=PRESENT", 409),
    ("/get/PRESENT", 200),
    ("/info/KEY", 404),
    ("/hit/ab", 400),
    ("/stats", 200),
    ("/nowhere", 404),
    ("/hit/KEY?img", 404),
    ("/hit/KEY?callback=show", 200),
]
AHEAD_OF_TIME = [
    {"Sec-Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"Sec-Purpose": "prefetch;anonymous-client-ip"},
    {"Purpose": "prefetch"},
    {"Purpose": "Prefetch"},
    {"X-Purpose": "preview"},
    {"X-Moz": "prefetch"},
]


@pytest.mark.parametrize(("target", "status"), HEADED)
def test_head_answers_what_is_there_and_counts_nothing(shared_server: RunningServer, target: str, status: int) -> None:
    present, missing = new_name(), new_name()
    ask(shared_server.url, f"/create?key={present}&value=3&enable_reset=1")
    answer = ask(shared_server.url, target.replace("PRESENT", present).replace("KEY", missing), method="HEAD")
    assert (answer.status, answer.body) == (status, b"")
    assert int(answer.headers["content-length"]) > 0
    assert_open_and_fresh(answer)
    assert ask(shared_server.url, f"/get/{present}").json() == {"value": 3}
    assert ask(shared_server.url, f"/get/{missing}").status == 404


@pytest.mark.parametrize("headers", AHEAD_OF_TIME, ids=str)
def test_a_request_ahead_of_time_counts_nothing(shared_server: RunningServer, headers: dict[str, str]) -> None:
    present, missing = new_name(), new_name()
    ask(shared_server.url, f"/create?key={present}&value=3&enable_reset=1")
    expected: list[tuple[str, int, object]] = [
        (f"/hit/{missing}", 404, {"value": None}),
        (f"/hit/{present}", 200, {"value": 3}),
        (f"/update/{present}?amount=1", 200, {"value": 3}),
        (f"/set/{present}?value=9", 200, {"old_value": 3, "value": 3}),
        (f"/create?key={missing}", 404, {"namespace": None, "key": None, "value": None}),
        (f"/create?key={present}", 409, {"namespace": None, "key": None, "value": None}),
        (f"/get/{present}", 200, {"value": 3}),
    ]
    for target, status, body in expected:
        answer = ask(shared_server.url, target, headers=headers)
        assert (answer.status, answer.json()) == (status, body), target
    assert ask(shared_server.url, f"/get/{present}").json() == {"value": 3}
    assert ask(shared_server.url, f"/get/{missing}").status == 404


@pytest.mark.parametrize("headers", [{"Sec-Purpose": "navigate"}, {"Purpose": ""}, {"X-Moz": "microsummary"}], ids=str)
def test_other_purposes_count(shared_server: RunningServer, headers: dict[str, str]) -> None:
    assert ask(shared_server.url, f"/hit/{new_name()}", headers=headers).json() == {"value": 1}


def test_prefetches_can_be_made_to_count(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--count-prefetch") as server:
        for value, headers in enumerate(AHEAD_OF_TIME, start=1):
            assert ask(server.url, "/hit/visits", headers=headers).json() == {"value": value}
        assert ask(server.url, "/hit/visits", method="HEAD").status == 200
        assert ask(server.url, "/get/visits").json() == {"value": len(AHEAD_OF_TIME)}


@pytest.mark.parametrize("target", ["/hit/KEY", "/create?key=KEY", "/hit/KEY?callback=%3C%3E", "/nowhere", "/hit/ab"])
def test_options_answers_the_preflight_and_counts_nothing(shared_server: RunningServer, target: str) -> None:
    key = new_name()
    asked = {
        "Origin": "https://mysite.com",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "x-requested-with",
    }
    answer = ask(shared_server.url, target.replace("KEY", key), method="OPTIONS", headers=asked)
    assert (answer.status, answer.body) == (204, b"")
    assert_open_and_fresh(answer)
    assert answer.headers["access-control-allow-methods"] == answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"
    assert answer.headers["access-control-allow-headers"] == "*, Authorization"
    assert ask(shared_server.url, f"/get/{key}").status == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get"])
def test_other_methods_are_refused_in_json(shared_server: RunningServer, method: str) -> None:
    key = new_name()
    ask(shared_server.url, f"/hit/{key}")
    for target in (f"/hit/{key}", f"/get/{key}", "/create", "/stats"):
        answer = ask(shared_server.url, target, method=method)
        assert (answer.status, answer.json()) == (405, {"error": "Use GET or POST."})
        assert answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"
    # The HTTP server itself refuses methods that are not registered, whatever the path.
    assert ask(shared_server.url, "/nowhere", method=method).status == (404 if method.isupper() else 405)
    assert ask(shared_server.url, f"/get/{key}").json() == {"value": 1}


@pytest.mark.parametrize("line", ["OPTIONS *", "GET *", "GET http://other.example/hit/ab", "CONNECT mysite.com:80"])
def test_unusual_request_lines_get_an_answer(shared_server: RunningServer, line: str) -> None:
    received = exchange(shared_server.url, f"{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    status = int(received.split(b" ")[1])
    assert status in {204, 400, 404, 405}
    assert b"access-control-allow-origin: *" in received


@pytest.mark.parametrize("look", [{"method": "HEAD"}, {"headers": [("sec-purpose", "prefetch")]}], ids=str)
@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        ("/get/missing", 404, "missing"),
        ("/info/missing", 404, "missing"),
        ("/hit/missing", 404, "missing"),
        ("/update/missing?amount=1", 404, "missing"),
        ("/set/missing?value=1", 404, "missing"),
        ("/create?key=missing", 404, "missing"),
        ("/create?key=present", 409, "exists"),
    ],
)
async def test_a_refusal_of_what_must_not_count_has_its_reason_in_the_metrics(
    tmp_path: Path, target: str, status: int, reason: str, look: dict[str, Any]
) -> None:
    async with in_process(tmp_path) as site:
        await site.ask("/create?key=present")
        assert (await site.ask(target, **look)).status == status
        told = (await site.ask("/metrics")).text
    refusals = {line for line in told.splitlines() if line.startswith("tallystick_refusals_total{")}
    counted = {line for line in refusals if not line.endswith(" 0.0")}
    assert counted == {f'tallystick_refusals_total{{reason="{reason}",surface="countapi"}} 1.0'}


def test_every_refusal_of_an_operation_has_an_answer() -> None:
    assert set(REFUSALS) == set(RefusalReason)
