"""Notes: added from the chart, listed, changed and deleted."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.chart_gallery import HOSTILE
from support.rights import World, world

SITE = "/sites/1"


@pytest.fixture
async def everybody(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def notes(everybody: World, person: str = "admin") -> list[tuple[str, str, str]]:
    """Time, text and link of the notes that a person sees on the page of notes, the latest first."""
    shown = (await everybody.page(person, "GET", f"{SITE}/notes")).text
    found = re.findall(r"<strong>([^<]*)</strong> <bdi>([^<]*)</bdi>\s*(?:<a href=\"(http[^\"]*)\")?", shown)
    return [(when, text, link) for when, text, link in found]


async def test_a_note_is_added_from_the_chart_and_drawn_on_it(everybody: World) -> None:
    address = f"{SITE}?period=2026-03&page=/own/a"
    shown = (await everybody.page("admin", "GET", address)).text
    assert 'name="date" value="2026-03-31"' in shown
    back = f"{address}#chart"
    assert f'name="back" value="{back.replace("&", "&amp;")}"' in shown
    fields = {"date": "2026-03-12", "time": "14:30", "text": HOSTILE.rstrip("\u202e"), "whose": "site", "back": back}
    answer = await everybody.page("admin", "POST", f"{SITE}/notes", fields)
    assert (answer.status, answer.headers["location"]) == (303, back)
    shown = (await everybody.page("reader", "GET", address)).text
    assert "<script>alert" not in shown
    assert shown.count('<li id="chart-note-') == 2
    assert "12 Mar 2026, 14:30" in shown


async def test_who_comes_from_elsewhere_stays_here(everybody: World) -> None:
    for back in (
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/sites/\r\nx: y",
    ):
        fields = {"date": "2026-03-12", "text": "x", "back": back}
        answer = await everybody.page("admin", "POST", f"{SITE}/notes", fields)
        assert answer.headers["location"] == "/sites/stats.example.com/notes?done=added"


async def test_readers_have_notes_of_their_own(everybody: World) -> None:
    fields = {"date": "2026-03-12", "text": "mine", "whose": "site"}
    assert (await everybody.page("reader", "POST", f"{SITE}/notes", fields)).status == 303
    assert ("12 Mar 2026", "mine", "") in await notes(everybody, "reader")
    assert "mine" not in {text for _, text, _ in await notes(everybody)}


async def test_a_note_is_changed_and_deleted(everybody: World) -> None:
    address = f"{SITE}/notes/{everybody.notes['own'].id}"
    shown = (await everybody.page("admin", "GET", address)).text
    assert 'value="2026-03-10"' in shown
    fields = {"date": "2026-03-11", "text": "changed", "link": "https://example.com/a", "whose": "site"}
    answer = await everybody.page("admin", "POST", address, fields)
    assert answer.headers["location"] == "/sites/stats.example.com/notes?done=changed"
    changed = ("11 Mar 2026", "changed", "https://example.com/a")
    assert changed in await notes(everybody, "reader")
    answer = await everybody.page("admin", "POST", f"{address}/delete")
    assert answer.headers["location"] == "/sites/stats.example.com/notes?done=deleted"
    assert changed not in await notes(everybody, "reader")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"date": "12 March", "text": "x"}, "Date must be a date such as 2026-03-10, or 2026-03-10 14:30."),
        ({"date": "", "text": "x"}, "Date must be a date such as"),
        ({"date": "2026-03-12", "text": " "}, "The note must not be empty."),
        ({"date": "2026-03-12", "text": "x" * 1_001}, "The note must be shorter than 1,001 characters."),
        ({"date": "2026-03-12", "text": "x", "link": "javascript:alert(1)"}, "must be a URL that begins with http"),
    ],
)
async def test_a_note_that_is_not_valid_is_shown_again(everybody: World, fields: dict[str, str], message: str) -> None:
    before = everybody.state()
    for address in (f"{SITE}/notes", f"{SITE}/notes/{everybody.notes['own'].id}"):
        answer = await everybody.page("admin", "POST", address, {**fields, "back": "/sites/1?period=7d"})
        assert answer.status == 422
        assert message in answer.text
        assert 'aria-invalid="true"' in answer.text
    assert everybody.state() == before
    answer = await everybody.page("admin", "POST", f"{SITE}/notes", {**fields, "back": "/sites/1?period=7d"})
    assert 'name="back" value="/sites/1?period=7d"' in answer.text


async def test_several_sites_together_have_no_page_of_notes(everybody: World) -> None:
    second = everybody.sites["second"].id
    assert (await everybody.page("admin", "GET", f"/sites/1+{second}/notes")).status == 404
    shown = (await everybody.page("admin", "GET", f"/sites/1+{second}?period=2026-03")).text
    assert "own note" in shown
    assert "second note" in shown
    assert 'class="add-note"' not in shown


async def test_who_sees_only_what_everybody_sees_has_no_notes(everybody: World) -> None:
    await everybody.analytics.change_site(public="public")
    shown = await everybody.page("foreign admin", "GET", f"{SITE}?period=2026-03")
    assert shown.status == 200
    assert "own note" not in shown.text  # notes are for the people of the site
    assert 'class="add-note"' not in shown.text
    assert (await everybody.page("foreign admin", "GET", f"{SITE}/notes")).status == 404
    before = everybody.state()
    await everybody.page("foreign admin", "POST", f"{SITE}/notes", {"date": "2026-03-12", "text": "x"})
    assert everybody.state() == before
