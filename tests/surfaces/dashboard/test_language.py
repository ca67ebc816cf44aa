"""The languages of the pages: complete catalogs, the choice of a language, and its formats."""

import re
import runpy
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Message

from support.pages import Pages
from tallystick.services.accounts.accounts import account_by_email
from tallystick.services.accounts.audit import EventKind
from tallystick.surfaces.dashboard.admin.log import KINDS
from tallystick.surfaces.dashboard.support.language import FOLDER, Languages

TOOL = runpy.run_path(str(Path(__file__).resolve().parents[3] / "tools" / "make_messages.py"))
LANGUAGES = Languages.load()
CODES = [language.code for language in LANGUAGES if language is not LANGUAGES.english]
TO_UPDATE = "run tools/make_messages.py and translate what it prints"

_placeholder = re.compile(r"%\(\w+\)[sd]|%%|<[^>]+>|`[^`]+`")


def entries(code: str) -> Iterator[tuple[str, Message]]:
    """Every entry of a language with the name of its file."""
    for subject, catalog in TOOL["catalogs"](code).items():
        for message in TOOL["messages"](catalog):
            yield f"{code}/{subject}.po", message


def forms(text: str | tuple[str, ...] | list[str] | None) -> list[str]:
    """A text, or each of its plural forms."""
    text = text or ""
    return [text] if isinstance(text, str) else list(text)


@pytest.mark.parametrize("code", CODES)
def test_every_text_is_translated(code: str) -> None:
    translated = {TOOL["key_of"](message) for _, message in entries(code)}
    missing = [text for text in TOOL["texts"]() if text not in translated]
    assert not missing, TO_UPDATE
    unfinished = [
        (file, message.id)
        for file, message in entries(code)
        if message.fuzzy or not all(form.strip() for form in forms(message.string))
    ]
    assert not unfinished


@pytest.mark.parametrize("code", CODES)
def test_no_translation_is_left_of_a_text_that_is_gone(code: str) -> None:
    texts = TOOL["texts"]()
    assert not [(file, message.id) for file, message in entries(code) if TOOL["key_of"](message) not in texts], (
        TO_UPDATE
    )
    for catalog in TOOL["catalogs"](code).values():
        assert not catalog.obsolete


@pytest.mark.parametrize("code", CODES)
def test_a_text_of_several_files_has_one_translation(code: str) -> None:
    found: dict[Any, Any] = {}
    for file, message in entries(code):
        assert found.setdefault(TOOL["key_of"](message), message.string) == message.string, (file, message.id)


@pytest.mark.parametrize("code", CODES)
def test_translations_keep_placeholders_and_markup(code: str) -> None:
    for file, message in entries(code):
        *_, plural = forms(message.id)
        wanted = sorted(_placeholder.findall(plural))
        for number, form in enumerate(forms(message.string)):
            kept = sorted(_placeholder.findall(form))
            # A singular may say "one" in place of the number.
            if number == 0 and len(forms(message.string)) > 1:
                assert set(kept) <= set(wanted), (file, message.id)
            else:
                assert kept == wanted, (file, message.id)


@pytest.mark.parametrize("code", CODES)
def test_texts_can_stand_in_attributes(code: str) -> None:
    for file, message in entries(code):
        for form in (*forms(message.id), *forms(message.string)):
            assert not re.search(r'["<>]', re.sub(r"<[^<>]+>", "", form)), (file, form)


def test_every_folder_of_catalogs_is_a_language() -> None:
    assert sorted(folder.name for folder in FOLDER.iterdir()) == CODES


def test_a_text_without_a_translation_stays_as_it_is() -> None:
    (german,) = (language for language in LANGUAGES if language.code == "de")
    assert (german.gettext("Log out"), german.gettext("no such text")) == ("Abmelden", "no such text")
    assert german.ngettext("%(num)s thing", "%(num)s things", 2) == "%(num)s things"


def written(code: str) -> list[str]:
    """What a language makes of the same values."""
    language = LANGUAGES.of(None, code, "")
    day = date(2026, 3, 10)
    return [
        language.number(1_234_567),
        language.number(0.5),
        language.compact(950),
        language.compact(12_345),
        language.compact(-1_234_567),
        language.percent(0.1234),
        language.percent(0.1234, 1),
        language.day(day),
        language.short_day(day),
        language.long_day(day),
        language.month(day),
        language.short_month(day),
        language.weekday(0),
        language.weekday(6, "abbreviated"),
        language.hour(14),
        language.moment(1_773_151_500_000),
        language.duration(12.4),
        language.duration(192),
        language.duration(3_900),
        language.duration(93_600),
        language.listed(["a", "b", "c"]),
        language.country_name("DE"),
        language.country_name("?"),
        language.language_name("deu"),
        language.own_name,
    ]


def test_numbers_dates_and_names_are_those_of_the_language() -> None:
    assert written("en") == [
        *("1,234,567", "0.5", "950", "12.3K", "-1.2M", "12%", "12.3%"),
        *("10 Mar 2026", "10 Mar", "Tue, 10 Mar 2026", "March 2026", "Mar", "Monday", "Sun", "14:00"),
        *("10 Mar 2026, 14:05 UTC", "12s", "3m 12s", "1h 5m", "1d 2h"),
        *("a, b and c", "Germany", "?", "German", "English"),
    ]
    assert [text.replace("\xa0", " ") for text in written("de")] == [
        *("1.234.567", "0,5", "950", "12.345", "-1,2 Mio.", "12 %", "12,3 %"),
        *("10. März 2026", "10. März", "Di., 10. März 2026", "März 2026", "Mär", "Montag", "So", "14:00"),
        *("10. März 2026, 14:05 UTC", "12 s", "3 min 12 s", "1 h 5 min", "1 d 2 h"),
        *("a, b und c", "Deutschland", "?", "Deutsch", "Deutsch"),
    ]


@pytest.mark.parametrize(
    ("cookie", "header", "code"),
    [
        ("", "", "en"),
        ("", "de", "de"),
        ("", "de-AT,en;q=0.9", "de"),
        ("", "en;q=0.8, de-DE;q=0.9", "de"),
        ("", "fr-FR, nl;q=0.9, de;q=0.1", "de"),
        ("", "de;q=0, en;q=0.1", "en"),
        ("", "*", "en"),
        ("", ",;q=,de;q=x;;" + "a" * 5_000, "en"),
        ("de", "en", "de"),
        ("en", "de", "en"),
        ("../de", "de", "de"),
    ],
)
def test_the_cookie_comes_before_the_browser(cookie: str, header: str, code: str) -> None:
    assert LANGUAGES.of(None, cookie, header).code == code


async def test_a_page_is_in_the_language_of_the_browser(pages: Pages) -> None:
    async with pages.visitor() as visitor:
        german = await visitor.get("/docs", **{"accept-language": "de"})
        english = await visitor.get("/docs", **{"accept-language": "nl"})
    assert '<html lang="de"' in german.text
    assert "Zum Inhalt springen" in german.text
    assert german.headers["content-language"] == "de"
    assert {"accept-language", "cookie"} <= set(german.headers["vary"].split(", "))
    assert '<html lang="en"' in english.text
    assert english.headers["content-language"] == "en"
    assert "set-cookie" not in german.headers


async def test_a_guest_chooses_a_language_without_a_token(pages: Pages) -> None:
    async with pages.visitor() as visitor:
        chosen = await visitor.send("/language", {"language": "de", "back": "/docs?a=b"}, origin="null")
        assert (chosen.status_code, chosen.headers["location"]) == (303, "/docs?a=b")
        assert '<html lang="de"' in (await visitor.get("/login")).text
        await visitor.send("/language", {"language": "en", "back": "/"})
        assert '<html lang="en"' in (await visitor.get("/login", **{"accept-language": "de"})).text


async def test_a_person_takes_the_language_along(pages: Pages) -> None:
    async with pages.ada() as ada, pages.visitor() as other:
        await ada.send("/language", {"language": "de", "back": "/user"})
        person = await pages.ledger.read(account_by_email, "ada@example.com")
        assert person is not None
        assert person.settings.language == "de"
        await other.log_in()
        assert '<html lang="de"' in (await other.get("/user")).text
        await ada.send("/language", {"language": "en", "back": "/user"})
        assert '<html lang="en"' in (await other.get("/user", **{"accept-language": "de"})).text


@pytest.mark.parametrize(
    "back", ["", "https://evil.example/", "//evil.example/", "/\\evil.example", "/a\r\nb: c", "/" + "a" * 9_000]
)
async def test_the_form_leads_nowhere_else(pages: Pages, back: str) -> None:
    async with pages.visitor() as visitor:
        chosen = await visitor.send("/language", {"language": "de", "back": back})
    assert chosen.headers["location"] == "/"


async def test_other_sites_and_unknown_languages_change_nothing(pages: Pages) -> None:
    async with pages.visitor() as visitor:
        foreign = await visitor.send("/language", {"language": "de", "back": "/"}, **{"sec-fetch-site": "cross-site"})
        unknown = await visitor.send("/language", {"language": "xx", "back": "/"})
    assert (foreign.status_code, unknown.status_code) == (403, 404)
    assert not foreign.headers.get_list("set-cookie")
    assert not unknown.headers.get_list("set-cookie")


def test_every_kind_of_event_has_words() -> None:
    assert set(KINDS) == set(EventKind)
