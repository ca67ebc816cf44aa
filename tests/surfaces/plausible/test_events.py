"""``POST /api/event``: each row of the contract's part 6, and bodies that nobody should send."""

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from support.analytics import CHROME, FIREFOX, HOST, Analytics, analytics_in_process
from support.asking import Answer
from support.warehouses import rows
from tallystick.app import SURFACES
from tallystick.errors import NoSuchSite, StoreBusy, StoreFailed
from tallystick.ledger import Session
from tallystick.model.hit import Bot
from tallystick.model.period import Period
from tallystick.services.accounts.sites import SiteChanges, update_site
from tallystick.services.ingest import new_props
from tallystick.services.ingest.dropped_hits import dropped_hits
from tallystick.services.ingest.new_names import TOO_MANY_EVENTS, TOO_MANY_PATHS
from tallystick.web.rate_limit import Rate
from tallystick.web.surface import default_rates

EVENT = "/api/event"
ADDRESS = "192.0.2.1"
PAGE: dict[str, Any] = {"n": "pageview", "u": f"https://{HOST}/pricing", "d": HOST}
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


async def post(  # noqa: PLR0913  # the parts of a request
    analytics: Analytics,
    body: Any,
    *,
    agent: str | None = FIREFOX,
    client: str | None = ADDRESS,
    path: str = EVENT,
    method: str = "POST",
    **headers: str,
) -> Answer:
    """Send a body: bytes as they are, other values as JSON. The Host is not the site's."""
    sent = {"host": "elsewhere.example.net", "content-type": "text/plain"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    if agent is not None:
        sent["user-agent"] = agent
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await analytics.ask(path, method=method, headers=sent, client=client, body=raw)


async def stored(analytics: Analytics, columns: str = "event", bots: bool = False) -> list[tuple[Any, ...]]:  # noqa: FBT001, FBT002
    """Every hit: the name of its path, and other columns."""

    def names(session: Session) -> dict[int, str]:
        return {int(number): str(path) for number, path in session.connection.execute("SELECT id, path FROM path")}

    known = await analytics.services.ledger.read(names)
    found = await rows(analytics.services.warehouse, f"bot, path, {columns}")
    return [(known[path], *others) for bot, path, *others in found if bots or not bot]


async def recorded(analytics: Analytics, columns: str, **changes: Any) -> Any:
    """What a body leaves that differs in these keys from a pageview's; None removes a key. The last hit's columns."""
    before = analytics.services.warehouse.marks.last_id
    body = {key: value for key, value in (PAGE | changes).items() if value is not ...}
    answer = await post(analytics, body)
    assert (answer.status, answer.headers.get("x-plausible-dropped")) == (202, None), (body, answer.text)
    assert analytics.services.warehouse.marks.last_id == before + 1, body
    return (await stored(analytics, columns))[-1]


def dropped(answer: Answer) -> str | None:
    assert (answer.status, answer.body, answer.headers["content-type"]) == (202, b"ok", "text/plain; charset=utf-8")
    assert answer.headers["access-control-allow-origin"] == "*"
    return answer.headers.get("x-plausible-dropped")


# What the trackers and clients send (6.4).
SENT: list[tuple[dict[str, Any], tuple[str, bool]]] = [
    (
        {"n": "pageview", "v": 36, "u": f"https://{HOST}/pricing?utm_source=news", "d": HOST, "r": None},
        ("/pricing", False),
    ),
    (
        {
            "n": "Signup", "v": 36, "u": f"https://{HOST}/", "d": HOST, "r": "https://example.org/",
            "p": {"plan": "pro"}, "i": False, "$": {"currency": "EUR", "amount": "9.50"}, "h": 1,
        },
        ("Signup", True),
    ),
    ({"name": "pageview", "url": "app://localhost/login", "domain": HOST, "props": {}}, ("/login", False)),
    ({"n": "pageview", "u": "/blog", "d": HOST}, ("/blog", False)),
    ({"n": "pageview", "u": f"https://{HOST}/old", "d": HOST, "r": None, "w": 1440, "h": 0, "p": '{"a":"b"}'},
     ("/old", False)),
    ({"name": 404, "url": f"https://{HOST}/x", "domain": HOST, "props": {"path": "/x"}}, ("404", True)),
    ({"n": "Outbound Link: Click", "u": f"https://{HOST}/", "d": HOST, "p": {"url": "https://example.org/"}},
     ("Outbound Link: Click", True)),
    ({"n": "File Download", "u": "/", "d": HOST, "revenue": '{"currency":"EUR"}'}, ("File Download", True)),
    ({"n": "/Cloaked Link: Click", "u": "/", "d": HOST, "extra": [1, {}]}, ("Cloaked Link: Click", True)),
]  # fmt: skip


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "application/x-www-form-urlencoded", ""])
async def test_what_clients_send_is_recorded_whatever_its_type(analytics: Analytics, content_type: str) -> None:
    for body, _ in SENT:
        assert dropped(await post(analytics, body, content_type=content_type)) is None
    assert await stored(analytics) == [expected for _, expected in SENT]


async def test_a_slash_may_stand_behind_the_address(analytics: Analytics) -> None:
    assert dropped(await post(analytics, PAGE, path=f"{EVENT}/")) is None
    assert await stored(analytics) == [("/pricing", False)]


# Values that stand for none, or that are no value of their field.
NO_REFERRERS: list[Any] = [
    None, 7, [], {}, True, "", "free text", f"https://www.{HOST}/other", f"http://{HOST}:81", "http://localhost:3000/",
    "http://LOCALHOST", "ftp://example.org/", "//example.org/", "javascript:x", "https://[broken",
    "https://t.co/" + "ü" * 1_900,
]  # fmt: skip
NO_WIDTHS: list[Any] = [None, True, [], {}, "wide", -5, 2**31, 2**70, 1e300, ""]
WIDTH = "CAST(width AS INTEGER)"
ANY_VALUES: list[Any] = [
    None, True, 7, "text", "{", '{"a":1}', [], {}, {"a": None, " ": "x", "b": [1], "c": {"d": 1}}
]  # fmt: skip
NO_VALUE: list[Any] = [None, ...]
NO_PROPS: list[Any] = [None, True, 7, "text", "[1]", [], {}, [{"a": "b"}]]
HARMLESS = ("m", "meta", "p", "props", "$", "revenue", "i", "interactive", "v", "sd", "e", "unknown")
NO_NAMES: list[Any] = [..., None, "", " ", "x" * 121, True, False, 1.5, [], {}, 10**200]
NO_URLS: list[Any] = [
    ..., None, "", " ", 7, [], {}, "/" + "a" * 2_000, "ü" * 1_001, "data:text/html,x", " DATA:x", "http://[broken"
]  # fmt: skip
NO_DOMAINS: list[Any] = ["", " ", ",", " , ,", 7, True, [], [HOST], {}, ",".join([HOST] * 21)]
NO_PROPERTIES: list[Any] = [
    {"x" * 301: "y"}, {"ü" * 151: "y"}, {"x": "y" * 2_001}, {"x": "ü" * 1_001}, json.dumps({"x": "y" * 2_001})
]  # fmt: skip
NOT_ENGAGED: list[dict[str, Any]] = [
    {}, {"sd": -1}, {"e": -1}, {"sd": "x", "e": 2_592_000_000}, {"sd": True}, {"sd": 1.5}, {"e": []}, {"sd": "-3"}
]  # fmt: skip
ENGAGED: list[dict[str, Any]] = [
    {"sd": 80, "e": 5400}, {"sd": 0}, {"sd": 250}, {"e": 0}, {"e": "5400"}, {"sd": "7", "e": -1}, {"sd": -1, "e": 5}
]  # fmt: skip

# Columns, changes of the body, what is stored (6.1, 6.2).
FIELDS: list[tuple[str, dict[str, Any], tuple[Any, ...]]] = [
    # The short name counts if it is there, false and 0 included; null is not there.
    ("event", {"name": "Signup"}, ("/pricing", False)),
    ("event", {"n": None, "name": "Signup"}, ("Signup", True)),
    ("event", {"n": ..., "name": "Signup"}, ("Signup", True)),
    ("event", {"n": 0}, ("0", True)),
    ("event", {"url": "https://other.example.com/"}, ("/pricing", False)),
    ("event", {"u": "/a#b", "h": 0, "hashMode": 1}, ("/a", False)),
    ("event", {"u": "/a#b", "h": False, "hashMode": 1}, ("/a", False)),
    ("event", {"u": "/a#b", "hashMode": 1}, ("/a#b", False)),
    ("event", {"u": "/a#b", "h": None, "hashMode": 1}, ("/a#b", False)),
    ("event", {"u": "/a#b"}, ("/a", False)),
    ("event", {"u": "/a#", "h": 1}, ("/a", False)),
    ("event", {"u": "/a#/caf%C3%A9?q=1", "h": 1}, ("/a#/café?q=1", False)),
    (WIDTH, {"w": 0, "screen_width": 800}, ("/pricing", 0)),
    # Events.
    ("event", {"n": "x" * 120}, ("x" * 120, True)),
    ("event", {"n": "Pageview"}, ("Pageview", True)),
    ("event", {"n": "ü" * 120}, ("ü" * 120, True)),
    ("event", {"n": "\ud83d"}, ("\ufffd", True)),
    # Paths.
    ("host", {"u": f"https://www.{HOST}:8443/a/b/?x=1&utm_source=y#c"}, ("/a/b", HOST)),
    ("host", {"u": f"https://{HOST}"}, ("/", HOST)),
    ("host", {"u": f"HTTPS://{HOST.upper()}/%C3%BCber%20uns%20%20"}, ("/über uns", HOST)),
    ("host", {"u": "/%FC"}, ("/%FC", "")),
    ("host", {"u": "/a%00b"}, ("/a\ufffdb", "")),
    # An escaped mark of a query or a fragment is a part of the path.
    ("host", {"u": "/a%3Futm_source=x%23b%3fc"}, ("/a%3Futm_source=x%23b%3fc", "")),
    ("host", {"u": "app://localhost/login"}, ("/login", "localhost")),
    ("event", {"u": "/" + "a" * 1_999}, ("/" + "a" * 1_999, False)),
    # Queries.
    ("utm_source, utm_medium, utm_content, utm_term, source",
     {"u": "/?utm_source=Letter&utm_medium=email&utm_content=top&utm_term=x&source=no&ref=no"},
     ("/", "Letter", "email", "top", "x", "Letter")),
    ("utm_source", {"u": "/?source=two&ref=three"}, ("/", "two")),
    ("utm_source", {"u": "/?ref=three"}, ("/", "three")),
    ("ref, ref_scheme", {"u": "/?utm_source=Letter", "r": "https://example.org/a"}, ("/", "Letter", "c")),
    # Referrers.
    ("ref, ref_scheme", {"r": "https://www.example.org/a?q=secret"}, ("/pricing", "www.example.org/a", "h")),
    ("ref, ref_scheme", {"referrer": "http://example.org/"}, ("/pricing", "example.org", "h")),
    ("ref, ref_scheme", {"r": "android-app://com.example.app"}, ("/pricing", "com.example.app", "o")),
    ("ref, source", {"r": "https://www.google.com/"}, ("/pricing", "Google", "Google")),
    *(
        ("ref, ref_scheme, source, channel", {"r": none}, ("/pricing", "", "o", "", "Direct"))
        for none in NO_REFERRERS
    ),
    ("ref", {"r": "https://example.org/" + "a" * 5_000}, ("/pricing", "example.org/" + "a" * 1_980)),
    # Widths.
    (WIDTH, {"w": 1440}, ("/pricing", 1440)),
    (WIDTH, {"screen_width": "1440"}, ("/pricing", 1440)),
    (WIDTH, {"w": 1440.5}, ("/pricing", 1440)),
    *((WIDTH, {"w": odd}, ("/pricing", 0)) for odd in NO_WIDTHS),
    # Of any value.
    *(
        ("event", {key: value}, ("/pricing", False))
        for key in HARMLESS
        for value in ANY_VALUES
    ),
    ("event", {"p": {f"{number}": "x" * 2_000 for number in range(30)} | {"x": "x" * 2_001}}, ("/pricing", False)),
    ("event", {"p": {"x" * 300: "ü" * 1_000, "y" * 301: None, "z": ["z" * 2_001]}}, ("/pricing", False)),
    ("event", {"p": None, "props": {"x": True, "y": 12, "z": 1.5}}, ("/pricing", False)),
    # Properties, also of pageviews.
    ("props", {}, ("/pricing", "")),
    ("props", {"n": "Signup", "p": {"plan": "pro"}}, ("Signup", '{"plan":"pro"}')),
    ("props", {"p": '{"plan":"pro"}'}, ("/pricing", '{"plan":"pro"}')),
    ("props", {"m": {"a": "m"}, "meta": {"a": "meta"}, "p": {"a": "p"}, "props": {"a": "props"}},
     ("/pricing", '{"a":"m"}')),
    ("props", {"m": None, "meta": {"a": "meta"}, "p": {"a": "p"}}, ("/pricing", '{"a":"meta"}')),
    ("props", {"p": {"a": "p"}, "props": {"a": "props"}}, ("/pricing", '{"a":"p"}')),
    ("props", {"p": {"y": True, "n": 12, "f": 1.5, "z": 0, "no": False}},
     ("/pricing", '{"f":"1.5","n":"12","no":"false","y":"true","z":"0"}')),
    ("props", {"p": {"a": None, "b": " \t", "c": "", "d": [1], "e": {"f": 1}, " ": "x", "": "x", "g": " h "}},
     ("/pricing", '{"g":" h "}')),
    ("props", {"p": {"b\ud800": "\x00", "ü": '"\\\n'}}, ("/pricing", '{"b\ufffd":"\ufffd","ü":"\\"\\\\\\n"}')),
    *(("props", {"p": none}, ("/pricing", "")) for none in NO_PROPS),
    ("json_keys(nullif(props, ''))", {"p": {f"{number:02}": number for number in range(40)}},
     ("/pricing", [f"{number:02}" for number in range(30)])),
    # Whether an event ends a bounce.
    *(
        ("interactive", {"n": "Signup", **sent}, ("Signup", expected))
        for sent, expected in (
            ({}, True), ({"i": False}, False), ({"i": True}, True), ({"interactive": False}, False),
            ({"i": False, "interactive": True}, False), ({"i": True, "interactive": False}, True),
            ({"i": None, "interactive": False}, False), ({"i": 0}, True), ({"i": "false"}, True),
        )
    ),
    # Devices are of the agent, not of the width.
    ("device", {"w": 390}, ("/pricing", "Desktop")),
    # Sites.
    *(("event", {"d": name}, ("/pricing", False)) for name in
      (f" {HOST} ", f"www.{HOST}", HOST.upper(), f"{HOST},", f",{HOST}, www.{HOST}")),
    *(("event", {"d": missing}, ("/pricing", False)) for missing in NO_VALUE),
    ("event", {"d": None, "u": f"https://www.{HOST}/"}, ("/", False)),
]  # fmt: skip


async def test_fields(analytics: Analytics) -> None:
    for columns, changes, expected in FIELDS:
        assert await recorded(analytics, columns, **changes) == expected, changes


def contents_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


async def test_nothing_of_properties_is_on_disk_if_the_site_wants_none_and_of_revenue_never(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path) as analytics:
        for key in ("$", "revenue", "unknown"):
            assert dropped(await post(analytics, PAGE | {key: {"neverstored": "neverstored"}})) is None
        await analytics.change_site(collect_props=False)
        for key in ("m", "meta", "p", "props"):
            assert dropped(await post(analytics, PAGE | {key: {"neverstored": "neverstored"}})) is None
    contents = contents_of(tmp_path)
    assert b"/pricing" in contents
    assert b"neverstored" not in contents


async def test_the_page_of_an_event_is_the_path_of_its_url(analytics: Analytics) -> None:
    await post(analytics, PAGE | {"u": f"https://{HOST}/%C3%BCber/?q=1#f"})
    for changes in (
        {},
        {"u": f"https://{HOST}/%C3%BCber#x"},
        {"u": "/never/viewed", "i": False},
        {"u": "/a#b", "h": 1},
    ):
        await post(analytics, PAGE | {"n": "Signup"} | changes)
    await post(analytics, PAGE | {"u": "/favicon.ico", "n": "Signup"})

    def paths(session: Session) -> dict[int, tuple[str, bool, bool]]:
        found = session.connection.execute("SELECT id, path, event, counted FROM path")
        return {int(id_): (str(path), bool(event), bool(counted)) for id_, path, event, counted in found}

    known = await analytics.services.ledger.read(paths)
    found = await rows(analytics.services.warehouse, "path, page, interactive")
    assert [(known[path][0], page and known[page][0], interactive) for path, page, interactive in found] == [
        ("/über", None, True),
        ("Signup", "/pricing", True),
        ("Signup", "/über", True),
        ("Signup", "/never/viewed", False),
        ("Signup", "/a#b", True),
        ("Signup", None, True),
    ]
    # A page without a pageview is in no list of pages.
    assert {path: counted for path, event, counted in known.values() if not event} == {
        "/über": True,
        "/pricing": False,
        "/never/viewed": False,
        "/a#b": False,
    }


async def test_values_of_properties_are_limited(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_props, "VALUES_A_DAY", 2)
    monkeypatch.setattr(new_props, "NAMES_A_DAY", 2)
    for props in ({"a": 1}, {"a": 2, "b": 1}, {"a": 3, "b": 2}, {"c": 1, "b": 3}, {"c": 1}, {"a": 2}):
        await post(analytics, PAGE | {"p": props})
    assert [props for _, props in await stored(analytics, "props")] == [
        '{"a":"1"}',
        '{"a":"2","b":"1"}',
        '{"a":"(other)","b":"2"}',
        '{"b":"(other)"}',
        "",
        '{"a":"2"}',
    ]


NAME, URL, SITE, PROPS, BODY = "event_name", "url", "domain", "props", "request"
BAD: list[tuple[dict[str, Any], list[str]]] = [
    *(({"n": name}, [NAME]) for name in NO_NAMES),
    *(({"u": url}, [URL]) for url in NO_URLS),
    *(({"d": domain}, [SITE]) for domain in NO_DOMAINS),
    ({"d": ..., "u": "/blog"}, [SITE]),
    *(({"p": props}, [PROPS]) for props in NO_PROPERTIES),
    ({"p": ..., "props": {"x": "y" * 2_001}}, [PROPS]),
    ({"m": {"x": "y" * 2_001}, "p": {}}, [PROPS]),
    ({"n": ..., "u": ..., "d": "", "p": {"x" * 301: 1}}, [URL, SITE, NAME, PROPS]),
    *(({"n": "engagement", **wrong}, [NAME]) for wrong in NOT_ENGAGED),
]


async def test_bad_events_are_told_by_field_and_leave_nothing(analytics: Analytics) -> None:
    for changes, fields in BAD:
        body = {key: value for key, value in (PAGE | changes).items() if value is not ...}
        answer = await post(analytics, body)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (400, "*"), body
        assert list(answer.json()) == ["errors"]
        assert list(answer.json()["errors"]) == fields, body
        for texts in answer.json()["errors"].values():
            assert len(texts) == 1
            assert texts[0]
    assert await stored(analytics, bots=True) == []


HOSTILE = [
    b"", b"no JSON", b"[]", b'"text"', b"7", b"null", b"[" * 100_000, b'{"a":' * 100_000, b'{"a":"\xff"}', b'{"a":NaN}',
    b'{"a":1' + b"1" * 5_000 + b"}", b"\xef\xbb\xbf{}", b'{"a":"\x00"}', "{}".encode("utf-16"), b"n=pageview&u=%2F",
]  # fmt: skip


async def test_what_is_no_json_object(analytics: Analytics) -> None:
    for body in HOSTILE:
        answer = await post(analytics, body)
        assert (answer.status, list(answer.json()["errors"])) == (400, [BODY]), body


async def test_texts_of_any_kind_are_recorded_as_texts(analytics: Analytics) -> None:
    nasty = ["'; DROP TABLE hit; --", '"', "\\", "%", "\u202e", "$p0", "{x}", "🙂", "<script>", "%%", "a\nb", "\x7f"]
    for text in nasty:
        body = PAGE | {
            "n": text,
            "r": f"https://example.org/{text}",
            "u": f"/{text}?utm_source={text}",
            "p": {text: text},
        }
        assert dropped(await post(analytics, body)) is None
        assert dropped(await post(analytics, body | {"n": "pageview"})) is None
        assert dropped(await post(analytics, PAGE | {"d": text})) == "1"
    assert [name for name, event in await stored(analytics) if event] == nasty
    deep = '{"a":' * 50_000
    assert dropped(await post(analytics, PAGE | {"p": deep})) is None


async def test_the_largest_body(analytics: Analytics) -> None:
    body = json.dumps(PAGE).encode()
    assert dropped(await post(analytics, body + b" " * (1_000_000 - len(body)))) is None
    for fits_not in (b" " * 1_000_001, body + b" " * 1_000_001):
        answer = await post(analytics, fits_not)
        assert (answer.status, list(answer.json())) == (413, ["error"])
        assert answer.headers["access-control-allow-origin"] == "*"
    assert len(await stored(analytics)) == 1


async def test_an_unknown_domain_is_no_error(analytics: Analytics) -> None:
    assert dropped(await post(analytics, PAGE | {"d": "nobody.example.com"})) == "1"
    assert dropped(await post(analytics, PAGE | {"d": None, "u": "https://nobody.example.com/"})) == "1"
    assert dropped(await post(analytics, PAGE | {"d": "a.example.com, b.example.com,www.b.example.com"})) == "2"
    assert await stored(analytics, bots=True) == []
    # What is known is recorded.
    assert dropped(await post(analytics, PAGE | {"d": f"nobody.example.com,{HOST}"})) == "1"
    assert await stored(analytics) == [("/pricing", False)]


async def test_an_event_is_recorded_for_each_site_once(analytics: Analytics) -> None:
    created = await analytics.api("PUT", "/sites", json={"cname": "other.example.com"})
    other = created.json()["id"]
    ledger, clock = analytics.services.ledger, analytics.clock
    await ledger.write(
        update_site, other, SiteChanges(domain="shop.example.com", link_domain="links.example.com"), clock()
    )
    answer = await post(analytics, PAGE | {"d": f"{HOST},www.shop.example.com,other.example.com,shop.example.com"})
    assert dropped(answer) is None
    assert [hit[0] for hit in await analytics.hits()] == [analytics.site.id, other]
    # Whoever writes another website's name as link domain does not get its hits.
    assert dropped(await post(analytics, PAGE | {"d": "links.example.com"})) == "1"
    assert dropped(await post(analytics, PAGE | {"d": None, "u": "https://shop.example.com/a"})) is None
    assert [hit[0] for hit in await analytics.hits()] == [analytics.site.id, other, other]


EVER = Period(start=0, end=0, first=0, after=2**62, segments=())

NOT_COUNTED: list[tuple[dict[str, Any], dict[str, str], str]] = [
    # settings of the site, headers, reason
    ({}, {"sec_purpose": "prefetch;prerender"}, "prefetch"),
    ({}, {"purpose": "prefetch"}, "prefetch"),
    ({"respect_gpc": True}, {"sec_gpc": "1"}, "opted out"),
    ({"respect_dnt": True}, {"dnt": "1"}, "opted out"),
    ({"ignore_ips": ("192.0.2.0/24",)}, {}, "ignored address"),
]
LEFT_OUT = [
    ({"ignore_paths": ("/pri*",)}, "ignored page"),
    ({"ignore_hosts": ("*.example.com", "example.com")}, "ignored host"),
    ({"ignore_countries": ("US",)}, "ignored country"),
    ({"ignore_campaigns": ("spring",)}, "ignored campaign"),
]


@pytest.mark.parametrize(("settings", "headers", "reason"), NOT_COUNTED)
async def test_dropped_for_a_reason(
    analytics: Analytics, settings: dict[str, Any], headers: dict[str, str], reason: str
) -> None:
    if settings:
        await analytics.change_site(**settings)
    assert dropped(await post(analytics, PAGE, **headers)) == "1"
    assert await stored(analytics, bots=True) == []
    await analytics.services.ingest.dropped.keep()
    found = await analytics.services.ledger.read(dropped_hits, [analytics.site.id], EVER)
    assert found == {reason: 1}
    assert dropped(await post(analytics, PAGE, client="198.51.100.1")) is None


@pytest.mark.parametrize(("settings", "reason"), LEFT_OUT)
async def test_left_out_by_the_sites_rules(analytics: Analytics, settings: dict[str, Any], reason: str) -> None:
    page = PAGE | {"u": f"{PAGE['u']}?utm_campaign=Spring"}
    event = page | {"n": "Signup"}
    assert [dropped(await post(analytics, sent, client="8.8.8.8")) for sent in (page, event)] == [None, None]
    await analytics.change_site(**settings)
    assert [dropped(await post(analytics, sent, client="8.8.8.8")) for sent in (page, event)] == ["1", "1"]
    await analytics.services.ingest.dropped.keep()
    assert await analytics.services.ledger.read(dropped_hits, [analytics.site.id], EVER) == {reason: 2}


async def test_pages_that_are_none_are_dropped(analytics: Analytics) -> None:
    assert dropped(await post(analytics, PAGE | {"u": "/favicon.ico"})) == "1"
    assert dropped(await post(analytics, PAGE | {"u": "/favicon.ico", "n": "File Download"})) is None


@pytest.mark.parametrize(
    ("agent", "code"), [(None, Bot.SHORT), ("", Bot.SHORT), (GOOGLEBOT, None), ("python-requests/2.32", None)]
)
async def test_bots_are_stored_with_their_code_and_told_as_dropped(
    analytics: Analytics, agent: str | None, code: int | None
) -> None:
    assert dropped(await post(analytics, PAGE, agent=agent)) == "1"
    ((path, bot),) = await stored(analytics, "bot", bots=True)
    assert path == "/pricing"
    assert bot > Bot.NO_MATCH
    assert code is None or bot == code


NO_HITS: list[dict[str, Any]] = [
    *({"n": "engagement", **told} for told in ENGAGED),
    {"n": "pageleave"},
    {"n": None, "name": "pageleave"},
]


async def test_engagement_and_leaving_are_no_hits(analytics: Analytics) -> None:
    for changes in NO_HITS:
        assert dropped(await post(analytics, PAGE | changes)) == "1", changes
    assert dropped(await post(analytics, PAGE | {"n": "pageleave", "d": f"{HOST},other.example.com"})) == "2"
    assert await stored(analytics, bots=True) == []


async def test_visits_are_the_same_whichever_script_a_page_uses(analytics: Analytics) -> None:
    await analytics.pixel(p="/", client=ADDRESS)
    await post(analytics, PAGE)
    await post(analytics, PAGE | {"n": "Signup"})
    await post(analytics, PAGE, client="192.0.2.2")
    await post(analytics, PAGE, agent=CHROME)
    found = await stored(analytics, "session, first, browser, created")
    assert [name for name, *_ in found] == ["/", "/pricing", "Signup", "/pricing", "/pricing"]
    sessions = [session for _, session, *_ in found]
    assert sessions[0] == sessions[1] == sessions[2] != 0
    assert len(set(sessions)) == 3
    assert [first for _, _, first, *_ in found] == [True] * 5
    assert [browser for *_, browser, _ in found] == ["Firefox"] * 4 + ["Chrome"]
    assert {created for *_, created in found} == {analytics.clock() // 1000}


async def test_questions_find_what_was_told(analytics: Analytics) -> None:
    await post(analytics, PAGE | {"r": "https://news.ycombinator.com/item?id=1"})
    await post(analytics, PAGE | {"n": "Signup"})
    asked = {"site_id": HOST, "metrics": ["visitors", "pageviews", "events"], "date_range": "all"}
    for dimension, expected in (("event:goal", [["Signup"]]), ("visit:source", [["Hacker News"]])):
        answer = await analytics.ask(
            "/api/v2/query",
            method="POST",
            headers={"authorization": f"Bearer {analytics.token}"},
            body=json.dumps(asked | {"dimensions": [dimension]}).encode(),
        )
        assert [row["dimensions"] for row in answer.json()["results"]] == expected


# Forwarded addresses (6.4, D.6).
FORGED = {
    "x_forwarded_for": "203.0.113.9, 203.0.113.8",
    "x_plausible_ip": "203.0.113.7",
    "cf_connecting_ip": "203.0.113.6",
    "b_forwarded_for": "203.0.113.5",
    "forwarded": "for=203.0.113.4",
    "x_plausible_ip_type": "dc_ip",
}


async def told_address(analytics: Analytics, **options: Any) -> str:
    answer = await post(analytics, b"", x_debug_request="true", **options)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert (answer.headers["cache-control"], answer.headers["access-control-allow-origin"]) == ("no-store", "*")
    return answer.text


async def test_a_debug_request_tells_the_address_and_records_nothing(analytics: Analytics) -> None:
    assert await told_address(analytics) == ADDRESS
    assert await told_address(analytics, client="2001:db8::1") == "2001:db8::1"
    assert await told_address(analytics, client=None) == "unknown"
    assert (await post(analytics, PAGE, x_debug_request="true")).text == ADDRESS
    assert await stored(analytics, bots=True) == []
    assert dropped(await post(analytics, PAGE, x_debug_request="false")) is None


async def test_nobody_but_trusted_proxies_is_believed_about_addresses(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path / "alone") as analytics:
        assert await told_address(analytics, **FORGED) == ADDRESS
        assert dropped(await post(analytics, PAGE, **FORGED)) is None
    async with analytics_in_process(tmp_path / "behind", trusted_proxy=(ip_network("192.0.2.0/24"),)) as analytics:
        # The right-most that is no proxy: what stands left of it the visitor may have written.
        assert await told_address(analytics, **FORGED) == "203.0.113.8"
        assert await told_address(analytics, x_forwarded_for="198.51.100.1, 192.0.2.7") == "198.51.100.1"
        assert await told_address(analytics, client="198.51.100.2", **FORGED) == "198.51.100.2"


async def test_other_methods_and_addresses_are_not_found(analytics: Analytics) -> None:
    for method, path in (("GET", EVENT), ("HEAD", EVENT), ("PUT", EVENT), ("DELETE", f"{EVENT}/"), ("GET", f"{EVENT}/"),
                         ("POST", f"{EVENT}/x"), ("POST", f"{EVENT}//")):  # fmt: skip
        answer = await post(analytics, PAGE, path=path, method=method)
        assert answer.status == 404, (method, path)
        assert answer.headers["access-control-allow-origin"] == "*"
    assert await stored(analytics, bots=True) == []


@pytest.mark.parametrize("path", [EVENT, f"{EVENT}/"])
async def test_preflights(analytics: Analytics, path: str) -> None:
    answer = await analytics.ask(path, method="OPTIONS", headers={"origin": "https://example.com"})
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == "Content-Type, X-Debug-Request"
    assert "content-length" not in answer.headers


async def test_pages_may_read_what_was_dropped(analytics: Analytics) -> None:
    answer = await post(analytics, PAGE)
    assert answer.headers["access-control-expose-headers"] == "Retry-After, X-Plausible-Dropped"


def test_the_usual_limit() -> None:
    rate = next(rate for rate in default_rates(SURFACES) if rate.name == "plausible-event")
    assert rate[:3] == ("plausible-event", 60, 1)


async def test_other_agents_do_not_get_around_the_limit(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path, rate_limit=(Rate("plausible-event-address", 3, 60),)) as analytics:
        statuses = [(await post(analytics, PAGE, agent=f"{CHROME} {number}")).status for number in range(5)]
        assert statuses == [202, 202, 202, 429, 429]


async def test_too_many(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path, rate_limit=(Rate("plausible-event", 3, 60),)) as analytics:
        bodies: list[Any] = [PAGE, b"", PAGE | {"d": "nobody.example.com"}]
        assert [(await post(analytics, body)).status for body in bodies] == [202, 400, 202]
        for headers in ({}, {"x_debug_request": "true"}):
            answer = await post(analytics, PAGE, **headers)
            assert (answer.status, list(answer.json())) == (429, ["error"])
            assert 0 < int(answer.headers["retry-after"]) <= 60
            assert answer.headers["access-control-allow-origin"] == "*"
        # Another browser, another address, and the machine itself are not concerned, nor is the pixel.
        assert dropped(await post(analytics, PAGE, agent=CHROME)) is None
        assert dropped(await post(analytics, PAGE, client="192.0.2.2")) is None
        assert [(await post(analytics, PAGE, client="127.0.0.1")).status for _ in range(5)] == [202] * 5
        assert (await analytics.pixel(p="/a")).status == 200
        # One customer may have many IPv6 addresses.
        statuses = [(await post(analytics, PAGE, client=f"2001:db8::{number}")).status for number in range(1, 6)]
        assert statuses == [202, 202, 202, 429, 429]


async def test_new_names_are_limited(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path, rate_limit=(Rate("new-names", 3, 60),)) as analytics:
        for number in range(3):
            assert dropped(await post(analytics, PAGE | {"u": f"/{number}"})) is None
        assert dropped(await post(analytics, PAGE | {"u": "/more"})) is None
        assert dropped(await post(analytics, PAGE | {"n": "More"})) is None
        assert [name for name, _ in await stored(analytics)] == ["/0", "/1", "/2", TOO_MANY_PATHS, TOO_MANY_EVENTS]
        assert dropped(await post(analytics, PAGE | {"n": "Signup", "u": "/another"})) is None
        [*_, (path, page)] = await rows(analytics.services.warehouse, "path, page")
        known = await analytics.services.ledger.read(
            lambda session: dict(session.connection.execute("SELECT id, path FROM path"))
        )
        assert (known[path], known[page]) == (TOO_MANY_EVENTS, TOO_MANY_PATHS)


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [(StoreBusy("full"), 503, "1"), (StoreFailed("broken"), 500, None), (RuntimeError("a fault"), 500, None)],
)
async def test_what_could_not_be_stored_is_no_success(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, retry_after: str | None
) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(analytics.services.ingest, "record_one", fail)
    answer = await post(analytics, PAGE)
    assert (answer.status, list(answer.json()), answer.headers.get("retry-after")) == (status, ["error"], retry_after)
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_site_that_is_deleted_meanwhile_is_unknown(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: object) -> None:
        raise NoSuchSite(HOST, empty=False)

    monkeypatch.setattr(analytics.services.ingest, "record_one", gone)
    assert dropped(await post(analytics, PAGE)) == "1"
