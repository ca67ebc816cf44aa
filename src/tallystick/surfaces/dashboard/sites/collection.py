"""What a site stores, how long, and of whom nothing: ``/sites/{site}/collection``."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from msgspec import Struct
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.model.leaving_out import RuleKind
from tallystick.model.period import DAY_S
from tallystick.model.site import Collect, Site
from tallystick.model.site_rules import RETENTION_DAYS
from tallystick.services.accounts.sites import SiteChanges, update_site
from tallystick.surfaces.dashboard.sites.collecting import COLLECTED, PROPERTIES
from tallystick.surfaces.dashboard.sites.form import entries
from tallystick.surfaces.dashboard.sites.places import SitePlaces
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices

SWITCHES = ("respect_gpc", "respect_dnt", "collect_props")
LISTS = ("ignore_ips", "collect_regions")
RULES = ("ignore_ips", "ignore_countries", "ignore_paths", "ignore_hosts", "ignore_campaigns")
NOT_CONFIRMED: Problems = {"delete": [N_("needs to be ticked: hits are deleted by this")]}

_days = re.compile(r"[0-9]{1,6}")


class Doomed(Struct, frozen=True):
    """Hits that a shorter time deletes.

    Attributes:
        days: that hits would be kept; the confirmation is for these days only.
        hits: their number, with imported days.
        before: the day before which they were counted.
    """

    days: int
    hits: int
    before: date


class CollectionPages:
    """Shows and changes what is stored, for people who may change the site's settings."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._places = services, SitePlaces(services)

    async def page(self, request: PageRequest) -> Response:
        """What is stored now, and the form to change it."""
        return await self._show(request, await self._places.changeable(request))

    async def data(self, request: PageRequest) -> Response:
        """The same as JSON."""
        site = await self._places.changeable(request)
        settings = site.settings
        names = ("collect_props", "collect_regions", "data_retention", "respect_gpc", "respect_dnt", *RULES)
        collect = {each.bit.name.lower(): bool(settings.collect & each.bit) for each in COLLECTED if each.bit.name}
        return as_json({"collect": collect, **{name: getattr(settings, name) for name in names}})

    async def change(self, request: PageRequest) -> Response:
        """Change what is stored. A shorter time that deletes hits is shown first, with their number, and confirmed."""
        site, form = await self._places.changeable(request), request.form
        changes = _changes_of(form)
        days = changes.settings["data_retention"]
        if _is_shorter(days, site.settings.data_retention) and form.text("delete") != str(days):
            doomed = await self._doomed(site, days, request.now)
            if doomed.hits:
                return await self._show(request, site, NOT_CONFIRMED, doomed)
        try:
            await self._services.write(request, update_site, site.id, changes, request.now)
        except InputRefused as error:
            return await self._show(request, site, problems_of(error))
        return see_other(f"/sites/{site.id}/collection?done=changed")

    async def _doomed(self, site: Site, days: int, now: int) -> Doomed:
        """What is older than a number of days.

        Raises:
            QuestionTooLong, StoreUnavailable
        """
        before = _before(days, now)
        hits = await self._services.statistics.questions.read(
            lambda session: session.count_expired([(site.id, before)])
        )
        return Doomed(days, hits, _date(before))

    async def _show(
        self, request: PageRequest, site: Site, problems: Problems = NO_PROBLEMS, doomed: Doomed | None = None
    ) -> Response:
        days = site.settings.data_retention
        is_typed = bool(request.form.names())
        values = {
            "site": site,
            "name": site.name,
            "typed": _typed(request.form) if is_typed else _filled_in(site),
            "collected": COLLECTED,
            "properties": PROPERTIES,
            "rules": {kind.value: len(getattr(site.settings, kind.value)) for kind in RuleKind},
            "your_address": str(self._services.addresses.of(request.http.scope)),
            "oldest": _date(_before(days, request.now)) if days else None,
            "doomed": doomed,
            "problems": problems,
        }
        return await self._services.show(request, "sites/collection.html", values)


def _before(days: int, now: int) -> int:
    """The second before which hits are deleted that are kept for a number of days; ``now`` is Unix milliseconds."""
    return now // 1000 - days * DAY_S


def _date(moment: int) -> date:
    return datetime.fromtimestamp(moment, UTC).date()


def _is_shorter(days: int, before: int) -> bool:
    """Whether a valid number of days is a shorter time than before; 0 is for good."""
    least, most = RETENTION_DAYS
    return least <= days <= most and (before == 0 or days < before)


def _filled_in(site: Site) -> dict[str, Any]:
    settings = site.settings
    return {
        "collect": settings.collect,
        "data_retention": str(settings.data_retention),
        **{name: "\n".join(getattr(settings, name)) for name in LISTS},
        **{name: getattr(settings, name) for name in SWITCHES},
    }


def _typed(form: Form) -> dict[str, Any]:
    return {
        "collect": _bits(form),
        "data_retention": form.text("data_retention"),
        **{name: form.text(name) for name in LISTS},
        **{name: form.checked(name) for name in SWITCHES},
    }


def _changes_of(form: Form) -> SiteChanges:
    days = form.text("data_retention")
    lists: dict[str, Sequence[str]] = {name: tuple(entries(form.text(name))) for name in LISTS}
    settings = {
        # A text that is not a number is refused like a number of days that is too small.
        "data_retention": int(days) if _days.fullmatch(days) else -1,
        "collect": _bits(form) or int(Collect.NOTHING),
        **lists,
        **{name: form.checked(name) for name in SWITCHES},
    }
    return SiteChanges(settings=settings)


def _bits(form: Form) -> int:
    return sum(set(form.numbers("collect")))
