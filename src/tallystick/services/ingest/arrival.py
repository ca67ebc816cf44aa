"""A hit as it arrives, and the reasons why it may not be recorded."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from tallystick.model.hit import Visitor
from tallystick.model.props import NO_PROPS


class DropReason(StrEnum):
    """Why a hit was deliberately not recorded."""

    PREFETCH = "prefetch"
    OPTED_OUT = "opted out"
    IGNORED_ADDRESS = "ignored address"
    IGNORED_PATH = "ignored path"
    SPAM_REFERRER = "spam referrer"
    IGNORED_COUNTRY = "ignored country"
    IGNORED_PAGE = "ignored page"
    """A page that the site leaves out; ``IGNORED_PATH`` is never one of a page."""
    IGNORED_HOST = "ignored host"
    IGNORED_CAMPAIGN = "ignored campaign"


class Dropped(Struct, frozen=True):
    """The result for a hit that is deliberately not recorded."""

    reason: DropReason


class InvalidHit(Struct, frozen=True):
    """The result for a hit that is not recorded because it is invalid.

    Attributes:
        errors: the contract's messages by field.
        message: replaces ``errors`` where the contract has one message for the whole hit.
    """

    errors: Mapping[str, Sequence[str]]
    message: str = ""

    def __str__(self) -> str:
        """The contract's text, for example ``path: must be set, must be longer than 1 characters.``."""
        if self.message:
            return self.message
        lines = [f"{field}: {', '.join(messages)}." for field, messages in sorted(self.errors.items())]
        return lines[0] if len(lines) == 1 else "".join(f"{line}\n" for line in lines)


Refusal = Dropped | InvalidHit


class Arrival(Struct, kw_only=True, gc=False):
    """A hit as it was sent. The steps replace raw values by clean ones and fill in the fields that are derived.

    Attributes:
        direct: whether the visitor's own browser sent it (the pixel), not a server or a log.
        path: page path, or the event's name.
        ref: a URL or free text.
        ref_scheme: set if ``ref`` is clean already (imports).
        query: the page's query string, for campaigns.
        host: of the page, in lower case without ``www.``; empty when unknown.
        utm_source, utm_medium, utm_content, utm_term, source, channel: set by the steps; by imports with ``sourced``.
        sourced: whether they are known already.
        page: of an event, the path of the page where it happened; empty when unknown.
        props: properties as texts (``model/props.py``).
        interactive: of an event, whether a visit with it is no bounce.
        width: of the screen in CSS pixels; 0 when unknown.
        bot: a ``Bot`` code from the sender; a bot detected here takes precedence.
        agent: User-Agent; never stored.
        address: of the visitor, as text until it is parsed; never stored.
        location: ISO 3166-1 or 3166-2; takes precedence over the address.
        language: BCP 47 or a whole Accept-Language header; the steps replace it by ISO 639-3.
        created: Unix seconds; None stands for ``received``.
        session: the sender's own grouping key, used in place of address and agent; never stored.
        no_session: count it without a session, so that it is always a first visit.
        sessionless: accept it even without the data for a session (the API's ``no_sessions``).
        filtered: whether the site's ignored addresses, countries, paths, hosts and campaigns apply.
        prefetch, gpc, dnt: from the browser's headers.
        first, browser, system, device: set if they are known (imports); browser and system as name and version.
        received: Unix seconds, the time of the request.
        visitor, campaign, country, region, ref_host: set by the steps.
    """

    path: str = ""
    title: str = ""
    event: bool = False
    ref: str = ""
    ref_scheme: str | None = None
    query: str = ""
    host: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_content: str = ""
    utm_term: str = ""
    source: str = ""
    channel: str = ""
    sourced: bool = False
    page: str = ""
    props: Mapping[str, str] = NO_PROPS
    interactive: bool = True
    width: int = 0
    bot: int = 0
    agent: str = ""
    address: IPv4Address | IPv6Address | str | None = None
    location: str = ""
    language: str = ""
    created: int | None = None
    session: str = ""
    no_session: bool = False
    sessionless: bool = False
    filtered: bool = True
    direct: bool = False
    prefetch: bool = False
    gpc: bool = False
    dnt: bool = False
    first: bool | None = None
    browser: tuple[str, str] | None = None
    system: tuple[str, str] | None = None
    device: str | None = None
    received: int

    visitor: Visitor | None = None
    campaign: str = ""
    country: str = ""
    region: str = ""
    ref_host: str = ""
