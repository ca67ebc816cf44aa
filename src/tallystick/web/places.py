"""So many at once: in all, and for each client."""

from collections import Counter
from collections.abc import Hashable

from tallystick.errors import TallystickError


class NoPlace(TallystickError):
    """All places are taken.

    Attributes:
        own: whether the client itself has taken all that it may.
    """

    def __init__(self, *, own: bool) -> None:
        super().__init__("too many connections from this address" if own else "too many connections")
        self.own = own


class Places:
    """Places that are taken and given back. Used from one event loop.

    Args:
        most: for everyone together.
        most_of_one: for one key.
    """

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._taken: Counter[Hashable] = Counter()
        self._all = 0

    def __len__(self) -> int:
        """How many are taken."""
        return self._all

    def take(self, key: Hashable) -> None:
        """Take one; it must be given back.

        Raises:
            NoPlace
        """
        if self._taken.get(key, 0) >= self._most_of_one:
            raise NoPlace(own=True)
        if self._all >= self._most:
            raise NoPlace(own=False)
        self._taken[key] += 1
        self._all += 1

    def give_back(self, key: Hashable) -> None:
        """Give back what was taken."""
        self._all -= 1
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]
