"""Connections that watch public counters, of which only the newest state matters. Use it from one event loop."""

from collections.abc import Mapping
from typing import Literal

from tallystick.hub.hub import Ending, Hub, SubscriptionEnded
from tallystick.hub.waiting import Waiting
from tallystick.model.counter import Counter
from tallystick.model.key import Key

_Unknown = Literal["unknown"]
State = Counter | None
"""A counter; None if it does not exist."""


class Watcher:
    """One live connection that watches a public counter. Made by ``Watches.watch``."""

    __slots__ = ("_state", "_unread", "_waiting", "_watches", "ending", "key")

    def __init__(self, watches: "Watches", key: Key, state: State | _Unknown) -> None:
        self.key = key
        self.ending: Ending | None = None
        self._watches = watches
        self._state: State | _Unknown = state
        self._unread = True
        self._waiting = Waiting()

    async def next(self) -> State:
        """Wait for a new state and return it; the first call returns the present one.

        Raises:
            SubscriptionEnded
        """
        while True:
            if self.ending is not None:
                raise SubscriptionEnded(self.ending)
            state = self._state
            if state != "unknown" and self._unread:
                self._unread = False
                return state
            await self._waiting.wait()

    def close(self) -> None:
        """Stop watching."""
        self._watches.leave(self)

    def set_state(self, state: State) -> None:
        """Set the newest state. Called by ``Watches``."""
        self._state, self._unread = state, True
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

    def watch(self, key: Key) -> Watcher:
        """Watch a counter. After ``Hub.end_all`` the watcher is ended already.

        Raises:
            TooManySubscriptions
        """
        watcher = Watcher(self, key, self._states.get(key, "unknown"))
        if self._hub.ending is not None:
            watcher.end(self._hub.ending)
            return watcher
        self._hub.make_room()
        self._of.setdefault(key, {})[watcher] = None
        self.keys.add(key)
        self._hub.watchers += 1
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Remove a watcher; removing it again has no effect."""
        own = self._of.get(watcher.key, {})
        if watcher not in own:
            return
        del own[watcher]
        self._hub.watchers -= 1
        if not own:
            del self._of[watcher.key]
            self.keys.discard(watcher.key)
            self._states.pop(watcher.key, None)
            self._published_at.pop(watcher.key, None)

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
        watchers = [watcher for own in self._of.values() for watcher in own]
        for watcher in watchers:
            self.leave(watcher)
            watcher.end(ending)
        self._hub.measurements.ended[ending] += len(watchers)

    def _publish(self, key: Key, state: State) -> None:
        if self._states.get(key, "unknown") != state:
            self._states[key] = state
            for watcher in self._of[key]:
                watcher.set_state(state)
