"""In which order a request to the API is judged, and what each refusal says."""

import asyncio
import gzip
import re
import socket
from base64 import b64encode
from typing import Any

import pytest

from builders import NOW
from support.analytics import HOST, Analytics, AnalyticsServer, analytics_in_process, prepare
from support.in_process import in_process
from tallystick.errors import NotPermitted, StoreBusy, StoreFailed
from tallystick.model.account import Access, Permission
from tallystick.services.accounts.accounts import NewAccount, create_account, set_access
from tallystick.services.accounts.tokens import NewToken, create_token
from tallystick.surfaces.goatcounter.api import judging
from tallystick.surfaces.goatcounter.errors import REASON_BY_STATUS, REASONS, response_to
from tallystick.web.api import refusal_reason
from tallystick.web.bodies import BodyCutShort, BodyTooSlow, TooManyBodies
from tallystick.web.rate_limit import Admission, Rate
from tallystick.web.refusals import RateLimited

JSON = "application/json; charset=utf-8"


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


GOOD = ["Bearer {}", "bearer {}", "BEARER {}", "  Bearer   {}  "]


@pytest.mark.parametrize("header", GOOD)
async def test_a_token_is_shown_as_bearer_in_any_case(analytics: Analytics, header: str) -> None:
    answer = await analytics.ask("/api/v0/me", headers={"authorization": header.format(analytics.token)})
    assert answer.status == 200


@pytest.mark.parametrize("user", ["", "anything", "owner@example.com"])
async def test_a_token_is_the_password_of_any_user(analytics: Analytics, user: str) -> None:
    answer = await analytics.ask("/api/v0/me", headers={"authorization": basic(f"{user}:{analytics.token}")})
    assert answer.status == 200


UNAUTHORIZED = [
    # Authorization, text
    (None, "no Authorization header"),
    ("", "no Authorization header"),
    ("Bearer", "wrong format for Authorization header"),
    ("Bearer a b", "wrong format for Authorization header"),
    ("Digest abc", "wrong format for Authorization header"),
    ("abc", "wrong format for Authorization header"),
    ("Basic !!!", "wrong format for Authorization header"),
    ("Basic 8J+Y", "wrong format for Authorization header"),
    (basic("user"), "wrong format for Authorization header"),
    (basic("user:"), "wrong format for Authorization header"),
    ("Bearer unknown", "unknown token"),
    (basic("user:unknown"), "unknown token"),
    ("Bearer " + "x" * 5_000, "unknown token"),
    ("Bearer \xe9\xff", "unknown token"),
]


async def test_without_a_good_token_nothing_is_told(analytics: Analytics) -> None:
    for header, text in UNAUTHORIZED:
        headers = {} if header is None else {"authorization": header}
        answer = await analytics.ask("/api/v0/me", headers=headers)
        assert (answer.status, answer.json()) == (401, {"error": text}), (header, text)
        assert answer.headers["www-authenticate"] == "Basic realm=GoatCounter", (header, text)
        assert answer.headers["content-type"] == JSON, (header, text)


async def test_a_token_that_may_not_do_this_is_told_what_it_takes(analytics: Analytics) -> None:
    token = await analytics.new_token(Permission.STATS)
    for method, path, needed in [
        ("POST", "/count", "count"),
        ("POST", "/export", "export"),
        ("GET", "/export/1", "export"),
        ("GET", "/sites", "site-read"),
        ("PUT", "/sites", "site-create"),
        ("PATCH", "/sites/1", "site-update"),
    ]:
        answer = await analytics.api(method, path, token=token, json={})
        assert (answer.status, answer.json()) == (403, {"error": f"requires '{needed}' permissions"})
        assert "www-authenticate" not in answer.headers
    assert (await analytics.api("GET", "/me", token=token)).status == 200


async def test_a_token_works_only_for_its_sites(analytics: Analytics) -> None:
    await analytics.api("PUT", "/sites", json={"cname": "other.example.com"})
    token = await analytics.new_token(sites=(1,))
    assert (await analytics.api("GET", "/me", token=token)).status == 200
    answer = await analytics.api("GET", "/me", token=token, headers={"host": "other.example.com"})
    assert (answer.status, answer.json()) == (403, {"error": "this token does not have access to this site"})


OF_COUNTERS = Permission.COUNTERS_READ | Permission.COUNTERS_WRITE


async def test_a_token_for_shared_counters_only_works_for_no_site(analytics: Analytics) -> None:
    ledger = analytics.services.ledger
    ben = await ledger.write(create_account, NewAccount(email="b@example.com", password="-", access={}), NOW)
    wanted = NewToken(name="phone", permissions=OF_COUNTERS)
    _, bens = await ledger.write(create_token, ben, wanted, NOW)
    for token in (await analytics.new_token(OF_COUNTERS), bens):
        for method, path in [("GET", "/me"), ("POST", "/count"), ("GET", "/sites"), ("PUT", "/sites")]:
            answer = await analytics.api(method, path, token=token, json={})
            assert (answer.status, answer.json()) == (403, {"error": "this token does not have access to this site"})
        assert (await analytics.ask("/v1/counters", headers={"authorization": f"Bearer {token}"})).json() == []


async def test_me_tells_permissions_for_shared_counters_as_bits(analytics: Analytics) -> None:
    told = await analytics.api("GET", "/me", token=await analytics.new_token(Permission.COUNT | OF_COUNTERS))
    assert (told.status, told.json()["token"]["permissions"]) == (200, 2 + 128 + 256)


async def test_a_token_does_not_work_for_anyone_elses_sites(analytics: Analytics) -> None:
    prepare(analytics.running.data, host="stranger.example.org", email="stranger@example.org")
    answer = await analytics.api("GET", "/me", headers={"host": "stranger.example.org"})
    assert (answer.status, answer.json()) == (403, {"error": "this token does not have access to this site"})


async def test_the_token_of_someone_who_is_no_admin_any_more_is_refused(analytics: Analytics) -> None:
    person = await analytics.services.ledger.write(
        create_account, NewAccount(email="b@example.com", password="-", site=1, access={"all": "a"}), analytics.clock()
    )
    _, token = await analytics.services.ledger.write(
        create_token, person, NewToken(name="b", permissions=Permission.COUNT), analytics.clock()
    )
    assert (await analytics.api("GET", "/me", token=token)).status == 200
    await analytics.services.ledger.write(set_access, person.id, {"all": "s"}, analytics.clock())
    answer = await analytics.api("GET", "/me", token=token)
    assert (answer.status, answer.json()) == (401, {"error": "only admins can create and use API keys"})
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize(
    ("access", "granted", "refused"),
    [
        ({"all": "r"}, ("stats",), ("site-read", "count", "export", "site-create", "site-update")),
        ({"all": "s"}, ("stats", "site-read"), ("count", "export", "site-create", "site-update")),
        ({"all": "r", "1": "a"}, ("stats", "site-read", "count", "export", "site-create", "site-update"), ()),
        ({}, (), ("stats", "site-read", "count")),
    ],
)
async def test_a_token_does_what_its_owner_may_do(
    analytics: Analytics, access: dict[str, Access], granted: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    ledger, now = analytics.services.ledger, analytics.clock()
    person = await ledger.write(
        create_account, NewAccount(email="b@example.com", password="-", site=1, access=access), now
    )
    bits = {permission.label: permission for permission in Permission}
    for label in refused:
        with pytest.raises(NotPermitted, match=r"b@example\.com is not an admin"):
            await ledger.write(create_token, person, NewToken(name=label, permissions=bits[label]), now)
    asked = {"stats": ("GET", "/stats/total"), "site-read": ("GET", "/sites"), "site-update": ("PATCH", "/sites/1")}
    secrets = {}
    for label in granted:
        _, secrets[label] = await ledger.write(create_token, person, NewToken(name=label, permissions=bits[label]), now)
        assert (await analytics.api("GET", "/me", token=secrets[label])).status == 200
        if label in asked:
            assert (await analytics.api(*asked[label], token=secrets[label])).status == 200
    if granted:
        # Access that is taken away ends what tokens can do.
        await ledger.write(set_access, person.id, {}, now)
        assert (await analytics.api("GET", "/stats/total", token=secrets["stats"])).status == 401


async def test_a_reader_changes_no_site_through_a_token_from_better_days(analytics: Analytics) -> None:
    ledger, now = analytics.services.ledger, analytics.clock()
    wanted = NewAccount(email="b@example.com", password="-", site=1, access={"all": "a"})
    person = await ledger.write(create_account, wanted, now)
    _, token = await ledger.write(create_token, person, NewToken(name="b", permissions=126), now)
    await ledger.write(set_access, person.id, {"all": "r"}, now)
    asked = [("GET", "/stats/total"), ("GET", "/sites"), ("PATCH", "/sites/1"), ("PUT", "/sites"), ("POST", "/count")]
    statuses = [(await analytics.api(*request, token=token)).status for request in asked]
    assert statuses == [200, 401, 401, 401, 401]


NOT_FOUND = ["", "/", "/nothing", "/me/me", "/ME", "/stats", "/export/1/download/2", "/test", "/sites//", "//me"]


async def test_what_is_not_there_is_not_found_with_and_without_a_token(analytics: Analytics) -> None:
    for path in NOT_FOUND:
        for with_token in [True, False]:
            token = analytics.token if with_token else None
            answer = await analytics.api("GET", path, token=token)
            assert (answer.status, answer.body) == (404, b'{"error":"not found"}'), (path, with_token)


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1/me", "/api/v0me"])
async def test_other_versions_are_not_found(analytics: Analytics, path: str) -> None:
    answer = await analytics.ask(path, headers={"authorization": f"Bearer {analytics.token}"})
    assert (answer.status, answer.body) == (404, b'{"error":"not found"}')


METHODS: list[tuple[str, str, str]] = [
    ("DELETE", "/sites/1", "GET, HEAD, OPTIONS, PATCH, POST"),
    ("POST", "/me", "GET, HEAD, OPTIONS"),
    ("GET", "/count", "OPTIONS, POST"),
    ("GET", "/export", "OPTIONS, POST"),
    ("BREW", "/sites", "GET, HEAD, OPTIONS, PUT"),
]


async def test_another_method_is_refused_with_the_ones_there_are(analytics: Analytics) -> None:
    for method, path, allow in METHODS:
        answer = await analytics.api(method, path, token=None)
        assert (answer.status, answer.json(), answer.headers["allow"]) == (
            405,
            {"error": "method not allowed"},
            allow,
        ), (method, path, allow)


WITH_SLASHES: list[str] = ["/me", "/me/", "/sites/", "/sites/1/", "/paths/?limit=1", "/stats/total/"]


async def test_a_slash_at_the_end_makes_no_difference(analytics: Analytics) -> None:
    for path in WITH_SLASHES:
        assert (await analytics.api("GET", path)).status == 200, path


async def test_head_is_get_without_its_body(analytics: Analytics) -> None:
    get, head = await analytics.api("GET", "/me"), await analytics.api("HEAD", "/me")
    assert (head.status, head.body) == (200, b"")
    assert head.headers == get.headers
    assert int(head.headers["content-length"]) == len(get.body)


TYPES = [
    # method, Content-Type, body, status
    ("GET", "application/json", b"{}", 200),
    ("GET", "application/json", b"no JSON at all", 200),
    ("GET", "Application/JSON; charset=UTF-8", b"{}", 200),
    ("GET", "text/plain", b"", 200),
    ("GET", "text/html", b"x", 415),
    ("PATCH", "application/json", b"{}", 200),
    ("PATCH", "application/json", b"", 200),
    ("PATCH", "", b"", 200),
    ("PATCH", "", b"{}", 415),
    ("PATCH", "text/html", b"", 415),
    ("PATCH", "application/x-www-form-urlencoded", b"{}", 415),
    ("PATCH", "application/jsonx", b"{}", 415),
]


async def test_a_body_is_json_or_refused(analytics: Analytics) -> None:
    for method, kind, body, status in TYPES:
        headers = {"authorization": f"Bearer {analytics.token}"}
        if kind:
            headers["content-type"] = kind
        answer = await analytics.ask("/api/v0/sites/1", method=method, headers=headers, body=body)
        assert answer.status == status, (method, kind, body, status)
        if status == 415:
            assert answer.json() == {"error": f'unable to handle Content-Type "{kind}"'}, (method, kind, body, status)
            assert "x-rate-limit-limit" not in answer.headers, (method, kind, body, status)


async def test_a_body_without_a_length_is_a_body(analytics: Analytics) -> None:
    headers = {
        "authorization": f"Bearer {analytics.token}",
        "transfer-encoding": "chunked",
        "content-type": "text/html",
    }
    assert (await analytics.ask("/api/v0/sites/1", method="PATCH", headers=headers)).status == 415


async def test_a_body_has_a_largest_size(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "LARGEST_BODY", 1024 * 1024)
    fits = b" " * (1024 * 1024 - 2) + b"{}"
    assert (await analytics.api("PATCH", "/sites/1", json=fits)).status == 200
    answer = await analytics.api("PATCH", "/sites/1", json=b" " + fits)
    assert (answer.status, answer.json()) == (413, {"error": "the body is larger than 1 MiB"})


def test_a_body_that_is_announced_as_too_large_is_not_waited_for(analytics_server: AnalyticsServer) -> None:
    head = (
        f"POST /api/v0/count HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {analytics_server.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n{}"
    )
    host, port = analytics_server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_is_cut_short_is_not_too_large() -> None:
    answer = response_to(BodyCutShort())
    assert (answer.status, answer.body) == (400, b'{"error":"the body is not complete"}')


def test_a_body_that_does_not_arrive_is_answered_with_408_and_too_many_with_503() -> None:
    slow, many = response_to(BodyTooSlow(30)), response_to(TooManyBodies())
    assert (slow.status, slow.body) == (408, b'{"error":"the body did not arrive within 30 seconds"}')
    assert (many.status, dict(many.headers)[b"retry-after"]) == (503, b"5")
    assert {refusal_reason(slow, REASON_BY_STATUS), refusal_reason(many, REASON_BY_STATUS)} <= REASONS


async def test_every_answer_may_be_read_by_pages_of_any_origin(analytics: Analytics) -> None:
    for path, status in [("/me", 200), ("/nothing", 404), ("/stats/total?x=1", 400)]:
        answer = await analytics.api("GET", path, headers={"origin": "https://example.com"})
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-allow-credentials"] == "true"
        exposed = answer.headers["access-control-expose-headers"]
        assert {"X-Rate-Limit-Remaining", "X-Goatcounter-Filter", "Retry-After"} <= set(exposed.split(", "))


@pytest.mark.parametrize("path", ["/api/v0/me", "/api/v0/nothing", "/api/v0/count/", "/api/"])
async def test_a_preflight_is_answered_for_every_path_and_counts_against_no_limit(tmp_path: Any, path: str) -> None:
    async with analytics_in_process(tmp_path, rate_limit=(Rate("api", 1, 60),)) as analytics:
        for _ in range(3):
            answer = await analytics.ask(path, method="OPTIONS", headers={"origin": "https://example.com"})
            assert (answer.status, answer.body) == (200, b"")
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["access-control-allow-methods"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
            assert answer.headers["allow"] == answer.headers["access-control-allow-methods"]
            assert {"*", "Authorization", "Content-Type"} <= set(
                answer.headers["access-control-allow-headers"].split(", ")
            )


async def test_nothing_is_cached_framed_or_taken_for_something_else(analytics: Analytics) -> None:
    headers = (await analytics.api("GET", "/me")).headers
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["x-content-type-options"] == "nosniff"


async def test_large_answers_are_compressed_for_who_takes_it(analytics: Analytics) -> None:
    plain = await analytics.api("GET", "/sites")
    packed = await analytics.api("GET", "/sites", headers={"accept-encoding": "gzip, br"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert {answer.headers["vary"] for answer in (plain, packed)} == {"accept-encoding"}
    assert gzip.decompress(packed.body) == plain.body
    small = await analytics.api("GET", "/nothing", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in small.headers


ENCODINGS: list[tuple[str, bool]] = [
    ("gzip", True),
    ("GZIP", True),
    ("br,gzip;q=0.5", True),
    ("deflate, gzip ; q=1.0, *;q=0", True),
    ("gzip;q=0", False),
    ("br, gzip; q=0.000, identity", False),
    ("x-gzip", False),
    ("identity", False),
    ("", False),
]


async def test_compression_is_what_the_client_says(analytics: Analytics) -> None:
    for accepted, compressed in ENCODINGS:
        answer = await analytics.api("GET", "/sites", headers={"accept-encoding": accepted})
        assert ("content-encoding" in answer.headers) == compressed, (accepted, compressed)


async def test_limits_count_by_token_and_by_name(tmp_path: Any) -> None:
    rates = (Rate("api", 2, 60), Rate("api-count", 1, 60), Rate("export", 1, 60))
    async with analytics_in_process(tmp_path, rate_limit=rates) as analytics:
        other = await analytics.new_token()
        for path in ("/me", "/nothing"):
            assert (await analytics.api("GET", path)).status in {200, 404}
        limited = await analytics.api("GET", "/me")
        assert (limited.status, limited.body) == (429, b'{"error": "rate limited exceeded; try again in 60.0s"}')
        assert (await analytics.api("GET", "/me", token=other)).status == 200
        assert (await analytics.api("POST", "/count", json={})).status == 400
        assert (await analytics.api("POST", "/count", json={})).status == 429
        assert (await analytics.api("POST", "/export/")).status == 202
        assert (await analytics.api("POST", "/export")).status == 429


@pytest.mark.parametrize(("reset", "text"), [(0.8123, b"812.3ms"), (1.0, b"1.0s"), (119.94, b"119.9s")])
def test_how_long_to_wait(reset: float, text: bytes) -> None:
    refusal = RateLimited(Admission(admitted=False, limit=4, left=0, reset=reset))
    assert response_to(refusal).body == b'{"error": "rate limited exceeded; try again in %b"}' % text


async def test_an_admitted_request_tells_what_is_left(tmp_path: Any) -> None:
    async with analytics_in_process(tmp_path, rate_limit=()) as analytics:
        for left in ("59", "58"):
            headers = (await analytics.api("GET", "/me")).headers
            told = [headers[f"x-rate-limit-{name}"] for name in ("limit", "remaining", "reset")]
            assert told == ["60", left, "120"]


async def test_without_a_limit_the_numbers_are_large(analytics: Analytics) -> None:
    headers = (await analytics.api("POST", "/export")).headers
    told = [int(headers[f"x-rate-limit-{name}"]) for name in ("limit", "remaining", "reset")]
    assert told == [2**31 - 1, 2**31 - 1, 0]


async def test_whoever_shows_no_good_token_is_limited_by_address(tmp_path: Any) -> None:
    async with analytics_in_process(tmp_path, rate_limit=(Rate("api", 2, 60),)) as analytics:
        tokens = ["unknown", None, "another", "third"]
        answers = [await analytics.api("GET", "/me", token=token, client="192.0.2.1") for token in tokens]
        assert [answer.status for answer in answers] == [401, 401, 429, 429]
        assert (await analytics.api("GET", "/me", token="unknown", client="192.0.2.2")).status == 401
        assert (await analytics.api("GET", "/me", client="192.0.2.1")).status == 200


@pytest.mark.parametrize(
    ("name", "method", "path"), [("api", "GET", "/me"), ("api-count", "POST", "/count"), ("export", "POST", "/export")]
)
async def test_beyond_the_limit_unknown_tokens_are_not_looked_up(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, name: str, method: str, path: str
) -> None:
    async with analytics_in_process(tmp_path, rate_limit=(Rate(name, 2, 60),)) as analytics:
        ledger, looked_up = analytics.services.ledger, []
        read = ledger.read

        async def counted(function: Any, *arguments: Any) -> Any:
            looked_up.append(function.__name__)
            return await read(function, *arguments)

        monkeypatch.setattr(ledger, "read", counted)
        asking = (analytics.api(method, path, token=f"random-{number}", client="192.0.2.1") for number in range(30))
        answers = await asyncio.gather(*asking)
        assert sorted(answer.status for answer in answers) == [401] * 2 + [429] * 28
        assert looked_up.count("stored_principal") == 2
        refused = next(answer for answer in answers if answer.status == 429)
        assert (refused.headers["x-rate-limit-limit"], refused.headers["x-rate-limit-remaining"]) == ("2", "0")
        good = await analytics.api(method, path, token=analytics.token, client="192.0.2.1")
        assert good.status not in {401, 429}


@pytest.mark.parametrize("host", [HOST, "other.example.org:8080", "[::1]:8080", ""])
async def test_without_any_site_that_is_said(tmp_path: Any, host: str) -> None:
    async with in_process(tmp_path) as running:
        answer = await running.ask("/api/v0/me", headers=[("host", host)])
        bare = host.removesuffix(":8080")
        assert (answer.status, answer.json()) == (400, {"error": f'no site at this domain ("{bare}")'})


async def test_where_no_site_is_a_token_gets_the_hosts_of_its_sites(analytics: Analytics) -> None:
    for cname in ("two.example.com", "three.example.com"):
        await analytics.api("PUT", "/sites", json={"cname": cname})
    prepare(analytics.running.data, host="stranger.example.org", email="stranger@example.org")
    elsewhere = {"host": "127.0.0.1:8080"}
    refused = await analytics.api("GET", "/stats/total", headers=elsewhere)
    assert (refused.status, refused.json()) == (
        400,
        {
            "error": 'no site at this domain ("127.0.0.1")',
            "sites": [HOST, "two.example.com", "three.example.com"],
            "hint": f"send the site's Host, for example {HOST}",
        },
    )
    one = await analytics.new_token(sites=(2,))
    assert (await analytics.api("GET", "/me", token=one, headers=elsewhere)).json()["sites"] == ["two.example.com"]
    for token in (None, "unknown", await analytics.new_token(OF_COUNTERS)):
        bare = await analytics.api("GET", "/me", token=token, headers=elsewhere)
        assert (bare.status, bare.json()) == (400, {"error": 'no site at this domain ("127.0.0.1")'})


async def test_the_hosts_are_named_within_the_tokens_limit(tmp_path: Any) -> None:
    async with analytics_in_process(tmp_path, rate_limit=(Rate("api", 2, 60),)) as analytics:
        await analytics.api("PUT", "/sites", json={"cname": "two.example.com"})
        answers = [await analytics.api("GET", "/me", headers={"host": "a.example.org"}) for _ in range(3)]
        assert [answer.status for answer in answers] == [400] * 3
        assert ["sites" in answer.json() for answer in answers] == [True, False, False]


async def test_with_one_site_every_host_means_it(analytics: Analytics) -> None:
    assert (await analytics.api("GET", "/me", headers={"host": "127.0.0.1:8080"})).status == 200


ORDER: list[tuple[str, dict[str, Any], int]] = [
    # what is wrong, besides everything below it
    ("no site at the host", {"headers": {"host": "nobody.example.org", "content-type": "text/html"}}, 400),
    ("no JSON", {"headers": {"content-type": "text/html"}}, 415),
    ("limited", {"path": "/nothing"}, 429),
    ("not found", {"path": "/nothing", "token": None, "fresh": True}, 404),
    ("another method", {"method": "DELETE", "token": None, "fresh": True}, 405),
    ("no token", {"token": None, "fresh": True}, 401),
    ("no permission", {"token": "", "fresh": True}, 403),
    ("wrong values", {"fresh": True}, 400),
]


@pytest.mark.parametrize(("wrong", "asked", "status"), ORDER)
async def test_the_first_thing_that_is_wrong_decides(
    tmp_path: Any, wrong: str, asked: dict[str, Any], status: int
) -> None:
    async with analytics_in_process(tmp_path, rate_limit=(Rate("api", 2, 60),)) as analytics:
        await analytics.api("PUT", "/sites", json={"cname": "other.example.com"})
        powerless = await analytics.new_token(Permission.COUNT)
        if not asked.get("fresh"):
            await analytics.api("GET", "/me")
            await analytics.api("GET", "/me")
        token = powerless if asked.get("token") == "" else asked.get("token", analytics.token)
        answer = await analytics.api(
            asked.get("method", "PATCH"),
            asked.get("path", "/sites/1"),
            token=token,
            json=b"{",
            headers=asked.get("headers", {}),
        )
        assert answer.status == status, wrong


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (StoreBusy("too many requests are waiting"), 503, "not acknowledged: too many requests are waiting"),
        (StoreFailed("/secret/place"), 500, "not acknowledged: the storage failed"),
        (TimeoutError(), 504, "server timed out loading data"),
    ],
)
async def test_what_the_stores_cannot_do_is_told_without_details(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, text: str
) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(analytics.services.sites, "at", fail)
    answer = await analytics.api("GET", "/me")
    assert (answer.status, answer.json()) == (status, {"error": text})
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)


async def test_a_fault_of_the_program_is_told_by_a_code_that_stands_in_the_log(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(*_: object) -> None:
        msg = "a secret"
        raise RuntimeError(msg)

    monkeypatch.setattr(analytics.services.sites, "at", fail)
    answer = await analytics.api("GET", "/me")
    assert answer.status == 500
    text = "unexpected error code \u2018([0-9a-f]+)\u2019; the server's log tells more"
    code = re.fullmatch(text, answer.json()["error"])
    assert code is not None
    assert code[1] in capsys.readouterr().out


async def test_a_statistic_that_takes_too_long_is_given_up(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(judging, "READS_WITHIN_S", 0.01)
    monkeypatch.setattr(analytics.services.warehouse, "read", never)
    answer = await analytics.api("GET", "/stats/total")
    assert (answer.status, answer.json()) == (504, {"error": "server timed out loading data"})
