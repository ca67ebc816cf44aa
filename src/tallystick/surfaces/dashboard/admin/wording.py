"""What the page of the server's state says: what is wrong and what to do, what a background task is for."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from tallystick.services.operating.findings import Finding, Problem
from tallystick.surfaces.dashboard.support.language import N_, Language

Facts = Mapping[str, Any]


class Words(Struct, frozen=True):
    """What is said of a kind of finding.

    Attributes:
        what: what is wrong.
        do: what to do about it.
        facts: makes the values that stand in the texts.
    """

    what: str
    do: str
    facts: Callable[[Language, Facts], Facts] = lambda _language, facts: facts


_READINESS = (
    N_("the queue is full"),
    N_("commits take too long"),
    N_("counters are locked by another program"),
    N_("the database cannot be reached"),
    N_("the last commit failed"),
)
"""The reasons of ``services/readiness.py``, so that they are translated."""


def _reason(language: Language, facts: Facts) -> Facts:
    reason = facts["reason"]
    return {"reason": language.gettext(reason)}


_NOT_STORED = N_("Counts cannot be stored: %(reason)s.")
_DATABASE_SERVER = Words(
    _NOT_STORED,
    N_(
        "See whether PostgreSQL runs and can be reached from here; the server's log has its own message. Counts are"
        " accepted again by themselves as soon as a commit succeeds."
    ),
    _reason,
)

_NO_BACKUP = N_("No backup has been taken yet.")
_BACKUP_OF_LAKE = Words(
    _NO_BACKUP,
    N_(
        "Run `tallystick backup FILE` with the `--database` and `--lake` of the servers, by a timer best, and copy the"
        " file elsewhere; they keep running. With hits in object storage a server sees only backups that were taken"
        " with its own `--data`."
    ),
)

WORDS: Mapping[Problem, Words] = MappingProxyType(
    {
        Problem.STORING: Words(
            _NOT_STORED,
            N_(
                "Look at the disk: is it full, read-only or broken? The server's log has the database's own message."
                " Counts are accepted again by themselves as soon as a commit succeeds."
            ),
            _reason,
        ),
        Problem.SPACE: Words(
            N_("The disk is full: %(free)s are free."),
            N_("Delete something or enlarge the disk now; counts are refused until there is space."),
            lambda language, facts: {"free": language.size(facts["free"])},
        ),
        Problem.LITTLE_SPACE: Words(
            N_("Little space is left on the disk: %(free)s."),
            N_(
                "Delete something, enlarge the disk, or keep hits for a shorter time (settings of each site). Counts"
                " are refused when the disk is full."
            ),
            lambda language, facts: {"free": language.size(facts["free"])},
        ),
        Problem.FULL_SOON: Words(
            N_("The disk is full in about %(days)s days if the data grows on by %(size)s a day."),
            N_("Enlarge the disk, delete something, or keep hits for a shorter time (settings of each site)."),
            lambda language, facts: {
                "days": language.number(facts["days"]),
                "size": language.size(facts["bytes_per_day"]),
            },
        ),
        Problem.HITS: Words(
            N_("Pageviews cannot be stored: the last transaction failed."),
            N_("Look at the disk and at the server's log. The server tries again by itself."),
        ),
        Problem.CLOCK: Words(
            N_("The clock is %(length)s away from the newest commit."),
            N_(
                "Set the clock. If it is right because no server ran for so long, start once with"
                " `tallystick serve --confirm-clock`. Until then old data is not removed."
            ),
            lambda language, facts: {"length": language.duration(abs(facts["ahead_s"]))},
        ),
        Problem.TASK: Words(
            N_("The background task `%(task)s` has not succeeded for long."),
            N_("The server's log says why. If the disk and the database are fine, restart the server."),
        ),
        Problem.QUEUE: Words(
            N_("The queue fills: %(waiting)s of %(most)s places are taken."),
            N_(
                "More arrives than the disk can sync. If it stays so, look at what else uses the disk, and at who sends"
                " so much; when the queue is full, counts are refused with 503."
            ),
            lambda language, facts: {name: language.number(facts[name]) for name in ("waiting", "most")},
        ),
        Problem.JOURNAL: Words(
            N_("%(hits)s hits wait in the journal."),
            N_(
                "They are stored, but not yet in the statistics. If the number does not fall within minutes, look at"
                " the server's log; at 100,000 further hits are refused."
            ),
            lambda language, facts: {"hits": language.number(facts["hits"])},
        ),
        Problem.PAUSED: Words(
            N_("Statistics are paused here: another server on this database counts the pageviews."),
            N_(
                "Send pageviews and readers to that server. If it is gone for good, this one takes over within seconds."
            ),
        ),
        Problem.NO_BACKUP: Words(
            _NO_BACKUP,
            N_(
                "Run `tallystick backup FILE` on this machine, by a timer best, and copy the file elsewhere; the server"
                " keeps running. Backups that other programs take are not seen here."
            ),
        ),
        Problem.OLD_BACKUP: Words(
            N_("The last backup was taken %(length)s ago."),
            N_("Look at the timer that takes backups, or run `tallystick backup FILE`; the server keeps running."),
            lambda language, facts: {"length": language.duration(facts["age_s"])},
        ),
        Problem.WAL: Words(
            N_("A write-ahead log is large: %(size)s."),
            N_(
                "Something reads for very long, a backup for example, or another program has the database open. End it;"
                " the log shrinks with the next commits."
            ),
            lambda language, facts: {"size": language.size(facts["bytes"])},
        ),
    }
)

TASKS: Mapping[str, str] = MappingProxyType(
    {
        "renewal": N_("keeps counters that never expire"),
        "expired-counters": N_("deletes expired public counters"),
        "counter-history": N_("thins out the history of public counters"),
        "shared-counters": N_("tidies up after shared counters"),
        "unknown-hosts": N_("notes hosts that no site has"),
        "versions": N_("notes upgrades in the charts"),
        "dropped-hits": N_("stores why hits were left out"),
        "logouts": N_("deletes the logins of people who logged out during an outage"),
        "superuser-logins": N_("compares who may see this page during an outage with the logins that are left"),
        "database-clock": N_("reads the clock of PostgreSQL, which all servers go by"),
        "clock": N_("compares the clock with the newest commit"),
        "jobs": N_("deletes and merges what people have deleted and merged"),
        "hit-marks": N_("compares what the ledger and the hits have stored"),
        "old-hits": N_("deletes hits that are older than their site keeps them"),
        "exports": N_("writes exports"),
        "old-exports": N_("deletes old exports"),
        "uploads": N_("imports files that people have sent"),
        "shared-uploads": N_("tells other servers how far imports are"),
        "old-uploads": N_("deletes files whose import has ended"),
        "live-changes": N_("sends changes of counters to open pages"),
        "live-tokens": N_("ends live connections whose token was revoked"),
        "live-days": N_("tells open pages when a day begins"),
        "live-counters": N_("compares watched public counters with what is stored"),
        "counter-files": N_("checks and imports files of public counters"),
        "old-counter-files": N_("deletes files of public counters that nobody imports any more"),
        "posted-files": N_("tells other servers of files of public counters"),
        "disk-history": N_("measures how the data grows"),
        "limits": N_("exchanges with other servers what limits have admitted"),
        "old-limits": N_("tidies up after limits that hold over several servers"),
        "lease": N_("keeps the right to count pageviews, of several servers"),
    }
)
"""What the tasks are for; others are shown by their names alone."""


def said(language: Language, finding: Finding) -> tuple[str, str]:
    """What is wrong, and what to do."""
    words = WORDS[finding.problem]
    if finding.problem is Problem.STORING and finding.facts["shared"]:
        words = _DATABASE_SERVER
    elif finding.problem is Problem.NO_BACKUP and finding.facts["lake"]:
        words = _BACKUP_OF_LAKE
    facts = words.facts(language, finding.facts)
    return language.gettext(words.what) % facts, language.gettext(words.do) % facts
