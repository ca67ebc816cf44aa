"""``/counter/PATH.EXT``: how often a page was visited, public if the site allows it."""

import asyncio
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from tallystick.model.text import ESCAPES
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter.visitor_counter import pictures
from tallystick.surfaces.goatcounter.visitor_counter.query import (
    VisitorCounterQuery,
    counter_json,
    grouped,
    parsed_query,
)
from tallystick.surfaces.goatcounter.visitor_counter.style import safe_style
from tallystick.surfaces.goatcounter.wire.decoding import query_values
from tallystick.web.address import host_of
from tallystick.web.refusals import ApiRefused

NOT_ALLOWED = "Need to enable the ‘allow using the visitor counter’ setting"  # noqa: RUF001  # the contract's quotes

HEADERS = {
    "access-control-allow-origin": "*",
    "cache-control": "public, max-age=5",
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
}


async def visitor_counter(services: Services, request: Request) -> Response:
    """The counter of a page, an event or, as ``TOTAL``, the whole site.

    Raises:
        ApiRefused: the site does not show its counter, or the request is malformed.
        NoSuchSite, StoreUnavailable
    """
    host = host_of(request.scope)
    site = services.sites.known(host) or await services.sites.at(host)
    if not site.settings.allow_counter:
        raise ApiRefused(NOT_ALLOWED, 403)
    parameters = await query_values(request.scope["query_string"])
    query = parsed_query(_name(request), parameters, services.ledger.clock() // 1000)

    counter = services.visitor_counter
    if query.path is None:
        visits = await counter.of_site(site.id, query.span)
    else:
        visits = await counter.of_path(site.id, query.path, query.span)

    response = await _encoded(query, grouped(visits.amount, site))
    response.status_code = 200 if visits.known else 404
    return response


def _name(request: Request) -> str:
    """The path after ``/counter/``; bytes that are not UTF-8 stay percent-encoded, as in names of pages."""
    name: str = request.path_params["name"]
    raw: bytes = request.scope.get("raw_path", b"")
    if "\N{REPLACEMENT CHARACTER}" not in name or not raw:
        return name
    return unquote(raw.decode("utf-8", ESCAPES).partition("/counter/")[2], errors=ESCAPES)


async def _encoded(query: VisitorCounterQuery, number: str) -> Response:
    if query.extension == "json":
        return Response(counter_json(number), headers=HEADERS, media_type="application/json; charset=utf-8")
    label = "Views for this site:" if query.path is None else "Views for this page:"
    shown = pictures.Shown(label, number, query.branding)
    if query.extension == "png":
        return Response(await asyncio.to_thread(pictures.png, shown), headers=HEADERS, media_type="image/png")
    style = safe_style(query.style) if query.style else ""
    if query.extension == "svg":
        return _document(pictures.svg(shown, style), style, "image/svg+xml")
    style = pictures.html_style(style)
    return _document(pictures.html(shown, style), style, "text/html")


def _document(text: str, style: str, kind: str) -> Response:
    headers = HEADERS | {"content-security-policy": pictures.policy(style)}
    return Response(text, headers=headers, media_type=f"{kind}; charset=utf-8")
