"""Badges as a server sends them: reading, counting, and what is refused."""

from collections.abc import AsyncIterator
from json import dumps
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from support.analytics import Analytics
from support.in_process import InProcess, in_process
from tallystick.model.badge import FIELDS
from tallystick.services.counting.abuse import close_namespace
from tallystick.surfaces.counters.badges.keeping import Drawings, Drawn
from tallystick.web.rate_limit import Rate

UNLIMITED = (Rate("", None, 0),)
BADGE = "/badge/a.example/visits.svg"
SVG = "{http://www.w3.org/2000/svg}"
FOR_GITHUB = "max-age=0, no-cache, no-store, must-revalidate"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(tmp_path, rate_limit=UNLIMITED) as running:
        yield running


async def value(site: InProcess, name: str = "a.example/visits") -> int | None:
    told: int | None = (await site.ask(f"/get/{name}")).json()["value"]
    return told


def texts(svg: bytes) -> list[str]:
    """What is written on a badge."""
    return [each.text or "" for each in ET.fromstring(svg).iter(f"{SVG}text")]  # our own


async def test_a_badge_reads_and_is_kept_for_a_minute(site: InProcess) -> None:
    await site.ask("/create?namespace=a.example&key=visits.svg&value=1234567")
    picture = "/badge/a.example/visits.svg.svg"
    for _ in range(2):
        answer = await site.ask(picture)
        assert (answer.status, texts(answer.body)) == (200, ["visits.svg", "1,234,567"])
    headers = answer.headers
    assert headers["content-type"] == "image/svg+xml; charset=utf-8"
    assert headers["cache-control"] == "public, max-age=60, stale-while-revalidate=600"
    assert headers["content-security-policy"].endswith("; sandbox")
    assert headers["access-control-allow-origin"] == "*"
    assert headers["x-content-type-options"] == "nosniff"
    strong = headers["etag"].removeprefix("W/")
    for kept in (headers["etag"], f'"other", {headers["etag"]}', strong, "*"):
        again = await site.ask(picture, headers=[("if-none-match", kept)])
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", headers["etag"])
    assert await value(site, "a.example/visits.svg") == 1_234_567
    asked = await site.ask(f"{picture}?label=%3Cb%3E%26%22%00&color=fff&labelColor=brightgreen&v=1")
    assert texts(asked.body)[0] == '<b>&"\N{REPLACEMENT CHARACTER}'
    assert b"#ffffff" in asked.body
    assert b"#44cc11" in asked.body
    assert asked.headers["etag"] != headers["etag"]
    assert texts((await site.ask(f"{picture}?label=")).body) == ["1,234,567"]


async def test_a_badge_that_counts_creates_and_is_never_kept(site: InProcess) -> None:
    for count in (1, 2):
        answer = await site.ask(f"{BADGE}?count", headers=[("if-none-match", "*")])
        assert (answer.status, texts(answer.body)[1]) == (200, str(count))
        assert answer.headers["cache-control"] == FOR_GITHUB
        assert answer.headers["expires"] == "Thu, 01 Jan 1970 00:00:00 GMT"
        assert "etag" not in answer.headers
    for query, method, headers in (
        ("?count", "HEAD", []),
        ("?count", "GET", [("sec-purpose", "prefetch")]),
        ("?count=0", "GET", []),
        ("?count&color=mauveish", "GET", []),
        ("", "GET", []),
    ):
        await site.ask(f"{BADGE}{query}", method=method, headers=headers)
        assert await value(site) == 2, (query, method, headers)
    for form in ("png", "json", "txt"):
        assert (await site.ask(f"/badge/a.example/visits.{form}?count=1")).status == 200
    assert await value(site) == 5


async def test_the_other_forms(site: InProcess) -> None:
    await site.ask("/create?namespace=a.example&key=visits&value=12345")
    png = await site.ask("/badge/a.example/visits.png?scale=2", headers=[("accept-encoding", "gzip")])
    assert (png.headers["content-type"], png.body[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    assert "content-encoding" not in png.headers
    told = await site.ask("/badge/a.example/visits.json?abbreviate&color=green&style=plastic")
    assert told.headers["content-type"] == "application/json; charset=utf-8"
    assert told.json() == {
        "schemaVersion": 1,
        "label": "visits",
        "message": "12.3K",
        "color": "97ca00",
        "labelColor": "555555",
        "isError": False,
        "cacheSeconds": 300,
        "style": "plastic",
    }
    text = await site.ask("/badge/a.example/visits.txt?locale=de&suffix=%20Besuche")
    assert (text.headers["content-type"], text.body) == ("text/plain; charset=utf-8", b"12.345 Besuche")
    head = await site.ask("/badge/a.example/visits.txt", method="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "6")
    digits = await site.ask("/badge/a.example/visits.json?style=digits")
    assert (digits.json()["message"], "style" in digits.json()) == ("12345", False)


REFUSED = [
    ("/badge/a.example/nothing.svg", "open", 404, ["nothing", "not found"]),
    ("/badge/:shared/visits.svg", "open", 400, ["namespace", "a namespace has 3 to 64 letters"]),
    ("/badge/a.example/v.svg", "open", 400, ["key", "a key has 3 to 64 letters"]),
    (f"{BADGE}?color=mauveish", "open", 400, ["color", "must be a name such as green"]),
    (f"{BADGE}?since=week", "open", 400, ["since", "must be today, 7d or 30d"]),
    ("/badge/a.example.svg", "off", 404, ["a.example", "not public"]),
    (f"{BADGE}?{'x' * 8_200}", "open", 414, ["visits", "the query is longer"]),
    (f"{BADGE}?count", "existing", 403, ["visits", "no new counters"]),
    (BADGE, "off", 403, ["visits", "switched off"]),
]


@pytest.mark.parametrize("switch", ["open", "existing", "off"])
async def test_a_refusal_is_a_badge(tmp_path: Path, switch: str) -> None:
    async with in_process(tmp_path, public_counters=switch, rate_limit=UNLIMITED) as site:
        for address, needed, status, said in REFUSED:
            if needed != switch:
                continue
            answer = await site.ask(address)
            label, message = texts(answer.body)
            assert (answer.status, label) == (status, said[0]), address
            assert message.startswith(said[1])
            assert answer.headers["cache-control"] == FOR_GITHUB
        if switch == "open":
            told = (await site.ask("/badge/a.example/nothing.json")).json()
            assert (told["isError"], told["message"]) == (True, "not found")
            assert (await site.ask("/badge/a.example/nothing.txt")).body == b"not found"
            assert (await site.ask("/badge/a.example/%E8%A8%AA%E5%95%8F.png")).status == 400
            metrics = (await site.ask("/metrics")).body.decode()
            assert any('"counters"' in line and '"no-such-counter"' in line for line in metrics.splitlines())


HOSTILE = [
    *("<script>alert(1)</script>", "]]><!--&amp;<?x?>", '"/><svg onload=alert(1)>', "\u202e\u2066evil\u2069"),
    *(
        "\N{PARTY POPPER}\N{WOMAN}\u200d\N{WOMAN}",
        "\0\a\b\x1b[31m\r\n\t\x7f\ufffe",
        "e" + "\u0301" * 90,
        "\u0635\u0644\ufdfa" * 20,
    ),
]


async def test_any_label_is_a_text_and_nothing_else(site: InProcess) -> None:
    await site.ask("/create?namespace=a.example&key=visits&value=1")
    for label in [*map(quote, HOSTILE), "%FF%C0%AF", "%ED%A0%80", "x" * 101, "x" * 8_000, "x" * 10_000]:
        for style in ("flat", "for-the-badge", "digits"):
            svg = await site.ask(f"{BADGE}?style={style}&label={label}")
            root = ET.fromstring(svg.body)  # our own
            tags = {each.tag.removeprefix(SVG) for each in root.iter()}
            assert tags <= {"svg", "title", "style", "g", "rect", "text", "clipPath", "path"}, label
            assert int(root.get("width", "")) < 2_500, label
            assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") & set(svg.body.decode()), label
            assert svg.status == {101: 400, 8_000: 400, 10_000: 414}.get(label.count("x"), 200), label
            png = await site.ask(f"/badge/a.example/visits.png?style={style}&label={label}")
            assert (png.headers["content-type"], png.body[:4]) == ("image/png", b"\x89PNG"), label
            assert png.status in {200, 400, 414}


BEYOND = [
    *("style=round", "face=round", "theme=pink", "color=%23ffff", "labelColor=url(x)", "since=week", "sparkline=yes"),
    *("abbreviate=2", "locale=tlh", "base=9223372036854775808", "base=1e3", "pad=21", "pad=0", "scale=3", "count=yes"),
    *(f"label={'x' * 101}", f"prefix={'x' * 21}", f"suffix={'x' * 21}"),
]


async def test_what_is_beyond_a_bound_is_said_in_a_picture(site: InProcess) -> None:
    await site.ask("/create?namespace=a.example&key=visits&value=1")
    for query in BEYOND:
        for form in ("svg", "png", "json", "txt"):
            answer = await site.ask(f"/badge/a.example/visits.{form}?{query}")
            assert answer.status == 400, query
            if form == "svg":
                field, problem = texts(answer.body)
                assert (field, problem[:5]) == (query.partition("=")[0], "must "), query
    assert set(FIELDS) == {query.partition("=")[0] for query in BEYOND}
    least, most = -(2**63), 2**63 - 1
    assert (await site.ask(f"/badge/a.example/visits.txt?base={most}")).body == b"9,223,372,036,854,775,808"
    assert (await site.ask(f"/badge/a.example/visits.svg?base={least}&style=digits&pad=20")).status == 200


async def test_new_counters_share_one_limit_with_other_addresses(tmp_path: Path) -> None:
    async with in_process(tmp_path, creation_limit=2, rate_limit=UNLIMITED) as site:
        assert (await site.ask("/hit/a.example/first")).status == 200
        assert (await site.ask("/badge/a.example/second.svg?count")).status == 200
        refused = await site.ask("/badge/a.example/third.svg?count")
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert texts(refused.body) == ["third", "too many new counters"]
        assert (await site.ask("/badge/a.example/second.svg?count")).status == 200


async def test_a_number_since_a_day_and_its_line(site: InProcess) -> None:
    days = [("30d", 40), ("30d", 9), ("7d", 6), ("today", 0)]
    site.clock.advance(seconds=-60 * 86_400)
    await site.ask("/create?namespace=a.example&key=visits&value=1000&update_upperbound=500")
    begun = site.clock.now
    for place, (_, ago) in enumerate(days):
        site.clock.now = begun + (60 - ago) * 86_400_000
        await site.ask(f"/update/a.example/visits?amount={10 ** (2 - min(place, 2))}")
    for since, number in (("", "1,112"), ("30d", "12"), ("7d", "2"), ("today", "1")):
        plain = await site.ask(f"{BADGE}?since={since}")
        assert texts(plain.body)[1] == number, since
        lined = await site.ask(f"{BADGE}?since={since}&sparkline")
        assert (texts(lined.body)[1], lined.headers["etag"] != plain.headers["etag"]) == (number, True)
        points = next(each.get("d", "") for each in ET.fromstring(lined.body).iter(f"{SVG}path"))
        assert len(points.split()) // 2 == {"": 30, "30d": 30, "7d": 7, "today": 24}[since], points
    counted = await site.ask(f"{BADGE}?since=today&count")
    assert texts(counted.body)[1] == "2"
    site.clock.advance(seconds=86_400)
    assert (await site.ask("/badge/a.example/visits.txt?since=today&base=7")).body == b"0"
    assert (await site.ask("/badge/a.example/nothing.svg?since=7d")).status == 404


async def test_visits_of_a_site_are_shown_where_it_allows_it(analytics: Analytics) -> None:
    for page in ("/one", "/two"):
        await analytics.pixel(p=page)
    picture = "/badge/stats.example.com.svg"
    for name in (picture, "/badge/other.example.com.svg"):
        refused = await analytics.ask(name)
        assert (refused.status, texts(refused.body)[1]) == (404, "not public")
    for allowed in ({"allow_counter": True}, {"allow_counter": False, "public": "public"}):
        await analytics.change_site(**allowed)
        answer = await analytics.ask(picture)
        assert (answer.status, texts(answer.body)) == (200, ["visits", "2"])
        assert answer.headers["cache-control"].startswith("public, max-age=60")
    analytics.clock.advance(seconds=2 * 86_400)
    await analytics.pixel(p="/one")
    for since, number in (("today", b"1"), ("7d", b"3")):
        assert (await analytics.ask(f"/badge/stats.example.com.txt?since={since}")).body == number
    lined = await analytics.ask(f"{picture}?sparkline&label=seen&style=plastic")
    assert texts(lined.body)[0] == "seen"
    assert b"<path" in lined.body
    counting = await analytics.ask(f"{picture}?count")
    assert (counting.status, texts(counting.body)[0]) == (400, "count")


async def test_what_may_not_count_shows_the_number_as_it_is(site: InProcess) -> None:
    made_with = {"namespace": "a.example", "key": "visits", "value": 7, "origins": ["https://a.example"]}
    made = await site.ask("/api/counters", method="POST", body=dumps(made_with).encode())
    owner = [("authorization", f"Bearer {made.json()['secret']}")]
    for page, count in ((None, "7"), ("https://b.example/", "7"), ("https://a.example/page", "8")):
        answer = await site.ask(f"{BADGE}?count", headers=[] if page is None else [("referer", page)])
        assert (answer.status, texts(answer.body)[1]) == (200, count)
        assert answer.headers["cache-control"] == FOR_GITHUB
    for rules, count in (({"origins": [], "unique": "day"}, "9"), ({"unique": None, "locked": True}, "9")):
        assert (
            await site.ask("/api/counters/a.example/visits", method="PATCH", body=dumps(rules).encode(), headers=owner)
        ).status == 200
        for _ in range(2):
            answer = await site.ask(f"{BADGE}?count", headers=[("user-agent", "Mozilla/5.0 Firefox/140.0")])
            assert (answer.status, texts(answer.body)[1]) == (200, count)
    await site.ask("/create?namespace=a.example&key=bounded&value=3&update_lowerbound=0&update_upperbound=0")
    assert texts((await site.ask("/badge/a.example/bounded.svg?count")).body)[1] == "3"


async def test_a_badge_creates_nothing_in_closed_and_full_namespaces(tmp_path: Path) -> None:
    async with in_process(tmp_path, namespace_keys=1, rate_limit=UNLIMITED) as site:
        await site.application.ledger.write(close_namespace, "closed.example", 0)
        await site.ask("/hit/full.example/first")
        for namespace, said in (("closed.example", "namespace closed"), ("full.example", "namespace full")):
            answer = await site.ask(f"/badge/{namespace}/second.svg?count")
            assert (answer.status, texts(answer.body)) == (403, ["second", said])
            assert answer.headers["cache-control"] == FOR_GITHUB
            assert (await site.ask(f"/get/{namespace}/second")).status == 404
        assert texts((await site.ask("/badge/full.example/first.svg?count")).body)[1] == "2"
        metrics = (await site.ask("/metrics")).body.decode()
        for reason in ("namespace-closed", "namespace-full"):
            assert f'tallystick_refusals_total{{reason="{reason}",surface="counters"}} 1.0\n' in metrics


async def test_an_address_may_ask_so_often(tmp_path: Path) -> None:
    async with in_process(tmp_path, rate_limit=(Rate("badges", 2, 60),)) as site:
        await site.ask("/create?namespace=a.example&key=visits&value=1")
        answers = [await site.ask(BADGE) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert texts(answers[2].body) == ["visits", "too many requests"]
        assert 1 <= int(answers[2].headers["retry-after"]) <= 60


async def test_pages_and_pictures_of_one_prefix_have_different_owners(site: InProcess) -> None:
    await site.ask("/hit/a.example/visits")
    page = await site.ask("/badge/a.example/visits", headers=[("accept", "text/html")])
    assert page.headers["content-type"].startswith("text/html")
    assert (await site.ask("/badge/a.example/visits.svg/", headers=[("accept", "text/html")])).status == 404
    posted = await site.ask(BADGE, method="POST")
    assert (posted.status, posted.json()["error"]["code"]) == (405, "method-not-allowed")


async def test_drawings_are_drawn_once_and_stay_within_their_bytes() -> None:
    drawings, made = Drawings(most=10_000), 0

    def draw() -> Drawn:
        nonlocal made
        made += 1
        return Drawn(b"x" * 400, b"", b"")

    for subject in [*range(5), *range(5)]:
        await drawings.drawn(subject, draw)
    assert made == 5
    for subject in range(100):
        await drawings.drawn(subject, draw)
        await drawings.drawn(0, draw)
        assert drawings.bytes <= 10_000
    assert made == 100, "what is asked for again and again stays"
