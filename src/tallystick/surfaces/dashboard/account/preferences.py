"""How pages look for one person: ``/user/preferences``."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from msgspec.structs import replace
from starlette.responses import Response

from tallystick.model.account import UserSettings
from tallystick.services.accounts.accounts import change_preferences
from tallystick.surfaces.dashboard.support import cookies
from tallystick.surfaces.dashboard.support.choices import NOT_OFFERED, Choice, Option, choice, zone_groups
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.formats import UNCHOSEN, formats_of
from tallystick.surfaces.dashboard.support.language import N_, Language, Languages, chosen_language
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems
from tallystick.surfaces.dashboard.support.rendering import THEMES
from tallystick.surfaces.dashboard.support.services import PageServices

PAGE = "/user/preferences"
UTC_CHOSEN = ".Etc/UTC"
"""UTC for every site; the default, ``.UTC``, leaves each site its own zone."""
NUMBER_FORMATS = (44, 46, 160, 39, 1)
DATE_LAYOUTS = ("2006-01-02", "02.01.2006", "2 Jan 2006", "02/01/2006", "Jan 2, 2006", "01/02/2006")
SAMPLE, SAMPLE_DAY = 1_234_567.8, date(2026, 3, 9)

NAMES = (*("timezone", "sunday_starts_week", "number_format", "date_format", "twelve_hours", "language", "theme"),)
"""The settings that this page changes, as the API has them."""


class PreferencesPages:
    """Shows and changes a person's own display settings."""

    def __init__(self, services: PageServices, languages: Languages) -> None:
        self._services, self._languages = services, languages

    async def page(self, request: PageRequest) -> Response:
        """The form with what is chosen now."""
        return await self._show(request)

    async def data(self, request: PageRequest) -> Response:
        """The same as JSON, with the names and values of ``/api/v0/me``."""
        return as_json({"settings": _chosen(request.account.settings)})

    async def change(self, request: PageRequest) -> Response:
        """Keep what was chosen. A value that is not offered is refused, and nothing is changed."""
        choices = await asyncio.to_thread(self._choices, request.language, request.account.settings)
        chosen = {each.name: request.form.text(each.name) for each in choices}
        problems = {each.name: [NOT_OFFERED] for each in choices if chosen[each.name] not in each.values}
        if problems:
            return await self._show(request, problems)
        await self._services.ledger.write(change_preferences, request.account.id, _settings(chosen), request.now)
        response = see_other(f"{PAGE}?done=changed")
        if code := chosen_language(replace(UNCHOSEN, language=chosen["language"])):
            cookies.keep_language(request.http, response, code)
        else:
            cookies.forget(request.http, response, cookies.LANGUAGE)
        return response

    async def _show(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        choices = await asyncio.to_thread(self._choices, request.language, request.account.settings)
        values = {
            "choices": {each.name: each for each in choices},
            "sample": {"at": request.now, "number": SAMPLE},
            "problems": problems,
        }
        return await self._services.show(request, "account/preferences.html", values)

    def _choices(self, language: Language, settings: UserSettings) -> list[Choice]:
        say = language.gettext
        zones = [(UNCHOSEN.timezone, say(N_("as each site has it"))), (UTC_CHOSEN, "UTC")]
        languages = [(each.code, each.own_name) for each in self._languages]
        clocks = [("", say(N_("24 hours (14:05)"))), ("on", say(N_("12 hours (2:05 pm)")))]
        weeks = [("", language.weekday(0)), ("on", language.weekday(6))]
        themes = [("", say(N_("as in the browser"))), ("light", say(N_("light"))), ("dark", say(N_("dark")))]
        return [
            choice("timezone", settings.timezone, zone_groups(language, zones)),
            _plain("sunday_starts_week", "on" if settings.sunday_starts_week else "", weeks),
            _plain("number_format", str(settings.number_format), _numbers(language)),
            _plain("date_format", settings.date_format, _dates(language)),
            _plain("twelve_hours", "on" if formats_of(settings).twelve_hours else "", clocks),
            _plain(
                "language",
                chosen_language(settings) or UNCHOSEN.language,
                [(UNCHOSEN.language, say(N_("as in the browser"))), *languages],
            ),
            _plain("theme", settings.theme if settings.theme in THEMES else "", themes),
        ]


def _plain(name: str, current: str, options: Sequence[Option]) -> Choice:
    return choice(name, current, [("", options)])


def _numbers(language: Language) -> list[Option]:
    def sample(number_format: int) -> str:
        return language.formatted(formats_of(replace(UNCHOSEN, number_format=number_format))).number(SAMPLE)

    usual = language.gettext(N_("as in the language (%(sample)s)")) % {"sample": sample(UNCHOSEN.number_format)}
    others = ((str(each), sample(each)) for each in NUMBER_FORMATS)
    return [(str(UNCHOSEN.number_format), usual), *others]


def _dates(language: Language) -> list[Option]:
    def sample(layout: str) -> str:
        return language.formatted(formats_of(replace(UNCHOSEN, date_format=layout))).day(SAMPLE_DAY)

    usual = language.gettext(N_("as in the language (%(sample)s)")) % {"sample": sample(UNCHOSEN.date_format)}
    return [(UNCHOSEN.date_format, usual), *((layout, sample(layout)) for layout in DATE_LAYOUTS)]


def _settings(chosen: Mapping[str, str]) -> dict[str, Any]:
    """The settings that a valid form means."""
    settings = {
        **chosen,
        "sunday_starts_week": chosen["sunday_starts_week"] == "on",
        "number_format": int(chosen["number_format"]),
        "twelve_hours": chosen["twelve_hours"] == "on",
    }
    # What another program has asked for is over once the person chooses otherwise here.
    return {**settings, "twenty_four_hours": False} if settings["twelve_hours"] else settings


def _chosen(settings: UserSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in NAMES}
