"""Annotates sites when another version of the program, or of its list of bots, runs for the first time."""

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

import structlog

from tallystick import __version__
from tallystick.ledger import Ledger, Session
from tallystick.model.annotation import AnnotationKind
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.annotating import AnnotatedSite, annotate, hold_kept

PROGRAM, BOTS = "program", "bots"
LIST_OF_BOTS = "crawler-user-agents"
"""The package that most of the list is from."""
KINDS: Mapping[str, AnnotationKind] = {PROGRAM: "upgrade", BOTS: "bots"}
TEXTS = {
    PROGRAM: "Tallystick {after} runs here now; before it was {before}.",
    BOTS: "The list of bots was updated from {before} to {after}: it may recognize more hits than before.",
}

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


def note_versions(session: Session, running: Versions, now: int) -> int:
    """Annotate every active site with parts of another version than at the last start. Returns how many parts.

    Where nothing was stored yet, which is a new directory or one of an older program, versions are only stored.
    """
    if running.items() <= _seen(session).items():
        return 0
    hold_kept(session)
    seen = _seen(session)  # as another server may have left it
    changed = {part: version for part, version in running.items() if seen.get(part) != version}
    updated = [part for part in changed if part in seen]
    sites = [AnnotatedSite(site.id, site.user_defaults.timezone) for site in active_sites(session)] if updated else []
    for part in updated:
        annotate(session, sites, KINDS[part], TEXTS[part].format(before=seen[part], after=changed[part]), now)
    for part, version_ in changed.items():
        session.common.set_seen_version(session.connection, part=part, version=version_)
    return len(updated)


class NoteVersions:
    """Notes the versions once in the life of a server; a background task."""

    def __init__(self, ledger: Ledger, read_versions: Callable[[], Versions] = versions) -> None:
        self._ledger, self._versions, self._noted = ledger, read_versions, False

    async def run(self) -> None:
        """Note the versions, unless that is done.

        Raises:
            StoreUnavailable: the next call tries again.
        """
        if not self._noted:
            running = await asyncio.to_thread(self._versions)
            await self._ledger.write(note_versions, running, self._ledger.clock())
            self._noted = True


def _seen(session: Session) -> dict[str, str]:
    return {str(part): str(version_) for part, version_ in session.common.seen_versions(session.connection)}
