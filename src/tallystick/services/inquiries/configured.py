"""What the sites of a question have configured: goals and segments, which filters refer to by name or number."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from tallystick.model.goal import Goal
from tallystick.model.segment import Segment
from tallystick.services.analytics.kept.goals import Goals
from tallystick.services.analytics.kept.segments import Segments

SEGMENT = "segment"
"""The name of filters that refer to segments."""


class Configured(Struct, frozen=True):
    """What the one who asks may refer to.

    Attributes:
        goals: by site.
        segments: those that the person may use.
    """

    goals: Mapping[int, Sequence[Goal]] = {}
    segments: Sequence[Segment] = ()


async def configured(goals: Goals, segments: Segments, sites: Sequence[int], person: int | None) -> Configured:
    """Goals and segments of sites.

    Args:
        person: an account; None sees the segments of the sites only.

    Raises:
        StoreUnavailable
    """
    return Configured(
        await goals.of_sites(sites),
        [segment for site in dict.fromkeys(sites) for segment in await segments.visible(site, person)],
    )


def chosen_segments(segments: Sequence[Segment], values: Sequence[Any], *, by_name: bool) -> list[Segment]:
    """The segments that a filter names.

    Args:
        by_name: whether names are taken beside numbers.

    Raises:
        ValueError: there is none, or there are several of a name; the message says which.
    """
    found = []
    for value in values:
        if type(value) is int:
            fitting = [segment for segment in segments if segment.id == value]
        else:
            fitting = [segment for segment in segments if by_name and segment.name == value]
            # Of the same name, a person's own before that of the site.
            fitting = [segment for segment in fitting if segment.owner is not None] or fitting
        if not fitting:
            msg = f"there is no segment {value!r}"
            raise ValueError(msg)
        if len(fitting) > 1:
            numbers = ", ".join(str(segment.id) for segment in fitting)
            msg = f"there are several segments {value!r}: name one by its number ({numbers})"
            raise ValueError(msg)
        found += fitting
    return found
