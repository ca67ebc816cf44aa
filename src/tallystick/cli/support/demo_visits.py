"""The visits of the demo: 13 months up to now, drawn by a number, so that they are always the same."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from random import Random

from msgspec import Struct

from tallystick.cli.support.demo_content import (
    AGENTS,
    AUTHORS,
    HOURS,
    RELEASED_DAYS_AGO,
    SENDERS,
    WEEKDAYS,
    DemoAgent,
    DemoSite,
    Link,
    Sender,
)
from tallystick.model.hit import HOUR_S
from tallystick.model.period import DAY_S

DAYS = 396
SEED = 20
GOES_ON = 0.56
"""How likely a visit has a next page."""
LIVE_S = 1_800
LIVE_VISITS = 24
"""Visits within the last ``LIVE_S`` seconds, at least."""
SHOUTED_HOURS = (0,) * 13 + (4, 9, 14, 15, 13, 11, 9, 7, 6, 5, 4)
"""Visits by hour on the day on which many came."""
PLANS = ("free", "free", "free", "pro", "pro", "team")


class DemoHit(Struct, frozen=True, gc=False):
    """A pageview or an event of a visit.

    Attributes:
        name: a path, or the name of an event.
        page: of an event, where it happened.
        host: of the page.
        visitor: the number of the visit.
        created: Unix seconds.
    """

    name: str
    title: str
    page: str
    host: str
    link: Link
    props: tuple[tuple[str, str], ...]
    agent: DemoAgent
    version: int
    width: int
    sender: Sender
    visitor: int
    created: int


def visits_by_day(site: DemoSite, total: int, now: int) -> list[int]:
    """The number of visits of each day, the oldest first; the last day has only begun.

    Args:
        total: of all days.
        now: Unix seconds.
    """
    random = Random(f"{SEED} {site.domain}")  # noqa: S311  # not for secrets
    weights = [_weight(site, ago, now) * random.uniform(0.88, 1.12) for ago in reversed(range(DAYS + 1))]
    weights[-1] *= _share_of_today(now)
    whole = sum(weights)
    return [round(total * weight / whole) for weight in weights]


def hits_of_day(site: DemoSite, ago: int, visits: int, now: int) -> list[DemoHit]:
    """The hits of a day, by time.

    Args:
        ago: days before today.
        now: Unix seconds; no hit is later.
    """
    random = Random(f"{SEED} {site.domain} {ago}")  # noqa: S311  # not for secrets
    hits = [
        hit
        for number, began in enumerate(_beginnings(site, ago, visits, now, random))
        for hit in visit(site, ago * 1_000_000 + number, began, ago, random)
        if hit.created <= now
    ]
    if not ago:
        for number in range(LIVE_VISITS):
            began = now - random.randrange(LIVE_S)
            hits += [hit for hit in visit(site, 999_000 + number, began, 0, random) if hit.created <= now]
    return sorted(hits, key=lambda hit: hit.created)


def visit(site: DemoSite, number: int, began: int, ago: int, random: Random) -> Iterator[DemoHit]:
    """The hits of one visit.

    Args:
        number: of the visit, by which its visitor is known.
        began: Unix seconds.
        ago: days before today.
    """
    agent, sender = AGENTS.draw(random), SENDERS.draw(random)
    version = agent.newest - ago // agent.days - random.choice((0, 0, 0, 0, 1))
    width = random.choice(agent.widths)
    path, link = _arrival(site, ago, random)
    created = began
    while True:
        author = AUTHORS.get(path)
        props = (("author", author),) if author else ()
        title = site.titles[path]
        host = f"docs.{site.domain}" if path.startswith("/docs") else site.domain
        yield DemoHit(path, title, "", host, link, props, agent, version, width, sender, number, created)
        link = Link()
        if event := _event(path, sender, random):
            name, told = event
            created += random.randint(4, 60)
            yield DemoHit(name, "", path, host, link, told, agent, version, width, sender, number, created)
        if random.random() > GOES_ON:
            return
        created += 5 + int(random.expovariate(1 / 70))
        path = _published(site, site.onward.draw(random), ago, path)


def _arrival(site: DemoSite, ago: int, random: Random) -> tuple[str, Link]:
    if site.shout and 0 <= site.shout[0] - ago <= 3 and random.random() < 0.75 / (1 + site.shout[0] - ago):  # noqa: PLR2004
        return site.shout[1], site.shout[2]
    for first, last, share, link in site.campaigns:
        if last <= ago <= first and random.random() < share:
            return "/pricing" if "cpc" in link.query else "/", link
    return _published(site, site.landings.draw(random), ago, "/"), site.links.draw(random)


def _published(site: DemoSite, path: str, ago: int, otherwise: str) -> str:
    """A page; another one for one that was not there yet on a day."""
    return path if site.posts.get(path, DAYS) >= ago else otherwise


def _event(path: str, sender: Sender, random: Random) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    chance = random.random()
    if path == "/signup" and chance < 0.34:  # noqa: PLR2004
        return "Signup", (("plan", random.choice(PLANS)),)
    if path == "/download" and chance < 0.42:  # noqa: PLR2004
        return "Download", (("file", random.choice(("kettle.dmg", "kettle.exe", "kettle.AppImage"))),)
    if path.startswith("/blog/") and chance < 0.05:  # noqa: PLR2004
        return "Newsletter", (("language", "de" if sender.language == "deu" else "en"),)
    if path == "/docs/api" and chance < 0.2:  # noqa: PLR2004
        return "Outbound Link: Click", (("url", "https://github.com/kettle/kettle"),)
    return None


def _weight(site: DemoSite, ago: int, now: int) -> float:
    """How busy a day is, compared with others."""
    weekday = datetime.fromtimestamp(now - ago * DAY_S, UTC).weekday()
    growth: float = 0.45 + 0.55 * (1 - ago / DAYS) ** 1.4
    season = 1 + 0.06 * math.sin(ago / 58)
    busy = WEEKDAYS[weekday] * growth * season
    if site.shout:
        busy *= _after(site.shout[0] - ago, (7.0, 3.2, 1.9, 1.4))
        busy *= _after(RELEASED_DAYS_AGO - ago, (2.2, 1.9, 1.5, 1.3, 1.2))
    return busy


def _after(days: int, factors: Sequence[float]) -> float:
    return factors[days] if 0 <= days < len(factors) else 1.0


def _share_of_today(now: int) -> float:
    hour, second = divmod(now % DAY_S, HOUR_S)
    return (sum(HOURS[:hour]) + HOURS[hour] * second / HOUR_S) / sum(HOURS)


def _beginnings(site: DemoSite, ago: int, visits: int, now: int, random: Random) -> list[int]:
    """When the visits of a day begin, Unix seconds."""
    begins = now - now % DAY_S - ago * DAY_S
    shouted = site.shout is not None and ago == site.shout[0]
    weights: list[float] = list(SHOUTED_HOURS if shouted else HOURS)
    if not ago:
        hour, second = divmod(now - begins, HOUR_S)
        weights = [*weights[:hour], weights[hour] * (second + 1) / HOUR_S]
    hours = random.choices(range(len(weights)), weights=weights, k=visits)
    starts = (begins + hour * HOUR_S for hour in hours)
    return [start + random.randrange(min(HOUR_S, now - start + 1)) for start in starts]
