"""Badges of public counters: pictures that read, and the page to copy them from."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.pages import Pages
from tallystick.ledger import Ledger
from tallystick.model.counter import Create
from tallystick.model.key import Key
from tallystick.surfaces.dashboard.badges.drawing import Colors, badge, ink_on, text_width
from tallystick.surfaces.dashboard.badges.parameters import NAMES, snippets

DOTTED = Key("a.example", "visits.svg")
PICTURE = f"/badge/{DOTTED}.svg"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def ledger_url() -> None:
    """SQLite alone: what a database could change about it is tested below the pages."""


def texts(svg: str) -> list[str]:
    """What is written on a badge."""
    return [each.text or "" for each in ET.fromstring(svg).iter(f"{SVG}text")]  # our own


async def test_a_badge_reads_and_is_kept_for_a_minute(ledger: Ledger) -> None:
    await ledger.count(DOTTED, Create(1_234_567))
    async with Pages(ledger).visitor() as guest:
        for _ in range(2):
            answer = await guest.get(PICTURE)
            assert (answer.status_code, texts(answer.text)) == (200, ["visits.svg", "1,234,567"])
        headers = answer.headers
        assert headers["content-type"] == "image/svg+xml; charset=utf-8"
        assert headers["cache-control"] == "public, max-age=60, stale-while-revalidate=600"
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert "set-cookie" not in headers
        for kept in (headers["etag"], f'W/{headers["etag"]}, "other"'):
            again = await guest.get(PICTURE, **{"if-none-match": kept})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", headers["etag"])
        await ledger.count(DOTTED, Create())  # refused: nothing changes
        root = ET.fromstring(answer.text)  # our own
        assert (root.get("role"), root.get("aria-label")) == ("img", "visits.svg: 1,234,567")
        assert root.findtext(f"{SVG}title") == "visits.svg: 1,234,567"
        asked = await guest.get(f"{PICTURE}?label=%3Cb%3E%26%22%00&color=fff&labelColor=brightgreen&other=1")
        assert texts(asked.text)[0] == '<b>&"\N{REPLACEMENT CHARACTER}'
        assert "#ffffff" in asked.text
        assert NAMES["brightgreen"] in asked.text
        assert asked.headers["etag"] != headers["etag"]
        assert texts((await guest.get(f"{PICTURE}?label=")).text) == ["1,234,567"]


REFUSED = [
    ("/badge/a.example/nothing.svg", "open", 404, ["nothing", "not found"]),
    ("/badge/a.example/nothing.svg?label=Tea", "open", 404, ["Tea", "not found"]),
    ("/badge/:shared/visits.svg", "open", 400, ["counter", "not valid"]),
    (f"{PICTURE}?color=mauve", "open", 400, ["color", "not valid"]),
    (f"{PICTURE}?labelColor=%23ffff", "open", 400, ["labelColor", "not valid"]),
    (f"{PICTURE}?label={'x' * 101}", "open", 400, ["label", "not valid"]),
    (PICTURE, "off", 403, ["visits.svg", "switched off"]),
    ("/badge/:shared/visits.svg", "off", 403, ["counter", "switched off"]),
]


async def test_a_refusal_is_a_badge(ledger: Ledger) -> None:
    await ledger.count(DOTTED, Create())
    served = {switch: Pages(ledger, public_counters=switch) for switch in ("open", "off")}
    for address, switch, status, said in REFUSED:
        async with served[switch].visitor() as guest:
            answer = await guest.get(address)
            assert (answer.status_code, texts(answer.text)) == (status, said)
            assert answer.headers["cache-control"] == "no-store"


async def test_the_page_gives_what_is_pasted(ledger: Ledger) -> None:
    key = Key("a.example", "visits")
    await ledger.count(key, Create(5))
    async with Pages(ledger).visitor() as guest:
        page = (await guest.get(f"/badge/{key}")).text
        assert f'<img src="/badge/{key}.svg"' in page
        assert f"![visits](http://stats.example.com/badge/{key}.svg)" in page
        page = (await guest.get(f"/badge/{key}?label=a]%20%3C%22b%22%3E&color=green&labelColor=")).text
        address = f"http://stats.example.com/badge/{key}.svg?label=a%5D%20%3C%22b%22%3E&amp;color=green"
        assert f"![a\\] &lt;&#34;b&#34;&gt;]({address})" in page
        assert f"image:{address}[&#34;a] &lt;\\&#34;b\\&#34;&gt;&#34;]" in page
        refused = await guest.get(f"/badge/{key}?color=mauve")
        assert refused.status_code == 400
        assert "must be a name such as green" in refused.text
        assert f"![visits](http://stats.example.com/badge/{key}.svg)" in refused.text
        for nothing in ("a.example/nothing", ":shared/visits", "a.example/b"):
            assert (await guest.get(f"/badge/{nothing}")).status_code == 404
    async with Pages(ledger, public_counters="off").visitor() as guest:
        assert (await guest.get(f"/badge/{key}")).status_code == 404


async def test_without_a_ledger_a_badge_says_so(ledger: Ledger) -> None:
    pages = Pages(ledger)
    await ledger.close()
    async with pages.visitor() as guest:
        answer = await guest.get(PICTURE)
        assert (answer.status_code, texts(answer.text)) == (503, ["visits.svg", "not available"])


@given(st.text(max_size=100), st.text(min_size=1, max_size=30))
def test_any_text_can_be_drawn_and_fits(label: str, message: str) -> None:
    root = ET.fromstring(badge(label, message, Colors()))  # our own
    width = int(root.get("width", ""))
    drawn = list(root.iter(f"{SVG}text"))
    assert width >= text_width(label) + text_width(message)
    for each in drawn:
        assert float(each.get("x", "")) + float(each.get("textLength", 0)) <= width


def test_texts_can_be_read_on_every_colour() -> None:
    assert (ink_on("#000000"), ink_on("#ffffff"), ink_on("#7c3f0c")) == ("#ffffff", "#1c1309", "#ffffff")
    assert text_width("ill") < text_width("WWW") < text_width("\N{SNOWMAN}" * 4)


def test_what_is_pasted_is_one_line_in_every_language() -> None:
    for language, text in snippets("https://a.example/badge/b/c.svg?label=x", 'A\n"b" [c]'):
        assert "https://a.example/badge/b/c.svg?label=x" in text, language
        assert len(text.splitlines()) == (2 if language == "reStructuredText" else 1)
