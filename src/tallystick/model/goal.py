"""Goals: what a site wants its visitors to do, as pages that they see or events that they cause."""

from msgspec import Struct

MAX_GOALS = 200
"""Of a site."""
MAX_GOAL_NAME = 120
MAX_GOAL_PROPS = 5


class Goal(Struct, frozen=True, kw_only=True):
    """A goal of a site. It has either a page or an event. Times are Unix milliseconds.

    Attributes:
        id: 0 for one that is not stored yet.
        name: unique in its site; upper and lower case are the same.
        page: a path in which ``*`` stands for any characters but ``/``, and ``**`` for any characters.
        event: the name of an event.
        props: properties that the hit must have, each a name and a value.
    """

    id: int = 0
    site: int
    name: str
    page: str = ""
    event: str = ""
    props: tuple[tuple[str, str], ...] = ()
    created: int = 0
    updated: int = 0
