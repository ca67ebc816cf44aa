"""The visitor counter: what it tells, to whom, in which shape."""

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from support.analytics import Analytics
from support.asking import Answer
from tallystick.model.account import UserSettings
from tallystick.services.accounts.sites import SiteChanges, update_site
from tallystick.services.analytics import visitor_counter
from tallystick.surfaces.goatcounter.visitor_counter.pictures import Shown, png

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
async def site(analytics: Analytics) -> Analytics:
    """A site that shows its counter: two people saw /page, one of them also /other and an event."""
    await analytics.change_site(allow_counter=True)
    await analytics.pixel(p="/page")
    await analytics.pixel(p="/page", client="192.0.2.2")
    await analytics.pixel(p="/other")
    await analytics.pixel(p="download", e="true")
    await analytics.pixel(p="/page", client="192.0.2.3", headers={"user-agent": "GoogleBot/1.0"})
    return analytics


def said(answer: Answer) -> str:
    """The number in a JSON answer."""
    return str(answer.json()["count"])


COUNTERS = [
    ("/page", "2"),
    ("/PAGE", "2"),
    ("page", "2"),
    ("//page/", "2"),
    ("%2Fpage", "2"),
    ("/other", "1"),
    ("download", "1"),
    ("TOTAL", "4"),
]


@pytest.mark.parametrize(
    ("counted", "path"),
    [
        ("/de/%C3%BCber", "/de/%C3%BCber"),
        ("/de/%C3%BCber", "/de/%25C3%25BCber"),
        ("/de/%C3%BCber", "de/%C3%BCber"),
        ("/de/über", "/de/%C3%BCber"),
        ("/de/über", "/de/%25C3%25BCber"),
        ("/search?q=%FC", "/search%3Fq=%25FC"),
        ("/search?q=%FC", "/search%3Fq=%FC"),
        ("/caf%E9", "/caf%E9"),
        ("/caf%E9", "/caf%25E9"),
        ("/app?lang=en#/users/1", "/app%3Flang=en%23/users/1"),
        ("Anmeldung für alle", "Anmeldung%20f%C3%BCr%20alle"),
    ],
)
async def test_a_path_is_known_by_each_of_its_spellings(site: Analytics, counted: str, path: str) -> None:
    await site.pixel(p=counted, e="" if counted.startswith("/") else "true")
    answer = await site.ask(f"/counter/{path}.json")
    assert (answer.status, said(answer)) == (200, "1")


async def test_visits_are_told(site: Analytics) -> None:
    for path, number in COUNTERS:
        answer = await site.ask(f"/counter/{path}.json")
        assert answer.status == 200, (path, number)
        assert answer.text == f'{{"count_unique":"{number}", "count":"{number}"}}', (path, number)
        assert answer.headers["content-type"] == "application/json; charset=utf-8", (path, number)
        assert answer.headers["access-control-allow-origin"] == "*", (path, number)


WITHOUT_HITS: list[str] = ["/unknown", "total", "", "/", "/a\x00b", "/\udcff"]


async def test_a_path_without_hits_is_not_found_and_still_shows_a_number(site: Analytics) -> None:
    for path in WITHOUT_HITS:
        answer = await site.running.send(f"/counter/{path}.json", headers=[("host", "stats.example.com")])
        assert (answer.status, said(answer)) == (404, "0"), path


async def test_it_is_fresh_within_seconds(site: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(await site.ask("/counter//page.json")) == "2"
    await site.pixel(p="/page", client="192.0.2.9")
    assert said(await site.ask("/counter//page.json")) == "2"
    monkeypatch.setattr(visitor_counter, "FRESH_S", 0.0)
    answer = await site.ask("/counter//page.json")
    assert said(answer) == "3"
    assert answer.headers["cache-control"] == "public, max-age=5"


async def test_what_is_remembered_is_bounded(site: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor_counter, "REMEMBERED", 3)
    for number in range(10):
        await site.ask(f"/counter//page-{number}.json")
    assert len(site.services.visitor_counter._readings) == 3  # noqa: SLF001  # nobody else can see it


async def test_a_site_that_does_not_allow_it_is_closed(analytics: Analytics) -> None:
    answer = await analytics.ask("/counter/TOTAL.json")
    assert answer.status == 403
    assert answer.json() == {"error": "Need to enable the ‘allow using the visitor counter’ setting"}  # noqa: RUF001  # the contract's quotes


WRONG = [
    ("/page.jpg", 'unknown extension: "jpg"'),
    ("/page.HTML", 'unknown extension: "HTML"'),
    ("page", 'unknown extension: ""'),
    ("/page.json?start=yesterday", 'invalid start date: "yesterday"'),
    ("/page.json?start=2026-02-30", 'invalid start date: "2026-02-30"'),
    ("/page.json?end=20260101", 'invalid end date: "20260101"'),
    ("/page.json?end=week", 'invalid end date: "week"'),
    (f"/page.svg?style={'a' * 2001}", "style is longer than 2000 characters"),
]


async def test_what_nobody_can_know_is_refused(site: Analytics) -> None:
    for target, text in WRONG:
        answer = await site.ask(f"/counter/{target}")
        assert (answer.status, answer.json()) == (400, {"error": text}), (target, text)


async def test_only_get_and_head_are_answered(site: Analytics) -> None:
    answer = await site.ask("/counter/TOTAL.json", method="POST")
    assert (answer.status, answer.json()) == (405, {"error": "method not allowed"})
    assert (await site.ask("/counter/TOTAL.json", method="HEAD")).status == 200


SPANS = [
    ("start=2025-06-15", "1"),
    ("start=2025-06-14", "2"),
    ("end=2025-06-14", "2"),
    ("end=2025-06-13", "1"),
    ("start=2025-06-14&end=2025-06-14", "1"),
    ("start=week", "2"),
    ("start=month", "3"),
    ("start=year", "3"),
    ("start=&end=", "3"),
    ("start=2025-06-15&start=x", "1"),
]


async def test_a_span_of_days_may_be_chosen(analytics: Analytics) -> None:
    await analytics.change_site(allow_counter=True)
    times = ("2025-05-25T12:00:00Z", "2025-06-14T23:59:59Z", "2025-06-15T00:00:00Z")
    hits = [{"path": "/page", "created_at": created, "session": created} for created in times]
    analytics.clock.now = 1_750_000_000_000  # 2025-06-15T15:06:40Z
    assert (await analytics.api("POST", "/count", json={"hits": hits})).status == 202
    told = [(span, said(await analytics.ask(f"/counter//page.json?{span}"))) for span, _ in SPANS]
    assert told == SPANS


SEPARATORS = [
    (8239, "1\u202f234"),
    (160, "1\u00a0234"),
    (44, "1,234"),
    (46, "1.234"),
    (39, "1'234"),
    (1, "1234"),
    (60, "1\u202f234"),
]


@pytest.mark.parametrize(("number_format", "text"), SEPARATORS)
async def test_thousands_are_separated_as_the_site_wants_it(
    site: Analytics, monkeypatch: pytest.MonkeyPatch, number_format: int, text: str
) -> None:
    changes = SiteChanges(user_defaults=UserSettings(number_format=number_format))
    await site.services.ledger.write(update_site, site.site.id, changes, site.clock())

    async def many(*_: object) -> int:
        return 1234

    monkeypatch.setattr(site.services.visitor_counter, "_visits", many)
    assert said(await site.ask("/counter/TOTAL.json")) == text
    assert f'id="gcvc-views">{escape(text)}<' in (await site.ask("/counter/TOTAL.html")).text
    assert Image.open(BytesIO((await site.ask("/counter/TOTAL.png")).body)).size == (200, 80)


async def test_the_page_has_the_elements_that_styles_name(site: Analytics) -> None:
    answer = await site.ask("/counter//page.html")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    shown = re.findall(r'<div id="(gcvc-\w+)">([^<]+)</div>', answer.text)
    assert shown == [("gcvc-for", "Views for this page:"), ("gcvc-views", "2"), ("gcvc-by", "stats by Tallystick")]
    assert "Views for this site:" in (await site.ask("/counter/TOTAL.html")).text


async def test_the_image_has_the_elements_that_styles_name(site: Analytics) -> None:
    answer = await site.ask("/counter/TOTAL.svg")
    assert answer.headers["content-type"] == "image/svg+xml; charset=utf-8"
    image = ET.fromstring(answer.text)
    assert (image.get("width"), image.get("height")) == ("200", "80")
    texts = {text.get("id"): text.text for text in image.iter(f"{SVG}text")}
    assert texts == {"gcvc-for": "Views for this site:", "gcvc-views": "4", "gcvc-by": "stats by Tallystick"}
    assert [image.find(f"{SVG}{tag}").get("id") for tag in ("rect", "g")] == ["gcvc-border", "gcvc"]  # type: ignore[union-attr]


async def test_without_branding_it_is_lower(site: Analytics) -> None:
    page, image, picture = [
        await site.ask(f"/counter/TOTAL.{extension}?no_branding=1") for extension in ("html", "svg", "png")
    ]
    assert "stats by" not in page.text
    assert "stats by" not in image.text
    assert ET.fromstring(image.text).get("height") == "60"
    assert Image.open(BytesIO(picture.body)).size == (200, 60)
    assert picture.headers["content-type"] == "image/png"


HOSTILE = (
    "%23gcvc%20%7B%20color:%20red;%20background:%20url(//x.example)%20%7D%3C/style%3E%3Cscript%3Ealert(1)%3C/script%3E"
)


@pytest.mark.parametrize("extension", ["html", "svg"])
async def test_a_style_is_applied_and_can_do_no_harm(site: Analytics, extension: str) -> None:
    answer = await site.ask(f"/counter/TOTAL.{extension}?style={HOSTILE}")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert "#gcvc { color: red; }" in style
    assert not re.search(r"url|script", answer.text)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
    assert "frame-ancestors *" in policy


async def test_a_style_is_escaped_for_the_image_and_still_allowed_there(site: Analytics) -> None:
    answer = await site.ask("/counter/TOTAL.svg?style=g%3Etext{color:red}")
    style = ET.fromstring(answer.text).findtext(f"{SVG}style")
    assert style == "g>text { color: red; }"
    assert "<style>g&gt;text" in answer.text
    assert b64encode(sha256(style.encode()).digest()).decode() in answer.headers["content-security-policy"]


@pytest.mark.parametrize("headers", [MappingProxyType({"origin": "https://blog.example"}), MappingProxyType({})])
async def test_other_sites_may_read_and_embed_it(site: Analytics, headers: Mapping[str, str]) -> None:
    for extension in ("json", "html", "svg", "png"):
        answer = await site.ask(f"/counter/TOTAL.{extension}", headers=headers)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_bots_and_repeated_views_are_no_visits(site: Analytics) -> None:
    await site.pixel(p="/page")
    await site.pixel(p="/only-bots", headers={"user-agent": "GoogleBot/1.0"})
    assert said(await site.ask("/counter/TOTAL.json")) == "4"
    answer = await site.ask("/counter//only-bots.json")
    assert (answer.status, said(answer)) == (404, "0")


async def test_a_page_is_found_although_bots_asked_for_an_event_of_its_name(site: Analytics) -> None:
    await site.pixel(p="page", e="true", headers={"user-agent": "GoogleBot/1.0"})
    assert said(await site.ask("/counter/page.json")) == "2"


def test_a_picture_holds_the_longest_number(tmp_path: Path) -> None:
    file = tmp_path / "counter.png"
    file.write_bytes(png(Shown("Views for this site:", "9\u202f223\u202f372\u202f036\u202f854", branding=True)))
    with Image.open(file) as image:
        dark = image.convert("L").point(lambda value: 255 * (value < 128)).getbbox()
    assert dark is not None
    left, top, right, bottom = dark
    assert 3 < left < right < 197
    assert 3 < top < bottom < 77
