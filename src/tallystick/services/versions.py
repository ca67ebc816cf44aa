"""Annotates sites when another version of the program, or of its list of bots, runs for the first time."""

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

import structlog

from tallystick import __version__
from tallystick.ledger import Ledger, Session
from tallystick.model.annotation import AnnotationKind
from tallystick.services.accounts.site_rows import active_sites_after
from tallystick.services.annotating import AnnotatedSite, annotate, hold_kept

PROGRAM, BOTS = "program", "bots"
LIST_OF_BOTS = "crawler-user-agents"
"""The package that most of the list is from."""
KINDS: Mapping[str, AnnotationKind] = {PROGRAM: "upgrade", BOTS: "bots"}
TEXTS = {
    PROGRAM: "Tallystick {after} runs here now; before it was {before}.",
    BOTS: "The list of bots was updated from {before} to {after}: it may recognize more hits than before.",
}

SITES_AT_ONCE = 100
"""In one transaction, which others wait for."""
REACHED = " reached"
"""Behind a part: the version of which sites are being annotated, and the last of these."""

Versions = Mapping[str, str]
"""Versions by part of the program."""

log = structlog.get_logger()


def versions() -> Versions:
    """The versions that run. Reads files."""
    found = {PROGRAM: __version__}
    try:
        found[BOTS] = version(LIST_OF_BOTS)
    except PackageNotFoundError:
        log.warning("the version of the list of bots is not known")
    return found


def note_versions(session: Session, running: Versions, now: int) -> bool:
    """Annotate some of the active sites with a part of another version than at the last start.

    Where nothing was stored yet, which is a new directory or one of an older program, versions are only stored.

    Returns:
        Whether something is left for another call.
    """
    if running.items() <= _seen(session).items():
        return False
    hold_kept(session)
    seen = _seen(session)  # as another server may have left it
    for part, version_ in running.items():
        if seen.get(part) == version_:
            continue
        if part in seen and not _annotated_all(session, part, seen, version_, now):
            return True
        session.common.set_seen_version(session.connection, part=part, version=version_)
    return False


def _annotated_all(session: Session, part: str, seen: Versions, version_: str, now: int) -> bool:
    """Annotate the next sites. Returns whether these were the last ones."""
    reached, _, last = seen.get(part + REACHED, "").rpartition(" ")
    sites = active_sites_after(session, int(last) if reached == version_ else 0, SITES_AT_ONCE)
    here = [AnnotatedSite(site.id, site.user_defaults.timezone) for site in sites]
    annotate(session, here, KINDS[part], TEXTS[part].format(before=seen[part], after=version_), now)
    done = len(sites) < SITES_AT_ONCE
    if sites:
        place = "" if done else f"{version_} {sites[-1].id}"
        session.common.set_seen_version(session.connection, part=part + REACHED, version=place)
    return done


class NoteVersions:
    """Notes the versions once in the life of a server; a background task. Many sites take several transactions."""

    def __init__(self, ledger: Ledger, read_versions: Callable[[], Versions] = versions) -> None:
        self._ledger, self._versions, self._noted = ledger, read_versions, False

    async def run(self) -> bool:
        """Note the versions, unless that is done. Returns whether to go on at once.

        Raises:
            StoreUnavailable: the next call tries again.
        """
        if not self._noted:
            running = await asyncio.to_thread(self._versions)
            self._noted = not await self._ledger.write(note_versions, running, self._ledger.clock())
            return not self._noted
        return False


def _seen(session: Session) -> dict[str, str]:
    return {str(part): str(version_) for part, version_ in session.common.seen_versions(session.connection)}
