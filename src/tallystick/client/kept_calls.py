"""Goals, funnels, segments and annotations, which Tallystick keeps for a site; other servers do not have them."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import httpx
from msgspec import Struct

from tallystick.client.calls import Call, Page, Repeat, answered, each, json_as, nothing
from tallystick.client.kept_answers import Annotation, AnnotationKind, Funnel, Goal, Segment, Step
from tallystick.client.paths import path_of_names
from tallystick.client.query_filters import Filter

SITES = "/api/v2/sites"
ANNOTATIONS_OF_A_PAGE = 1_000

T = TypeVar("T")
Read: TypeAlias = Callable[[httpx.Response], T]


class _Goals(Struct):
    goals: list[Goal]


class _Funnels(Struct):
    funnels: list[Funnel]


class _Segments(Struct):
    segments: list[Segment]


class _Meta(Struct):
    after: str | None = None


class _Annotations(Struct):
    annotations: list[Annotation]
    meta: _Meta


_goals_in = json_as(_Goals)
_funnels_in = json_as(_Funnels)
_segments_in = json_as(_Segments)
_annotations_in = json_as(_Annotations)


class KeptCalls:
    """What is kept for a site. A site is named by its domain, its host or its code."""

    @answered
    def goals(self, site: str) -> Call[list[Goal]]:
        """List the goals, oldest first."""
        return _reading(lambda response: _goals_in(response).goals, site, "goals")

    @answered
    def create_goal(
        self,
        site: str,
        *,
        page: str | None = None,
        event: str | None = None,
        name: str | None = None,
        props: Mapping[str, str] | None = None,
    ) -> Call[Goal]:
        """Create a goal from either a page or an event; without a name it is called like that."""
        body = _given(page=page, event=event, name=name, props=props)
        return _creating(json_as(Goal), site, "goals", body)

    @answered
    def change_goal(  # noqa: PLR0913  # fields
        self,
        site: str,
        goal_id: int,
        *,
        page: str | None = None,
        event: str | None = None,
        name: str | None = None,
        props: Mapping[str, str] | None = None,
    ) -> Call[Goal]:
        """Change a goal; what is left out stays. A page replaces an event, and an event a page."""
        body = _given(page=page, event=event, name=name, props=props)
        if page is not None or event is not None:
            body |= {"page": page, "event": event}
        return _changing(json_as(Goal), site, "goals", goal_id, body)

    @answered
    def delete_goal(self, site: str, goal_id: int) -> Call[None]:
        """Delete a goal that no funnel and no segment uses."""
        return _deleting(site, "goals", goal_id)

    @answered
    def funnels(self, site: str) -> Call[list[Funnel]]:
        """List the funnels, oldest first."""
        return _reading(lambda response: _funnels_in(response).funnels, site, "funnels")

    @answered
    def create_funnel(self, site: str, *, name: str, steps: Sequence[Step], strict: bool = False) -> Call[Funnel]:
        """Create a funnel of 2 to 8 steps.

        Args:
            strict: whether nothing may lie between a step and the next.
        """
        body = {"name": name, "steps": list(steps), "strict": strict}
        return _creating(json_as(Funnel), site, "funnels", body)

    @answered
    def change_funnel(
        self,
        site: str,
        funnel_id: int,
        *,
        name: str | None = None,
        steps: Sequence[Step] | None = None,
        strict: bool | None = None,
    ) -> Call[Funnel]:
        """Change a funnel; what is left out stays. Steps are replaced together."""
        body = _given(name=name, steps=steps, strict=strict)
        return _changing(json_as(Funnel), site, "funnels", funnel_id, body)

    @answered
    def delete_funnel(self, site: str, funnel_id: int) -> Call[None]:
        """Delete a funnel."""
        return _deleting(site, "funnels", funnel_id)

    @answered
    def segments(self, site: str) -> Call[list[Segment]]:
        """List the segments of the site and the person's own, oldest first."""
        return _reading(lambda response: _segments_in(response).segments, site, "segments")

    @answered
    def create_segment(
        self, site: str, *, name: str, filters: Sequence[Filter], personal: bool = False
    ) -> Call[Segment]:
        """Create a segment from filters, which must all pass.

        Args:
            personal: whether nobody else sees it.
        """
        body = {"name": name, "filters": [each_.parts for each_ in filters], "personal": personal}
        return _creating(json_as(Segment), site, "segments", body)

    @answered
    def change_segment(
        self,
        site: str,
        segment_id: int,
        *,
        name: str | None = None,
        filters: Sequence[Filter] | None = None,
        personal: bool | None = None,
    ) -> Call[Segment]:
        """Change a segment; what is left out stays."""
        lists = None if filters is None else [each_.parts for each_ in filters]
        body = _given(name=name, filters=lists, personal=personal)
        return _changing(json_as(Segment), site, "segments", segment_id, body)

    @answered
    def delete_segment(self, site: str, segment_id: int) -> Call[None]:
        """Delete a segment."""
        return _deleting(site, "segments", segment_id)

    @each
    def annotations(
        self,
        site: str,
        *,
        first: dt.date | None = None,
        last: dt.date | None = None,
        kind: AnnotationKind | None = None,
    ) -> Call[Page[Annotation]]:
        """Yield the annotations of the site and the person's own, by time.

        Args:
            first, last: dates, both included.
            kind: only those of a kind.
        """
        query = {"from": None if first is None else str(first), "to": None if last is None else str(last), "kind": kind}
        return _annotations_from(site, query, after=None)

    @answered
    def create_annotation(  # fields
        self,
        site: str,
        *,
        text: str,
        at: dt.date | str | None = None,
        link: str | None = None,
        personal: bool = False,
    ) -> Call[Annotation]:
        """Create an annotation.

        Args:
            at: a date, or a text such as ``2026-03-10 14:30``, by the clocks of the site's zone; now unless given.
            link: an http or https URL.
            personal: whether nobody else sees it.
        """
        body = _given(text=text, at=None if at is None else str(at), link=link, personal=personal)
        return _creating(json_as(Annotation), site, "annotations", body)

    @answered
    def change_annotation(  # noqa: PLR0913  # fields
        self,
        site: str,
        annotation_id: int,
        *,
        text: str | None = None,
        at: dt.date | str | None = None,
        link: str | None = None,
        personal: bool | None = None,
    ) -> Call[Annotation]:
        """Change an annotation; what is left out stays, and a ``link`` of ``""`` removes the link."""
        body = _given(text=text, at=None if at is None else str(at), link=link, personal=personal)
        return _changing(json_as(Annotation), site, "annotations", annotation_id, body)

    @answered
    def delete_annotation(self, site: str, annotation_id: int) -> Call[None]:
        """Delete an annotation."""
        return _deleting(site, "annotations", annotation_id)


def _annotations_from(site: str, query: Mapping[str, str | None], after: str | None) -> Call[Page[Annotation]]:
    def read(response: httpx.Response) -> Page[Annotation]:
        page = _annotations_in(response)
        behind = page.meta.after
        return Page(page.annotations, None if behind is None else _annotations_from(site, query, behind))

    sent: dict[str, str | int | None] = {**query, "limit": ANNOTATIONS_OF_A_PAGE, "after": after}
    path = _path(site, "annotations")
    return Call(method="GET", path=path, query=sent, read=read, repeat=Repeat.SAFE)


def _given(**members: Any) -> dict[str, Any]:  # noqa: ANN401  # of JSON
    return {name: value for name, value in members.items() if value is not None}


def _path(site: str, kind: str, *number: int) -> str:
    return SITES + path_of_names(site, kind, *number)


def _reading(read: Read[T], site: str, kind: str) -> Call[T]:
    return Call(method="GET", path=_path(site, kind), read=read, repeat=Repeat.SAFE)


def _creating(read: Read[T], site: str, kind: str, body: Mapping[str, Any]) -> Call[T]:
    return Call(method="POST", path=_path(site, kind), body=body, read=read)


def _changing(read: Read[T], site: str, kind: str, number: int, body: Mapping[str, Any]) -> Call[T]:
    return Call(method="PATCH", path=_path(site, kind, number), body=body, read=read, repeat=Repeat.SAFE)


def _deleting(site: str, kind: str, number: int) -> Call[None]:
    return Call(method="DELETE", path=_path(site, kind, number), read=nothing)
