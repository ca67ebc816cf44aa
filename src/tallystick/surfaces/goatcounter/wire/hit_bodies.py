"""Hits as clients send them to ``/api/v0/count`` (1.4)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Raw, Struct, ValidationError, convert

from tallystick.model.campaign import MAX_NAME
from tallystick.model.moments import without_leap_second
from tallystick.model.product import named_version
from tallystick.model.props import NO_PROPS, is_too_long, texts_of
from tallystick.model.screen import width_of
from tallystick.model.text import storable
from tallystick.services.ingest.ingest import Arrival
from tallystick.services.ingest.sources import MAX_VALUE, host_of_url
from tallystick.web.refusals import ApiRefused

EMPTY_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""The time that programs in Go send for an empty one."""

LONGEST_SIZE = 100
"""Bytes of JSON that are read of a size: the width stands in front."""

_EVENTS: dict[object, bool] = {
    **dict.fromkeys((True, 1, "true", "on", "1"), True),
    **dict.fromkeys((False, 0, "false", "off", "0", ""), False),
}


class HitBody(Struct, frozen=True, forbid_unknown_fields=True):
    """One hit; null means the same as a missing member.

    Attributes:
        size: any JSON, so that no form of it refuses a batch; see ``_width``.
        first_visit, browser, system, ref_scheme, campaign, no_session: an extension for imports, with results of
            another counter. With ``ref_scheme``, ``ref`` is clean already; ``browser`` and ``system`` have the form
            of the CSV export.
        host: of the page; an extension.
        utm_source, utm_medium, utm_content, utm_term, source, channel: an extension for imports; with ``channel``
            nothing of them is read from ``query`` and ``ref``.
        page, props, interactive: of events, see ``Arrival``; an extension.
        device: an extension for imports.
    """

    path: str | None = None
    title: str | None = None
    event: bool | int | str = False
    ref: str | None = None
    size: Raw = Raw()
    query: str | None = None
    bot: int | None = None
    user_agent: str | None = None
    location: str | None = None
    language: str | None = None
    ip: str | None = None
    created_at: str | None = None
    session: str | None = None
    first_visit: bool | None = None
    browser: str | None = None
    system: str | None = None
    ref_scheme: Literal["h", "g", "c", "o"] | None = None
    campaign: str | None = None
    no_session: bool | None = None
    host: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_content: str | None = None
    utm_term: str | None = None
    source: str | None = None
    channel: str | None = None
    page: str | None = None
    props: dict[str, Any] | None = None
    interactive: bool | None = None
    device: str | None = None


class CountBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``/count``."""

    no_sessions: bool | None = None
    filter: list[str] | None = None
    hits: list[HitBody] | None = None


def arrivals_of(body: CountBody, received: int) -> list[Arrival]:
    """The hits of a body as arrivals.

    Args:
        received: Unix seconds.

    Raises:
        ApiRefused: a value cannot be read.
    """
    filtered = body.filter is None or "ip" in body.filter
    sessionless = bool(body.no_sessions)
    return [
        _arrival(index, hit, received, filtered=filtered, sessionless=sessionless)
        for index, hit in enumerate(body.hits or ())
    ]


def _short(text: str | None) -> str:
    return storable((text or "")[:MAX_VALUE])


def _arrival(index: int, hit: HitBody, received: int, *, filtered: bool, sessionless: bool) -> Arrival:
    return Arrival(
        path=hit.path or "",
        title=hit.title or "",
        event=_event(index, hit.event),
        ref=hit.ref or "",
        width=_width(hit.size),
        query=hit.query or "",
        bot=hit.bot or 0,
        agent=hit.user_agent or "",
        location=hit.location or "",
        language=hit.language or "",
        address=hit.ip or None,
        created=_created(index, hit.created_at),
        session=hit.session or "",
        no_session=bool(hit.no_session),
        first=hit.first_visit,
        browser=None if hit.browser is None else named_version(hit.browser),
        system=None if hit.system is None else named_version(hit.system),
        ref_scheme=hit.ref_scheme,
        campaign=storable((hit.campaign or "")[:MAX_NAME]),
        host=host_of_url(f"//{hit.host}") if hit.host else "",
        utm_source=_short(hit.utm_source),
        utm_medium=_short(hit.utm_medium),
        utm_content=_short(hit.utm_content),
        utm_term=_short(hit.utm_term),
        source=_short(hit.source),
        channel=_short(hit.channel),
        sourced=hit.channel is not None,
        page=hit.page or "",
        props=_props(index, hit.props) if hit.props else NO_PROPS,
        interactive=hit.interactive is not False,
        device=hit.device,
        sessionless=sessionless,
        filtered=filtered,
        received=received,
    )


def _props(index: int, sent: Mapping[str, Any]) -> Mapping[str, str]:
    props = texts_of(sent)
    if any(is_too_long(name, value) for name, value in props.items()):
        raise _unreadable(index, "props")
    return props


def _event(index: int, sent: bool | int | str) -> bool:  # noqa: FBT001  # as it was sent
    try:
        return _EVENTS[sent]
    except KeyError:
        raise _unreadable(index, "event") from None


def _width(sent: Raw) -> int:
    """The width in ``1920``, ``"1920,1080,2"`` or ``[1920,1080,2]``; 0 for any other JSON."""
    beginning = bytes(memoryview(sent)[:LONGEST_SIZE]).decode("latin-1")
    return width_of(beginning.lstrip(' \t\r\n["'))


def _created(index: int, sent: str | None) -> int | None:
    if sent is None:
        return None
    plain, leap = without_leap_second(sent)
    try:
        moment = convert(plain, datetime)
    except ValidationError:
        raise _unreadable(index, "created_at") from None
    if moment.tzinfo is None:
        raise _unreadable(index, "created_at")
    return None if moment == EMPTY_TIME else int(moment.timestamp()) + leap


def _unreadable(index: int, field: str) -> ApiRefused:
    return ApiRefused(f"invalid JSON: hits[{index}].{field}: the value cannot be read")
