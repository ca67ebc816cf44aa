"""The panels of places and devices: names, the map, and lists that divide a row."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from support.analytics import CHROME, FIREFOX, Analytics, analytics_in_process
from tallystick.services.analytics.display_names import countries
from tallystick.surfaces.dashboard.map.world_map import is_drawn

SITE = "/sites/1"


@pytest.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    async with analytics_in_process(tmp_path) as running:
        await running.change_site(public="public")
        yield running


async def visits(analytics: Analytics, *locations: str, agent: str = FIREFOX, **more: Any) -> None:
    """One visit from each place; ``DE-BY`` is a region."""
    hits = [
        {"path": "/", "session": f"{agent}{number}{location}", "user_agent": agent, "location": location, **more}
        for number, location in enumerate(locations)
    ]
    answer = await analytics.api("POST", "/count", json={"hits": hits})
    assert answer.status == 202, answer.text


async def shown(analytics: Analytics, target: str, language: str = "en") -> str:
    answer = await analytics.ask(target, headers={"accept": "text/html", "accept-language": language})
    assert answer.status == 200, answer.text
    return answer.text


async def panel(analytics: Analytics, name: str, query: str = "", language: str = "en") -> str:
    page = await shown(analytics, f"{SITE}?period=today&{query}", language)
    assert 'class="failed"' not in page
    return page.partition(f'<section class="panel" id="{name}"')[2].partition("</section>")[0]


def links(part: str) -> dict[str, str]:
    """The names of rows, and where they lead: the query of the address, without the period."""
    found = re.findall(r'<th scope="row">.*?<a href="([^"]*)">(.*?)</a>', part, re.DOTALL)
    queries = {unescape(name): unescape(address).partition("?")[2] for address, name in found}
    return {name: query.removeprefix("period=today&") for name, query in queries.items()}


def on_map(part: str) -> list[str]:
    return [unescape(title) for title in re.findall(r"<title>(.*?)</title>", part)]


async def test_countries_have_a_list_and_a_map(analytics: Analytics) -> None:
    await visits(analytics, "DE", "DE", "SG", "")
    part = await panel(analytics, "places")
    assert list(links(part)) == ["Germany", "(not known)", "Singapore"]
    assert on_map(part) == ["Germany: 2 visitors", "Singapore: 1 visitor"]
    part = await panel(analytics, "places", language="de")
    assert list(links(part)) == ["Deutschland", "(nicht bekannt)", "Singapur"]
    assert on_map(part)[0] == "Deutschland: 2 Besucher"


async def test_a_country_is_divided_by_regions(analytics: Analytics) -> None:
    await visits(analytics, "US-CA", "US-CA", "US", "NL")
    query = links(await panel(analytics, "places"))["United States"]
    assert query == "country=US&show=regions"
    part = await panel(analytics, "places", query)
    assert links(part) == {
        "California, United States": "country=US&region=US-CA&show=regions",
        "(not known)": "country=US&region=&show=regions",
    }
    assert not on_map(part)
    assert "Kalifornien, Vereinigte Staaten" in links(await panel(analytics, "places", query, "de"))


@pytest.mark.parametrize("country", ["country=", "country=DE,"])
async def test_visits_of_no_known_country_can_be_chosen(analytics: Analytics, country: str) -> None:
    await visits(analytics, "DE", "", "NL")
    names = {row["country"] for row in (await analytics.ask(f"{SITE}/countries.json?{country}")).json()["rows"]}
    assert names == set(country.removeprefix("country=").split(","))


async def test_a_panel_without_places_says_so(analytics: Analytics) -> None:
    part = await panel(analytics, "places")
    assert "Nothing in this period." in part
    assert "<figure" not in part


async def test_only_unknown_places_have_no_map(analytics: Analytics) -> None:
    await visits(analytics, "", "")
    part = await panel(analytics, "places")
    assert list(links(part)) == ["(not known)"]
    assert "<figure" not in part


async def test_the_page_of_everything_draws_the_busiest_countries(analytics: Analytics) -> None:
    await visits(analytics, *sorted(code for code in countries() if is_drawn(code))[:41], "AD")
    part = await panel(analytics, "places")
    assert len(links(part)) == 9
    assert len(on_map(part)) == 40
    assert "Visitors of the 40 countries with the most" in part
    page = await shown(analytics, f"{SITE}/countries")
    assert len(on_map(page.partition("<figure")[2])) == 41


async def test_countries_are_found_by_their_names(analytics: Analytics) -> None:
    await visits(analytics, "DE", "NL", "NC")
    for language, text, names in (("en", "nEtHer", ["Netherlands"]), ("de", "land", ["Deutschland", "Niederlande"])):
        page = await shown(analytics, f"{SITE}/countries?find={text}", language)
        assert list(links(page)) == names


async def test_a_browser_is_divided_by_versions(analytics: Analytics) -> None:
    await visits(analytics, "DE", "NL")
    await visits(analytics, "FR", agent=CHROME)
    part = await panel(analytics, "devices", "show=browsers")
    assert links(part) == {
        "Firefox": "browser=Firefox&show=browser-versions",
        "Chrome": "browser=Chrome&show=browser-versions",
    }
    part = await panel(analytics, "devices", "browser=Firefox&show=browser-versions")
    assert links(part) == {"Firefox 140": "browser=Firefox&browser_version=140&show=browser-versions"}
    assert "100%" in part
    found = (await analytics.ask(f"{SITE}/browser-versions.json?compare=off")).json()["rows"]
    assert [(row["browser"], row["browser_version"], row["visitors"]) for row in found] == [
        ("Firefox", "140", 2),
        ("Chrome", "138", 1),
    ]
    lines = (await analytics.ask(f"{SITE}/browser-versions.csv?compare=off")).text.splitlines()
    assert lines[0].startswith("browser,browser_version,visitors,percentage")
    assert lines[1].startswith("Firefox,140,2,")


async def test_versions_are_offered_only_where_they_are_shown(analytics: Analytics) -> None:
    await visits(analytics, "DE")
    assert "Browser versions" not in await panel(analytics, "devices")
    assert "Browser versions" in await panel(analytics, "devices", "show=browser-versions")


async def test_devices_have_names(analytics: Analytics) -> None:
    await visits(analytics, "DE", size="400,800,1")
    await visits(analytics, "NL", "FR", agent="")
    assert list(links(await panel(analytics, "devices", language="de")))[-1] == "Mobiltelefon"
    assert "Phones, up to 600 pixels wide" in links(await panel(analytics, "devices", "show=sizes"))
    unknown = links(await panel(analytics, "devices", "show=systems"))["(not known)"]
    assert unknown.startswith("system=")
    found = (await analytics.ask(f"{SITE}.json?{unknown.partition('&')[0]}&compare=off")).json()
    assert found["numbers"]["visitors"] == 2


async def test_hostile_names_of_places_are_text(analytics: Analytics) -> None:
    await visits(analytics, "<b", '"x', "A1", "T1", "DE")
    part = await panel(analytics, "places")
    assert on_map(part) == ["Germany: 1 visitor"]
    assert "<b" not in part.replace("<button", "")
