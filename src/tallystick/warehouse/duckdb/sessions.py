"""Living visitor sessions and their paths, in memory. Owned by the writer's thread.

They can be rebuilt from the warehouse at any time: whose a session is, is stored for as long as it may be continued.
"""

from collections.abc import Callable, Iterable, Mapping

from tallystick.model.hit import SESSION_S, Hit, Visitor, is_bot
from tallystick.model.session import NO_SESSION, possible_older_sessions, session_of

SESSIONS_KEPT = 500_000
"""About 200 MB when full. With more, the session with the oldest last hit is removed."""

PATHS_KEPT = 5_000
"""Paths of one session. With more, the oldest is removed, and would count as a first visit again."""

KEYS_KEPT_S = 4 * SESSION_S
"""How long visitors' keys are stored, by their hits' times. Keys change with salts: a living session has newer ones."""


class VisitorSession:
    """A visitor's living session.

    Attributes:
        first, last: of its hits, Unix seconds.
        paths: of its hits; a dict because it is ordered.
    """

    __slots__ = ("first", "id", "last", "paths")

    def __init__(self, id: int, first: int, last: int, paths: Iterable[int] = ()) -> None:  # noqa: A002  # its name
        self.id, self.first, self.last = id, first, last
        self.paths = dict.fromkeys(paths)

    def includes(self, created: int) -> bool:
        """Whether a hit at a time belongs to this session."""
        return self.first - SESSION_S <= created <= self.last + SESSION_S


class Sessions:
    """All living sessions, with an undo log for failed transactions."""

    def __init__(self) -> None:
        self._of_visitor: dict[int, VisitorSession] = {}
        """By the visitor's key; the session with the newest hit is last."""
        self._rebuilt: dict[int, VisitorSession] = {}
        """By number: sessions without a key, begun by an older version, whose visitors have sent no hit since."""
        self._undo: list[Callable[[], object]] = []
        self._before: list[tuple[VisitorSession, int, int, int | None]] = []
        """For each hit: its session, that session's times before the hit, and its path if that was new."""
        self.new_keys: list[tuple[int, int, int]] = []
        """A visitor's key, their session, Unix seconds: to be stored by the open transaction."""

    def __len__(self) -> int:
        return len(self._of_visitor) + len(self._rebuilt)

    def place(self, hit: Hit, id_: int) -> tuple[int, bool]:
        """The session of a hit with an id, and whether it is the session's first hit on the path."""
        if hit.visitor is None or is_bot(hit.bot):
            return NO_SESSION, hit.first is not False
        session = self._session_of(hit.visitor, hit, id_)
        first = self._note(session, hit)
        return session.id, first if hit.first is None else hit.first

    def _session_of(self, visitor: Visitor, hit: Hit, id_: int) -> VisitorSession:
        created = hit.created
        current = self._of_visitor.get(visitor.current)
        if current is not None and current.includes(created):
            del self._of_visitor[visitor.current]
            self._of_visitor[visitor.current] = current  # the newest is last
            return current
        session = self._previous(visitor, created) or self._read_back(visitor, created)
        if session is None:
            session = VisitorSession(session_of(id_), created, created)
        self._enter(visitor.current, session)
        if hit.single:  # without rows there is nothing to continue from after a restart
            self.new_keys.append((visitor.current, session.id, created))
        return session

    def _previous(self, visitor: Visitor, created: int) -> VisitorSession | None:
        """Find the session that began under the previous salt, and move it to the new key."""
        previous = self._of_visitor.get(visitor.previous)
        if previous is None or not previous.includes(created):
            return None
        del self._of_visitor[visitor.previous]
        self._undo.append(lambda: self._of_visitor.__setitem__(visitor.previous, previous))
        return previous

    def _read_back(self, visitor: Visitor, created: int) -> VisitorSession | None:
        """Find a session that an older version began."""
        if not self._rebuilt:
            return None
        possible = (self._rebuilt.get(id_) for id_ in possible_older_sessions(visitor, created))
        rebuilt = next((session for session in possible if session and session.includes(created)), None)
        if rebuilt is not None:
            del self._rebuilt[rebuilt.id]
            self._undo.append(lambda: self._rebuilt.__setitem__(rebuilt.id, rebuilt))
        return rebuilt

    def _note(self, session: VisitorSession, hit: Hit) -> bool:
        """Note a hit in its session. Returns whether its path is new there. Called for every hit: hot path."""
        created, paths = hit.created, session.paths
        new = hit.path not in paths
        self._before.append((session, session.first, session.last, hit.path if new else None))
        if created > session.last:
            session.last = created
        elif created < session.first:
            session.first = created
        if new:
            paths[hit.path] = None
            if len(paths) > PATHS_KEPT:
                del paths[next(iter(paths))]
        return new

    def _enter(self, key: int, session: VisitorSession) -> None:
        before = self._of_visitor.pop(key, None)
        self._of_visitor[key] = session
        self._undo.append(lambda: self._reset(key, before))

    def _reset(self, key: int, before: VisitorSession | None) -> None:
        self._of_visitor.pop(key, None)
        if before is not None:
            self._of_visitor[key] = before

    def keep(self) -> None:
        """Clear the undo log after a commit, and remove sessions beyond the limit."""
        self._undo.clear()
        self._before.clear()
        self.new_keys.clear()
        for kept in (self._rebuilt, self._of_visitor):
            while kept and len(self) > SESSIONS_KEPT:
                del kept[next(iter(kept))]

    def undo(self) -> None:
        """Restore the state before the failed transaction."""
        while self._before:
            session, first, last, path = self._before.pop()
            session.first, session.last = first, last
            if path is not None:
                session.paths.pop(path, None)
        while self._undo:
            self._undo.pop()()
        self.new_keys.clear()

    def rebuild(self, sessions: Iterable[VisitorSession], keys: Mapping[int, int], alive: int) -> None:
        """Replace the living sessions by those of the warehouse.

        Args:
            sessions: those with a hit since ``alive``.
            keys: of visitors, by the number of their session.
            alive: Unix seconds. Earlier sessions, of imported hits, go on; which paths they had is not known any more.
        """
        earlier = [(key, session) for key, session in self._of_visitor.items() if session.last < alive]
        self._of_visitor = {key: VisitorSession(session.id, session.first, session.last) for key, session in earlier}
        self._rebuilt = {}
        self._undo.clear()
        self._before.clear()
        self.new_keys.clear()
        for session in sessions:
            key = keys.get(session.id)
            if key is None:
                self._rebuilt[session.id] = session
            else:
                self._of_visitor[key] = session
