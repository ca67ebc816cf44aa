"""Living sessions and the paths they have seen, in memory. Owned by the writer's thread.

What is kept here can be rebuilt from the warehouse at any time: a session's id follows from its visitor
and its beginning (``model.session``).
"""

from collections.abc import Callable, Iterable

from tallystick.model.hit import SESSION_S, Hit, Visitor, is_bot
from tallystick.model.session import NO_SESSION, possible_session_ids, session_id

SESSIONS_KEPT = 500_000
"""About 200 MB when full. Beyond it the session that was longest without a hit is forgotten."""

PATHS_KEPT = 5_000
"""Paths that one session remembers; beyond it the oldest is forgotten and would be a first visit again."""


class VisitorSession:
    """A visitor's living session.

    Attributes:
        first, last: of its hits, Unix seconds.
        seen: the paths of its hits; a dict for its order.
    """

    __slots__ = ("first", "id", "last", "seen")

    def __init__(self, id: int, first: int, last: int, seen: Iterable[int] = ()) -> None:  # noqa: A002  # its name
        self.id, self.first, self.last = id, first, last
        self.seen = dict.fromkeys(seen)

    def goes_on_with(self, created: int) -> bool:
        """Whether a hit at that time is this session's."""
        return self.first - SESSION_S <= created <= self.last + SESSION_S


class Sessions:
    """All living sessions, and how to take back what a failed transaction did to them."""

    def __init__(self) -> None:
        self._of_visitor: dict[int, VisitorSession] = {}
        """By the visitor's key; the one with the newest hit is last."""
        self._rebuilt: dict[int, VisitorSession] = {}
        """By session id: read back from the warehouse, their visitors not seen since."""
        self._undo: list[Callable[[], object]] = []
        self._before: list[tuple[VisitorSession, int, int, int | None]] = []
        """Of each hit: its session, how that began and ended, and the path that was new to it."""
        self.renamed: list[tuple[int, int, int]] = []
        """Visitor's new key, session, Unix seconds: what the open transaction has to keep."""

    def __len__(self) -> int:
        return len(self._of_visitor) + len(self._rebuilt)

    def place(self, hit: Hit) -> tuple[int, bool]:
        """The session of a hit, and whether it is the session's first hit on the path."""
        if hit.visitor is None or is_bot(hit.bot):
            return NO_SESSION, hit.first is not False
        session = self._session_of(hit.visitor, hit.created)
        first = self._see(session, hit)
        return session.id, first if hit.first is None else hit.first

    def _session_of(self, visitor: Visitor, created: int) -> VisitorSession:
        current = self._of_visitor.get(visitor.current)
        if current is not None and current.goes_on_with(created):
            self._move(visitor.current, current)
            return current
        session = self._previous(visitor, created) or self._read_back(visitor, created)
        if session is None:
            session = VisitorSession(session_id(visitor.current, created), created, created)
        self._enter(visitor.current, session)
        return session

    def _previous(self, visitor: Visitor, created: int) -> VisitorSession | None:
        """Find the session that began under the salt before this one; from now on it has the new key."""
        previous = self._of_visitor.get(visitor.previous)
        if previous is None or not previous.goes_on_with(created):
            return None
        del self._of_visitor[visitor.previous]
        self._undo.append(lambda: self._of_visitor.__setitem__(visitor.previous, previous))
        self.renamed.append((visitor.current, previous.id, created))
        return previous

    def _read_back(self, visitor: Visitor, created: int) -> VisitorSession | None:
        """Find a session that began before the server was started."""
        if not self._rebuilt:
            return None
        possible = (self._rebuilt.get(id_) for id_ in possible_session_ids(visitor, created))
        rebuilt = next((session for session in possible if session and session.goes_on_with(created)), None)
        if rebuilt is not None:
            del self._rebuilt[rebuilt.id]
            self._undo.append(lambda: self._rebuilt.__setitem__(rebuilt.id, rebuilt))
        return rebuilt

    def _see(self, session: VisitorSession, hit: Hit) -> bool:
        """Note a hit in its session. Returns whether its path is new there. Called for every hit, so it does little."""
        created, seen = hit.created, session.seen
        new = hit.path not in seen
        self._before.append((session, session.first, session.last, hit.path if new else None))
        if created > session.last:
            session.last = created
        elif created < session.first:
            session.first = created
        if new:
            seen[hit.path] = None
            if len(seen) > PATHS_KEPT:
                del seen[next(iter(seen))]
        return new

    def _enter(self, key: int, session: VisitorSession) -> None:
        before = self._of_visitor.pop(key, None)
        self._of_visitor[key] = session
        self._undo.append(lambda: self._reset(key, before))

    def _reset(self, key: int, before: VisitorSession | None) -> None:
        self._of_visitor.pop(key, None)
        if before is not None:
            self._of_visitor[key] = before

    def _move(self, key: int, session: VisitorSession) -> None:
        del self._of_visitor[key]
        self._of_visitor[key] = session

    def keep(self) -> None:
        """The transaction was committed; forget what is too much."""
        self._undo.clear()
        self._before.clear()
        self.renamed.clear()
        for kept in (self._rebuilt, self._of_visitor):
            while kept and len(self) > SESSIONS_KEPT:
                del kept[next(iter(kept))]

    def undo(self) -> None:
        """The transaction failed: be as before it."""
        while self._before:
            session, first, last, path = self._before.pop()
            session.first, session.last = first, last
            if path is not None:
                session.seen.pop(path, None)
        while self._undo:
            self._undo.pop()()
        self.renamed.clear()

    def rebuild(self, sessions: Iterable[VisitorSession], renamed: Iterable[tuple[int, int]]) -> None:
        """Replace everything by what the warehouse holds: sessions, and (key, session id) of renamed visitors."""
        self._of_visitor.clear()
        self._undo.clear()
        self._before.clear()
        self.renamed.clear()
        self._rebuilt = {session.id: session for session in sessions}
        for key, id_ in renamed:
            if id_ in self._rebuilt:
                self._of_visitor[key] = self._rebuilt.pop(id_)
