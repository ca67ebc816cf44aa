"""The pixel: its bytes, headers and statuses, and what is counted."""

import threading
from ipaddress import ip_network
from typing import Any

import pytest

from support.analytics import FIREFOX, Analytics, analytics_in_process
from support.warehouses import rows
from tallystick.errors import StoreBusy, StoreFailed
from tallystick.model.hit import Bot
from tallystick.model.site import Collect
from tallystick.services.accounts.sites import delete_site
from tallystick.surfaces.goatcounter.pixel import handler as pixel
from tallystick.surfaces.goatcounter.pixel.query import PixelQuery, pixel_query
from tallystick.web.rate_limit import Rate

GIF = bytes.fromhex("47494638396101000100800100000000ffffff21f90401000001002c00000000010001000002024c01003b")
HEADERS = {
    "content-type": "image/gif",
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "cache-control": "no-store, no-cache, max-age=0",
    "content-length": "43",
}
BOT = "Mozilla/5.0 (compatible; ExampleBot/1.0; +http://example.com/bot.html)"


async def test_a_pageview_is_answered_with_the_image_and_counted(analytics: Analytics) -> None:
    answer = await analytics.pixel(p="/a", t="A page", s="1920", b="0", rnd="x1y2z")
    assert (answer.status, answer.body) == (200, GIF)
    assert answer.headers.items() >= HEADERS.items()
    assert "x-goatcounter" not in answer.headers
    assert "set-cookie" not in answer.headers
    [(site, path, session, first, event, bot)] = await analytics.hits()
    assert (site, first, event, bot) == (analytics.site.id, True, False, 0)
    assert path
    assert session


async def test_one_visitor_is_first_once_on_each_path(analytics: Analytics) -> None:
    for path in ("/a", "/a", "/b"):
        await analytics.pixel(p=path)
    assert [first for _, _, _, first, _, _ in await analytics.hits()] == [True, False, True]


@pytest.mark.parametrize("target", ["/count?p=/a", "/count/?p=/a"])
async def test_with_and_without_a_slash(analytics: Analytics, target: str) -> None:
    assert (await analytics.ask(target, headers={"user-agent": FIREFOX})).body == GIF
    assert len(await analytics.hits()) == 1


async def test_a_beacon_is_a_post_whose_body_nobody_reads(analytics: Analytics) -> None:
    answer = await analytics.ask("/count?p=/a", method="POST", body=b"p=/b", headers={"content-type": "text/plain"})
    assert (answer.status, answer.body) == (200, GIF)
    assert len(await analytics.hits()) == 1


REFUSED = [
    # query, X-Goatcounter
    ("", "not valid: path: must be set, must be longer than 1 characters."),
    ("p=", "not valid: path: must be set, must be longer than 1 characters."),
    ("e=true", "not valid: path: must be set, must be longer than 1 characters."),
    ("p=/a&e=maybe", "error decoding parameters: e: 'maybe'"),
    ("p=/a&ns=2", "error decoding parameters: ns: '2'"),
    ("p=/a&b=x", "error decoding parameters: b: 'x'"),
    ("p=/a&b=1", "wrong value: b=1"),
    ("p=/a&b=149", "wrong value: b=149"),
    ("p=/a&b=-150", "wrong value: b=-150"),
    (f"p=/{'a' * 2048}", "ignored because path is longer than 2048 bytes (2058 bytes)"),
    (f"p=/a&t={'t' * 1025}", "not valid: title: must be shorter than 1024 characters."),
    ("p=/a&e=%0Ax%0D%00", r"error decoding parameters: e: '\nx\r\x00'"),
    ("p=/a&b=%E2%82%AC", r"error decoding parameters: b: '\u20ac'"),
]


async def test_what_makes_no_sense_is_told_in_a_header(analytics: Analytics) -> None:
    for query, reason in REFUSED:
        answer = await analytics.ask(f"/count?{query}", headers={"user-agent": FIREFOX})
        assert (answer.status, answer.headers["x-goatcounter"], answer.body) == (400, reason, GIF), (query, reason)
        assert answer.headers.items() >= HEADERS.items(), (query, reason)
        assert await analytics.hits() == [], (query, reason)


COUNTED = [
    f"p=/{'a' * 2047}",
    "p=/%C3%A9" + "%C3%A9" * 1000,
    "p=/a&unknown=1&e=&s=&b=&ns=&q=&r=&t=",
    "p=/a&p=/b&s=1920,1080,1.25",
    "p=/a&e=off&ns=0",
    "p=/a&r=" + "https%3A%2F%2Fexample.com%2F" * 10,
    "p=%ED%A0%80%00%FF",
    "&&=&p=/a&&",
]


async def test_what_makes_sense_is_counted(analytics: Analytics) -> None:
    for number, query in enumerate(COUNTED, 1):
        answer = await analytics.ask(f"/count?{query}", headers={"user-agent": FIREFOX})
        assert (answer.status, answer.body) == (200, GIF), answer
        assert len(await analytics.hits()) == number, query


SIZES: list[tuple[str, int]] = [
    ("1920,1080,1.100000023841858", 1920),
    ("1920%2C1080%2C1.100000023841858", 1920),
    ("1920,", 1920),
    ("+1920", 1920),
    ("%201920", 1920),
    ("1920,1080,1,1", 1920),
    ("1920,+1080,+1", 1920),
    ("1920,1080,undefined", 1920),
    ("NaN,NaN,1", 0),
    ("-1", 0),
    ("2147483648", 0),
    ("wide%00%FF", 0),
]


async def test_no_size_costs_a_hit(analytics: Analytics) -> None:
    for size, width in SIZES:
        answer = await analytics.ask(f"/count?p=/a&s={size}", headers={"user-agent": FIREFOX})
        assert (answer.status, answer.body) == (200, GIF), (size, width)
        assert (await analytics.widths())[-1] == width, (size, width)


UNDER_PATHS: list[tuple[str, str]] = [
    ("p=/?fbclid=abc%23/about", "/#/about"),
    ("p=%2Fapp%3Flang%3Den%23%2Fusers%2F1", "/app?lang=en#/users/1"),
    ("p=/search?q=%FC", "/search?q=%FC"),
    ("p=/search?q=%25FC", "/search?q=%FC"),
    ("p=%2Fsearch%3Fq%3D%25E4", "/search?q=%E4"),
    ("p=/caf%E9", "/caf%E9"),
    ("p=/a+b%2Bc", "/a b+c"),
    ("x=1&" * 300 + "p=/behind", "/behind"),
]


async def test_a_page_is_counted_under_its_path(analytics: Analytics) -> None:
    for query, path in UNDER_PATHS:
        assert (await analytics.ask(f"/count?{query}", headers={"user-agent": FIREFOX})).status == 200, (query, path)
        assert analytics.services.names.path(analytics.site.id, path) is not None, (query, path)


LONG = [
    # query, status: what the contract allows is counted, however long it is when it is escaped
    (f"p=/a&t={'%F0%9F%98%80' * 1024}&r=https://example.com/{'%E4%BD%A0' * 1000}&q={'%3Fa%3Db%26' * 1000}", 200),
    (f"p=/a&q=%3Futm_source%3Dnews%26x%3D{'%' * 50_000}", 200),
    (f"p=/a&q={'%26' * 20_000}", 200),
    (f"p=/a&r=https://example.com/x%3F{'%' * 50_000}", 200),
    (f"{'&' * 60_000}p=/a", 200),
    (f"p=/a&unknown={'%' * 60_000}", 200),
    (f"{'%' * 60_000}", 400),
    (f"p=/{'%' * 60_000}", 400),
    (f"p=/a&t={'%' * 60_000}", 400),
    (f"p=/a&b={'%' * 60_000}", 400),
    (f"p=/a&unknown={'%' * 70_000}", 414),
]


@pytest.mark.parametrize(("query", "status"), LONG, ids=lambda value: str(value)[:20])
async def test_a_long_query_is_counted_where_the_contract_allows_what_it_says(
    analytics: Analytics, query: str, status: int
) -> None:
    answer = await analytics.ask(f"/count?{query}", headers={"user-agent": FIREFOX})
    assert (answer.status, answer.body) == (status, GIF), answer
    assert len(await analytics.hits()) == (status == 200)


@pytest.mark.parametrize(("length", "apart"), [(8_000, False), (60_000, True)])
async def test_long_queries_are_decoded_beside_the_event_loop(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch, length: int, *, apart: bool
) -> None:
    threads = []

    def decoded(query: bytes) -> PixelQuery:
        threads.append(threading.current_thread())
        return pixel_query(query)

    monkeypatch.setattr(pixel, "pixel_query", decoded)
    await analytics.ask(f"/count?p=/a&q={'%' * length}", headers={"user-agent": FIREFOX})
    assert [thread is not threading.current_thread() for thread in threads] == [apart]


async def test_of_a_repeated_parameter_the_first_counts(analytics: Analytics) -> None:
    await analytics.ask("/count?p=first&p=second&e=1&e=no", headers={"user-agent": FIREFOX})
    assert analytics.services.names.path(analytics.site.id, "first") is not None
    [(_, _, _, _, event, _)] = await analytics.hits()
    assert event


async def test_without_a_session_every_hit_is_a_first_one(analytics: Analytics) -> None:
    for _ in range(2):
        await analytics.pixel(p="/a", ns="true")
    assert [(session, first) for _, _, session, first, _, _ in await analytics.hits()] == [(0, True)] * 2


@pytest.mark.parametrize(
    ("agent", "sent", "code"),
    [
        (FIREFOX, {"b": "153"}, Bot.WEBDRIVER),
        (FIREFOX, {"b": "99999"}, 255),
        (BOT, {}, Bot.LINK),
        (BOT, {"b": "150"}, Bot.LINK),
        ("curl/8.0", {}, Bot.SHORT),
    ],
)
async def test_a_bot_is_kept_with_its_reason(analytics: Analytics, agent: str, sent: dict[str, Any], code: int) -> None:
    answer = await analytics.pixel(p="/a", headers={"user-agent": agent}, **sent)
    assert (answer.status, answer.headers.get("x-goatcounter")) == (200, None)
    assert [bot for *_, bot in await analytics.hits()] == [code]


AHEAD_OF_TIME: list[tuple[str, str]] = [
    ("X-Moz", "prefetch"),
    ("X-Purpose", "prefetch"),
    ("X-Purpose", "preview"),
    ("Purpose", "Prefetch"),
    ("Sec-Purpose", "prefetch;prerender"),
]


async def test_what_a_browser_asks_ahead_of_time_is_not_counted(analytics: Analytics) -> None:
    for header, value in AHEAD_OF_TIME:
        answer = await analytics.pixel(b="100", headers={header: value})
        assert (answer.status, answer.body, answer.headers.get("x-goatcounter")) == (200, GIF, None), (header, value)
        assert await analytics.hits() == [], (header, value)


async def test_an_ignored_address_is_told(analytics: Analytics) -> None:
    await analytics.change_site(ignore_ips=("192.0.2.0/24",))
    answer = await analytics.pixel(p="/a", client="192.0.2.7")
    assert answer.status == 202
    assert answer.headers["x-goatcounter"] == 'ignored because "192.0.2.7" is in the IP ignore list'
    assert (await analytics.pixel(p="/a", client="198.51.100.7")).status == 200
    assert len(await analytics.hits()) == 1


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"ignore_countries": ("US",)}, "country"),
        ({"ignore_paths": ("/a",)}, "path"),
        ({"ignore_hosts": ("example.com",)}, "host"),
        ({"ignore_campaigns": ("spring",)}, "campaign"),
    ],
)
async def test_what_the_site_leaves_out_is_told(analytics: Analytics, settings: dict[str, Any], what: str) -> None:
    await analytics.change_site(**settings)
    headers = {"Referer": "https://www.example.com/a"}
    answer = await analytics.pixel(p="/a", q="?utm_campaign=spring", client="8.8.8.8", headers=headers)
    assert answer.status == 202
    assert answer.headers["x-goatcounter"] == f"ignored because the site leaves out the {what}"
    assert (await analytics.pixel(p="/b", client="192.0.2.7")).status == 200
    assert len(await analytics.hits()) == 1


@pytest.mark.parametrize(("header", "setting"), [("Sec-GPC", "respect_gpc"), ("DNT", "respect_dnt")])
async def test_who_asks_not_to_be_tracked_is_heeded_where_the_site_says_so(
    analytics: Analytics, header: str, setting: str
) -> None:
    assert (await analytics.pixel(p="/a", headers={header: "1"})).status == 200
    await analytics.change_site(**{setting: True})
    answer = await analytics.pixel(p="/a", headers={header: "1"})
    assert (answer.status, answer.headers["x-goatcounter"]) == (
        202,
        "ignored because the browser asks not to be tracked",
    )
    assert (await analytics.pixel(p="/a", headers={header: "0"})).status == 200
    assert len(await analytics.hits()) == 2


@pytest.mark.parametrize("path", ["/favicon.ico", "/<html>"])
async def test_what_is_no_page_is_told(analytics: Analytics, path: str) -> None:
    answer = await analytics.pixel(p=path)
    assert (answer.status, answer.headers["x-goatcounter"]) == (202, "ignored because the path is not one of a page")


@pytest.mark.parametrize(
    ("method", "status", "body"),
    [("HEAD", 200, b""), ("OPTIONS", 200, b""), ("PUT", 405, GIF), ("DELETE", 405, GIF)],
)
async def test_other_methods_never_count(analytics: Analytics, method: str, status: int, body: bytes) -> None:
    answer = await analytics.ask("/count?p=/a", method=method)
    assert (answer.status, answer.body) == (status, body)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers.get("allow", "GET, HEAD, OPTIONS, POST") == "GET, HEAD, OPTIONS, POST"
    assert await analytics.hits() == []


async def test_visitors_behind_a_proxy_with_a_header_of_its_own_are_told_apart(tmp_path: Any) -> None:
    proxy = {"trusted_proxy": (ip_network("10.0.0.1"),), "client_address_header": "X-Real-IP"}
    async with analytics_in_process(tmp_path, **proxy) as analytics:
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
            await analytics.pixel(p="/a", client="10.0.0.1", headers={"x-real-ip": address})
        assert [first for _, _, _, first, _, _ in await analytics.hits()] == [True, True, False]


async def test_four_a_second_for_each_address_and_browser(tmp_path: Any) -> None:
    async with analytics_in_process(tmp_path, rate_limit=()) as analytics:
        answers = [await analytics.pixel(p="/a") for _ in range(5)]
        assert [answer.status for answer in answers] == [200] * 4 + [429]
        limited = answers[-1]
        assert limited.body == GIF
        assert limited.headers["retry-after"] == "1"
        assert limited.headers["x-goatcounter"] == "rate limited"
        assert [answer.headers["x-rate-limit-remaining"] for answer in answers] == ["3", "2", "1", "0", "0"]
        assert limited.headers["x-rate-limit-limit"] == "4"
        assert limited.headers["x-rate-limit-reset"] == "1"
        assert (await analytics.pixel(p="/a", client="198.51.100.1")).status == 200
        assert (await analytics.pixel(p="/a", headers={"user-agent": BOT})).status == 200


async def test_another_browser_for_each_request_does_not_help(tmp_path: Any) -> None:
    async with analytics_in_process(tmp_path, rate_limit=(Rate("count-address", 6, 60),)) as analytics:
        answers = [await analytics.pixel(p="/a", headers={"user-agent": f"{FIREFOX} {n}"}) for n in range(8)]
        assert [answer.status for answer in answers] == [200] * 6 + [429] * 2
        assert answers[0].headers["x-rate-limit-limit"] == "4"
        assert answers[-1].headers["x-rate-limit-limit"] == "6"
        assert int(answers[-1].headers["retry-after"]) > 50
        assert (await analytics.pixel(p="/a", client="198.51.100.1")).status == 200
        sixes = [await analytics.pixel(p="/a", client=f"2001:db8:0:{n}::1") for n in range(30)]
        assert [answer.status for answer in sixes] == [200] * 24 + [429] * 6


@pytest.mark.parametrize("loopback", ["127.0.0.1", "127.1.2.3", "::1"])
async def test_the_machine_itself_is_not_limited(tmp_path: Any, loopback: str) -> None:
    async with analytics_in_process(tmp_path, rate_limit=(Rate("count", 1, 60),)) as analytics:
        answers = [await analytics.pixel(p="/a", client=loopback) for _ in range(5)]
        assert [answer.status for answer in answers] == [200] * 5
        assert "x-rate-limit-limit" not in answers[0].headers


async def test_a_host_of_no_site_is_told_once_there_are_several(analytics: Analytics) -> None:
    assert (await analytics.pixel(p="/a", headers={"host": "anything.example.org:8080"})).status == 200
    await analytics.api("PUT", "/sites", json={"cname": "other.example.com"})
    answer = await analytics.pixel(p="/a", headers={"host": "Unknown.example.org:8080"})
    assert (answer.status, answer.body) == (400, GIF)
    assert answer.headers["x-goatcounter"] == 'no site at this domain ("unknown.example.org")'
    assert (await analytics.pixel(p="/a", headers={"host": "OTHER.example.com:8080"})).status == 200
    assert [site for site, *_ in await analytics.hits()] == [1, 2]


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [(StoreBusy("full"), 503, "1"), (StoreFailed("broken"), 500, None), (RuntimeError("a fault"), 500, None)],
)
async def test_what_could_not_be_stored_is_no_success(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, retry_after: str | None
) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(analytics.services.warehouse, "append", fail)
    answer = await analytics.pixel(p="/a")
    assert (answer.status, answer.headers.get("retry-after"), answer.body) == (status, retry_after, GIF)


async def test_the_first_site_goes_on_counting_when_another_is_added(analytics: Analytics) -> None:
    old = {"host": "old.example.com:8080"}
    assert (await analytics.pixel(p="/a", headers=old)).status == 200
    sent = {"hits": [{"path": "/b", "session": "x"}]}
    answer = await analytics.api("POST", "/count", json=sent, headers={"host": "api.lan"})
    assert answer.status == 202, answer.text
    assert (await analytics.pixel(headers={"host": "bad.example.com"})).status == 400  # it has counted nothing
    assert (await analytics.api("PUT", "/sites", json={"cname": "two.example.com"})).status == 200
    hosts = ("old.example.com", "OLD.example.com:80", "api.lan", "stats.example.com", "bad.example.com")
    assert [(await analytics.pixel(p="/a", headers={"host": host})).status for host in hosts] == [200] * 4 + [400]


async def test_an_only_site_that_had_a_neighbour_does_not_get_its_hits(analytics: Analytics) -> None:
    other = (await analytics.api("PUT", "/sites", json={"cname": "two.example.com"})).json()["id"]
    await analytics.services.ledger.write(delete_site, other, 0)
    assert (await analytics.pixel(p="/a", headers={"host": "two.example.com"})).status == 400
    assert (await analytics.pixel(p="/a")).status == 200


@pytest.mark.parametrize(
    ("query", "headers", "row"),
    [
        ("", {}, ("", "", "", "", "", "", "Direct")),
        ("", {"referer": "https://www.Example.com:8080/a?b"}, ("", "", "", "", "example.com", "", "Direct")),
        ("", {"origin": "https://blog.example.com"}, ("", "", "", "", "blog.example.com", "", "Direct")),
        ("", {"origin": "null"}, ("", "", "", "", "", "", "Direct")),
        (
            "&r=https://example.com/b",
            {"referer": "https://example.com/"},
            ("", "", "", "", "example.com", "", "Direct"),
        ),
        ("&r=https://www.google.com/", {}, ("", "", "", "", "", "Google", "Organic Search")),
        (
            "&q=utm_source%3Dnews%26utm_medium%3Demail%26utm_content%3Dtop%26utm_term%3Da%2Bb",
            {},
            ("news", "email", "top", "a b", "", "news", "Email"),
        ),
    ],
)
async def test_what_led_to_a_page_is_kept(
    analytics: Analytics, query: str, headers: dict[str, str], row: tuple[str, ...]
) -> None:
    await analytics.ask(f"/count?p=/a{query}", headers={"user-agent": FIREFOX, **headers}, client="192.0.2.1")
    columns = "utm_source, utm_medium, utm_content, utm_term, host, source, channel"
    assert await rows(analytics.services.warehouse, columns) == [row]


async def test_without_referrers_no_source_is_kept(analytics: Analytics) -> None:
    await analytics.change_site(collect=int(sum(Collect) - Collect.REFERRER))
    await analytics.ask("/count?p=/a&q=utm_source%3Dnews&r=https://a.example", headers={"user-agent": FIREFOX})
    columns = "ref, utm_source, utm_medium, source, channel"
    assert await rows(analytics.services.warehouse, columns) == [("", "", "", "", "")]


PROPS = [
    # props, what is stored
    ('{"plan":"pro","seats":3}', '{"plan":"pro","seats":"3"}'),
    ('{"b":"ü","a":null,"c":[1]}', '{"b":"ü"}'),
    ('{"' + "x" * 301 + '":"y","plan":"pro"}', '{"plan":"pro"}'),
    ("", ""),
    ('{"cut":"\\ud83d","plan":"pro"}', '{"cut":"\ufffd","plan":"pro"}'),
    ("{", ""),
    ("7", ""),
    ('{"a":NaN}', ""),
    ("[" * 5_000, ""),
    ('{"a":"' + "b" * 30_000 + '"}', ""),
]


@pytest.mark.parametrize(("props", "stored"), PROPS, ids=range(len(PROPS)))
async def test_properties_are_stored_and_never_refuse_a_hit(analytics: Analytics, props: str, stored: str) -> None:
    assert (await analytics.pixel(p="signup", e="true", props=props)).status == 200
    assert await rows(analytics.services.warehouse, "event, props, interactive, page, device") == [
        (True, stored, True, None, "Desktop")
    ]


async def test_a_site_may_want_no_properties(analytics: Analytics) -> None:
    await analytics.change_site(collect_props=False)
    await analytics.pixel(p="/a", props='{"plan":"pro"}')
    assert await rows(analytics.services.warehouse, "props") == [("",)]
