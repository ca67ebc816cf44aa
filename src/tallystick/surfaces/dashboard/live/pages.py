"""What happens now: ``/sites/{site}/live``, a stream, and ``/sites/{site}/now``, the last half hour."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import time as clock_time
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.model.site import Collect, Site
from tallystick.services.analytics.presence import Presence
from tallystick.surfaces.dashboard.analytics.asking import Asking, Page, page_of
from tallystick.surfaces.dashboard.analytics.bars import refused_values
from tallystick.surfaces.dashboard.analytics.checking import check_filters
from tallystick.surfaces.dashboard.analytics.view import View, view_of
from tallystick.surfaces.dashboard.analytics.viewer import LoginNeeded, OtherFirst, Viewer, ViewerSource
from tallystick.surfaces.dashboard.first_minutes.pages import FirstMinutes
from tallystick.surfaces.dashboard.live.streams import LiveStreams, News, Reader
from tallystick.surfaces.dashboard.names.values import shown_value
from tallystick.surfaces.dashboard.support.data import as_csv, as_json
from tallystick.surfaces.dashboard.support.forms import number_in
from tallystick.surfaces.dashboard.support.framing import with_frames
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageGuard, PageRequest, to_login
from tallystick.surfaces.dashboard.support.services import PageServices

SIGNS_EVERY_S = 3.0
"""How often a stream looks what has arrived at a site that waits for its first hit."""
ROWS = 10
_PERIOD = "30m"


class NowList(Struct, frozen=True):
    """A list of the last half hour.

    Attributes:
        name: as that of the whole list; also in addresses.
        by: as people write the dimension.
        dimension: on the wire.
        title: to be translated.
    """

    name: str
    by: str
    dimension: str
    title: str


LISTS = (
    NowList("pages", "page", "event:page", N_("Pages")),
    NowList("sources", "source", "visit:source", N_("Sources")),
    NowList("countries", "country", "visit:country", N_("Countries")),
)


class Minute(Struct, frozen=True):
    """A minute, as ``14:05`` by the clocks of the page."""

    time: str
    pageviews: int


class LastHalfHour(Struct, frozen=True):
    """What happened.

    Attributes:
        visitors: of the last five minutes.
        minutes: the oldest first.
        lists: rows of a value and its visitors, by name of the list.
    """

    visitors: int
    minutes: tuple[Minute, ...]
    lists: Mapping[str, Sequence[tuple[str, int]]]


class LivePages:
    """Shows what happens now."""

    def __init__(  # noqa: PLR0913, PLR0917  # what it brings together
        self,
        services: PageServices,
        guard: PageGuard,
        viewers: ViewerSource,
        presence: Presence,
        first_minutes: FirstMinutes,
        streams: LiveStreams,
    ) -> None:
        self._services, self._guard, self._viewers = services, guard, viewers
        self._presence, self._first_minutes, self._streams = presence, first_minutes, streams
        self._asking = Asking(services.statistics)

    async def stream(self, request: PageRequest) -> Response:
        """The number of visitors now, as server-sent events."""
        try:
            viewer = await self._viewers.of(request, request.http.path_params["site"])
        except LoginNeeded:
            return to_login(request.http)
        except OtherFirst as error:
            raise HTTPException(404) from error
        if viewer.locked:
            raise HTTPException(404)  # the number of all visitors is not theirs
        waits = await self._first_minutes.waits(viewer)
        clock = self._services.ledger.clock
        news = _NewsOf(self._presence, self._first_minutes, viewer, clock, waits=waits)
        await news()  # an error is a response of its own only before the stream begins
        reader = Reader(
            key=viewer.person_id,
            news=news,
            may_read=lambda: self._may_read(request, viewer),
            after=number_in(request.http.headers.get("last-event-id", ""), 9) or 0,
        )
        if viewer.person is None:
            reader = replace(
                reader,
                key=self._services.client_of(request),
                network=self._services.network_of(request),
                guest=True,
            )
        return self._streams.response(reader)

    async def _may_read(self, request: PageRequest, viewer: Viewer) -> bool:
        """Whether the browser that has sent a request may still see what it was shown at first."""
        again = await self._guard.page_request(request.http)
        try:
            seen = await self._viewers.of(again, request.http.path_params["site"])
        except (LoginNeeded, OtherFirst, HTTPException):
            return False
        return seen.locked == viewer.locked and seen.may_change == viewer.may_change

    async def now(self, request: PageRequest) -> Response:
        """The last half hour, minute by minute."""
        return await self._answered(request, self._page)

    async def now_json(self, request: PageRequest) -> Response:
        """The same as JSON."""
        return await self._answered(request, _json)

    async def now_csv(self, request: PageRequest) -> Response:
        """The minutes as CSV."""
        return await self._answered(request, _csv)

    async def _answered(
        self, request: PageRequest, show: Callable[[PageRequest, Page, LastHalfHour], Awaitable[Response]]
    ) -> Response:
        try:
            viewer = await self._viewers.of(request, request.http.path_params["site"])
        except LoginNeeded:
            return to_login(request.http)
        except OtherFirst as other:
            return other.response
        try:
            view = _view(request)
            today = replace(view, period="today", compare="off", by="")
            page = await page_of(self._services.statistics, viewer, today, request.now)
            await check_filters(self._services.statistics, page)
            happened = await self._last_half_hour(page)
        except InputRefused as error:
            if show == self._page:
                values = refused_values(request, viewer, error)
                response = await self._services.renderer.private_page(request, "analytics/refused.html", values, 400)
            else:
                response = as_json({"error": str(error)}, 400)
        else:
            response = await show(request, page, happened)
        response.headers.update(viewer.headers)
        return with_frames(response, viewer.frames)

    async def _page(self, request: PageRequest, page: Page, happened: LastHalfHour) -> Response:
        viewer, view = page.viewer, _view(request)
        filtered = bool(view.chips or view.expression or view.text)
        values = {
            "viewer": viewer,
            "view": view,
            "base": viewer.base,
            "filtered": filtered,
            "follows": not filtered and not viewer.locked,
            "happened": happened,
            "most": max(minute.pageviews for minute in happened.minutes),
            "lists": LISTS,
            "clock": lambda minute: request.language.clock(clock_time.fromisoformat(minute.time)),
            "address_of": lambda by, value: view.filtered(by, value).at(viewer.base),
            "shown": lambda by, value: shown_value(request.language, by, value),
            "keeps_single_hits": all(map(_keeps_single_hits, viewer.sites)),
        }
        return await self._services.renderer.private_page(request, "live/now.html", values)

    async def _last_half_hour(self, page: Page) -> LastHalfHour:
        by_minute = {"metrics": ["pageviews"], "dimensions": ["time:minute"], "include": {"time_labels": True}}
        answer = await self._ask(page, by_minute)
        found = {row["dimensions"][0]: row["metrics"][0] for row in answer["results"]}
        minutes = [Minute(label[11:16], int(found.get(label, 0))) for label in answer["meta"]["time_labels"]]
        lists: dict[str, Sequence[tuple[str, int]]] = {}
        for listed in LISTS:
            if page.viewer.sees(listed.name):
                body = {"metrics": ["visitors"], "dimensions": [listed.dimension], "pagination": {"limit": ROWS}}
                answer = await self._ask(page, body)
                lists[listed.name] = [(str(row["dimensions"][0]), row["metrics"][0]) for row in answer["results"]]
        return LastHalfHour(await self._asking.live(page), tuple(minutes), lists)

    async def _ask(self, page: Page, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._asking.ask(page, {**body, "date_range": _PERIOD}, compares=False)


class _NewsOf:
    """What a stream tells of the sites of a page."""

    def __init__(
        self,
        presence: Presence,
        first_minutes: FirstMinutes,
        viewer: Viewer,
        clock: Callable[[], int],
        *,
        waits: bool,
    ) -> None:
        self._presence, self._first_minutes, self._viewer = presence, first_minutes, viewer
        self._clock, self._waits = clock, waits
        # Hits that are not kept single have the time at which their hour began: nobody can be said to be there now.
        self._sites = [site.id for site in viewer.sites if waits or _keeps_single_hits(site)]
        self._seen, self._looked = 0, float("-inf")

    async def __call__(self) -> News:
        present = await self._presence.of_sites(self._sites)
        if not self._waits:
            return News(present.visitors, present.newest)
        if time.monotonic() - self._looked >= SIGNS_EVERY_S:
            self._looked = time.monotonic()
            self._seen = (await self._first_minutes.signs(self._viewer, self._clock())).seen
        return News(present.visitors, present.newest, self._seen)


def _view(request: PageRequest) -> View:
    """What the address says, for its filters.

    Raises:
        InputRefused: it says something that is not valid.
    """
    return view_of(request.http.query_params.multi_items())


def _keeps_single_hits(site: Site) -> bool:
    return bool(site.settings.collect & Collect.HITS)


async def _json(_request: PageRequest, _page: Page, happened: LastHalfHour) -> Response:
    lists = {
        name: [{"value": value, "visitors": visitors} for value, visitors in rows]
        for name, rows in happened.lists.items()
    }
    return as_json({"visitors": happened.visitors, "minutes": happened.minutes, "lists": lists})


async def _csv(_request: PageRequest, _page: Page, happened: LastHalfHour) -> Response:
    rows = [("minute", "pageviews"), *((minute.time, minute.pageviews) for minute in happened.minutes)]
    return as_csv(rows, "now")
