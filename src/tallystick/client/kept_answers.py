"""Goals, funnels, segments and annotations of a site."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

AnnotationKind = Literal["note", "upgrade", "import", "collection", "bots"]


class Goal(Struct, frozen=True, kw_only=True):
    """A goal: either a page or an event.

    Attributes:
        page: a path in which ``*`` stands for anything but ``/``, and ``**`` for anything.
        props: properties that the hit must have.
    """

    id: int
    name: str
    page: str | None = None
    event: str | None = None
    props: Mapping[str, str] = {}
    created_at: dt.datetime
    updated_at: dt.datetime


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step of a funnel: exactly one of a goal, a page and an event.

    Attributes:
        goal: the id of a goal, or its name.
        name: shown for the step.
        optional: whether a visit may leave it out.
    """

    goal: int | str | None = None
    page: str | None = None
    event: str | None = None
    name: str | None = None
    optional: bool = False


class Funnel(Struct, frozen=True, kw_only=True):
    """A funnel.

    Attributes:
        strict: whether nothing may lie between a step and the next.
    """

    id: int
    name: str
    steps: list[Step]
    strict: bool = False
    created_at: dt.datetime
    updated_at: dt.datetime


class Segment(Struct, frozen=True, kw_only=True):
    """A filter with a name.

    Attributes:
        personal: whether only the person whose it is sees it.
        filters: as nested lists.
    """

    id: int
    name: str
    personal: bool = False
    filters: list[Any]
    created_at: dt.datetime
    updated_at: dt.datetime


class Annotation(Struct, frozen=True, kw_only=True):
    """A note at a date or a minute.

    Attributes:
        at: ``2026-03-10``, or ``2026-03-10 14:30`` by the clocks of the site's zone.
        kind: ``note`` unless the server has made it.
        personal: whether only the person whose it is sees it.
    """

    id: int
    at: str
    text: str
    link: str | None = None
    kind: AnnotationKind = "note"
    personal: bool = False
    created_at: dt.datetime
    updated_at: dt.datetime
