"""Decodes what pages send to ``/api/event`` (contract 6.1 and 6.2). Names of keys stop here.

Of revenue nothing is read.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct

from tallystick.errors import TallystickError
from tallystick.model.props import MAX_PROP_NAME, MAX_PROP_VALUE, is_too_long, texts_of
from tallystick.model.referrer import MAX_REFERRER, clean_referrer
from tallystick.model.screen import width_of
from tallystick.model.site_rules import normal_domain
from tallystick.model.text import ESCAPES, storable
from tallystick.services.ingest.sources import host_of_url

PAGEVIEW = "pageview"
ENGAGEMENT, PAGE_LEFT = "engagement", "pageleave"

MOST_URL = 2_000
"""Bytes."""
MOST_NAME, MOST_READ_OF_REFERRER = 120, 2_000
"""Characters."""
MOST_DOMAINS = 20
"""Each takes a commit of its own, and an unknown one a read of the ledger."""
MOST_ENGAGED_MS = 30 * 86_400_000

REFERRER_SCHEMES = frozenset({"http", "https", "android-app"})
SHORT_REFERRER = MAX_REFERRER // 12
"""Characters that cannot become too long when a referrer is cleaned: percent-encoding makes 12 of one."""

_WHOLE = re.compile(r"\+?[0-9]{1,18}", re.ASCII).fullmatch
_ESCAPED_MARKS = re.compile("(%3[Ff]|%23)")
"""``?`` and ``#`` as parts of a path: decoded they would begin a query or a fragment."""


class BadEvent(TallystickError):
    """A body is refused.

    Attributes:
        errors: texts by field.
    """

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(f"{field}: {text}" for field, text in errors.items()))
        self.errors = errors


class SentEvent(Struct, frozen=True):
    """A pageview or an event as a page describes it.

    Attributes:
        domains: names of sites, each once.
        counts: False for what a page sends of scrolling and leaving.
        path: of the page, or the event's name.
        page: of an event, the path of the page where it happened; else empty.
        ref: a URL; empty for none.
        query: of the page's URL.
        host: of the page, as ``Arrival`` has it.
    """

    domains: tuple[str, ...]
    counts: bool
    path: str
    event: bool
    ref: str
    query: str
    host: str
    width: int
    page: str
    props: Mapping[str, str]
    interactive: bool


def sent_event(raw: bytes) -> SentEvent:
    """Decode a body.

    Raises:
        BadEvent
    """
    body = _object(raw)
    url = _url(_first(body, "u", "url"))
    domains = _domains(_first(body, "d", "domain"), url)
    name = _name(_first(body, "n", "name"))
    props = _properties(_first(body, "m", "meta", "p", "props"))
    errors = {
        "url": f"has to be the address of a page, of at most {MOST_URL:,} bytes" if url is None else "",
        "domain": f"has to name a site, or up to {MOST_DOMAINS} with commas between them" if domains is None else "",
        "event_name": f"has to be a text of 1 to {MOST_NAME} characters" if name is None else "",
        "props": _problem_of(props),
    }
    if name == ENGAGEMENT and not _is_engaged(body):
        errors["event_name"] = "engagement takes sd, a percentage, or e, milliseconds"
    if url is None or domains is None or name is None or any(errors.values()):
        raise BadEvent({field: text for field, text in errors.items() if text})
    host, page = host_of_url(url.geturl()), _path(url, by_fragment=_first(body, "h", "hashMode") == 1)
    return SentEvent(
        domains=domains,
        counts=name not in {ENGAGEMENT, PAGE_LEFT},
        path=page if name == PAGEVIEW else name,
        event=name != PAGEVIEW,
        ref=_referrer(_first(body, "r", "referrer"), host),
        query=url.query,
        host=host,
        width=_width(_first(body, "w", "screen_width")),
        page=page if name != PAGEVIEW else "",
        props=props,
        interactive=_first(body, "i", "interactive") is not False,
    )


def _object(raw: bytes) -> Mapping[str, Any]:
    body = _from_json(raw)
    if not isinstance(body, dict):
        raise BadEvent({"request": "the body has to be a JSON object"})
    return body


def _from_json(text: bytes | str) -> object:
    """The value of a JSON text; None for what is no JSON.

    msgspec refuses halves of surrogate pairs, which browsers send where a page's text was cut.
    """
    try:
        return json.loads(text if isinstance(text, str) else text.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _first(body: Mapping[str, Any], *names: str) -> object:
    """The value of the first key that is there. False and 0 are values, null is none."""
    return next((value for name in names if (value := body.get(name)) is not None), None)


def _url(value: object) -> SplitResult | None:
    if not isinstance(value, str):
        return None
    text = storable(value).strip()
    if not text or len(text.encode()) > MOST_URL:
        return None
    try:
        url = urlsplit(text)
        _ = url.hostname  # raises where the host is malformed
    except ValueError:
        return None
    return None if url.scheme == "data" else url


def _domains(value: object, url: SplitResult | None) -> tuple[str, ...] | None:
    """Names of sites; None for a fault. Without a value, the host of the page."""
    if value is None and url is not None:
        value = url.hostname or ""
    elif value is None:
        return ()  # the URL is told to be missing
    if not isinstance(value, str):
        return None
    names = {normal_domain(name): name for each in value.split(",", MOST_DOMAINS) if (name := each.strip())}
    # One more than the most, of which the last one holds the rest.
    return tuple(names.values()) if names and value.count(",") < MOST_DOMAINS else None


def _name(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value}"
    return value if isinstance(value, str) and value.strip() and len(value) <= MOST_NAME else None


def _is_engaged(body: Mapping[str, Any]) -> bool:
    depth, milliseconds = _whole(body.get("sd")), _whole(body.get("e"))
    return depth is not None or (milliseconds is not None and milliseconds < MOST_ENGAGED_MS)


def _whole(value: object) -> int | None:
    """A whole number of 0 or more, or a text of one."""
    if isinstance(value, str) and _WHOLE(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _properties(value: object) -> dict[str, str]:
    """Properties, which may be sent as JSON in a text; none of what is something else."""
    if isinstance(value, str):
        value = _from_json(value)
    return texts_of(value) if isinstance(value, dict) else {}


def _problem_of(props: Mapping[str, str]) -> str:
    """What is wrong with properties; empty for nothing."""
    if not any(is_too_long(name, value) for name, value in props.items()):
        return ""
    return f"a name has at most {MAX_PROP_NAME} bytes, a value {MAX_PROP_VALUE:,}"


def _path(url: SplitResult, *, by_fragment: bool) -> str:
    path = _decoded(_ESCAPED_MARKS.split(url.path)).rstrip() or "/"
    return f"{path}#{unquote(url.fragment, errors=ESCAPES)}" if by_fragment and url.fragment else path


def _decoded(parts: Iterable[str]) -> str:
    return "".join(part if _ESCAPED_MARKS.fullmatch(part) else unquote(part, errors=ESCAPES) for part in parts)


def _referrer(value: object, host: str) -> str:
    if not isinstance(value, str):
        return ""
    text = value[:MOST_READ_OF_REFERRER]
    try:
        scheme = urlsplit(text).scheme
    except ValueError:
        return ""
    if scheme not in REFERRER_SCHEMES or host_of_url(text) in {host or None, "localhost"}:
        return ""
    is_storable = len(text) <= SHORT_REFERRER or len(clean_referrer(text).text) <= MAX_REFERRER
    return text if is_storable else ""


def _width(value: object) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value}"
    return width_of(value) if isinstance(value, str) else 0
