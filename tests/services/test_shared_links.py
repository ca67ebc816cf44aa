"""Shared links come, change, end and are found by their secret, on both databases."""

from typing import Any

import pytest
from msgspec.structs import replace

from support.people import a_person, a_site, elsewhere
from tallystick.errors import Conflicting, InputRefused, InvalidFields, NotThere
from tallystick.ledger import Ledger, Session
from tallystick.model.goal import Goal
from tallystick.model.shared_link import SharedLink
from tallystick.model.site import Site
from tallystick.services.accounts.audit import done_by, events
from tallystick.services.accounts.proofs import PROOF_MS
from tallystick.services.accounts.sites import delete_site
from tallystick.services.analytics.kept import shared_links as shared_links_module
from tallystick.services.analytics.kept.goals import GoalChanges, change_goal, create_goal, delete_goal
from tallystick.services.analytics.kept.shared_links import (
    USED_EVERY_MS,
    SharedLinkChanges,
    change_shared_link,
    create_shared_link,
    is_proven,
    is_use_unknown,
    link_proof,
    note_link_used,
    note_refused_password,
    open_shared_link,
    shared_links_of,
    withdraw_shared_link,
)
from tallystick.services.job_worker import _remove_site

NOW = 1_772_000_000_000
DIGEST = "$argon2id$one"
HOSTILE = ["a\x00b", "a\nb", "a\ud800b", "\u200b", "", "   ", "x" * 121, "\u202egnp"]


@pytest.fixture
async def site(ledger: Ledger) -> Site:
    return await a_site(ledger, await a_person(ledger))


async def a_link(ledger: Ledger, site: Site, name: str = "For Eve", **fields: Any) -> tuple[SharedLink, str]:
    return await ledger.write(create_shared_link, SharedLink(site=site.id, name=name, **fields), NOW)


async def opened(ledger: Ledger, secret: str, now: int = NOW) -> SharedLink | None:
    found = await ledger.read(open_shared_link, secret, now)
    return None if found is None else found.link


async def test_a_link_is_created_found_changed_and_withdrawn(ledger: Ledger, site: Site) -> None:
    filters: list[Any] = [["is", "visit:source", ["Google"]]]
    link, secret = await a_link(
        ledger, site, " For Eve ", expires=NOW + 1, password=DIGEST, filters=filters, panels=("pages", "pages")
    )
    assert (link.name, link.panels, link.created, link.used) == ("For Eve", ("pages",), NOW, None)
    assert await ledger.read(shared_links_of, site.id) == (link,)
    found = await ledger.read(open_shared_link, secret, NOW)
    assert found is not None
    assert (found.link, found.site.id) == (link, site.id)
    changes = SharedLinkChanges(name="For Adam", expires=None, password=None, filters=[], panels=())
    changed = await ledger.write(change_shared_link, site.id, link.id, changes, NOW + 5)
    assert changed == await opened(ledger, secret, NOW + 6)
    assert changed == replace(
        link, name="For Adam", expires=None, password=None, filters=[], panels=(), updated=NOW + 5
    )
    await ledger.write(withdraw_shared_link, site.id, link.id, NOW)
    assert await opened(ledger, secret) is None
    assert await ledger.read(shared_links_of, site.id) == ()


async def test_a_secret_has_enough_chance_and_is_not_stored(ledger: Ledger, site: Site) -> None:
    secrets = [(await a_link(ledger, site, f"Link {number}"))[1] for number in range(5)]
    assert len(set(secrets)) == 5
    assert all(len(secret) * 6 >= 128 for secret in secrets)
    stored = repr(await elsewhere(ledger, everything_of, site.id))
    assert not any(secret in stored for secret in secrets)


def everything_of(session: Session, site: int) -> object:
    return list(session.common.shared_links_of(session.connection, site=site)), events(session)


@pytest.mark.parametrize(
    "wrong", ["", "x", "a" * 27, "a" * 26, "a" * 28, "ä" * 27, "a\x00" + "b" * 25, "'; --" + "a" * 22]
)
async def test_other_secrets_open_nothing(ledger: Ledger, site: Site, wrong: str) -> None:
    _, secret = await a_link(ledger, site)
    assert await opened(ledger, wrong) is None
    assert await opened(ledger, secret.swapcase()) is None
    assert await opened(ledger, secret + " ") is None


async def test_a_link_expires_to_the_millisecond(ledger: Ledger, site: Site) -> None:
    link, secret = await a_link(ledger, site, expires=NOW + 10)
    assert await opened(ledger, secret, NOW + 9) == link
    assert await opened(ledger, secret, NOW + 10) is None
    assert await ledger.read(shared_links_of, site.id) == (link,)
    changed = await ledger.write(change_shared_link, site.id, link.id, SharedLinkChanges(name="B"), NOW + 20)
    assert changed.expires == NOW + 10, "an expired link can be renamed"
    await ledger.write(change_shared_link, site.id, link.id, SharedLinkChanges(expires=NOW + 30), NOW + 20)
    assert await opened(ledger, secret, NOW + 20) is not None


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_are_refused(ledger: Ledger, site: Site, name: str) -> None:
    with pytest.raises(InvalidFields, match="name: "):
        await a_link(ledger, site, name)


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"expires": NOW}, "expires", "must be in the future"),
    ({"panels": ("a b",)}, "panels", "small letters"),
    ({"panels": ("",)}, "panels", "small letters"),
    ({"panels": ("pages\n",)}, "panels", "small letters"),
    ({"panels": ("../pages",)}, "panels", "small letters"),
    ({"panels": tuple(f"p{number}" for number in range(61))}, "panels", "60 at most"),
    ({"filters": ["is"]}, "filters", "a filter is a list"),
    ({"filters": [["is", "segment", [3]]]}, "filters", "a segment"),
    ({"filters": [["is", "visit:nothing", ["x"]]]}, "filters", "no filter on"),
    ({"filters": [["is", "event:page", ["\ud800"]]]}, "filters", "cannot be stored"),
    ({"filters": [["is", "event:page", ["x" * 10_000]]]}, "filters", "smaller than"),
]


@pytest.mark.parametrize(("fields", "field", "message"), REFUSED)
async def test_a_link_that_is_not_valid_is_refused(
    ledger: Ledger, site: Site, fields: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(InvalidFields) as refused:
        await a_link(ledger, site, **fields)
    assert message in "; ".join(refused.value.errors[field])
    link, _ = await a_link(ledger, site)
    with pytest.raises(InvalidFields):
        await ledger.write(change_shared_link, site.id, link.id, SharedLinkChanges(**fields), NOW)
    assert await ledger.read(shared_links_of, site.id) == (link,)


async def test_names_are_unique_in_their_site(ledger: Ledger, site: Site) -> None:
    other = await a_site(ledger, await a_person(ledger, "eve@example.com"), "other.example.com")
    await a_link(ledger, site, "Straße")
    await a_link(ledger, other, "Straße")
    with pytest.raises(Conflicting, match="a shared link 'STRASSE' already"):
        await a_link(ledger, site, "STRASSE")
    second, _ = await a_link(ledger, site, "Second")
    with pytest.raises(Conflicting):
        await ledger.write(change_shared_link, site.id, second.id, SharedLinkChanges(name="strasse"), NOW)


async def test_another_sites_link_is_not_there(ledger: Ledger, site: Site) -> None:
    other = await a_site(ledger, await a_person(ledger, "eve@example.com"), "other.example.com")
    link, secret = await a_link(ledger, other)
    with pytest.raises(NotThere):
        await ledger.write(change_shared_link, site.id, link.id, SharedLinkChanges(name="Mine"), NOW)
    with pytest.raises(NotThere):
        await ledger.write(withdraw_shared_link, site.id, link.id, NOW)
    with pytest.raises(NotThere, match="no site 99"):
        await ledger.write(withdraw_shared_link, 99, link.id, NOW)
    assert await opened(ledger, secret) == link


async def test_a_site_has_only_so_many(ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_links_module, "MAX_LINKS", 2)
    for number in range(2):
        await a_link(ledger, site, f"Link {number}")
    with pytest.raises(InputRefused, match="2 shared links already"):
        await a_link(ledger, site, "One more")


async def test_a_link_ends_with_its_site(ledger: Ledger, site: Site) -> None:
    ada = await a_person(ledger, "ada@example.org", site=site.id)
    second = await a_site(ledger, ada, "second.example.com")
    _, secret = await a_link(ledger, second)
    await ledger.write(delete_site, second.id, NOW)
    assert await opened(ledger, secret) is None
    with pytest.raises(NotThere):
        await a_link(ledger, second, "Late")
    await ledger.write(_remove_site, 0, second.id)
    assert await ledger.read(shared_links_of, second.id) == ()


async def test_its_use_is_known_to_the_hour(ledger: Ledger, site: Site) -> None:
    link, secret = await a_link(ledger, site)
    assert is_use_unknown(link, NOW)
    await ledger.write(note_link_used, link, NOW)
    used = await opened(ledger, secret)
    assert used is not None
    assert used.used == NOW - NOW % USED_EVERY_MS
    assert not is_use_unknown(used, used.used + USED_EVERY_MS - 1)
    assert is_use_unknown(used, used.used + USED_EVERY_MS)


async def test_a_password_is_proven_until_it_changes(ledger: Ledger, site: Site) -> None:
    link, _ = await a_link(ledger, site, password=DIGEST)
    other, _ = await a_link(ledger, site, "Other", password=DIGEST)
    proof = link_proof(link, NOW)
    assert is_proven(link, proof, NOW + PROOF_MS - 1)
    assert not is_proven(link, proof, NOW + PROOF_MS)
    assert not is_proven(other, proof, NOW), "of another link with the same password"
    changed = await ledger.write(
        change_shared_link, site.id, link.id, SharedLinkChanges(password="$argon2id$another"), NOW
    )
    assert not is_proven(changed, proof, NOW)
    moved = proof.replace(str(NOW + PROOF_MS), str(NOW + PROOF_MS + 1))
    for wrong in ("", "x", moved, proof.upper(), f"{proof}0", proof.partition(".")[2]):
        assert not is_proven(link, wrong, NOW), wrong
    assert is_proven(
        await ledger.write(change_shared_link, site.id, link.id, SharedLinkChanges(password=None), NOW), "", NOW
    )


async def test_a_goal_in_a_locked_filter_is_renamed_and_kept(ledger: Ledger, site: Site) -> None:
    goal = await ledger.write(create_goal, Goal(site=site.id, name="Signup", event="Signup"), NOW)
    link, secret = await a_link(ledger, site, filters=[["is", "event:goal", ["signUP"]]])
    await ledger.write(change_goal, site.id, goal.id, GoalChanges(name="Joined"), NOW)
    found = await opened(ledger, secret)
    assert found is not None
    assert found.filters == [["is", "event:goal", ["Joined"]]]
    with pytest.raises(Conflicting, match="the shared link 'For Eve'"):
        await ledger.write(delete_goal, site.id, goal.id, NOW)
    await ledger.write(withdraw_shared_link, site.id, link.id, NOW)
    await ledger.write(delete_goal, site.id, goal.id, NOW)


async def test_changes_and_wrong_passwords_are_in_the_audit_log(ledger: Ledger, site: Site) -> None:
    link, secret = await ledger.write(
        done_by, "ada", create_shared_link, SharedLink(site=site.id, name="For Eve", password=DIGEST), NOW
    )
    await ledger.write(done_by, "ada", change_shared_link, site.id, link.id, SharedLinkChanges(name="B"), NOW)
    found = await ledger.read(open_shared_link, secret, NOW)
    for _ in range(3):
        await ledger.write(note_refused_password, found, NOW)
    await ledger.write(done_by, "ada", withdraw_shared_link, site.id, link.id, NOW)
    logged = [(event.kind, event.actor, event.detail, event.times) for event in (await ledger.read(events))[:4]]
    assert logged == [
        ("shared link withdrawn", "ada", f"{link.id} B", 1),
        ("password of a shared link refused", "", "", 3),
        ("shared link changed", "ada", f"{link.id} B", 1),
        ("shared link created", "ada", f"{link.id} For Eve", 1),
    ]
    assert DIGEST not in repr(await ledger.read(events))
