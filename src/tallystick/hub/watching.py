"""Connections that watch public counters, of which only the newest state matters. Use it from one event loop."""

from collections.abc import Mapping

from tallystick.hub.hub import Ending, Hub, SubscriptionEnded
from tallystick.hub.waiting import Waiting
from tallystick.model.counter import Counter
from tallystick.model.key import Key

State = Counter | None
"""A counter; None if it does not exist."""


class Watcher:
    """One live connection that watches public counters. Made by ``Watches.watch``.

    Attributes:
        keys: of the counters, each once.
    """

    __slots__ = ("_unread", "_waiting", "_watches", "ending", "keys")

    def __init__(self, watches: "Watches", keys: tuple[Key, ...]) -> None:
        self.keys = keys
        self.ending: Ending | None = None
        self._watches = watches
        self._unread: dict[Key, State] = {}
        """In the order in which the counters changed, so that a busy one does not delay the others."""
        self._waiting = Waiting()

    async def next(self) -> tuple[Key, State]:
        """Wait for a new state of a counter and return it; the first one of each counter is the present one.

        Raises:
            SubscriptionEnded
        """
        while True:
            if self.ending is not None:
                raise SubscriptionEnded(self.ending)
            for key in self._unread:
                return key, self._unread.pop(key)
            await self._waiting.wait()

    def close(self) -> None:
        """Stop watching."""
        self._watches.leave(self)

    def set_state(self, key: Key, state: State) -> None:
        """Set the newest state of a counter. Called by ``Watches``."""
        self._unread[key] = state
        self._waiting.wake()

    def end(self, ending: Ending) -> None:
        """End the connection. Called by ``Watches``."""
        self.ending = ending
        self._waiting.wake()


class Watches:
    """All watchers.

    Attributes:
        keys: of the watched counters; the ledger's writers read it too.
    """

    def __init__(self, hub: Hub) -> None:
        self.keys: set[Key] = set()
        self._hub = hub
        self._of: dict[Key, dict[Watcher, None]] = {}
        self._states: dict[Key, State] = {}
        self._published_at: dict[Key, int] = {}
        self._moment = 0

    def watch(self, *keys: Key) -> Watcher:
        """Watch counters, each of which takes a place. After ``Hub.end_all`` the watcher is ended already.

        Raises:
            TooManySubscriptions
        """
        watcher = Watcher(self, tuple(dict.fromkeys(keys)))
        if self._hub.ending is not None:
            watcher.end(self._hub.ending)
            return watcher
        self._hub.make_room(len(watcher.keys))
        self._hub.watchers += len(watcher.keys)
        for key in watcher.keys:
            self._of.setdefault(key, {})[watcher] = None
            self.keys.add(key)
            if key in self._states:
                watcher.set_state(key, self._states[key])
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Remove a watcher; removing it again has no effect."""
        for key in watcher.keys:
            own = self._of.get(key, {})
            if watcher not in own:
                return
            del own[watcher]
            self._hub.watchers -= 1
            if not own:
                del self._of[key]
                self.keys.discard(key)
                self._states.pop(key, None)
                self._published_at.pop(key, None)

    def moment(self) -> int:
        """A logical time, to be taken before a read whose result is handed to ``update``."""
        self._moment += 1
        return self._moment

    def changed(self, states: Mapping[Key, State]) -> None:
        """Note states after a commit. Must be called in the order of the commits of each counter."""
        for key in states.keys() & self._of.keys():
            self._published_at[key] = self._moment
            self._publish(key, states[key])

    def update(self, states: Mapping[Key, State], read_at: int) -> None:
        """Note states that were read, except where a commit has brought a newer one since the read began.

        Args:
            read_at: ``moment()`` before the read.
        """
        for key in states.keys() & self._of.keys():
            if self._published_at.get(key, -1) < read_at:
                self._publish(key, states[key])

    def end_all(self, ending: Ending) -> None:
        """End every watcher."""
        watchers = dict.fromkeys(watcher for own in self._of.values() for watcher in own)
        for watcher in watchers:
            self.leave(watcher)
            watcher.end(ending)
        self._hub.measurements.ended[ending] += len(watchers)

    def _publish(self, key: Key, state: State) -> None:
        if key not in self._states or self._states[key] != state:
            self._states[key] = state
            for watcher in self._of[key]:
                watcher.set_state(key, state)
