"""Ingest: from what a sender says of a hit to what the warehouse keeps of it.

``STEPS`` is the whole way, in order. Each step reads an ``Arrival`` and what it has become so far, and may end its
way: ``Dropped`` with a reason, or ``InvalidHit`` with what is wrong.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import structlog

from tallystick.errors import NoSuchSite, StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.model.hit import Hit, is_bot
from tallystick.model.site import BEFORE_FIRST_HIT_S, Site
from tallystick.services.accounts.sites import note_hits
from tallystick.services.analytics.names import KnownPath, Names, NewPath
from tallystick.services.ingest import agents, languages, steps
from tallystick.services.ingest.arrival import Arrival, Dropped, DropReason, InvalidHit, Refusal
from tallystick.services.ingest.collection_rules import CollectionRules, rules_of
from tallystick.services.ingest.countries import Countries
from tallystick.services.ingest.new_names import Admits, NewNames
from tallystick.services.ingest.salts import Salts
from tallystick.services.ingest.spam import SpamReferrers
from tallystick.warehouse import KeptRequest, Stored, Warehouse

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
Keep = Callable[[Sequence[Refusal | None]], KeptRequest]
"""Makes the kept answer of a request from what was refused of it; None stands for what is being stored."""

Step = Callable[[CollectionRules, Arrival], Refusal | None]

STEPS: tuple[Step, ...] = (
    steps.drop_prefetch,
    steps.drop_opted_out,
    steps.check_size,
    steps.drop_ignored_address,
    steps.find_location,
    steps.find_language,
    steps.find_agent,
    steps.find_visitor,
    steps.clean_name,
    steps.find_source,
    steps.check,
    steps.drop_ignored_path,
    steps.drop_spam_referrer,
    steps.keep_what_is_collected,
)

MOST_AT_ONCE = 10_000
"""Arrivals of one call: their names have to fit into the cache together."""
AT_ONCE = 50
"""Arrivals that are judged before others have their turn on the event loop."""
SITES_CACHED = 10_000

log = structlog.get_logger()


class Knowledge(NamedTuple):
    """What hits are judged by beside their site's settings."""

    countries: Countries
    spam: SpamReferrers

    @classmethod
    def load(cls, geodb: Path | None = None, spam_referrers: Sequence[Path] = ()) -> Self:
        """Read everything, so that no hit waits for it. Blocks for half a second; call it before serving.

        Raises:
            InvalidSetting: a file cannot be read.
        """
        agents.load()
        languages.load()
        return cls(Countries(geodb), SpamReferrers(spam_referrers))


class Ingest:
    """Records hits. Used from one event loop.

    Args:
        admits: whether a site accepts one more new name from a visitor's browser; without it all are accepted.
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
        self._countries, self._spam = knowledge or Knowledge(Countries(), SpamReferrers())
        self._salts = Salts(ledger)
        self._rules: dict[int, CollectionRules] = {}
        self._noted: dict[int, int] = {}
        """Site -> since when it is known to have hits, Unix milliseconds."""

    async def record(self, site: Site, arrivals: Sequence[Arrival], keep: Keep | None = None) -> list[Result]:
        """Record hits of one site; what was stored is durable when it returns.

        Args:
            arrivals: at most ``MOST_AT_ONCE``.
            keep: asked, before anything is stored, for the answer to keep in the same transaction.

        Returns:
            One result for each arrival, in order.

        Raises:
            StoreUnavailable: nothing was acknowledged.
            NoSuchSite: the site was deleted meanwhile.
        """
        assert len(arrivals) <= MOST_AT_ONCE
        self._warehouse.require_answers()
        if self._are_due(now := self._ledger.clock()):
            await self._refresh(now)
        rules = self._rules_of(site)
        if len(arrivals) <= AT_ONCE:
            refused = [_judge(rules, arrival) for arrival in arrivals]
        else:
            refused = await _judge_in_turns(rules, arrivals)
        wanted = [arrival for arrival, refusal in zip(arrivals, refused, strict=True) if refusal is None]
        request = keep(refused) if keep else None
        found = iter(await self._store(rules, wanted, request))
        return [refusal or next(found) for refusal in refused]

    async def record_one(self, site: Site, arrival: Arrival) -> Result:
        """What ``record`` does, for a single hit of a browser; the pixel's way, and the hot path.

        Raises:
            StoreUnavailable: it was not acknowledged.
            NoSuchSite: the site was deleted meanwhile.
        """
        self._warehouse.require_answers()
        if self._are_due(now := self._ledger.clock()):
            await self._refresh(now)
        rules = self._rules_of(site)
        refusal = _judge(rules, arrival)
        if refusal is not None:
            return refusal
        new_names = self._new_names
        if new_names and arrival.ref:
            new_names.bound_referrer(site.id, arrival)
        hit = self._hit_without_news(rules, arrival)
        if hit is not None:
            (stored,) = await self._warehouse.append((hit,))
            return stored
        if new_names:
            await new_names.bound_names(site.id, arrival)
        (stored,) = await self._store(rules, [arrival], None)
        return stored

    async def _store(
        self, rules: CollectionRules, wanted: Sequence[Arrival], request: KeptRequest | None
    ) -> Sequence[Stored]:
        site = rules.site
        if news := self._news_of_names(site.id, wanted):
            await self._names.update(*news)
        # Ids are looked up in the very moment of handing the hits over: whoever merges or deletes paths makes
        # the names forget, and then no hit with an old id comes after.
        while (hits := self._hits(rules, wanted)) is None:
            await self._learn(site.id, wanted)
        stored = await self._warehouse.append(hits, request) if hits or request else []
        if (begins := self._news_of_site(site, hits)) is not None:
            await self._note(site.id, begins)
        return stored

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

    def _hit_without_news(self, rules: CollectionRules, arrival: Arrival) -> Hit | None:
        """What the warehouse keeps of a hit that tells nobody else anything new, as nearly all do."""
        site, created = rules.site, arrival.created
        known = self._names.path(site.id, arrival.path)
        if known is None or not known.counted or known.title != arrival.title or arrival.campaign:
            return None
        begins = self._begins(site)
        assert created is not None
        return None if begins is None or created < begins // 1000 else _hit(rules, arrival, known.id, None)

    def _news_of_names(
        self, site: int, wanted: Sequence[Arrival]
    ) -> tuple[list[KnownPath], list[tuple[KnownPath, str]]] | None:
        """Paths that people ask for for the first time, and titles to take over; mostly None."""
        counted: list[KnownPath] = []
        titles: list[tuple[KnownPath, str]] = []
        for arrival in wanted:
            known = self._names.path(site, arrival.path)
            if known is None or is_bot(arrival.bot):
                continue
            if not known.counted and known not in counted:
                counted.append(known)
            if arrival.title and arrival.title != known.title and known.wants_title(arrival.title):
                titles.append((known, arrival.title))
        return (counted, titles) if counted or titles else None

    def _hits(self, rules: CollectionRules, wanted: Sequence[Arrival]) -> list[Hit] | None:
        """What the warehouse keeps; None while a name is new.

        Raises:
            NoSuchSite: the site was deleted while the request was on its way.
        """
        if rules.site.id in self._names.deleted:
            raise NoSuchSite(rules.site.cname or "", empty=False)
        path, campaign, site = self._names.path, self._names.campaign, rules.site.id
        hits = []
        for arrival in wanted:
            known = path(site, arrival.path)
            number = campaign(site, arrival.campaign) if arrival.campaign else None
            if known is None or (number is None and arrival.campaign):
                return None
            hits.append(_hit(rules, arrival, known.id, number))
        return hits

    async def _learn(self, site: int, wanted: Sequence[Arrival]) -> None:
        """Make the names known that are new; a path that a person asks for is counted at once."""
        paths: dict[str, NewPath] = {}
        campaigns: dict[str, None] = {}
        for arrival in wanted:
            if self._names.path(site, arrival.path) is None:
                counted = not is_bot(arrival.bot)
                if arrival.path not in paths or (counted and not paths[arrival.path].counted):
                    paths[arrival.path] = NewPath(arrival.path, arrival.title, arrival.event, counted)
            if arrival.campaign and self._names.campaign(site, arrival.campaign) is None:
                campaigns[arrival.campaign] = None
        await self._names.learn(site, paths.values(), campaigns)

    def _begins(self, site: Site) -> int | None:
        """Since when a site is known to have hits, Unix milliseconds; None before the first."""
        return self._noted.get(site.id, site.first_hit if site.received_data else None)

    def _news_of_site(self, site: Site, hits: Sequence[Hit]) -> int | None:
        """Since when the site has hits (Unix milliseconds), if that is news."""
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
            # The hits are stored, so the answer must be a success whatever fails here; the next hit tries again.
            log.exception("a site's first hit could not be noted")
        else:
            self._noted[site] = begins


async def _judge_in_turns(rules: CollectionRules, arrivals: Sequence[Arrival]) -> list[Refusal | None]:
    refused = []
    for start in range(0, len(arrivals), AT_ONCE):
        refused += [_judge(rules, arrival) for arrival in arrivals[start : start + AT_ONCE]]
        await asyncio.sleep(0)
    return refused


def _judge(rules: CollectionRules, arrival: Arrival) -> Refusal | None:
    for step in STEPS:
        refusal = step(rules, arrival)
        if refusal is not None:
            return refusal
    return None


def _hit(rules: CollectionRules, arrival: Arrival, path: int, campaign: int | None) -> Hit:
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
        single=rules.collects_hits,
        created=arrival.created,
    )
