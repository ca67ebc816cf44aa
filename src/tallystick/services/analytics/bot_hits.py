"""Hits of bots: their number by reason, the latest of them, and relabelling them."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from tallystick.errors import InputRefused
from tallystick.ledger import Ledger, Session
from tallystick.model.hit import Bot, is_bot
from tallystick.model.period import Period
from tallystick.model.site import Site
from tallystick.services.accounts.audit import EventKind, note
from tallystick.services.accounts.site_rows import site
from tallystick.services.analytics.names import Path, paths_of
from tallystick.services.annotating import AnnotatedSite, annotate
from tallystick.services.jobs import Relabel, enqueue
from tallystick.warehouse import Warehouse, WarehouseSession
from tallystick.warehouse.types import EVERY_ID, BotRow

PERSON = "person"
FROM_THE_LATEST = EVERY_ID[1]
COUNTED = "Counted after all: hits that were taken for those of bots ({})."
NOT_COUNTED = "Some hits that were counted are taken for those of bots."


class BotHit(Struct, frozen=True):
    """One hit.

    Attributes:
        path: None while its path is being deleted.
        created: Unix seconds.
    """

    id: int
    path: Path | None
    bot: Bot
    ref: str
    ref_scheme: str
    browser: str
    system: str
    country: str
    created: int


class BotHits(Struct, frozen=True):
    """The bot hits of a period.

    Attributes:
        by_reason: number of hits by code, greatest first; of all codes.
        latest: hits with the codes of the query.
    """

    by_reason: Mapping[Bot, int]
    latest: Sequence[BotHit]
    more: bool


class BotHitsQuery(Struct, frozen=True):
    """Selects the hits to list.

    Attributes:
        bot: only hits with this code; None for all codes.
        before: only hits with smaller ids.
    """

    site: int
    period: Period
    limit: int
    bot: Bot | None = None
    before: int = FROM_THE_LATEST


def reason(bot: Bot) -> str:
    """The name of a code: ``boty-word``."""
    return bot.name.lower().replace("_", "-")


async def bot_hits(ledger: Ledger, warehouse: Warehouse, query: BotHitsQuery) -> BotHits:
    """The number of bot hits by reason, and the latest of them."""
    by_code, rows = await warehouse.read(_bot_hits, query)
    paths = await ledger.read(paths_of, query.site, {row.path for row in rows})
    latest = [_bot_hit(row, paths.get(row.path)) for row in rows[: query.limit]]
    return BotHits({Bot(bot): hits for bot, hits in by_code}, latest, more=len(rows) > query.limit)


def _bot_hits(session: WarehouseSession, query: BotHitsQuery) -> tuple[list[tuple[int, int]], list[BotRow]]:
    codes = [bot for bot in Bot if bot] if query.bot is None else [query.bot]
    by_code = session.bots_by_code(query.site, query.period)
    latest = session.latest_bots(query.site, query.period, codes, query.before, query.limit + 1)
    return by_code, latest


def _bot_hit(row: BotRow, path: Path | None) -> BotHit:
    return BotHit(
        id=row.id,
        path=path,
        bot=Bot(row.bot),
        ref=row.ref,
        ref_scheme=row.ref_scheme,
        browser=row.browser,
        system=row.system,
        country=row.country,
        created=row.created,
    )


def relabel(session: Session, change: Relabel, now: int) -> int:
    """Queue a job that gives hits another label. Returns its id; the server carries it out within seconds.

    Hits that are no longer labelled as bots are visits without a session, because their visitors were not stored. Where
    the job changes what is counted, an annotation says so. The log of administrative events has each change.

    Args:
        now: Unix milliseconds.

    Raises:
        InputRefused: a code does not exist, or both are the same.
    """
    check_codes(change.bot, change.into)
    if change.bot == change.into:
        msg = "the codes must differ"
        raise InputRefused(msg)
    if (place := site(session, change.site)) is not None:
        if is_bot(change.bot) != is_bot(change.into):
            text = COUNTED.format(reason(Bot(change.bot))) if is_bot(change.bot) else NOT_COUNTED
            annotate(session, [AnnotatedSite(place.id, place.user_defaults.timezone)], "bots", text, now)
        log_marking(session, place, f"{label(change.bot)} to {label(change.into)}", now)
    return enqueue(session, change, now)


def label(code: int) -> str:
    """What hits with a code are called on the command line and in the log: ``person``, or the reason."""
    return reason(Bot(code)) if is_bot(code) else PERSON


def log_marking(session: Session, place: Site, detail: str, now: int) -> None:
    """Add a change of what hits are to the log of administrative events."""
    note(session, EventKind.HITS_MARKED, now, f"site {place.id} {place.cname or place.code}", detail)


def check_codes(*given: int) -> None:
    """Refuse codes that hits cannot be given.

    Raises:
        InputRefused
    """
    codes = {bot.value for bot in Bot} - {Bot.NO_MATCH}
    if not set(given) <= codes:
        msg = f"a code must be one of {', '.join(map(str, sorted(codes)))}"
        raise InputRefused(msg)
