"""Ingest: turns hits as they are sent into hits as the warehouse stores them.

``STEPS`` is the whole pipeline, in order. Each step changes the ``Arrival`` that earlier steps have left, and may
refuse it: ``Dropped`` with a reason, or ``InvalidHit`` with messages.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import structlog

from tallystick.errors import NoSuchSite, StoreUnavailable
from tallystick.gathering import Resolvable
from tallystick.ledger import Ledger
from tallystick.model.hit import MAX_AHEAD_S, WEB_BEGAN, Hit, is_bot
from tallystick.model.props import decoded, encoded
from tallystick.model.site import BEFORE_FIRST_HIT_S, Site
from tallystick.services.accounts.sites import note_hits
from tallystick.services.analytics.names import CachedPath, Names, NewPath
from tallystick.services.ingest import agents, languages, sources, steps
from tallystick.services.ingest.arrival import Arrival, Dropped, DropReason, InvalidHit, Refusal
from tallystick.services.ingest.collection_rules import CollectionRules, Step, rules_of
from tallystick.services.ingest.countries import Countries
from tallystick.services.ingest.dropped_hits import DroppedHits
from tallystick.services.ingest.new_names import Admits, NewNames
from tallystick.services.ingest.new_props import NewProps
from tallystick.services.ingest.parts import BrowserPart, PagePart, SenderPart
from tallystick.services.ingest.salts import Salts
from tallystick.services.ingest.spam import SpamReferrers
from tallystick.warehouse import IdempotencyRecord, Stored, Warehouse

__all__ = [
    "STEPS",
    "Arrival",
    "DropReason",
    "Dropped",
    "Ingest",
    "InvalidHit",
    "Keep",
    "Knowledge",
    "Refusal",
    "Result",
]

Result = Stored | Dropped | InvalidHit
Keep = Callable[[Sequence[Refusal | None]], IdempotencyRecord]
"""Builds the idempotency record from the refusals; None stands for a hit that is being stored."""

STEPS: tuple[Step, ...] = (
    steps.drop_prefetch,
    steps.drop_opted_out,
    steps.check_size,
    steps.drop_ignored_address,
    steps.drop_ignored_country,
    steps.find_location,
    steps.find_language,
    steps.find_agent,
    steps.find_visitor,
    steps.clean_name,
    steps.find_source,
    steps.check,
    steps.drop_ignored_path,
    steps.drop_ignored_page,
    steps.drop_ignored_host,
    steps.drop_ignored_campaign,
    steps.gather_page,
    steps.drop_spam_referrer,
    steps.remove_uncollected,
    steps.limit_props,
)

MOST_AT_ONCE = 10_000
"""Arrivals of one call: all their names have to fit into the cache."""
AT_ONCE = 50
"""Arrivals that are processed before the event loop runs other tasks."""
SITES_CACHED = 10_000

log = structlog.get_logger()


class Knowledge(NamedTuple):
    """Data that hits are checked against besides their site's settings."""

    countries: Countries
    spam: SpamReferrers

    @classmethod
    def load(cls, geodb: Path | None = None, spam_referrers: Sequence[Path] = ()) -> Self:
        """Load everything before the first hit needs it. Blocks for half a second; call it before serving.

        Raises:
            InvalidSetting: a file cannot be read.
        """
        agents.load()
        languages.load()
        sources.load()
        return cls(Countries(geodb), SpamReferrers(spam_referrers))


class Ingest:
    """Records hits. Used from one event loop.

    Args:
        admits: decides whether a site accepts one more new name from a browser; without it all are accepted.

    Attributes:
        dropped: numbers of the hits that were deliberately not recorded.
    """

    def __init__(
        self,
        ledger: Ledger,
        warehouse: Warehouse,
        names: Names,
        knowledge: Knowledge | None = None,
        admits: Admits | None = None,
    ) -> None:
        self._ledger, self._warehouse, self._names = ledger, warehouse, names
        self._new_names = NewNames(names, admits) if admits else None
        self._new_props = NewProps()
        self._countries, self._spam = knowledge or Knowledge(Countries(), SpamReferrers())
        self._salts = Salts(ledger)
        self.dropped = DroppedHits(ledger)
        self._rules: dict[int, CollectionRules] = {}
        self._noted: dict[int, int] = {}
        """When statistics begin, as far as it is known to be stored (Unix milliseconds), by site."""

    @property
    def knowledge(self) -> Knowledge:
        """What hits are checked against besides their site's settings."""
        return Knowledge(self._countries, self._spam)

    @property
    def has_place_database(self) -> bool:
        """Whether the operator gave a database of places, which regions need."""
        return self._countries.has_database

    async def record(self, site: Site, arrivals: Sequence[Arrival], keep: Keep | None = None) -> list[Result]:
        """Record hits of one site; what was stored is durable when it returns.

        Args:
            arrivals: at most ``MOST_AT_ONCE``.
            keep: called before anything is stored; its record is stored in the same transaction.

        Returns:
            One result for each arrival, in order.

        Raises:
            StoreUnavailable: nothing was acknowledged.
            NoSuchSite: the site was deleted meanwhile.
        """
        assert len(arrivals) <= MOST_AT_ONCE
        self._warehouse.require_owned()
        if self._are_due(now := self._ledger.clock()):
            await self._refresh(now)
        rules = self._rules_of(site)
        if len(arrivals) <= AT_ONCE:
            refusals = [_apply_steps(rules, arrival) for arrival in arrivals]
        else:
            refusals = await _apply_steps_in_batches(rules, arrivals)
        for arrival, refusal in zip(arrivals, refusals, strict=True):
            if isinstance(refusal, Dropped):
                self._note_dropped(site.id, arrival, refusal)
        if self.dropped.full:
            with suppress(StoreUnavailable):  # kept for the next time
                await self.dropped.keep()
        accepted = [arrival for arrival, refusal in zip(arrivals, refusals, strict=True) if refusal is None]
        request = keep(refusals) if keep else None
        stored = iter(await self._store(rules, accepted, request))
        return [refusal or next(stored) for refusal in refusals]

    async def record_one(self, site: Site, arrival: Arrival) -> Result:
        """Record a single hit of a browser: the pixel's, where ``hit_at_once`` does not make it.

        Raises:
            StoreUnavailable: the hit was not acknowledged.
            NoSuchSite: the site was deleted meanwhile.
        """
        self._warehouse.require_owned()
        if self._are_due(now := self._ledger.clock()):
            await self._refresh(now)
        rules = self._rules_of(site)
        refusal = _apply_steps(rules, arrival)
        if refusal is not None:
            if isinstance(refusal, Dropped):
                self._note_dropped(site.id, arrival, refusal)
            return refusal
        new_names = self._new_names
        if new_names:
            new_names.bound_sources(site.id, arrival)
        if arrival.props:
            arrival.props = decoded(self._new_props.bounded(site.id, encoded(arrival.props), now // 1000))
        hit = self._hit_of_known_names(rules, arrival)
        if hit is not None:
            (stored,) = await self._warehouse.append((hit,))
            return stored
        if new_names:
            await new_names.bound_names(site.id, arrival)
        (stored,) = await self._store(rules, [arrival], None)
        return stored

    def rules_at_once(self, site: Site, now: int) -> CollectionRules | str:
        """The rules for a hit that is judged without waiting; or in a few words why it takes ``record_one``.

        Args:
            now: Unix milliseconds.
        """
        if not self._warehouse.owned:
            return "analytics elsewhere"
        return "salts or spam due" if self._are_due(now) else self._rules_of(site)

    def hit_at_once(
        self, rules: CollectionRules, page: PagePart, browser: BrowserPart, sender: SenderPart, received: int
    ) -> Hit | str:
        """Make a hit of its ``parts`` as ``record_one`` does, if nothing has to be waited for. Changes nothing.

        Args:
            received: Unix seconds.

        Returns:
            The hit for ``store_into``; or in a few words why it takes ``record_one``.
        """
        site = rules.site.id
        if received < WEB_BEGAN or (page.ref_host and rules.spam.knows(page.ref_host)):
            return "refused"
        if self._new_names and not self._new_names.knows_sources(site, page):
            return "new referrer"
        if page.props and not self._new_props.knows(site, page.props, received):
            return "new property"
        path = None if page.campaign else self._known_path(rules.site, page.path, page.title, received)
        happened = self._names.path(site, page.page) if page.page else None
        if path is None or (happened is None and page.page):
            return "new name"
        bot = browser.bot if is_bot(browser.bot) else page.bot
        followed = steps.has_session(rules, bot, no_session=page.no_session)
        return Hit(
            site=site,
            path=path,
            visitor=rules.salts.visitor_at(site, sender.origin, browser.agent) if followed else None,
            event=page.event,
            bot=bot,
            ref=page.ref,
            ref_scheme=page.ref_scheme,
            browser=browser.browser,
            browser_version=browser.browser_version,
            system=browser.system,
            system_version=browser.system_version,
            country=sender.country,
            region=sender.region,
            language=browser.language,
            width=page.width,
            utm_source=page.utm_source,
            utm_medium=page.utm_medium,
            utm_content=page.utm_content,
            utm_term=page.utm_term,
            host=page.host,
            source=page.source,
            channel=page.channel,
            page=happened.id if happened else None,
            props=page.props,
            device=browser.device,
            single=rules.collects_hits,
            created=received,
        )

    def store_into(self, future: Resolvable, hit: Hit) -> None:
        """Store a hit of ``hit_at_once``, before anything else is awaited: its names may change.

        Args:
            future: gets a list with the hit's ``Stored``.

        Raises:
            StoreUnavailable: at once; then nothing is resolved.
        """
        self._warehouse.append_into(future, (hit,))

    async def _store(
        self, rules: CollectionRules, arrivals: Sequence[Arrival], request: IdempotencyRecord | None
    ) -> Sequence[Stored]:
        site = rules.site
        if updates := self._name_updates(site.id, arrivals):
            await self._names.update(*updates)
        # Ids are looked up without an await before the hits are appended: merging or deleting paths clears the
        # names first, so that no hit with an old id comes afterwards.
        while (hits := self._hits(rules, arrivals)) is None:
            await self._learn(site.id, arrivals)
        stored = await self._warehouse.append(hits, request) if hits or request else []
        if (begins := self._new_beginning(site, hits)) is not None:
            await self._note(site.id, begins)
        return stored

    def _note_dropped(self, site: int, arrival: Arrival, dropped: Dropped) -> None:
        created = arrival.received if arrival.created is None else arrival.created
        if WEB_BEGAN <= created <= arrival.received + MAX_AHEAD_S:
            self.dropped.note(site, dropped.reason, created)

    def _are_due(self, now: int) -> bool:
        return self._salts.due(now) or self._spam.due(now // 1000)

    async def _refresh(self, now: int) -> None:
        if self._salts.due(now):
            await self._salts.refresh(now)
        if self._spam.due(now // 1000):
            await self._spam.refresh(now // 1000)

    def _rules_of(self, site: Site) -> CollectionRules:
        rules = self._rules.get(site.id)
        if rules is None or rules.site is not site:
            if len(self._rules) >= SITES_CACHED:
                self._rules.clear()
                self._noted.clear()
            rules = self._rules[site.id] = rules_of(site, self._countries, self._spam, self._salts)
        return rules

    def _hit_of_known_names(self, rules: CollectionRules, arrival: Arrival) -> Hit | None:
        """The hit, if it brings no new name, title or first hit of the site, as nearly all; else None."""
        assert arrival.created is not None
        if arrival.campaign:
            return None
        path = self._known_path(rules.site, arrival.path, arrival.title, arrival.created)
        page = self._names.path(rules.site.id, arrival.page) if arrival.page else None
        if path is None or (page is None and arrival.page):
            return None
        return _hit(rules, arrival, path, None, page.id if page else None)

    def _known_path(self, site: Site, path: str, title: str, created: int) -> int | None:
        """The id of a path, if its hit brings no new name, no title and is not the site's first one; else None."""
        known = self._names.path(site.id, path)
        if known is None or not known.counted or known.title != title:
            return None
        begins = self._begins(site)
        return None if begins is None or created < begins // 1000 else known.id

    def _name_updates(
        self, site: int, arrivals: Sequence[Arrival]
    ) -> tuple[list[CachedPath], list[tuple[CachedPath, str]]] | None:
        """Paths with their first hit by a person, and titles to replace; mostly None."""
        counted: list[CachedPath] = []
        titles: list[tuple[CachedPath, str]] = []
        for arrival in arrivals:
            known = self._names.path(site, arrival.path)
            if known is None or is_bot(arrival.bot):
                continue
            if not known.counted and known not in counted:
                counted.append(known)
            if arrival.title and arrival.title != known.title and known.takes_title(arrival.title):
                titles.append((known, arrival.title))
        return (counted, titles) if counted or titles else None

    def _hits(self, rules: CollectionRules, arrivals: Sequence[Arrival]) -> list[Hit] | None:
        """The hits to store; None while a name has no id yet.

        Raises:
            NoSuchSite: the site was deleted during the request.
        """
        if rules.site.id in self._names.deleted:
            raise NoSuchSite(rules.site.cname or "", empty=False)
        path, campaign, site = self._names.path, self._names.campaign, rules.site.id
        hits = []
        for arrival in arrivals:
            known = path(site, arrival.path)
            number = campaign(site, arrival.campaign) if arrival.campaign else None
            page = path(site, arrival.page) if arrival.page else None
            if known is None or (number is None and arrival.campaign) or (page is None and arrival.page):
                return None
            hits.append(_hit(rules, arrival, known.id, number, page.id if page else None))
        return hits

    async def _learn(self, site: int, arrivals: Sequence[Arrival]) -> None:
        """Store new names. A path with a hit by a person is marked as counted; an event is no hit of its page."""
        paths: dict[str, NewPath] = {}
        campaigns: dict[str, None] = {}
        for arrival in arrivals:
            if self._names.path(site, arrival.path) is None:
                counted = not is_bot(arrival.bot)
                if arrival.path not in paths or (counted and not paths[arrival.path].counted):
                    paths[arrival.path] = NewPath(arrival.path, arrival.title, arrival.event, counted)
            if arrival.page and arrival.page not in paths and self._names.path(site, arrival.page) is None:
                paths[arrival.page] = NewPath(arrival.page, "", event=False, counted=False)
            if arrival.campaign and self._names.campaign(site, arrival.campaign) is None:
                campaigns[arrival.campaign] = None
        await self._names.learn(site, paths.values(), campaigns)

    def _begins(self, site: Site) -> int | None:
        """When the site's statistics begin, Unix milliseconds; None before the first hit."""
        return self._noted.get(site.id, site.first_hit if site.received_data else None)

    def _new_beginning(self, site: Site, hits: Sequence[Hit]) -> int | None:
        """The new beginning of the site's statistics (Unix milliseconds), if these hits change it; else None."""
        first = min((hit.created for hit in hits if not is_bot(hit.bot)), default=None)
        if first is None:
            return None
        known = self._begins(site)
        if first < (site.first_hit if known is None else known) // 1000:
            return (first - BEFORE_FIRST_HIT_S) * 1000
        return site.first_hit if known is None else None

    async def _note(self, site: int, begins: int) -> None:
        try:
            await self._ledger.write(note_hits, site, begins)
        except StoreUnavailable as error:
            log.warning("a site's first hit could not be noted", reason=str(error))
        except Exception:
            # The hits are stored, so the response must be a success whatever fails here; the next hit tries again.
            log.exception("a site's first hit could not be noted")
        else:
            self._noted[site] = begins


async def _apply_steps_in_batches(rules: CollectionRules, arrivals: Sequence[Arrival]) -> list[Refusal | None]:
    refusals: list[Refusal | None] = []
    for start in range(0, len(arrivals), AT_ONCE):
        refusals += [_apply_steps(rules, arrival) for arrival in arrivals[start : start + AT_ONCE]]
        await asyncio.sleep(0)
    return refusals


def _apply_steps(rules: CollectionRules, arrival: Arrival) -> Refusal | None:
    for step in STEPS:
        refusal = step(rules, arrival)
        if refusal is not None:
            return refusal
    return None


def _hit(rules: CollectionRules, arrival: Arrival, path: int, campaign: int | None, page: int | None) -> Hit:
    assert arrival.browser
    assert arrival.system
    assert arrival.created is not None
    return Hit(
        site=rules.site.id,
        path=path,
        visitor=arrival.visitor,
        first=arrival.first,
        event=arrival.event,
        bot=arrival.bot,
        ref=arrival.ref,
        ref_scheme=arrival.ref_scheme or "o",
        campaign=campaign,
        browser=arrival.browser[0],
        browser_version=arrival.browser[1],
        system=arrival.system[0],
        system_version=arrival.system[1],
        country=arrival.country,
        region=arrival.region,
        language=arrival.language,
        width=arrival.width,
        utm_source=arrival.utm_source,
        utm_medium=arrival.utm_medium,
        utm_content=arrival.utm_content,
        utm_term=arrival.utm_term,
        host=arrival.host,
        source=arrival.source,
        channel=arrival.channel,
        page=page,
        props=encoded(arrival.props),
        interactive=arrival.interactive,
        device=arrival.device or "",
        single=rules.collects_hits,
        created=arrival.created,
    )
