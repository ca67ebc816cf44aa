"""``/badge/{namespace}/{key}.svg``, ``.png``, ``.json`` and ``.txt``: reads, and with ``?count`` counts.

``/badge/{site}.svg`` has the visits of a site, and only reads. A refusal is a badge, too: whoever embeds it sees why.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from tallystick.errors import InvalidFields, NoSuchSite
from tallystick.model.badge import FORMS, LONGEST_LABEL, BadgeLook, BadgeRequest, Form, badge_request
from tallystick.model.counter import RefusalReason
from tallystick.model.key import Key
from tallystick.model.period import DAY_S, HOUR_S
from tallystick.model.site import Site
from tallystick.services.accounts.site_readers import is_public
from tallystick.services.analytics.visitor_counter import Span
from tallystick.services.counting.recent import first_hour, recent_sums
from tallystick.services.services import Services
from tallystick.surfaces.counters.badges.forms import badge_as
from tallystick.surfaces.counters.badges.keeping import Drawn, TooMuchToDraw
from tallystick.surfaces.counters.badges.measuring import is_measured
from tallystick.surfaces.counters.badges.styles import REFUSED
from tallystick.surfaces.counters.badges.wording import message_of, refusal_text
from tallystick.surfaces.counters.errors import (
    BY_REFUSAL,
    CREATION_LIMITED,
    CREATION_OFF,
    CREATION_OFF_MESSAGE,
    NO_SUCH_COUNTER,
    SITE_NOT_SHOWN,
    CounterRefused,
    refusal_of,
)
from tallystick.surfaces.counters.judging import PublicCall, key_named
from tallystick.web.adding_sender import sender_of
from tallystick.web.answers import ApiResponse
from tallystick.web.conditional import is_known
from tallystick.web.prefetch import is_prefetch
from tallystick.web.refusals import Headers, retry_after
from tallystick.web.routing import NoRoute

RATE = "badges"
SITE_LABEL = "visits"
EVER = Span(0, 2**62)
NOT_OF_SITES = "says nothing here: a site counts by its script, and not by its badge"
_badge = re.compile(rf"/badge/(?:[^/]+/)?[^/]+\.(?:{'|'.join(FORMS)})").fullmatch

READ: Headers = ((b"cache-control", b"public, max-age=60, stale-while-revalidate=600"),)
COUNTED: Headers = (
    (b"cache-control", b"max-age=0, no-cache, no-store, must-revalidate"),
    (b"pragma", b"no-cache"),
    (b"expires", b"Thu, 01 Jan 1970 00:00:00 GMT"),
)
"""All that proxies of images heed, such as GitHub's, so that the next view is counted, too."""
_EMBEDDED: Headers = ((b"cross-origin-resource-policy", b"cross-origin"), (b"referrer-policy", b"no-referrer"))


def is_badge(path: str) -> bool:
    """Whether a path is that of a badge; the pages about badges are others."""
    return _badge(path) is not None


class BadgeNumber(NamedTuple):
    """What a badge shows.

    Attributes:
        counted: since the day that the request names, else from the beginning.
        line: values of the sparkline; none for no line.
    """

    counted: int
    line: tuple[int, ...] = ()


async def of_counter(services: Services, call: PublicCall) -> ApiResponse:
    """The badge of a public counter."""
    name, form = _split(call.place["file"])
    key = key_named(call.place["namespace"], name)
    request = badge_request(call.query)
    if request.counts and _may_count(call):
        counted = await _counted(services, call, key)
        number = await _recent(services, call, key, request) if request.days else BadgeNumber(counted)
    else:
        number = await (_recent(services, call, key, request) if request.days else _read(services, key))
    return await _answer_with(call, form, request, key.key, number)


async def of_site(services: Services, call: PublicCall) -> ApiResponse:
    """The badge of a site's visits, where the site shows them."""
    name, form = _split(call.place["file"])
    request = badge_request(call.query)
    if request.counts:
        raise InvalidFields({"count": [NOT_OF_SITES]})
    site, visits = await _shown(services, name), services.visitor_counter
    parts: Sequence[int] = ()
    if request.days:
        begin = first_hour(request.days, call.now) * HOUR_S
        seconds = HOUR_S if request.days == 1 else DAY_S
        parts = await visits.in_parts(site.id, Span(begin, begin + request.days * DAY_S), seconds)
    counted = sum(parts) if request.since else (await visits.of_site(site.id, EVER)).amount
    line = tuple(parts) if request.draws_line else ()
    return await _answer_with(call, form, request, SITE_LABEL, BadgeNumber(counted, line))


async def refusal(error: Exception, path: str) -> ApiResponse:
    """Encode an error as a badge."""
    if isinstance(error, TooMuchToDraw):
        error = CounterRefused(503, "unavailable", "too many badges are being drawn", headers=retry_after(1))
    refused = refusal_of(error)
    name, form = _split(path.rpartition("/")[2])
    label, message = refused.field or (name if is_measured(name) else "badge"), refusal_text(refused)
    draw = partial(badge_as, form, label[:LONGEST_LABEL], message, BadgeLook(color=REFUSED), is_error=True)
    drawn = await asyncio.to_thread(draw)
    return replace(_answer(drawn, (*COUNTED, *refused.headers)), status=refused.status, reason=refused.reason)


async def _answer_with(
    call: PublicCall, form: Form, request: BadgeRequest, name: str, number: BadgeNumber
) -> ApiResponse:
    """The badge of a number.

    Args:
        name: the label where none is given.
    """
    label = name if request.label is None else request.label
    draw = partial(_draw, form, request, label, number)
    drawn = await call.drawings.drawn((form, request, label, number), draw)
    if request.counts:
        return _answer(drawn, COUNTED)
    headers = (*READ, (b"etag", drawn.etag))
    if is_known(call.headers.get(b"if-none-match", b""), drawn.etag):
        return ApiResponse(304, b"", (*_policies(drawn), *headers))
    return _answer(drawn, headers)


def _split(file: str) -> tuple[str, Form]:
    """The name and the form of the last segment of a path.

    Raises:
        NoRoute: there is no such form.
    """
    name, _, suffix = file.rpartition(".")
    for form in FORMS:
        if form == suffix:
            return name, form
    raise NoRoute


def _may_count(call: PublicCall) -> bool:
    return call.scope["method"] == "GET" and (call.kit.count_prefetch or not is_prefetch(call.headers))


async def _read(services: Services, key: Key) -> BadgeNumber:
    counter = await services.counting.get(key)
    if counter is None:
        raise _missing(key)
    return BadgeNumber(counter.value)


async def _recent(services: Services, call: PublicCall, key: Key, request: BadgeRequest) -> BadgeNumber:
    """The number of a request that needs the history of the counter."""
    recent = await services.ledger.read(recent_sums, key, request.days, call.now)
    if recent is None:
        raise _missing(key)
    return BadgeNumber(
        recent.added if request.since else recent.value, tuple(recent.parts) if request.draws_line else ()
    )


def _missing(key: Key) -> CounterRefused:
    return CounterRefused(404, NO_SUCH_COUNTER, f"there is no counter {key}")


async def _shown(services: Services, name: str) -> Site:
    """The site of a name.

    Raises:
        CounterRefused: there is none, or it does not show its visits; which of the two is not said.
    """
    try:
        site = await services.sites.named(name)
    except NoSuchSite:
        site = None
    if site is None or not (site.settings.allow_counter or is_public(site)):
        msg = "no site of this name shows its visits; an admin of the site can allow it in its settings"
        raise CounterRefused(404, SITE_NOT_SHOWN, msg)
    return site


async def _counted(services: Services, call: PublicCall, key: Key) -> int:
    """Add 1, as ``/hit`` does; a counter that does not exist is created.

    Where the counter's bounds, or the rules of its owner, do not let the request count, its value is as it was.
    """
    counting = services.counting
    outcome = await counting.add(key, counting.hit, _admission(call, key.namespace))
    if outcome.refused is RefusalReason.RESTRICTED:
        sender = await sender_of(services.counter_visitors, call.kit.addresses, key, call.scope)
        outcome = await counting.add_checked(key, counting.hit, sender)
    if outcome.value is not None:
        return outcome.value
    if outcome.refused in {RefusalReason.RESERVED, RefusalReason.CLOSED, RefusalReason.FULL}:
        code, text = BY_REFUSAL[outcome.refused]
        raise CounterRefused(403, code, text)
    if call.kit.public_counters == "existing":
        raise CounterRefused(403, CREATION_OFF, CREATION_OFF_MESSAGE)
    msg = "too many new counters from your address; try again a little later"
    wait = call.kit.creations.wait(call.client, key.namespace)
    raise CounterRefused(429, CREATION_LIMITED, msg, headers=retry_after(wait))


def _admission(call: PublicCall, namespace: str) -> Callable[[], bool]:
    """The check that is made before a counter is created."""
    if call.kit.public_counters != "open":
        return lambda: False
    return partial(call.kit.creations.admit, call.client, namespace)


def _draw(form: Form, request: BadgeRequest, label: str, number: BadgeNumber) -> Drawn:
    return badge_as(form, label, message_of(request, number.counted), request.look, line=number.line)


def _answer(drawn: Drawn, headers: Headers) -> ApiResponse:
    return ApiResponse(200, drawn.body, (*_policies(drawn), *headers), drawn.content_type)


def _policies(drawn: Drawn) -> Headers:
    return ((b"content-security-policy", drawn.policy), *_EMBEDDED)
