"""Publishes committed changes from the writers' threads to the event loop."""

from asyncio import AbstractEventLoop
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from tallystick.model.counter import Counter
from tallystick.model.key import Key

OnChange = Callable[[Mapping[Key, Counter | None]], None]
"""Called on the event loop with new states, in the order of the commits of each counter; None for a deleted one."""


class Watched:
    """The changes that are published to the event loop.

    Attributes:
        keys: of watched counters. Only the event loop changes it; writers only test it for membership.
        on_change: called with the new states of these counters.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self.keys: set[Key] = set()
        self.on_change: OnChange | None = None
        self._subscribers: dict[str, list[Callable[[], None]]] = defaultdict(list)

    def subscribe(self, subject: str, callback: Callable[[], None]) -> None:
        """Call a function on the event loop after each transaction that changed a subject."""
        self._subscribers[subject].append(callback)

    def publish(self, subjects: Iterable[str]) -> None:
        """Call the subscribers. For a writer's thread, after a transaction and before its callers get their results."""
        for callback in [callback for subject in subjects for callback in self._subscribers.get(subject, ())]:
            try:
                self._loop.call_soon_threadsafe(callback)
            except RuntimeError:
                return  # the loop is closed, and the caches with it

    def publish_counters(self, changed: Mapping[Key, Counter | None]) -> None:
        """Publish counters. For a writer's thread, after a commit; costs one test if no counter is watched."""
        keys = self.keys
        if not keys or keys.isdisjoint(changed) or self.on_change is None:
            return
        # The keys are never iterated here: the event loop may change them meanwhile.
        watched = {key: state for key, state in changed.items() if key in keys}
        try:
            self._loop.call_soon_threadsafe(self.on_change, watched)
        except RuntimeError:
            # The loop is closed.
            return
