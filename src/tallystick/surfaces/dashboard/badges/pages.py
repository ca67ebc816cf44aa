"""``/badge/{namespace}/{key}`` and ``/sites/{site}/badge``: a badge with all that can be chosen, and what to paste.

Guests see the first, as they may read the counter itself. Looking at the pages never counts.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InvalidFields
from tallystick.model.badge import (
    FACES,
    FIELDS,
    LOCALES,
    LONGEST_AFFIX,
    LONGEST_LABEL,
    SINCES,
    STYLES,
    THEMES,
    badge_request,
)
from tallystick.model.counter import LOCKED, RESTRICTED, alive
from tallystick.services.accounts.site_readers import is_public
from tallystick.services.counting.finding import key_named
from tallystick.surfaces.dashboard.badges.pasting import badge_address, badge_page, snippets
from tallystick.surfaces.dashboard.sites.places import SitePlaces
from tallystick.surfaces.dashboard.support.data import as_json, wants_json
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, problems_of
from tallystick.surfaces.dashboard.support.services import NoCounterYet, PageServices
from tallystick.web.own_address import own_base, own_url
from tallystick.web.surface import PublicCounters

PICTURES = ("svg", "png")
SITE_LABEL = "visits"
"""Of badges of sites that have no other label."""
SINCE_NAMES = (N_("from the beginning"), N_("today"), N_("in 7 days, with today"), N_("in 30 days, with today"))
THEME_NAMES = (N_("light or dark, as the reader's device"), N_("light"), N_("dark"))
FACE_NAMES = (
    N_("liquid crystal"),
    N_("light-emitting segments"),
    N_("dots of light"),
    N_("wheels of a meter"),
    N_("flaps"),
    N_("plain lines"),
)


class BadgePages:
    """Shows badges, and what is pasted for them; each page also as JSON.

    Args:
        switch: whether there are public counters.
    """

    def __init__(self, services: PageServices, switch: PublicCounters) -> None:
        self._renderer, self._ledger, self._switch = services.renderer, services.ledger, switch
        self._places = SitePlaces(services)

    async def of_counter(self, request: PageRequest) -> Response:
        """The page of a counter, ``/badge/{namespace}/{key}``."""
        return await self._page(request, await self._of_counter(request))

    async def of_counter_as_json(self, request: PageRequest) -> Response:
        """The same as JSON. A key may end with ``.json``, so that its address is below that of the page."""
        return _data(request, await self._of_counter(request))

    async def of_site(self, request: PageRequest) -> Response:
        """The page of a site's visits, ``/sites/{site}/badge``."""
        site = await self._places.site(request)
        name = site.address_name
        values = _shown(request, name, SITE_LABEL, f"/sites/{name}/badge", f"/sites/{name}/badge.json")
        values |= {"site": site, "shown": site.settings.allow_counter or is_public(site)}
        return _data(request, values) if wants_json(request) else await self._page(request, values)

    async def _page(self, request: PageRequest, values: Mapping[str, Any]) -> Response:
        return await asyncio.to_thread(self._renderer.page, request, "badges/badge.html", values, _status(values))

    async def _of_counter(self, request: PageRequest) -> dict[str, Any]:
        """What the page of a counter shows.

        Raises:
            NoCounterYet: there is none.
            HTTPException: the name is none, or public counters are switched off.
        """
        path = request.http.path_params
        key = key_named(f"{path['namespace']}/{path['key']}")
        counter = None if key is None else alive(await self._ledger.find(key), self._ledger.clock())
        if key is None or self._switch == "off":
            raise HTTPException(404)
        if counter is None:
            raise NoCounterYet
        values = _shown(request, str(key), key.key, badge_page(str(key)), f"/badge/{key}/badge.json")
        return values | {"locked": bool(counter.flags & LOCKED), "restricted": bool(counter.flags & RESTRICTED)}


def _shown(request: PageRequest, name: str, usual_label: str, page: str, data: str) -> dict[str, Any]:
    """What a page shows.

    Args:
        name: of what is counted, as the address of the badge has it.
        page: the path of the page.
        data: the same as JSON.
    """
    query, language = request.http.query_params, request.language
    problems = NO_PROBLEMS
    try:
        badge_request(query)
    except InvalidFields as error:
        problems = problems_of(error)
    typed: Mapping[str, str] = {} if problems else query
    form = "png" if query.get("form") == "png" else "svg"
    label = typed.get("label", "")[:LONGEST_LABEL] or usual_label
    address = badge_address(own_url(request.http.scope), name, form, typed)
    shown = {field: text for field, text in query.items() if field != "count" and len(text) <= LONGEST_LABEL}
    return {
        "name": name,
        "page": page,
        "data": data,
        "usual_label": usual_label,
        # The picture says itself what is wrong with a parameter.
        "picture": badge_address("", name, form, shown),
        "label": label,
        "snippets": snippets(address, label),
        "typed": {field: query.get(field, "") for field in FIELDS},
        "form": form,
        "forms": [(each, each.upper()) for each in PICTURES],
        "styles": _options(STYLES, STYLES),
        "faces": _options(FACES, [language.gettext(name) for name in FACE_NAMES]),
        "themes": _options(THEMES, [language.gettext(name) for name in THEME_NAMES]),
        "sinces": _options(SINCES, [language.gettext(name) for name in SINCE_NAMES]),
        "locales": _options(LOCALES, LOCALES),
        "longest_label": LONGEST_LABEL,
        "longest_affix": LONGEST_AFFIX,
        "problems": problems,
    }


def _data(request: PageRequest, values: Mapping[str, Any]) -> Response:
    facts = {name: values[name] for name in ("name", "label", "shown", "locked", "restricted") if name in values}
    facts["picture"] = own_base(request.http.scope) + values["picture"]
    facts |= {"snippets": dict(values["snippets"]), "problems": dict(values["problems"])}
    return as_json(facts, _status(values))


def _status(values: Mapping[str, Any]) -> int:
    return 400 if values["problems"] else 200


def _options(values: Sequence[str], names: Sequence[str]) -> list[tuple[str, str]]:
    """Values with their names. The first is what an address without the parameter means."""
    return [("", names[0]), *zip(values[1:], names[1:], strict=True)]
