"""What every answer carries: ETags, errors in two forms, CORS, compression, and nothing of the server's insides."""

import gzip
from importlib.resources import files
from typing import Any
from unittest.mock import AsyncMock

import pytest

from support.counting_together import Person, Together
from tallystick.errors import SharingReason, StoreBusy, StoreFailed, StoreFull
from tallystick.surfaces.counttogether.errors import BY_REASON, KINDS, REASON_BY_STATUS, REASONS, response_to
from tallystick.web.api import refusal_reason
from tallystick.web.bodies import BodyCutShort, BodyTooSlow, TooManyBodies

PROBLEM = "application/problem+json"


async def test_an_etag_saves_the_body_until_something_changes(ada: Person) -> None:
    counter = await ada.new_counter()
    for path in ("/v1/counters", "/v2/counters", f"/v1/counters/{counter}", f"/v2/counters/{counter}"):
        first = await ada.ask("GET", path)
        etag = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache"
        for known in (etag, f'"other", {etag}', "*", f"W/{etag.removeprefix('W/')}"):
            answer = await ada.ask("GET", path, headers={"if-none-match": known})
            assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
        await ada.ask("POST", f"/v1/counters/{counter}/increment")
        changed = await ada.ask("GET", path, headers={"if-none-match": etag})
        assert (changed.status, changed.headers["etag"] != etag) == (200, True)


async def test_if_match_changes_only_the_version_that_was_seen(ada: Person) -> None:
    counter = await ada.new_counter()
    path, flat = f"/v1/counters/{counter}", f"/v2/counters/{counter}"
    etag = (await ada.ask("GET", path)).headers["etag"]
    assert etag.startswith('"1-')
    changed = await ada.ask("PUT", path, {"displayName": "Second"}, headers={"if-match": etag})
    assert changed.headers["etag"].startswith('"2-')
    for stale in (etag, '"no-etag"', f"W/{changed.headers['etag']}", "nonsense"):
        asked = (("PUT", path, {"data": {"value": 9}}), ("PATCH", flat, {"value": 9}), ("DELETE", path, None))
        for method, target, body in asked:
            refused = await ada.ask(method, target, body, headers={"if-match": stale})
            assert (refused.status, refused.json()["code"]) == (412, -2048), stale
    several = await ada.ask("PATCH", flat, {"value": 9}, headers={"if-match": '"1-00000000", "2-00000000"'})
    assert several.status == 400
    assert (await ada.ask("GET", flat)).json()["value"] == 0
    by_the_other = (await ada.ask("GET", flat)).headers["etag"]
    assert (await ada.ask("PUT", path, {"data": {"value": 9}}, headers={"if-match": by_the_other})).status == 200
    assert (await ada.ask("DELETE", path, headers={"if-match": "*"})).status == 204


PREFERRED = [
    # Accept, whether it prefers problem+json
    ("application/problem+json", True),
    ("application/problem+json, application/json;q=0.9", True),
    ("application/problem+json;q=0.5, */*;q=0.1", True),
    ("text/html, application/problem+json ; q=1.0", True),
    ("application/json, application/problem+json", False),
    ("application/json, application/problem+json;q=0.9", False),
    ("application/problem+json;q=0", False),
    ("application/problem+jsonx", False),
    ("*/*", False),
    ("", False),
]


async def test_errors_come_as_the_client_prefers(together: Together) -> None:
    for accept, problem in PREFERRED:
        answer = await together.running.ask("/v1/counters", headers=[("accept", accept)])
        error = answer.json()
        assert (answer.status, error["code"], error["name"]) == (401, -1401, "Unauthorized")
        if problem:
            assert answer.headers["content-type"] == PROBLEM, accept
            assert (error["type"], error["status"], error["instance"]) == ("about:blank", 401, "/v1/counters")
            assert set(error) == {"type", "title", "status", "detail", "instance", "code", "name", "traceId"}
        else:
            assert answer.headers["content-type"] == "application/json; charset=utf-8", accept
            assert set(error) == {"message", "code", "name", "traceId"}


@pytest.mark.parametrize("token", ["", "unknown"])
@pytest.mark.parametrize("query", ["%" * 60_000, "token=" + "%" * 60_000, "limit=1&" + "x" * 8_192])
async def test_a_long_query_is_refused_before_it_is_decoded(ada: Person, query: str, token: str) -> None:
    for path in ("/v1/counters", "/v2/counters", "/v1/events"):
        answer = await ada.ask("GET", f"{path}?{query}", token=token)
        assert (answer.status, answer.json()["message"]) == (400, "the query is longer than 8192 bytes"), path


async def test_what_succeeds_is_no_problem(ada: Person) -> None:
    answer = await ada.ask("GET", "/v1/counters", headers={"accept": PROBLEM})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")


async def test_pages_of_any_origin_may_ask_and_read(together: Together, ada: Person) -> None:
    for path in ("/v1/counters", "/v2/counters/x/increment/3", "/v1/nothing"):
        preflight = await together.running.ask(path, method="OPTIONS", headers=[("origin", "https://example.com")])
        assert (preflight.status, preflight.body) == (200, b"")
        asked = set(preflight.headers["access-control-allow-headers"].split(", "))
        # The wildcard allows all the others: Cache-Control, X-Requested-With, traceparent, Library-Version.
        assert {"*", "Authorization", "Idempotency-Key", "If-Match", "Content-Type"} <= asked
        assert {"PATCH", "PUT", "DELETE"} <= set(preflight.headers["access-control-allow-methods"].split(", "))
    for answer in (await ada.ask("GET", "/v1/counters"), await together.running.ask("/v1/counters")):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        exposed = set(answer.headers["access-control-expose-headers"].split(", "))
        assert {"ETag", "RateLimit", "Retry-After", "Idempotent-Replayed", "X-RateLimit-Remaining"} <= exposed
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_head_and_a_slash_at_the_end(ada: Person) -> None:
    counter = await ada.new_counter()
    for path in ("/v1/counters", f"/v2/counters/{counter}", "/v1/tokens"):
        get, head = await ada.ask("GET", path), await ada.ask("HEAD", f"{path}/")
        assert (head.status, head.body, head.headers) == (200, b"", get.headers)
    assert (await ada.ask("POST", f"/v1/counters/{counter}/increment/")).text == "1"


OTHER_METHODS = [
    ("PATCH", "/v1/counters", "GET, HEAD, OPTIONS, POST"),
    ("POST", "/v1/counters/x", "DELETE, GET, HEAD, OPTIONS, PUT"),
    ("PUT", "/v2/counters/x", "GET, HEAD, OPTIONS, PATCH"),
    ("GET", "/v1/counters/x/increment", "OPTIONS, POST"),
]


async def test_another_method_is_refused_with_the_ones_there_are(ada: Person) -> None:
    for method, path, allow in OTHER_METHODS:
        answer = await ada.ask(method, path)
        assert (answer.status, answer.json()["code"], answer.headers["allow"]) == (405, -1405, allow)


async def test_long_lists_are_compressed_for_who_takes_it(ada: Person) -> None:
    for number in range(12):
        await ada.new_counter(f"Counter {number}")
    plain = await ada.ask("GET", "/v1/counters")
    packed = await ada.ask("GET", "/v1/counters", headers={"accept-encoding": "gzip"})
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["content-encoding"] == "gzip"


FAILURES = [
    # error, status, code, Retry-After
    (StoreBusy("too many requests are waiting"), 503, -1503, "1"),
    (StoreFull("the disk is full"), 503, -1503, "30"),
    (StoreFailed("/secret/place"), 500, -1000, None),
    (BodyCutShort(), 400, -2000, None),
    (BodyTooSlow(10), 408, -1408, None),
    (TooManyBodies(), 503, -1503, "5"),
    (RuntimeError("a secret"), 500, -1000, None),
]


async def test_what_fails_is_told_without_details(
    ada: Person, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, status, code, retry in FAILURES:
        monkeypatch.setattr(together.services.sharing, "read", AsyncMock(side_effect=error))
        answer = await ada.ask("GET", "/v1/counters")
        assert (answer.status, answer.json()["code"], answer.headers.get("retry-after")) == (status, code, retry)
        assert "secret" not in answer.text


def test_a_fault_of_the_program_stands_in_the_log_under_the_trace(capsys: pytest.CaptureFixture[str]) -> None:
    answer = response_to(RuntimeError("a secret"))
    trace = answer.body.decode().partition('"traceId":"')[2][:16]
    logged = capsys.readouterr().out
    assert trace in logged
    assert "a secret" in logged


def test_codes_and_names_are_told_apart_and_stand_in_the_readme() -> None:
    assert len({kind.code for kind in KINDS}) == len({kind.name for kind in KINDS}) == len(KINDS)
    assert set(BY_REASON) == set(SharingReason)
    text = files("tallystick.surfaces.counttogether").joinpath("README.md").read_text("utf-8")
    rows = [line.split("|")[1:4] for line in text.splitlines() if line.startswith("| -")]
    told = {tuple(cell.strip() for cell in row) for row in rows}
    assert told == {(str(kind.code), kind.name, str(kind.status)) for kind in KINDS}


def test_every_refusal_has_a_reason_that_the_metrics_know() -> None:
    errors: list[Exception] = [StoreBusy(""), StoreFailed(""), RuntimeError(), BodyCutShort(), BodyTooSlow(10)]
    reasons: list[Any] = [refusal_reason(response_to(error), REASON_BY_STATUS) for error in errors]
    assert set(reasons) <= REASONS
