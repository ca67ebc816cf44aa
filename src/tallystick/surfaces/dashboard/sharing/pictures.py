"""One chart or one number as an SVG for other websites: ``chart.svg`` and ``number.svg``.

Without scripts or styles, and neither with nor for cookies: who embeds them sees what a guest sees.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from tallystick.errors import InputRefused, QuestionTooLong
from tallystick.surfaces.dashboard.analytics import wording
from tallystick.surfaces.dashboard.analytics.asking import Asking, Page, Series, page_of
from tallystick.surfaces.dashboard.analytics.checking import check_filters
from tallystick.surfaces.dashboard.analytics.view import GRAPHS, view_of
from tallystick.surfaces.dashboard.analytics.viewer import LoginNeeded, OtherFirst, ViewerSource
from tallystick.surfaces.dashboard.charts.embed import badge_document, chart_document
from tallystick.surfaces.dashboard.charts.time_chart import Bucket
from tallystick.surfaces.dashboard.support.language import Language
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.web.charts.documents import PALETTES, Theme

KEPT_S = 60
"""How long browsers and proxies may show a picture after its link is withdrawn."""

HEADERS = {
    "cache-control": f"public, max-age={KEPT_S}",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
    "referrer-policy": "no-referrer",
    "vary": "accept-language",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}

Draw = Callable[[PageRequest, Page], Awaitable[str]]


class Pictures:
    """Draws charts and numbers.

    Args:
        viewers: who looks, by the name in the address. It takes no secrets of sites, which would set cookies.
    """

    def __init__(self, services: PageServices, viewers: ViewerSource) -> None:
        self._statistics, self._asking, self._viewers = services.statistics, Asking(services.statistics), viewers

    async def chart(self, request: PageRequest) -> Response:
        """The metric ``graph`` over time."""
        return await self._picture(request, self._chart)

    async def number(self, request: PageRequest) -> Response:
        """The number of the metric ``metric`` in the period."""
        return await self._picture(request, self._number)

    async def _picture(self, request: PageRequest, draw: Draw) -> Response:
        try:
            viewer = await self._viewers.of(request, request.http.path_params["site"])
        except LoginNeeded as error:
            raise HTTPException(404) from error
        except OtherFirst as other:
            return other.response
        try:
            view = view_of(request.http.query_params.multi_items()).changed(compare="off")
            page = await page_of(self._statistics, viewer, view, request.now)
            await check_filters(self._statistics, page)
            drawn = await draw(request, page)
        except InputRefused as error:
            return PlainTextResponse(str(error), 400, HEADERS)
        except QuestionTooLong as error:
            return PlainTextResponse(str(error), 504, {**HEADERS, "cache-control": "no-store"})
        return Response(drawn, 200, HEADERS, "image/svg+xml; charset=utf-8")

    async def _chart(self, request: PageRequest, page: Page) -> str:
        theme, series = _theme(request), await self._asking.series(page)
        figure = await self._figure(page, series.metric)
        return await asyncio.to_thread(_chart_of, request.language, page, series, figure, theme)

    async def _number(self, request: PageRequest, page: Page) -> str:
        metric, theme = request.http.query_params.get("metric") or GRAPHS[0], _theme(request)
        if metric not in GRAPHS:
            msg = f"metric: {metric[:40]!r} is not one of {', '.join(GRAPHS)}"
            raise InputRefused(msg)
        figure = await self._figure(page, metric)
        return await asyncio.to_thread(_number_of, request.language, metric, figure, theme)

    async def _figure(self, page: Page, metric: str) -> float:
        answer = await self._asking.ask(page, {"metrics": [metric]}, compares=False)
        figure: float = answer["results"][0]["metrics"][0]
        return figure


def _chart_of(language: Language, page: Page, series: Series, figure: float, theme: Theme) -> str:
    words = wording.number_words(language, series.metric)
    title = f"{words.title}, {page.viewer.site.name}, {wording.period(language, page)}"
    buckets = [
        Bucket(start=datetime.fromisoformat(label), value=value, unfinished=place == series.partial)
        for place, (label, value) in enumerate(zip(series.labels, series.values, strict=True))
    ]
    return chart_document(title, words.text(figure), buckets, series.unit, words, theme)


def _number_of(language: Language, metric: str, figure: float, theme: Theme) -> str:
    words = wording.number_words(language, metric)
    return badge_document(words.title, words.text(figure), theme)


def _theme(request: PageRequest) -> Theme:
    """The colours that are asked for.

    Raises:
        InputRefused: there are none of that name.
    """
    asked = request.http.query_params.get("theme") or "light"
    for theme in PALETTES:
        if theme == asked:
            return theme
    msg = f"theme: {asked[:40]!r} is not one of {', '.join(PALETTES)}"
    raise InputRefused(msg)
