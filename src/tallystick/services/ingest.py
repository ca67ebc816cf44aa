"""Ingest: from what a sender says of a hit to what the warehouse keeps of it.

``STEPS`` is the whole way, in order. Each step reads an ``Arrival`` and what it has become so far, and may end its
way: ``Dropped`` with a reason, or ``Invalid`` with what is wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from tallystick.ledger import Ledger
from tallystick.model.hit import Hit, is_bot
from tallystick.model.site import Site
from tallystick.services.names import KnownPath, Names, NewPath
from tallystick.warehouse import KeptRequest, Stored, Warehouse


class Reason(StrEnum):
    """Why a hit was deliberately not recorded."""

    PREFETCH = "prefetch"
    IGNORED_ADDRESS = "ignored address"
    OPTED_OUT = "opted out"
    SPAM_REFERRER = "spam referrer"
    IGNORED_PATH = "ignored path"


class Dropped(Struct, frozen=True):
    """Deliberately not recorded."""

    reason: Reason


class Invalid(Struct, frozen=True):
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


Refusal = Dropped | Invalid
Result = Stored | Dropped | Invalid
Keep = Callable[[Sequence[Refusal | None]], KeptRequest]
"""Makes the kept answer of a request from what was refused of it; None stands for what is being stored."""


class Arrival(Struct, kw_only=True):
    """A hit as its sender put it, then what the steps made of it.

    Attributes:
        direct: sent by the visitor's own browser (the pixel), not told by a server or a log.
        path: page path, or the event's name.
        ref: a URL or free text; ref_scheme: given where ``ref`` is clean already (imports).
        query: the page's query string, for campaigns.
        width: of the screen in CSS pixels; 0 when unknown.
        bot: the sender's own finding, a ``Bot`` code; what is found here wins.
        agent: User-Agent; address: of the visitor, as text where nobody has parsed it yet. Neither is stored.
        location: ISO 3166-1 or 3166-2; wins over what the address says.
        language: BCP 47, or a whole Accept-Language.
        created: Unix seconds; None is ``received``.
        session: the sender's own grouping key, used in place of address and agent.
        no_session: count it without a session, so that it is always a first visit.
        sessionless: accept it also if there is nothing to make a session of (the API's ``no_sessions``).
        filtered: whether the site's ignored addresses are heeded.
        prefetch, gpc, dnt: what the browser said of itself.
        first, browser, system: known already (imports); browser and system as name and version.
        received: Unix seconds, when the request came.
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


class Ingest:
    """Records hits. Used from one event loop."""

    def __init__(self, ledger: Ledger, warehouse: Warehouse, names: Names) -> None:
        self._ledger, self._warehouse, self._names = ledger, warehouse, names

    async def record(self, site: Site, arrivals: Sequence[Arrival], keep: Keep | None = None) -> list[Result]:
        """Record hits of one site; what was stored is durable when it returns.

        Args:
            keep: asked, before anything is stored, for the answer to keep in the same transaction.

        Returns:
            One result for each arrival, in order.

        Raises:
            StoreUnavailable: nothing was acknowledged.
        """
        refused = [_judged(site, arrival) for arrival in arrivals]
        wanted = [arrival for arrival, refusal in zip(arrivals, refused, strict=True) if refusal is None]
        unknown = [
            NewPath(arrival.path, arrival.title, arrival.event, not is_bot(arrival.bot))
            for arrival in wanted
            if self._names.path(site.id, arrival.path) is None
        ]
        if unknown:
            await self._names.learn(site.id, unknown)
        hits = [_hit(site, arrival, known) for arrival in wanted if (known := self._names.path(site.id, arrival.path))]
        request = keep(refused) if keep else None
        stored = iter(await self._warehouse.append(hits, request) if hits or request else ())
        return [refusal or next(stored) for refusal in refused]


def _judged(_site: Site, arrival: Arrival) -> Refusal | None:
    if not arrival.path:
        return Invalid({"path": ("must be set", "must be longer than 1 characters")})
    return None


def _hit(site: Site, arrival: Arrival, known: KnownPath) -> Hit:
    return Hit(
        site=site.id,
        path=known.id,
        first=arrival.first,
        event=arrival.event,
        bot=arrival.bot,
        width=arrival.width,
        created=arrival.received if arrival.created is None else arrival.created,
    )


Step = Callable[[Site, Arrival], Refusal | None]
STEPS: tuple[Step, ...] = (_judged,)
