"""Goals, funnels, segments and annotations come, change and go, on both databases."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from support.people import a_person, a_site, elsewhere
from tallystick.errors import Conflicting, InputRefused, InvalidFields, NotPermitted, NotThere
from tallystick.ledger import Ledger, Session
from tallystick.model.annotation import Annotation
from tallystick.model.funnel import Funnel, FunnelStep
from tallystick.model.goal import Goal
from tallystick.model.segment import Segment
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import delete_account
from tallystick.services.accounts.audit import done_by, events
from tallystick.services.accounts.sites import delete_site
from tallystick.services.analytics.kept import annotations as annotations_module
from tallystick.services.analytics.kept import goals as goals_module
from tallystick.services.analytics.kept import segments as segments_module
from tallystick.services.analytics.kept.annotations import (
    AnnotationChanges,
    Annotations,
    AnnotationsAsked,
    change_annotation,
    create_annotation,
    delete_annotation,
)
from tallystick.services.analytics.kept.funnels import (
    FunnelChanges,
    Funnels,
    change_funnel,
    create_funnel,
    delete_funnel,
)
from tallystick.services.analytics.kept.goals import GoalChanges, Goals, change_goal, create_goal, delete_goal
from tallystick.services.analytics.kept.keeping import FRESH_S, KeptCache
from tallystick.services.analytics.kept.segments import (
    SegmentChanges,
    Segments,
    change_segment,
    create_segment,
    delete_segment,
)
from tallystick.services.annotating import AnnotatedSite, annotate
from tallystick.services.job_worker import _remove_site

HOSTILE = ["a\x00b", "a\nb", "a\ud800b", "\u200b", "", "   ", "x" * 2_100]


class SlowClock:
    """Seconds that a test moves on."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def site(ledger: Ledger) -> Site:
    return await a_site(ledger, await a_person(ledger))


async def a_goal(ledger: Ledger, site: Site, name: str = "Signup", **fields: Any) -> Goal:
    return await ledger.write(
        create_goal, Goal(site=site.id, name=name, **(fields or {"event": name or "Signup"})), ledger.clock()
    )


async def a_segment(ledger: Ledger, site: Site, owner: int | None = None, **fields: Any) -> Segment:
    filters: list[Any] = [["is", "visit:source", ["Google"]]]
    new = Segment(site=site.id, owner=owner, **{"name": "Search", "filters": filters, **fields})
    return await ledger.write(create_segment, new, ledger.clock())


async def test_a_goal_is_created_changed_and_deleted(ledger: Ledger, site: Site) -> None:
    goals = Goals(KeptCache(ledger))
    goal = await a_goal(ledger, site, "Bought", event="Purchase", props=(("plan", "pro"),))
    assert (await goals.of_sites([site.id, 99])) == {site.id: (goal,), 99: ()}
    changes = GoalChanges(name="Read", page="/blog/**", event="", props=())
    changed = await ledger.write(change_goal, site.id, goal.id, changes, ledger.clock() + 5)
    assert (changed.page, changed.event, changed.props, changed.created) == ("/blog/**", "", (), goal.created)
    assert await goals.get(site.id, "rEAD") == await goals.get(site.id, goal.id) == changed
    await ledger.write(delete_goal, site.id, goal.id, ledger.clock())
    with pytest.raises(NotThere, match="the site has no goal 1"):
        await goals.get(site.id, goal.id)


@pytest.mark.parametrize(
    ("fields", "name"),
    [({"event": "Signup"}, "Signup"), ({"page": "/blog/*"}, "Visit /blog/*")],
)
async def test_a_goal_without_a_name_is_called_like_what_it_is(
    ledger: Ledger, site: Site, fields: dict[str, str], name: str
) -> None:
    assert (await a_goal(ledger, site, "", **fields)).name == name


REFUSED_GOALS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "page", "neither a page nor an event"),
    ({"page": "/x", "event": "y"}, "page", "both a page and an event"),
    ({"page": "blog"}, "page", "must begin with /"),
    ({"page": "/" + "x" * 2_048}, "page", "must be shorter"),
    ({"event": "/x"}, "event", "cannot begin with /"),
    ({"event": "pageview"}, "event", "no event"),
    ({"event": "x" * 2_049}, "event", "must be shorter"),
    ({"event": "x", "props": (("a", "b"),) * 6}, "props", "5 at most"),
    ({"event": "x", "props": (("", "b"),)}, "props", "a name is a line"),
    ({"event": "x", "props": (("a\0", "b"),)}, "props", "a name is a line"),
    ({"event": "x", "props": (("a", "b\ud800"),)}, "props", "a value is a text"),
    ({"event": "x", "props": (("a", "b" * 2_001),)}, "props", "a value is a text"),
]


@pytest.mark.parametrize(("fields", "field", "message"), REFUSED_GOALS)
async def test_a_goal_that_is_not_valid_is_refused(
    ledger: Ledger, site: Site, fields: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(InvalidFields) as refused:
        await ledger.write(create_goal, Goal(site=site.id, name="G", **fields), ledger.clock())
    assert message in "; ".join(refused.value.errors[field])


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_are_refused_everywhere(ledger: Ledger, site: Site, name: str) -> None:
    now, two = ledger.clock(), (FunnelStep(page="/a"), FunnelStep(page="/b"))
    funnel = Funnel(site=site.id, name=name, steps=two)
    with pytest.raises(InvalidFields, match="name: "):
        await ledger.write(create_funnel, funnel, now)
    with pytest.raises(InvalidFields, match="name: "):
        await a_segment(ledger, site, name=name)
    if name.strip():
        with pytest.raises(InvalidFields, match="name: "):
            await a_goal(ledger, site, name, event="x")
    if name != "a\nb" and len(name) != 2_100:  # notes may have several lines
        with pytest.raises(InvalidFields, match="text: "):
            await ledger.write(create_annotation, Annotation(site=site.id, at="2026-03-10", text=name), now)


async def test_markup_is_a_name_like_any_other(ledger: Ledger, site: Site) -> None:
    goal = await a_goal(ledger, site, "<script>alert('1')</script>", event="x")
    assert (await Goals(KeptCache(ledger)).get(site.id, goal.id)).name == "<script>alert('1')</script>"


async def test_names_of_goals_and_funnels_are_unique_in_any_case(ledger: Ledger, site: Site) -> None:
    goal, other = await a_goal(ledger, site, "Straße"), await a_goal(ledger, site, "Weg")
    with pytest.raises(Conflicting, match="has a goal 'STRASSE' already"):
        await a_goal(ledger, site, "STRASSE")
    with pytest.raises(Conflicting, match="already"):
        await ledger.write(change_goal, site.id, other.id, GoalChanges(name="straße"), ledger.clock())
    again = await ledger.write(change_goal, site.id, goal.id, GoalChanges(name="straße"), ledger.clock())
    assert again.name == "straße"
    steps = (FunnelStep(goal=goal.id), FunnelStep(page="/x"))
    await ledger.write(create_funnel, Funnel(site=site.id, name="Way", steps=steps), ledger.clock())
    with pytest.raises(Conflicting, match="has a funnel 'WAY' already"):
        await ledger.write(create_funnel, Funnel(site=site.id, name="WAY", steps=steps), ledger.clock())


async def test_two_goals_of_one_name_at_once_are_one(ledger: Ledger, site: Site) -> None:
    made = await asyncio.gather(*(a_goal(ledger, site) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(each, Goal) for each in made) == 1
    assert sum(isinstance(each, Conflicting) for each in made) == 4


async def test_there_is_a_bound(ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goals_module, "MAX_GOALS", 1)
    monkeypatch.setattr(segments_module, "MAX_SEGMENTS", 1)
    monkeypatch.setattr(annotations_module, "MAX_ANNOTATIONS", 1)
    note = Annotation(site=site.id, at="2026-03-10", text="x")
    await a_goal(ledger, site)
    mine = await a_segment(ledger, site, owner=1)  # people's own take no room of the site's
    await a_segment(ledger, site)
    await ledger.write(create_annotation, replace(note, owner=1), ledger.clock())
    await ledger.write(create_annotation, note, ledger.clock())
    with pytest.raises(InputRefused, match="has 1 goals already"):
        await a_goal(ledger, site, "Other")
    with pytest.raises(InputRefused, match="has 1 segments already"):
        await a_segment(ledger, site)
    with pytest.raises(InputRefused, match="has 1 segments already"):
        await ledger.write(change_segment, site.id, mine.id, 1, SegmentChanges(owner=None), ledger.clock())
    with pytest.raises(InputRefused, match="has 1 annotations already"):
        await ledger.write(create_annotation, note, ledger.clock())


async def test_a_funnel_is_created_changed_and_deleted(ledger: Ledger, site: Site) -> None:
    funnels, goal = Funnels(KeptCache(ledger)), await a_goal(ledger, site)
    steps = (
        FunnelStep(page="/pricing", name="Looks"),
        FunnelStep(event="Cart", optional=True),
        FunnelStep(goal=goal.id),
    )
    funnel = await ledger.write(create_funnel, Funnel(site=site.id, name="Buys", steps=steps), ledger.clock())
    assert await funnels.get(site.id, "buys") == await funnels.get(site.id, funnel.id) == funnel
    assert funnel.steps == steps
    changes = FunnelChanges(strict=True, steps=steps[:1] + steps[2:])
    changed = await ledger.write(change_funnel, site.id, funnel.id, changes, ledger.clock())
    assert await funnels.of_site(site.id) == (changed,)
    assert (changed.strict, len(changed.steps), changed.name) == (True, 2, "Buys")
    await ledger.write(delete_funnel, site.id, funnel.id, ledger.clock())
    assert await funnels.of_site(site.id) == ()


REFUSED_STEPS: list[tuple[tuple[FunnelStep, ...], str, str]] = [
    ((FunnelStep(page="/a"),), "steps", "2 to 8 steps"),
    ((FunnelStep(page="/a"),) * 9, "steps", "2 to 8 steps"),
    ((FunnelStep(page="/a", optional=True), FunnelStep(page="/b")), "steps/0", "cannot be optional"),
    ((FunnelStep(page="/a"), FunnelStep(page="/b", optional=True)), "steps/1", "cannot be optional"),
    ((FunnelStep(page="/a"), FunnelStep()), "steps/1", "exactly one of"),
    ((FunnelStep(page="/a"), FunnelStep(page="/b", event="c")), "steps/1", "exactly one of"),
    ((FunnelStep(page="/a"), FunnelStep(goal=7)), "steps/1", "the site has no goal 7"),
    ((FunnelStep(page="/a"), FunnelStep(page="b")), "steps/1", "must begin with /"),
    ((FunnelStep(page="/a"), FunnelStep(page="/b", name="x\ny")), "steps/1", "control characters"),
]


@pytest.mark.parametrize(("steps", "field", "message"), REFUSED_STEPS)
async def test_steps_that_are_not_valid_are_refused(
    ledger: Ledger, site: Site, steps: tuple[FunnelStep, ...], field: str, message: str
) -> None:
    with pytest.raises(InvalidFields) as refused:
        await ledger.write(create_funnel, Funnel(site=site.id, name="F", steps=steps), ledger.clock())
    assert message in "; ".join(refused.value.errors[field])


async def test_a_step_cannot_have_a_goal_of_another_site(ledger: Ledger, site: Site) -> None:
    other = await a_site(ledger, await a_person(ledger, "ben@example.com"), "ben.example.com")
    goal = await a_goal(ledger, other)
    steps = (FunnelStep(page="/a"), FunnelStep(goal=goal.id))
    with pytest.raises(InvalidFields, match=f"no goal {goal.id}"):
        await ledger.write(create_funnel, Funnel(site=site.id, name="F", steps=steps), ledger.clock())


async def test_a_goal_in_use_is_not_deleted(ledger: Ledger, site: Site) -> None:
    goal = await a_goal(ledger, site)
    steps = (FunnelStep(page="/a"), FunnelStep(goal=goal.id))
    funnel = await ledger.write(create_funnel, Funnel(site=site.id, name="Buys", steps=steps), ledger.clock())
    with pytest.raises(Conflicting, match="the goal 'Signup' is used by the funnel 'Buys'"):
        await ledger.write(delete_goal, site.id, goal.id, ledger.clock())
    await ledger.write(delete_funnel, site.id, funnel.id, ledger.clock())
    shared = await a_segment(ledger, site, name="Done", filters=[["is", "event:goal", ["signup", "other"]]])
    with pytest.raises(Conflicting, match="used by the segment 'Done'"):
        await ledger.write(delete_goal, site.id, goal.id, ledger.clock())
    await ledger.write(delete_segment, site.id, shared.id, None, ledger.clock())
    await a_segment(ledger, site, owner=1, name="Mine", filters=[["has_done", ["is", "event:goal", ["Signup"]]]])
    with pytest.raises(Conflicting, match="used by the segment 'Mine'"):
        await ledger.write(delete_goal, site.id, goal.id, ledger.clock(), 1)
    await ledger.write(delete_goal, site.id, goal.id, ledger.clock(), 2)


async def test_segments_follow_a_renamed_goal(ledger: Ledger, site: Site) -> None:
    goal = await a_goal(ledger, site)
    filters = [
        ["not", ["has_done", ["is", "event:goal", ["SIGNUP", "x"], {"case_sensitive": False}]]],
        ["is", "event:name", ["Signup"]],
    ]
    segment = await a_segment(ledger, site, owner=1, filters=filters)
    await ledger.write(change_goal, site.id, goal.id, GoalChanges(name="Registered"), ledger.clock())
    after = await Segments(KeptCache(ledger)).get(site.id, segment.id, 1)
    assert after.filters == [
        ["not", ["has_done", ["is", "event:goal", ["Registered", "x"], {"case_sensitive": False}]]],
        ["is", "event:name", ["Signup"]],
    ]


async def test_a_persons_own_segment_is_seen_by_nobody_else(ledger: Ledger, site: Site) -> None:
    segments = Segments(KeptCache(ledger))
    shared, mine = await a_segment(ledger, site, name="A"), await a_segment(ledger, site, owner=1, name="A")
    assert await segments.visible(site.id, 1) == (shared, mine)
    assert await segments.visible(site.id, 2) == await segments.visible(site.id, None) == (shared,)
    assert await segments.get(site.id, "a", 1) == mine
    assert await segments.get(site.id, "a", 2) == shared
    now = ledger.clock()
    for person in (2, None):
        with pytest.raises(NotThere):
            await segments.get(site.id, mine.id, person)
        with pytest.raises(NotThere):
            await ledger.write(change_segment, site.id, mine.id, person, SegmentChanges(name="B"), now)
        with pytest.raises(NotThere):
            await ledger.write(delete_segment, site.id, mine.id, person, now)
    with pytest.raises(NotPermitted, match="not another person's"):
        await ledger.write(change_segment, site.id, mine.id, 1, SegmentChanges(owner=2), now)
    given = await ledger.write(change_segment, site.id, mine.id, 1, SegmentChanges(owner=None), now)
    assert await segments.visible(site.id, 2) == (shared, given)


DEEP: list[Any] = ["is", "event:page", ["/"]]
for _ in range(201):
    DEEP = ["not", DEEP]

REFUSED_FILTERS: list[tuple[list[Any], str]] = [
    ([], "must not be empty"),
    (["is", "event:page", ["/"]], "a filter is a list such as"),
    ([["is", "event:nothing", ["/"]]], "no filter on 'event:nothing'"),
    ([["is", "time:day", ["x"]]], "no filter on"),
    ([["is", "event:props:", ["x"]]], "no filter on"),
    ([["is", "event:page", []]], "has no values"),
    ([["is", "event:page", [None]]], "no text"),
    ([["like", "event:page", ["/"]]], "there is no operator"),
    ([["is", "segment", [1]]], "cannot contain another segment"),
    ([["or", [["is", "segment", [1]]]]], "cannot contain another segment"),
    ([["has_done", ["is", "visit:source", ["x"]]]], "event dimensions only"),
    ([["or", [["is", "event:goal", ["x"]]]]], "top level"),
    ([["is_not", "event:goal", ["x"]]], "takes the operators is and contains"),
    ([DEEP], "filters can be nested 200 deep"),
    ([["is", "event:page", ["x" * 10_000]]], "smaller than 10,000 bytes"),
    ([["is", "event:page", ["\ud800"]]], "cannot be stored"),
]


@pytest.mark.parametrize(("filters", "message"), REFUSED_FILTERS)
async def test_filters_that_are_none_are_refused(ledger: Ledger, site: Site, filters: list[Any], message: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        await a_segment(ledger, site, filters=filters)
    assert message in "; ".join(refused.value.errors["filters"])


async def test_filters_are_kept_as_they_are(ledger: Ledger, site: Site) -> None:
    filters: list[Any] = [
        ["or", [["contains", "event:page", ["/a\0", "ü"], {"case_sensitive": False}], ["matches", "visit:os", ["^M"]]]],
        ["is", "event:props:plan", ["pro"]],
        ["contains", "event:goal", ["x"]],
    ]
    segment = await a_segment(ledger, site, filters=filters)
    assert (await Segments(KeptCache(ledger)).get(site.id, segment.id, None)).filters == filters


async def test_annotations_are_by_time_and_can_be_chosen(ledger: Ledger, site: Site) -> None:
    annotations = Annotations(ledger)
    for at in ("2026-03-11", "2026-03-10 14:30", "2026-03-10", "2026-03-10T09:05"):
        await ledger.write(create_annotation, Annotation(site=site.id, at=at, text=f"at {at}"), ledger.clock())
    await ledger.write(annotate, [AnnotatedSite(site.id, ".UTC")], "import", "5 hits were imported", 1_773_100_800_000)
    ordered = ["2026-03-10", "2026-03-10 00:00", "2026-03-10 09:05", "2026-03-10 14:30", "2026-03-11"]
    assert [each.at for each in await annotations.visible(site.id, None)] == ordered

    async def times(**asked: Any) -> list[str]:
        return [each.at for each in await annotations.visible(site.id, None, AnnotationsAsked(**asked))]

    assert await times(first="2026-03-11") == ordered[4:]
    assert await times(last="2026-03-10") == ordered[:4]
    assert await times(first="2026-03-10", last="2026-03-10") == ordered[:4]
    assert await times(kind="import") == ordered[1:2]
    assert await times(limit=2) == ordered[:2]
    last = (await annotations.visible(site.id, None, AnnotationsAsked(limit=2)))[-1]
    assert await times(after=(last.at, last.id), limit=2) == ordered[2:4]


REFUSED_ANNOTATIONS = [
    ("at", "2026-02-30"),
    ("at", "2026-03-10 24:00"),
    ("at", "2026-03-10 10:00:00"),
    ("at", "yesterday"),
    ("at", ""),
    ("text", " "),
    ("text", "x" * 1_001),
    ("text", "a\tb\0"),
    ("link", "javascript:alert(1)"),
    ("link", "http://"),
    ("link", "ftp://example.com"),
    ("link", "https://example.com/a b"),
    ("link", 'https://example.com/"><script>'),
    ("link", "https://[::1"),
    ("link", "https://example.com/" + "x" * 2_000),
    ("link", "//example.com"),
]


@pytest.mark.parametrize(("field", "value"), REFUSED_ANNOTATIONS)
async def test_an_annotation_that_is_not_valid_is_refused(ledger: Ledger, site: Site, field: str, value: str) -> None:
    fields: dict[str, Any] = {
        "at": "2026-03-10",
        "text": "New design",
        "link": "https://example.com/post?a=1#b",
        field: value,
    }
    with pytest.raises(InvalidFields) as refused:
        await ledger.write(create_annotation, Annotation(site=site.id, **fields), ledger.clock())
    assert list(refused.value.errors) == [field]


async def test_a_persons_own_annotation_is_seen_by_nobody_else(ledger: Ledger, site: Site) -> None:
    annotations, now = Annotations(ledger), ledger.clock()
    note = Annotation(site=site.id, at="2026-03-10", text="Mine\nof two lines", owner=1, kind="upgrade")
    mine = await ledger.write(create_annotation, note, now)
    assert mine.kind == "note"
    assert await annotations.visible(site.id, 1) == (mine,)
    assert await annotations.visible(site.id, 2) == await annotations.visible(site.id, None) == ()
    for person in (2, None):
        with pytest.raises(NotThere):
            await annotations.get(site.id, mine.id, person)
        with pytest.raises(NotThere):
            await ledger.write(change_annotation, site.id, mine.id, person, AnnotationChanges(text="x"), now)
        with pytest.raises(NotThere):
            await ledger.write(delete_annotation, site.id, mine.id, person)
    changed = await ledger.write(change_annotation, site.id, mine.id, 1, AnnotationChanges(owner=None), now)
    assert await annotations.get(site.id, mine.id, 2) == changed
    await ledger.write(delete_annotation, site.id, mine.id, 2)
    assert await annotations.visible(site.id, 1) == ()


async def test_an_annotation_of_the_server_is_of_the_sites_zone_and_only_the_newest_stay(
    ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.services.annotating.SERVER_ANNOTATIONS_KEPT", 3)
    note = await ledger.write(create_annotation, Annotation(site=site.id, at="2020-01-01", text="x"), ledger.clock())
    for number in range(5):
        here = AnnotatedSite(site.id, "ID.Asia/Makassar" if number else "no zone")
        await ledger.write(annotate, [here], "upgrade", f"version {number}", 1_773_100_800_000)
    stored = await Annotations(ledger).visible(site.id, None)
    assert [each.text for each in stored] == [note.text, "version 2", "version 3", "version 4"]
    assert {each.at for each in stored[1:]} == {"2026-03-10 08:00"}
    with pytest.raises(NotPermitted, match="belongs to the site"):
        await ledger.write(change_annotation, site.id, stored[1].id, 1, AnnotationChanges(owner=1), ledger.clock())


async def test_an_annotation_of_the_server_fails_nothing(ledger: Ledger, site: Site) -> None:
    def change(session: Session) -> Goal:
        annotate(session, [AnnotatedSite(site.id, ".UTC")], None, "x", ledger.clock())  # type: ignore[arg-type]  # broken
        return create_goal(session, Goal(site=site.id, name="Signup", event="Signup"), ledger.clock())

    goal = await ledger.write(change)
    assert await Annotations(ledger).visible(site.id, None) == ()
    assert await Goals(KeptCache(ledger)).get(site.id, "Signup") == goal


async def test_a_change_is_seen_at_once_and_one_from_elsewhere_soon(ledger: Ledger, site: Site) -> None:
    clock = SlowClock()
    goals = Goals(KeptCache(ledger, clock))
    assert await goals.of_sites([site.id]) == {site.id: ()}
    first = await a_goal(ledger, site)
    assert await goals.of_sites([site.id]) == {site.id: (first,)}
    second = await elsewhere(ledger, create_goal, Goal(site=site.id, name="", event="Other"), ledger.clock())
    assert await goals.of_sites([site.id]) == {site.id: (first,)}
    clock.now += 2 * FRESH_S
    assert await goals.of_sites([site.id]) == {site.id: (first, second)}


async def test_a_read_that_began_before_a_change_is_not_kept(
    ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = ledger.read

    async def slow(function: Callable[..., Any], *arguments: Any) -> Any:
        result = await read(function, *arguments)
        monkeypatch.setattr(ledger, "read", read)
        await a_goal(ledger, site)
        return result

    goals = Goals(KeptCache(ledger, SlowClock()))
    monkeypatch.setattr(ledger, "read", slow)
    assert await goals.of_sites([site.id]) == {site.id: ()}
    assert len((await goals.of_sites([site.id]))[site.id]) == 1


async def test_fresh_objects_are_not_read_again_and_few_are_cached(
    ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.services.analytics.kept.keeping.OBJECTS_CACHED", 3)
    reads: list[object] = []
    read = ledger.read

    async def counted(function: Callable[..., Any], *arguments: Any) -> Any:
        reads.append(function)
        return await read(function, *arguments)

    await a_goal(ledger, site)
    goals = Goals(KeptCache(ledger, SlowClock()))
    monkeypatch.setattr(ledger, "read", counted)
    for _ in range(3):
        await goals.of_sites([site.id])
    assert len(reads) == 1
    await goals.of_sites([7, 8])  # drops the site
    assert len((await goals.of_sites([site.id]))[site.id]) == 1
    assert len(reads) == 3


async def kept_rows(ledger: Ledger, site: Site) -> list[int]:
    tables = ("goal", "funnel", "segment", "annotation")

    def counted(session: Session) -> list[int]:
        return [
            session.connection.execute(f"SELECT count(*) FROM {table} WHERE site = {site.id}").fetchone()[0]
            for table in tables
        ]

    return await ledger.read(counted)


async def one_of_each(ledger: Ledger, site: Site, owner: int | None = None) -> None:
    goal = await a_goal(ledger, site, f"Goal of {owner}")
    steps = (FunnelStep(page="/a"), FunnelStep(goal=goal.id))
    await ledger.write(create_funnel, Funnel(site=site.id, name=f"Of {owner}", steps=steps), ledger.clock())
    await a_segment(ledger, site, owner=owner)
    note = Annotation(site=site.id, at="2026-03-10", text="x", owner=owner)
    await ledger.write(create_annotation, note, ledger.clock())


async def test_a_deleted_site_leaves_nothing(ledger: Ledger, site: Site) -> None:
    other = await a_site(ledger, await a_person(ledger, "ben@example.com"), "ben.example.com")
    await one_of_each(ledger, site)
    await one_of_each(ledger, site, 1)
    await one_of_each(ledger, other)
    job = await ledger.write(delete_site, site.id, ledger.clock())
    with pytest.raises(NotThere, match="there is no site"):
        await a_goal(ledger, site)
    await ledger.write(_remove_site, job, site.id)
    assert await kept_rows(ledger, site) == [0, 0, 0, 0]
    assert await kept_rows(ledger, other) == [1, 1, 1, 1]


async def test_a_deleted_person_leaves_nothing_of_their_own(ledger: Ledger, site: Site) -> None:
    ben = await a_person(ledger, "ben@example.com", site.id)
    await one_of_each(ledger, site)
    await one_of_each(ledger, site, ben.id)
    await ledger.write(delete_account, ben.id, ledger.clock())
    assert await kept_rows(ledger, site) == [2, 2, 1, 1]


async def test_changes_are_logged_but_not_those_of_a_person(ledger: Ledger, site: Site) -> None:
    now = ledger.clock()
    goal = await ledger.write(done_by, "ada", create_goal, Goal(site=site.id, name="", event="Signup"), now)
    await ledger.write(done_by, "ada", change_goal, site.id, goal.id, GoalChanges(name="In"), now)
    await ledger.write(done_by, "ada", delete_goal, site.id, goal.id, now)
    await a_segment(ledger, site, owner=1)
    logged = [(each.kind, each.actor, each.subject, each.detail) for each in (await ledger.read(events))[:3]]
    assert logged == [
        ("goal deleted", "ada", f"site {site.id} stats.example.com", f"{goal.id} In"),
        ("goal changed", "ada", f"site {site.id} stats.example.com", f"{goal.id} In"),
        ("goal created", "ada", f"site {site.id} stats.example.com", f"{goal.id} Signup"),
    ]
