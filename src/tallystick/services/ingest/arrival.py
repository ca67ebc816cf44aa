"""A hit on its way in, and how its way can end before it is recorded."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from tallystick.model.hit import Visitor


class DropReason(StrEnum):
    """Why a hit was deliberately not recorded."""

    PREFETCH = "prefetch"
    OPTED_OUT = "opted out"
    IGNORED_ADDRESS = "ignored address"
    IGNORED_PATH = "ignored path"
    SPAM_REFERRER = "spam referrer"


class Dropped(Struct, frozen=True):
    """Deliberately not recorded."""

    reason: DropReason


class InvalidHit(Struct, frozen=True):
    """Not recorded: it makes no sense.

    Attributes:
        errors: field -> what is wrong, in the contract's words.
        message: in place of fields, where the contract has a sentence of its own.
    """

    errors: Mapping[str, Sequence[str]]
    message: str = ""

    def __str__(self) -> str:
        """As the contract writes it, for example ``path: must be set, must be longer than 1 characters.``."""
        if self.message:
            return self.message
        lines = [f"{field}: {', '.join(messages)}." for field, messages in sorted(self.errors.items())]
        return lines[0] if len(lines) == 1 else "".join(f"{line}\n" for line in lines)


Refusal = Dropped | InvalidHit


class Arrival(Struct, kw_only=True, gc=False):
    """A hit as its sender put it; the steps replace what was sent by what it means, and find the rest.

    Attributes:
        direct: sent by the visitor's own browser (the pixel), not told by a server or a log.
        path: page path, or the event's name.
        ref: a URL or free text.
        ref_scheme: given where ``ref`` is clean already (imports).
        query: the page's query string, for campaigns.
        width: of the screen in CSS pixels; 0 when unknown.
        bot: the sender's own finding, a ``Bot`` code; what is found here wins.
        agent: User-Agent; never stored.
        address: of the visitor, as text where nobody has parsed it yet; never stored.
        location: ISO 3166-1 or 3166-2; wins over what the address says.
        language: BCP 47, or a whole Accept-Language; then ISO 639-3.
        created: Unix seconds; None is ``received``.
        session: the sender's own grouping key, used in place of address and agent; never stored.
        no_session: count it without a session, so that it is always a first visit.
        sessionless: accept it also if there is nothing to make a session of (the API's ``no_sessions``).
        filtered: whether the site's ignored addresses are heeded.
        prefetch, gpc, dnt: what the browser said of itself.
        first, browser, system: known already (imports); browser and system as name and version.
        received: Unix seconds, when the request came.
        visitor, campaign, country, region, ref_host: found by the steps.
    """

    path: str = ""
    title: str = ""
    event: bool = False
    ref: str = ""
    ref_scheme: str | None = None
    query: str = ""
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
    received: int

    visitor: Visitor | None = None
    campaign: str = ""
    country: str = ""
    region: str = ""
    ref_host: str = ""
