"""Changes of stored hits: functions of ``(session, ...)`` for ``Warehouse.write``.

Each is idempotent: a job is repeated after a crash.
"""

# ruff: noqa: S608  # the text consists of constants, numbers and names of parameters

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from tallystick.model.question import Question
from tallystick.warehouse.duckdb import aggregates, questions, visits
from tallystick.warehouse.duckdb.lookups import idempotency_record
from tallystick.warehouse.duckdb.queried import QuerySession, values_in
from tallystick.warehouse.duckdb.sessions import KEYS_KEPT_S

_OF_PATHS = "site = $1 AND path IN (SELECT unnest(CAST($2 AS INTEGER[])))"
REQUESTS_KEPT_S = 24 * 3_600

_encode = msgspec.json.Encoder().encode


def delete_site(session: QuerySession, site: int) -> int:
    """Remove all hits and imported aggregates of a site. Returns the number of hits."""
    aggregates.delete_aggregates(session, site)
    for table in ("visit", "irregular_visit"):
        session.connection.execute(f"DELETE FROM {table} WHERE site = $site", {"site": site})
    return int(session.queries.delete_site(session.connection, site=site))


def delete_paths(session: QuerySession, site: int, paths: Sequence[int]) -> int:
    """Remove all hits of some paths; other paths' events that happened there have no page. Returns their number."""
    session.sessions_outdated = True
    session.queries.judge_visits_with_events_on(session.connection, site=site, paths=_json(paths))
    session.queries.forget_pages(session.connection, site=site, paths=_json(paths))
    with visits.touched(session.connection, _OF_PATHS, [site, list(paths)]):
        return int(session.queries.delete_paths(session.connection, site=site, paths=_json(paths)))


def merge_paths(session: QuerySession, site: int, paths: Sequence[int], into: int) -> int:
    """Move the hits of some paths to another one, where a session counts as one visit. Returns their number.

    Events that happened on one of these pages have happened on the other one.
    """
    session.sessions_outdated = True
    session.queries.move_pages(session.connection, site=site, paths=_json(paths), into=into)
    with visits.touched(session.connection, _OF_PATHS, [site, [*paths, into]]):
        moved = int(session.queries.move_paths(session.connection, site=site, paths=_json(paths), into=into))
        session.queries.first_once(session.connection, site=site, path=into)
    return moved


def relabel(session: QuerySession, site: int, bot: int, into: int, span: tuple[int, int]) -> list[int]:
    """Replace a bot code of hits by another one. Returns the paths of all hits with the new code, old ones included.

    Args:
        bot, into: ``Bot`` codes, 0 for people.
        span: the first and the last id of the hits.
    """
    first, last = span
    those = "SELECT id FROM hit WHERE site = $site AND bot = $bot AND id BETWEEN $first AND $last"
    with _selected(session, those, {"site": site, "bot": bot, "first": first, "last": last}):
        _relabel_selected(session, into)
    rows = session.queries.paths_of_label(session.connection, site=site, bot=into, first=first, last=last)
    return [int(path) for (path,) in rows]


def relabel_matching(  # noqa: PLR0913, PLR0917  # which, into what, and once
    session: QuerySession, question: Question, into: int, span: tuple[int, int], key: str, passed: int
) -> list[int]:
    """Give the hits that a question counts another bot code, once for each key. Returns their paths.

    Marking hits changes the visits that a condition looks at, so a repetition would find others: it is recorded, in
    the same transaction, that the key was carried out.

    Args:
        question: in ids; of people's hits, or of bots'.
        into: a ``Bot`` code, 0 for people.
        span: the first and the last id of the hits.
        key: identifies the change.
        passed: seconds of the clock by which idempotency records age.
    """
    if (done := idempotency_record(session, key)) is not None:
        return msgspec.json.decode(done.answer, type=list[int])
    text, parameters = questions.passing_ids(session, question)
    first, last = parameters.add(span[0]), parameters.add(span[1])
    selected = f"SELECT id FROM ({text}) WHERE id BETWEEN {first} AND {last}"
    with _selected(session, selected, values_in(selected, parameters.values)):
        _relabel_selected(session, into)
        paths = [int(path) for (path,) in session.queries.paths_of_selected(session.connection)]
    session.queries.add_request(session.connection, key=key, fingerprint="", answer=_json(paths), created=passed)
    return paths


@contextmanager
def _selected(session: QuerySession, those: str, parameters: Mapping[str, object]) -> Iterator[None]:
    """A temporary table ``selected`` of ids until the block ends.

    Args:
        those: the SELECT of the ids.
    """
    session.connection.execute(f"CREATE TEMP TABLE selected AS {those}", parameters)
    yield
    session.connection.execute("DROP TABLE selected")


def _relabel_selected(session: QuerySession, into: int) -> None:
    """Give the hits in ``selected`` a bot code.

    A session's first hit on a path counts as a visit there. Where that hit becomes a bot's, the next one counts, and
    its mark moves there; so marks are neither lost nor doubled, however often hits are relabelled.
    """
    session.sessions_outdated = True
    with visits.touched(session.connection, "id IN (SELECT id FROM selected)", []):
        session.queries.relabel_selected(session.connection, into=into)
        session.queries.find_moved_firsts(session.connection)
        session.queries.move_firsts(session.connection)
        session.queries.forget_moved_firsts(session.connection)


def expire(session: QuerySession, limits: Iterable[tuple[int, int]]) -> int:
    """Remove hits and imported days older than their sites' retention. Returns the number of hits.

    Args:
        limits: site, and the Unix second before which hits are removed.
    """
    limits = list(limits)
    aggregates.expire_aggregates(session, limits)
    sites, before = zip(*limits, strict=True)
    with visits.expired(session.connection, sites, before):
        return int(session.queries.expire(session.connection, limits=_json({"site": sites, "before": before})))


def expire_part(session: QuerySession, site: int, since: int, before: int, at_most: int) -> int:
    """Remove the oldest hits of a site, of the times from ``since`` until before ``before``.

    Args:
        since, before: Unix seconds.
        at_most: hits to remove; all of one second are removed together.

    Returns:
        The time before which none is left, of those from ``since`` on; ``before`` when all are removed.
    """
    until = session.queries.end_of_part(session.connection, site=site, since=since, before=before, skipped=at_most - 1)
    until = before if until is None else min(int(until) + 1, before)
    with visits.part_expired(session.connection, site, since, until):
        session.queries.expire_part(session.connection, site=site, since=since, before=until)
    return until


def expired_by_site(session: QuerySession, limits: Iterable[tuple[int, int]]) -> dict[int, int]:
    """How many hits of each site ``expire`` would remove; sites without any are left out."""
    sites, before = zip(*limits, strict=True)
    rows = session.queries.expired_by_site(session.connection, limits=_json({"site": sites, "before": before}))
    return dict(rows)


def count_expired(session: QuerySession, limits: Iterable[tuple[int, int]]) -> int:
    """The number of hits and imported rows that ``expire`` would remove."""
    limits = list(limits)
    imported = aggregates.count_expired_aggregates(session, limits)
    sites, before = zip(*limits, strict=True)
    encoded = _json({"site": sites, "before": before})
    return imported + int(session.queries.count_expired(session.connection, limits=encoded))


def newest_time(session: QuerySession) -> int:
    """The time of the newest hit, Unix seconds; 0 without hits."""
    return int(session.queries.newest_time(session.connection))


def forget_old(session: QuerySession, now: int, passed: int) -> None:
    """Remove expired idempotency records, visitors' keys, and interrupted imports of aggregates.

    Args:
        now: the wall clock, Unix seconds.
        passed: seconds of the clock by which idempotency records age (``Ledger.passed``).
    """
    session.queries.forget_requests(session.connection, before=passed - REQUESTS_KEPT_S)
    session.queries.forget_keys(session.connection, before=now - KEYS_KEPT_S)
    aggregates.forget_unfinished(session, now)


def _json(value: object) -> str:
    return _encode(value).decode()
