"""A person's own preferences: what is kept, what is refused, and how formats are made of settings."""

import re
from datetime import date

import pytest
from msgspec.structs import replace

from support.pages import Pages
from tallystick.model.account import UserSettings
from tallystick.services.accounts.accounts import account_by_email
from tallystick.surfaces.dashboard.support.formats import AS_THE_LANGUAGE, date_pattern, formats_of
from tallystick.surfaces.dashboard.support.language import Languages
from tallystick.surfaces.dashboard.support.rendering import FOLDER, FORMATS

LANGUAGES = Languages.load()
DAY = date(2026, 3, 9)
USUAL = {
    "timezone": ".UTC",
    "sunday_starts_week": "",
    "number_format": "8239",
    "date_format": UserSettings().date_format,
    "twelve_hours": "",
    "language": "en-GB",
    "theme": "",
}
CHOSEN = {
    "timezone": "JP.Asia/Tokyo",
    "sunday_starts_week": "on",
    "number_format": "39",
    "date_format": "02.01.2006",
    "twelve_hours": "on",
    "language": "de",
    "theme": "dark",
}


async def kept(pages: Pages) -> UserSettings:
    person = await pages.ledger.read(account_by_email, "ada@example.com")
    assert person is not None
    return person.settings


async def test_all_of_them_are_kept_and_shown(pages: Pages) -> None:
    async with pages.ada() as ada:
        before = await kept(pages)
        answer = await ada.fill("/user/preferences", CHOSEN)
        assert answer.headers["location"] == "/user/preferences?done=changed"
        assert await kept(pages) == replace(
            before,
            timezone="JP.Asia/Tokyo",
            sunday_starts_week=True,
            number_format=39,
            date_format="02.01.2006",
            twelve_hours=True,
            language="de",
            theme="dark",
        )
        shown = (await ada.get("/user/preferences?done=changed")).text
        assert '<html lang="de"' in shown
        assert 'data-theme="dark" data-group="&#39;"' in shown
        assert "1&#39;234&#39;567.8 · " in shown
        assert re.search(r">\d\d\.\d\d\.\d{4}, \d{1,2}:\d\d\s[AP]M JST</time>", shown)
        assert len(re.findall(r'<option value="[^"]+" selected>', shown)) == len(CHOSEN)
        told = (await ada.get("/user/preferences.json")).json()["settings"]
        assert told == {**CHOSEN, "sunday_starts_week": True, "number_format": 39, "twelve_hours": True}


async def test_the_usual_leaves_it_to_the_browser_again(pages: Pages) -> None:
    async with pages.ada() as ada:
        before = await kept(pages)
        await ada.fill("/user/preferences", CHOSEN)
        await ada.fill("/user/preferences", USUAL)
        assert await kept(pages) == before
        shown = (await ada.get("/user", **{"accept-language": "en"})).text
        assert re.search(r'<html lang="en" data-origin="[^"]+">', shown)


@pytest.mark.parametrize("name", ["timezone", "number_format", "date_format", "language", "theme"])
@pytest.mark.parametrize("value", ["nowhere", '"><script>', "-1"])
async def test_what_is_not_offered_is_refused(pages: Pages, name: str, value: str) -> None:
    async with pages.ada() as ada:
        before = await kept(pages)
        answer = await ada.fill("/user/preferences", {**CHOSEN, name: value})
        assert answer.status_code == 422
        assert "is not one of the choices." in answer.text
        assert await kept(pages) == before


@pytest.mark.parametrize(
    ("language", "number_format", "text"),
    [
        ("en", 8239, "1,234,567.8 12.3K"),
        ("de", 8239, "1.234.567,8 12.345"),
        ("en", 46, "1.234.567,8 12,3K"),
        ("de", 44, "1,234,567.8 12,345"),
        ("de", 39, "1'234'567.8 12'345"),
        ("de", 160, "1\xa0234\xa0567,8 12\xa0345"),
        ("en", 1, "1234567.8 12.3K"),
    ],
)
def test_numbers_have_the_chosen_separators(language: str, number_format: int, text: str) -> None:
    chosen = LANGUAGES.of(None, language, "").formatted(formats_of(UserSettings(number_format=number_format)))
    assert f"{chosen.number(1_234_567.8)} {chosen.compact(12_345)}" == text
    assert chosen.percent(0.125, 1).startswith("12,5" if "7,8" in text else "12.5")
    assert chosen.formatted(AS_THE_LANGUAGE).number(1_234) in {"1,234", "1.234"}


@pytest.mark.parametrize(
    ("layout", "texts"),
    [
        ("2006-01-02", ("2026-03-09", "03-09", "Mon, 2026-03-09")),
        ("02.01.2006", ("09.03.2026", "09.03", "Mon, 09.03.2026")),
        ("Jan 2, 2006", ("Mar 9, 2026", "Mar 9", "Mon, Mar 9, 2026")),
        ("Mon Jan 2 2006", ("Mon Mar 9 2026", "Mon Mar 9", "Mon Mar 9 2026")),
        ("_2 January 06 o'clock", ("9 March 26 o'clock", "9 March 26 o'clock", "Mon, 9 March 26 o'clock")),
        ("15:04", ("9 Mar 2026", "9 Mar", "Mon, 9 Mar 2026")),
        ("", ("9 Mar 2026", "9 Mar", "Mon, 9 Mar 2026")),
    ],
)
def test_dates_are_written_in_the_layout(layout: str, texts: tuple[str, str, str]) -> None:
    language = LANGUAGES.english.formatted(formats_of(UserSettings(date_format=layout)))
    assert (language.day(DAY), language.short_day(DAY), language.long_day(DAY)) == texts


def test_clocks_weeks_and_zones_are_those_that_were_chosen() -> None:
    settings = UserSettings(timezone="US.America/New_York", sunday_starts_week=True, twelve_hours=True)
    language = LANGUAGES.english.formatted(formats_of(settings))
    assert list(language.weekdays) == [7, 1, 2, 3, 4, 5, 6]
    assert language.hour(14).split() == ["2", "pm"]
    assert language.moment(1_773_151_500_000).replace("\xa0", " ") == "10 Mar 2026, 10:05 am EDT"
    assert formats_of(UserSettings(timezone="XX.No/Where")).zone is None
    assert formats_of(UserSettings()).zone is None
    assert date_pattern("2 Jan") == ""


def test_filters_of_templates_know_the_person() -> None:
    """A template that is imported without the context of the page has the formats of the language only."""
    filters = re.compile(r"\|\s*(?:moment|" + "|".join(FORMATS) + r")\b")
    for file in FOLDER.rglob("*.html"):
        for line in re.findall(r'\{% from "[^"]+" import [^%]+%\}', file.read_text("utf-8")):
            imported = (FOLDER / line.split('"')[1]).read_text("utf-8")
            assert "with context" in line or not filters.search(imported), (file.name, line)
