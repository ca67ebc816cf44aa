"""Publishes committed changes from the writers' threads to the event loop."""

from asyncio import AbstractEventLoop
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from tallystick.model.counter import Counter
from tallystick.model.key import Key

Told = Callable[[Mapping[Key, Counter | None]], None]
"""Called on the event loop with new states, in the order of the commits of each counter; None for a deleted one."""


class Watched:
    """Which changes are published to the event loop.

    Attributes:
        keys: counters. Changed by the event loop only; the writers test whether it holds what they changed.
        told: called with the new states of those counters.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self.keys: set[Key] = set()
        self.told: Told | None = None
        self._subscribers: dict[str, list[Callable[[], None]]] = defaultdict(list)

    def subscribe(self, subject: str, callback: Callable[[], None]) -> None:
        """Call a function on the event loop after each transaction that changed a subject."""
        self._subscribers[subject].append(callback)

    def publish(self, subjects: Iterable[str]) -> None:
        """From a writer's thread, after a transaction and before its callers get their results."""
        for callback in [callback for subject in subjects for callback in self._subscribers.get(subject, ())]:
            try:
                self._loop.call_soon_threadsafe(callback)
            except RuntimeError:
                return  # the loop is closed, and the caches with it

    def tell(self, changed: Mapping[Key, Counter | None]) -> None:
        """Publish counters, from a writer's thread, after a commit. Costs one look where nothing is watched."""
        keys = self.keys
        if not keys or keys.isdisjoint(changed) or self.told is None:
            return
        # The keys are never iterated here: the event loop may change them meanwhile.
        watched = {key: state for key, state in changed.items() if key in keys}
        try:
            self._loop.call_soon_threadsafe(self.told, watched)
        except RuntimeError:
            # The loop is closed.
            return
