"""Fills a new data directory with the demo, through the services, and keeps its sites alive while they are served."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

from tallystick.cli.support.demo_content import (
    BOT_AGENTS,
    MAIN,
    NEWS_POST,
    OWN_ADDRESS,
    OWN_NETWORK,
    RELEASE_POST,
    RELEASED_DAYS_AGO,
    SHOUTED_DAYS_AGO,
    SITES,
    DemoSite,
)
from tallystick.cli.support.demo_visits import DAYS, SEED, DemoHit, hits_of_day, visit, visits_by_day
from tallystick.errors import StoreUnavailable
from tallystick.ledger import Session
from tallystick.model.account import Account
from tallystick.model.annotation import Annotation
from tallystick.model.counter import Create
from tallystick.model.funnel import Funnel, FunnelStep
from tallystick.model.goal import Goal
from tallystick.model.hit import Hit, Visitor
from tallystick.model.key import Key
from tallystick.model.period import DAY_S
from tallystick.model.segment import Segment
from tallystick.model.sharing import ValueChange, Verb
from tallystick.model.site import COLLECT, Collect, Site, SiteSettings
from tallystick.services.accounts.accounts import NewAccount, account, create_account
from tallystick.services.accounts.sites import NewSite, create_site, note_hits
from tallystick.services.analytics.kept.annotations import create_annotation
from tallystick.services.analytics.kept.funnels import create_funnel
from tallystick.services.analytics.kept.goals import create_goal
from tallystick.services.analytics.kept.segments import create_segment
from tallystick.services.analytics.names import NewPath
from tallystick.services.ingest.collection_rules import CollectionRules
from tallystick.services.ingest.ingest import Arrival
from tallystick.services.ingest.parts import BrowserPart, PagePart, browser_part, page_part
from tallystick.services.services import Services
from tallystick.services.sharing.changing import ChangeRequest
from tallystick.services.sharing.counters import NewCounter, create

EMAIL, READER = "demo@demo.example", "mira@demo.example"
NO_PASSWORD = "-"  # noqa: S105  # no digest of any password, so nobody can log in by it
DOWNLOADS = Key("demo.example", "downloads")
BOTS_A_DAY, DROPPED_A_DAY = 14, 5
AT_ONCE = 5_000
_SPREAD, _KEYS = 0x9E3779B97F4A7C15, 1 << 63
"""An odd factor that makes keys of visitors out of small numbers, and how many keys there are."""
PAUSE_S = (1.0, 8.0)
"""Between two hits that arrive while the demo is served."""
_COLLECT = COLLECT | int(Collect.LANGUAGE)
_SOMEBODY = "192.0.2.7"
_PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"

Progress = Callable[[int, int], None]
Made = TypeVar("Made")


async def fill(services: Services, visits: int, now: int, progress: Progress) -> None:
    """Fill an empty server. Its person has no password yet.

    Args:
        visits: how many.
        now: Unix seconds.
        progress: called with the number of finished visits and of all.
    """
    person, sites = await services.ledger.write(_people_and_sites, now)
    done = 0
    for site, demo in zip(sites, SITES, strict=True):
        days = visits_by_day(demo, round(visits * demo.share), now)
        await _refused_and_bots(services, site, demo, now)
        writing = _Writing(services, site, now)
        waiting: list[DemoHit] = []
        for ago, number in zip(range(DAYS, -1, -1), days, strict=True):
            waiting += hits_of_day(demo, ago, number, now)
            done += number
            if len(waiting) >= AT_ONCE or not ago:
                await writing.store(waiting)
                waiting.clear()
                progress(done, visits)
        await services.ledger.write(note_hits, site.id, (now - DAYS * DAY_S) * 1000)
    await services.ledger.write(_kept, sites[0].id, now)
    await _counters(services, person, now * 1000)
    await services.warehouse.flush()


async def keep_alive(services: Services, site: Site, clock: Callable[[], int]) -> None:
    """Let hits arrive at the main site, one every few seconds, until this is cancelled."""
    random = Random(clock())  # noqa: S311  # not for secrets
    number = 0
    while True:
        number += 1
        for hit in visit(MAIN, number, 0, 0, random):
            await asyncio.sleep(random.uniform(*PAUSE_S))
            arrivals = [_live(hit, clock())]
            if random.random() < 0.1:  # noqa: PLR2004
                arrivals.append(_bot(MAIN, clock(), clock(), random))
            try:
                await services.ingest.record(site, arrivals)
            except StoreUnavailable:
                continue


class _Writing:
    """Makes the hits of one site out of what repeats in them, as the pixel does, and stores them."""

    def __init__(self, services: Services, site: Site, now: int) -> None:
        self._services, self._site = services, site
        rules = services.ingest.rules_at_once(site, now * 1000)
        assert isinstance(rules, CollectionRules), rules
        self._rules = rules
        self._pages: dict[tuple[object, ...], PagePart] = {}
        self._browsers: dict[tuple[object, ...], BrowserPart] = {}

    async def store(self, hits: Sequence[DemoHit]) -> None:
        """Store hits, which are in the order of time, with the names that are new."""
        pages = [self._page(hit) for hit in hits]
        names, site = self._services.names, self._site.id
        paths = {part.path: NewPath(part.path, part.title, part.event, counted=True) for part in pages}
        # Those that only bots have requested so far are in no list of paths.
        new = [path for name, path in paths.items() if (known := names.path(site, name)) is None or not known.counted]
        campaigns = {part.campaign for part in pages if part.campaign}
        unknown = [name for name in campaigns if names.campaign(site, name) is None]
        if new or unknown:
            await names.learn(site, new, unknown)
        await self._services.warehouse.append([self._hit(hit, part) for hit, part in zip(hits, pages, strict=True)])

    def _page(self, hit: DemoHit) -> PagePart:
        key = (hit.name, hit.page, hit.link, hit.props)
        part = self._pages.get(key)
        if part is None:
            part = self._pages[key] = _made(page_part(self._rules, _page_arrival(hit)))
        return part

    def _browser(self, hit: DemoHit) -> BrowserPart:
        key = (hit.agent, hit.version)
        part = self._browsers.get(key)
        if part is None:
            arrival = Arrival(agent=hit.agent.text.format(hit.version), direct=True, received=hit.created)
            part = self._browsers[key] = _made(browser_part(self._rules, arrival))
        return part

    def _hit(self, hit: DemoHit, page: PagePart) -> Hit:
        names, site, browser = self._services.names, self._site.id, self._browser(hit)
        path = _made(names.path(site, page.path))
        happened = names.path(site, page.page) if page.page else None
        visitor = (hit.visitor * len(SITES) + site) * _SPREAD % _KEYS
        return Hit(
            site=site,
            path=path.id,
            visitor=Visitor(visitor, visitor),
            event=page.event,
            ref=page.ref,
            ref_scheme=page.ref_scheme,
            campaign=names.campaign(site, page.campaign) if page.campaign else None,
            browser=browser.browser,
            browser_version=browser.browser_version,
            system=browser.system,
            system_version=browser.system_version,
            country=hit.sender.country,
            region=hit.sender.region,
            language=hit.sender.language,
            width=hit.width,
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
            created=hit.created,
        )


def _made(value: Made | None) -> Made:
    assert value is not None, "the demo's own hits are never refused"
    return value


def _page_arrival(hit: DemoHit) -> Arrival:
    return Arrival(
        path=hit.name,
        title=hit.title,
        event=bool(hit.page),
        ref=hit.link.referrer,
        query=hit.link.query,
        host=hit.host,
        page=hit.page,
        props=dict(hit.props),
        direct=True,
        received=hit.created,
    )


def _live(hit: DemoHit, now: int) -> Arrival:
    """A hit as it would arrive now."""
    arrival = _page_arrival(hit)
    arrival.agent = hit.agent.text.format(hit.version)
    arrival.location = f"{hit.sender.country}-{hit.sender.region}".strip("-")
    arrival.language, arrival.width = hit.sender.language, hit.width
    arrival.session, arrival.received = f"demo {hit.visitor}", now
    return arrival


def _bot(site: DemoSite, created: int, now: int, random: Random) -> Arrival:
    path = random.choice(tuple(site.titles))
    return Arrival(
        path=path,
        title=site.titles[path],
        host=site.domain,
        agent=random.choice(BOT_AGENTS),
        direct=True,
        created=created,
        received=now,
    )


def _dropped(site: DemoSite, created: int, now: int, random: Random) -> Arrival:
    """A hit that is not counted, for one of several reasons."""
    path = random.choice(tuple(site.titles))
    arrival = Arrival(
        path=path, host=site.domain, address=_SOMEBODY, agent=_PERSON, direct=True, created=created, received=now
    )
    match random.randrange(5):
        case 0 | 1:
            arrival.address = OWN_ADDRESS
        case 2:
            arrival.gpc = True
        case 3:
            arrival.prefetch = True
        case _:
            arrival.path = "/favicon.ico"
    return arrival


async def _refused_and_bots(services: Services, site: Site, demo: DemoSite, now: int) -> None:
    """Send what is no visit of a person through the ingest itself, so that every record of it is as it would be."""
    random = Random(f"{SEED} {demo.domain} bots")  # noqa: S311  # not for secrets
    arrivals = []
    for kind, a_day in ((_bot, BOTS_A_DAY), (_dropped, DROPPED_A_DAY)):
        for _ in range(round(a_day * DAYS * demo.share)):
            created = now - int(random.triangular(0, DAYS * DAY_S, 0))
            arrivals.append(kind(demo, created, now, random))
    arrivals.sort(key=lambda arrival: arrival.created or now)
    for first in range(0, len(arrivals), AT_ONCE):
        await services.ingest.record(site, arrivals[first : first + AT_ONCE])


def _people_and_sites(session: Session, now: int) -> tuple[Account, list[Site]]:
    began = (now - DAYS * DAY_S) * 1000
    person = create_account(session, NewAccount(email=EMAIL, password=NO_PASSWORD, name="Demo"), began)
    sites = [
        create_site(
            session,
            person,
            NewSite(
                cname=demo.domain,
                link_domain=demo.domain,
                settings=SiteSettings(
                    public="public",
                    collect=_COLLECT,
                    collect_regions=(),
                    ignore_ips=(OWN_NETWORK,),
                    respect_gpc=True,
                    allow_counter=True,
                ),
            ),
            began,
        )
        for demo in SITES
    ]
    owner = account(session, person.id)
    assert owner is not None
    create_account(session, NewAccount(email=READER, password=NO_PASSWORD, name="Mira", site=sites[0].id), began)
    return owner, sites


def _kept(session: Session, site: int, now: int) -> None:
    """Goals, a funnel, segments and annotations."""
    at = (now - DAYS * DAY_S) * 1000
    signup = create_goal(session, Goal(site=site, name="Signup", event="Signup"), at)
    create_goal(session, Goal(site=site, name="Signup for Pro", event="Signup", props=(("plan", "pro"),)), at)
    create_goal(session, Goal(site=site, name="Download", event="Download"), at)
    create_goal(session, Goal(site=site, name="Read a post", page="/blog/**"), at)
    steps = (FunnelStep(page="/pricing"), FunnelStep(page="/signup"), FunnelStep(goal=signup.id))
    create_funnel(session, Funnel(site=site, name="From the prices to an account", steps=steps), at)
    newsletter: list[Any] = [["is", "visit:utm_source", ["newsletter"]]]
    create_segment(session, Segment(site=site, name="Readers of the newsletter", filters=newsletter), at)
    phones: list[Any] = [["is", "visit:device", ["Mobile"]]]
    create_segment(session, Segment(site=site, name="On a phone", filters=phones), at)
    for ago, text, link in (
        (SHOUTED_DAYS_AGO, "Linked from Hacker News", f"https://{MAIN.domain}{NEWS_POST}"),
        (RELEASED_DAYS_AGO, "Kettle 4 released", f"https://{MAIN.domain}{RELEASE_POST}"),
    ):
        day = datetime.fromtimestamp(now - ago * DAY_S, UTC).date().isoformat()
        create_annotation(session, Annotation(site=site, at=day, text=text, link=link), at)


async def _counters(services: Services, person: Account, now: int) -> None:
    """A public counter, and one that two people share."""
    await services.counting.create(DOWNLOADS, Create(48_217, lifetime=services.counting.lifetime))
    cups = await services.sharing.write(create, person.id, NewCounter(name="Cups of tea", goal=500), now)
    for amount in (180, 96, 41):
        step = ValueChange(counter=cups.uid, verb=Verb.INCREMENT, amount=amount)
        await services.sharing.change(ChangeRequest(account=person.id, steps=(step,)))
