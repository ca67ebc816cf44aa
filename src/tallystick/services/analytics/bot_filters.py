"""Marks the hits that a question counts as people's or as bots'."""

from secrets import token_hex

from msgspec import Struct

from tallystick.errors import InputRefused, StoreBusy
from tallystick.ledger import Ledger, Session
from tallystick.model.account import Account, Principal
from tallystick.model.filter_lists import lists_of
from tallystick.model.hit import is_bot
from tallystick.model.metrics import Metric
from tallystick.model.period import Period
from tallystick.model.question import EVERYTHING, FilterExpression, Question
from tallystick.services.accounts.audit import done_by
from tallystick.services.accounts.site_rows import site
from tallystick.services.analytics.bot_hits import check_codes, label, log_marking
from tallystick.services.analytics.questions import Questions
from tallystick.services.annotating import AnnotatedSite, annotate, moment_of
from tallystick.services.jobs import JOBS, RelabelMatching, enqueue
from tallystick.warehouse import Warehouse, WarehouseSession
from tallystick.warehouse.types import EVERY_ID

ATTEMPTS = 5
COUNTED = "Counted after all: {hits:,} hits of bots from {first} to {last}."
NOT_COUNTED = "Taken for bots and no longer counted: {hits:,} hits from {first} to {last}."
KINDS = {True: "bots", False: "people"}
DATE = len("2026-03-10")


class Marking(Struct, frozen=True, kw_only=True):
    """Hits, and what they are to be.

    Attributes:
        condition: with names, as in questions. A filter on bots' hits looks at each of them alone, one on people's
            hits at their visits, too.
        bots: whether hits of bots are meant, not those of people.
        into: a ``Bot`` code, 0 for people.
    """

    site: int
    period: Period
    condition: FilterExpression = EVERYTHING
    bots: bool = True
    into: int


class Marked(Struct, frozen=True):
    """What will be done within seconds.

    Attributes:
        hits: their number.
        job: None without hits.
    """

    hits: int
    job: int | None


class _NamesChanged(Exception):
    """The names of paths have changed while they were looked up."""


async def mark_matching(  # noqa: PLR0913  # stores, change and who makes it
    ledger: Ledger,
    warehouse: Warehouse,
    questions: Questions,
    marking: Marking,
    now: int,
    *,
    actor: Account | Principal | str,
) -> Marked:
    """Queue a job that gives hits another label: exactly those that the same question counts now.

    Hits of bots that become people's are visits of their own, unless they were people's before and had a session.

    Args:
        now: Unix milliseconds.
        actor: who is named in the log of administrative events.

    Raises:
        InputRefused: the filter or the code is not valid, or hits would stay what they are.
        QuestionTooLong: the hits cannot be counted in time.
        StoreUnavailable: a store is busy or has failed.
    """
    check_codes(marking.into)
    if not marking.bots and not is_bot(marking.into):
        msg = "hits of people are people's already"
        raise InputRefused(msg)
    question = Question(
        sites=(marking.site,),
        period=marking.period,
        metrics=(Metric.EVENTS,),
        condition=marking.condition,
        bots=marking.bots,
    )
    for _ in range(ATTEMPTS):
        jobs = await ledger.read(_last_job)
        through = await warehouse.read(_newest_hit, marking.site)
        # Refuses also what is only found to be invalid when it is asked, such as an expression.
        hits = int((await questions.answer(question)).rows[0].figures[0] or 0)
        if not hits:
            return Marked(0, None)
        job = RelabelMatching(
            site=marking.site,
            bots=marking.bots,
            since=marking.period.first,
            before=marking.period.after,
            condition=lists_of(await questions.in_ids(question)),
            into=marking.into,
            span=(EVERY_ID[0], through),
            key=f"relabel {token_hex(16)}",
        )
        try:
            return Marked(hits, await ledger.write(done_by, actor, _enqueue_next, job, hits, jobs, now))
        except _NamesChanged:
            questions.forget()
    msg = "paths are being changed all the time"
    raise StoreBusy(msg)


def _newest_hit(session: WarehouseSession, site: int) -> int:
    return session.newest_hit(site)


def _last_job(session: Session) -> int:
    return int(session.common.last_number(session.connection, name=JOBS))


def _enqueue_next(session: Session, job: RelabelMatching, hits: int, after: int, now: int) -> int:
    """Queue a job unless there were others meanwhile: its ids would be those of paths that were merged or deleted.

    Where it changes what is counted, an annotation says so. The log of administrative events has each change.
    """
    if (place := site(session, job.site)) is not None:
        zone = place.user_defaults.timezone
        first, last = (moment_of(at * 1000, zone)[:DATE] for at in (job.since, job.before - 1))
        if job.bots != is_bot(job.into):
            text = (COUNTED if job.bots else NOT_COUNTED).format(hits=hits, first=first, last=last)
            annotate(session, [AnnotatedSite(place.id, zone)], "bots", text, now)
        log_marking(
            session, place, f"{hits:,} hits of {KINDS[job.bots]} from {first} to {last}: {label(job.into)}", now
        )
    number = enqueue(session, job, now)
    if number != after + 1:
        raise _NamesChanged
    return number
