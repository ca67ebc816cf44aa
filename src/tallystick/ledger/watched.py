"""Counters whose changes somebody waits for: the writers tell of them after the commit."""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping

from tallystick.model.counter import Counter
from tallystick.model.key import Key

Told = Callable[[Mapping[Key, Counter | None]], None]
"""Called on the event loop with new states, in the order of the commits of each counter; None is gone."""


class Watched:
    """What the event loop wants to hear of, and the writers' way to tell it.

    Attributes:
        keys: changed by the event loop only; the writers test whether it holds what they changed.
        told: hears of it.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self.keys: set[Key] = set()
        self.told: Told | None = None

    def tell(self, changed: Mapping[Key, Counter | None]) -> None:
        """From a writer's thread, after a commit. Costs one look where nothing is watched."""
        keys = self.keys
        if not keys or keys.isdisjoint(changed) or self.told is None:
            return
        # The keys are never iterated here: the event loop may change them meanwhile.
        watched = {key: state for key, state in changed.items() if key in keys}
        try:
            self._loop.call_soon_threadsafe(self.told, watched)
        except RuntimeError:
            # The loop is closed: nobody is watching any more.
            return
