"""``CountTogether`` and ``AsyncCountTogether`` against a running server: every call, by two people."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from support.clients import Driven, people_of_counters
from support.server import RunningServer, running_server
from tallystick.client import AsyncCountTogether, CountTogether
from tallystick.client.batches import Operation
from tallystick.client.counttogether_answers import Counter
from tallystick.client.errors import (
    BadRequest,
    ChangedMeanwhile,
    Conflict,
    Forbidden,
    Gone,
    KeyReused,
    NotFound,
    Unauthorized,
)
from tallystick.client.events import Connected, CounterDeleted, MembersChanged

NOBODY = "018f5b6e-0000-7000-8000-000000000000"


class Told(NamedTuple):
    """Where to ask, and as whom."""

    server: RunningServer
    ada: str
    bob: str


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    data = tmp_path_factory.mktemp("counttogether") / "data"
    ada, bob = people_of_counters(data, "Ada", "Bob")
    with running_server(data, "--rate-limit", "off") as server:
        yield Told(server, ada, bob)


@pytest.fixture(params=["blocking", "awaited"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(kind: str, url: str, token: str) -> Any:
    return CountTogether(url, token) if kind == "blocking" else Driven(AsyncCountTogether(url, token))


@pytest.fixture
def ada(told: Told, kind: str) -> Iterator[Any]:
    with opened(kind, told.server.url, told.ada) as api:
        yield api


@pytest.fixture
def bob(told: Told, kind: str) -> Iterator[Any]:
    with opened(kind, told.server.url, told.bob) as api:
        yield api


@pytest.fixture
def visits(ada: Any) -> Counter:
    """A counter of Ada's."""
    made: Counter = ada.create("Visitors")
    return made


def test_a_counter_comes_changes_and_goes(ada: Any) -> None:
    made = ada.create("Visitors", value=3, goal=10, allow_exceed=False, min_value=0)
    assert (made.name, made.type, made.value, made.data.mode) == ("Visitors", "UpDown", 3, "UpAndDown")
    assert [(member.name, member.is_admin) for member in made.members] == [("Ada", True)]
    changed = ada.edit(made.id, name="People inside", goal=None, allow_exceed=True)
    assert (changed.name, changed.value, changed.data.goal) == ("People inside", 3, None)
    assert ada.counter(made.id) == changed
    assert replace(changed, etag=None) in ada.counters()
    ada.delete(made.id)
    with pytest.raises(NotFound) as caught:
        ada.counter(made.id)
    assert (caught.value.code, caught.value.name) == (-1100, "NotFound")


def test_values(ada: Any, visits: Counter) -> None:
    id_ = visits.id
    assert [ada.increment(id_), ada.increment(id_, 5), ada.decrement(id_), ada.decrement(id_, 2)] == [1, 6, 5, 3]
    assert [ada.undo(id_), ada.set(id_, 40), ada.reset(id_)] == [5, 40, 0]
    with pytest.raises(BadRequest) as caught:
        ada.increment(id_, 0)
    assert caught.value.name == "InvalidAmount"


def test_days_are_of_the_calendar_of_a_zone(ada: Any) -> None:
    today = dt.datetime.now(dt.UTC).date()
    since = ada.create("Without smoking", "FromDate", day=today - dt.timedelta(days=45))
    passed = {45, 45 + (dt.datetime.now(dt.UTC).date() - today).days}
    assert since.value in passed
    assert since.data.date_only == today - dt.timedelta(days=45)
    assert since.data.milestones[0].reached
    # It is never the same day everywhere.
    east, west = (ada.counter(since.id, timezone=zone).value for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"))
    assert 44 <= west < east <= 46
    until = ada.create("Summer holidays", "ToDate", day=today - dt.timedelta(days=3))
    assert (until.value, until.data.overdue_days) == (0, 3)
    with pytest.raises(BadRequest):
        ada.counters(timezone="Mars/Olympus")


def test_an_edit_of_what_somebody_else_has_changed(ada: Any, visits: Counter) -> None:
    seen = ada.counter(visits.id)
    ada.increment(visits.id)
    with pytest.raises(ChangedMeanwhile):
        ada.edit(visits.id, name="Another name", etag=seen.etag)
    assert ada.edit(visits.id, name="Another name", etag=ada.counter(visits.id).etag).name == "Another name"


def test_two_people_count_together(ada: Any, bob: Any, visits: Counter) -> None:
    with pytest.raises(Forbidden):
        bob.increment(visits.id)
    with pytest.raises(NotFound):
        bob.counter(visits.id)
    invite = ada.invite(visits.id, lifetime=dt.timedelta(days=1), max_uses=1)
    assert invite.url.endswith(f"/invites/{invite.code}")
    assert bob.accept_invite(invite.code).id == visits.id
    assert [ada.increment(visits.id), bob.increment(visits.id, 2)] == [1, 3]
    assert [member.role for member in bob.members(visits.id)] == ["admin", "member"]
    history = list(ada.history(visits.id))
    assert [(entry.actor.name, entry.kind, entry.delta, entry.value) for entry in history] == [
        ("Ada", "created", None, 0),
        ("Ada", "value", 1, 1),
        ("Bob", "value", 2, 3),
    ]
    assert [entry.offset for entry in bob.history(visits.id, newest_first=True)] == [
        entry.offset for entry in reversed(history)
    ]
    assert ada.undo(visits.id, history[-1].offset) == 1
    bob.leave(visits.id)
    with pytest.raises(NotFound):
        bob.members(visits.id)


def test_roles(ada: Any, bob: Any, visits: Counter) -> None:
    bob.accept_invite(ada.invite(visits.id, role="viewer").code)
    with pytest.raises(Forbidden):
        bob.increment(visits.id)
    _, member = ada.members(visits.id)
    assert ada.set_role(visits.id, member.user, "admin").is_admin
    bob.edit(visits.id, name="Bob was here")
    ada.remove(visits.id, member.user)
    with pytest.raises(Forbidden):
        bob.increment(visits.id)


def test_invites_are_listed_and_withdrawn(ada: Any, bob: Any, visits: Counter) -> None:
    spent, withdrawn = ada.invite(visits.id, max_uses=1), ada.invite(visits.id)
    bob.accept_invite(spent.code)
    assert [(invite.id, invite.code) for invite in ada.invites(visits.id)] == [(withdrawn.id, None)]
    bob.leave(visits.id)
    ada.withdraw_invite(visits.id, withdrawn.id)
    with pytest.raises(NotFound):
        bob.accept_invite(withdrawn.code)
    with pytest.raises(Gone):
        bob.accept_invite(spent.code)


def test_the_last_admin_stays(ada: Any, bob: Any, visits: Counter) -> None:
    bob.accept_invite(ada.invite(visits.id).code)
    with pytest.raises(Conflict) as caught:
        ada.leave(visits.id)
    assert caught.value.name == "LastAdmin"


def test_a_batch(ada: Any, visits: Counter) -> None:
    operations = [
        Operation("increment", visits.id, amount=5, id=f"a-{visits.id}"),
        Operation("increment", NOBODY),
        Operation("decrement", visits.id),
    ]
    up, gone, down = ada.batch(operations)
    assert [(done.status, done.value) for done in (up, gone, down)] == [(200, 5), (404, None), (200, 4)]
    assert up.id == operations[0].id
    assert gone.error.name == "NotFound"
    again, *_ = ada.batch(operations)
    assert (again.value, again.replayed) == (5, True)


def test_what_is_sent_twice_is_done_once(ada: Any, visits: Counter) -> None:
    key = f"press-{visits.id}"
    assert [ada.increment(visits.id, idempotency_key=key) for _ in range(2)] == [1, 1]
    with pytest.raises(NotFound):
        ada.increment(NOBODY, idempotency_key=key)
    made = ada.create("Made once only", idempotency_key=key)
    assert ada.create("Made once only", idempotency_key=key) == made
    with pytest.raises(KeyReused):
        ada.create("Something else", idempotency_key=key)


def test_events(ada: Any, bob: Any, visits: Counter) -> None:
    events = ada.events()
    assert next(events) == Connected(recovered=False)
    # Each event is read before the next change: a change that is published late shows the counter as it is by then.
    bob.accept_invite(ada.invite(visits.id).code)
    joined = next(events)
    bob.increment(visits.id, 3)
    counted = next(events)
    ada.edit(visits.id, name="Another name")
    renamed = next(events)
    bob.leave(visits.id)
    left = next(events)
    ada.delete(visits.id)
    gone = next(events)
    assert [type(event) for event in (joined, left, gone)] == [MembersChanged, MembersChanged, CounterDeleted]
    assert {event.counter for event in (joined, counted, renamed, left, gone)} == {visits.id}
    assert (counted.name, counted.data.value, counted.delta, counted.version) == ("Visitors", 3, 3, 2)
    assert (renamed.name, renamed.data.value, renamed.delta, renamed.version) == ("Another name", 3, None, 3)
    events.close()


def test_tokens(told: Told, kind: str, ada: Any, visits: Counter) -> None:
    made = ada.create_token("a button", ["read"])
    with opened(kind, told.server.url, made.token) as button:
        assert button.counter(visits.id).id == visits.id
        with pytest.raises(Forbidden):
            button.increment(visits.id)
        with pytest.raises(Forbidden):
            button.create_token("more than itself")
    listed = {token.id: token for token in ada.tokens()}
    assert (listed[made.id].name, listed[made.id].scopes, listed[made.id].token) == ("a button", ["read"], None)
    rotated = ada.rotate_token(made.id)
    with opened(kind, told.server.url, rotated.token) as button:
        assert button.counters()
    ada.revoke_token(made.id)
    with opened(kind, told.server.url, rotated.token) as button, pytest.raises(Unauthorized):
        button.counters()


async def test_many_count_at_once(told: Told) -> None:
    async with AsyncCountTogether(told.server.url, told.ada) as api:
        made = await api.create("Many at once")
        values = await asyncio.gather(*(api.increment(made.id) for _ in range(30)))
        assert sorted(values) == list(range(1, 31))
