"""Limits how many connections are open at once, in total and per client."""

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from tallystick.errors import TallystickError


class NoPlace(TallystickError):
    """The limit is reached.

    Attributes:
        own: whether it is the client's limit, not the total.
    """

    def __init__(self, *, own: bool) -> None:
        super().__init__("too many connections from this address" if own else "too many connections")
        self.own = own


class Places:
    """A pool of places, limited in total and per key. Use it from one event loop.

    Args:
        most: places in total.
        most_of_one: places of one key.
    """

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._taken: Counter[Hashable] = Counter()
        self._all = 0

    def __len__(self) -> int:
        """Number of taken places."""
        return self._all

    def take(self, key: Hashable, places: int = 1) -> None:
        """Take a place, or several at once, which must be given back.

        Raises:
            NoPlace
        """
        if self._taken.get(key, 0) + places > self._most_of_one:
            raise NoPlace(own=True)
        if self._all + places > self._most:
            raise NoPlace(own=False)
        self._taken[key] += places
        self._all += places

    @contextmanager
    def held(self, key: Hashable) -> Iterator[None]:
        """A place for as long as the block runs.

        Raises:
            NoPlace
        """
        self.take(key)
        try:
            yield
        finally:
            self.give_back(key)

    def give_back(self, key: Hashable, places: int = 1) -> None:
        """Give back what ``take`` has taken."""
        self._all -= places
        self._taken[key] -= places
        if not self._taken[key]:
            del self._taken[key]
