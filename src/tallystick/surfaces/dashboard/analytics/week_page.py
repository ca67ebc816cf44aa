"""Visitors by weekday and hour, as a page and as data: ``/sites/{site}/week``."""

import asyncio
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.surfaces.dashboard.analytics.asking import Page
from tallystick.surfaces.dashboard.analytics.pages import AnalyticsPages, Shows, about
from tallystick.surfaces.dashboard.analytics.week import METRIC, NAME, week_of
from tallystick.surfaces.dashboard.charts.small import HOURS, WEEKDAYS
from tallystick.surfaces.dashboard.support.data import as_csv, as_json, twin
from tallystick.surfaces.dashboard.support.page_request import PageRequest


class WeekPages(AnalyticsPages):
    """The page of a week by hours."""

    async def week(self, request: PageRequest) -> Response:
        """All hours of the week."""
        shows = Shows(self._week_page, self._week_json, self._week_csv)
        return await self._answered(request, request.http.path_params["site"], twin(request.http.url.path)[1], shows)

    async def _week_page(self, request: PageRequest, page: Page) -> Response:
        _require_seen(page)
        values = {**await self._shared(request, page), **await self._week_values(request, page)}
        return await self._services.renderer.private_page(request, "analytics/week.html", values)

    async def _week_json(self, _request: PageRequest, page: Page) -> Response:
        return as_json({**about(page), "metric": METRIC, "week": await self._rows(page)})

    async def _week_csv(self, _request: PageRequest, page: Page) -> Response:
        rows: list[list[Any]] = [["weekday", "hour", METRIC]]
        rows += ([row["weekday"], row["hour"], row[METRIC]] for row in await self._rows(page))
        return await asyncio.to_thread(as_csv, rows, NAME)

    async def _rows(self, page: Page) -> list[dict[str, int]]:
        _require_seen(page)
        week = await week_of(self._asking, page)
        return [{"weekday": day, "hour": hour, METRIC: week.get((day, hour), 0)} for day in WEEKDAYS for hour in HOURS]


def _require_seen(page: Page) -> None:
    """Raise HTTPException if the viewer may not see the week (404)."""
    if not page.viewer.sees(NAME):
        raise HTTPException(404)
