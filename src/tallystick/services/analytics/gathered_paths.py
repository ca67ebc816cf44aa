"""Stored paths that the rules of a site would count under one path, and merging them as the rules say.

Every name of the site is compared with every rule: of 100,000 paths and ten rules about 0.5 s, on a thread.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from tallystick.ledger import Ledger, Session
from tallystick.model.account import Account
from tallystick.model.path_rules import PathRules
from tallystick.services.accounts.audit import done_by
from tallystick.services.analytics.names import Path, every_path, paths_of
from tallystick.services.analytics.path_changes import gather_by_rule
from tallystick.services.analytics.questions import Questions
from tallystick.services.analytics.stored_paths import StoredPath, with_hits
from tallystick.warehouse.types import PathHits

READ_AT_ONCE = 10_000
GATHERED_AT_ONCE = 10_000
"""Paths of one transaction and one job."""
EXAMPLES = 10


class Gathering(Struct, frozen=True):
    """What a rule would gather of what was counted already, without the path that has its name.

    Attributes:
        paths: how many.
        hits, bots: of these paths, of people and of bots.
        examples: those with most hits.
    """

    rule: str
    paths: int
    hits: int
    bots: int
    examples: tuple[StoredPath, ...]


async def gatherings(
    ledger: Ledger, questions: Questions, site: int, rules: Sequence[str], examples: int = EXAMPLES
) -> tuple[Gathering, ...]:
    """What each rule would gather, where the first one that fits applies.

    Raises:
        QuestionTooLong, StoreUnavailable: see ``Questions.read``.
    """
    if not rules:
        return ()
    found = await ledger.read(gathered_ids, site, rules)
    ids = [id_ for each in found.values() for id_ in each]
    counted = await questions.read(lambda session: session.hits_of_paths(site, ids, len(ids), 0)) if ids else []
    rule_of = {id_: rule for rule, each in found.items() for id_ in each}
    by_rule: dict[str, list[PathHits]] = {rule: [] for rule in rules}
    for each_path in counted:
        by_rule[rule_of[each_path.path]].append(each_path)
    shown = [row.path for rows in by_rule.values() for row in rows[:examples]]
    named = await ledger.read(paths_of, site, shown)
    return tuple(_gathering(rule, rows, rows[:examples], named) for rule, rows in by_rule.items())


def _gathering(
    rule: str, rows: Sequence[PathHits], examples: Sequence[PathHits], named: Mapping[int, Path]
) -> Gathering:
    return Gathering(
        rule=rule,
        paths=len(rows),
        hits=sum(row.hits for row in rows),
        bots=sum(row.bots for row in rows),
        examples=tuple(with_hits(named[row.path], row) for row in examples if row.path in named),
    )


def gathered_ids(session: Session, site: int, rules: Sequence[str]) -> Mapping[str, Sequence[int]]:
    """Ids of the paths that each rule gathers; of those that no rule gathers there are none."""
    matched, after = PathRules(rules), 0
    found: dict[str, list[int]] = {rule: [] for rule in rules}
    while page := every_path(session, site, after, READ_AT_ONCE):
        after = page[-1][1]
        for path, id_ in page:
            if (rule := matched.name_of(path)) is not None and rule.lower() != path.lower():
                found[rule].append(id_)
    return found


def batched_ids(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Ids of one transaction after the other."""
    return (ids[start : start + GATHERED_AT_ONCE] for start in range(0, len(ids), GATHERED_AT_ONCE))


async def gather_counted(  # noqa: PLR0913, PLR0917  # what, by which rules, when and who
    ledger: Ledger, site: int, rules: Sequence[str], rule: str, now: int, actor: Account | str
) -> int:
    """Merge the paths that a rule gathers, some at a time, each time as a whole. Returns how many there were.

    Args:
        rules: all rules of the site, as the first one that fits applies.
        now: Unix milliseconds.
        actor: who does it, for the log of events.

    Raises:
        InputRefused: the site no longer has that rule.
        StoreUnavailable: some may be merged; the next call does the rest.
    """
    ids = (await ledger.read(gathered_ids, site, rules))[rule]
    for some in batched_ids(ids):
        await ledger.write(done_by, actor, gather_by_rule, site, some, rule, now)
    return len(ids)
