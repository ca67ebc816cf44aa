"""Caches of sites, tokens and accounts: the functions that change something invalidate them, not their callers."""

from collections.abc import Callable
from typing import Any

import pytest

from support.people import A_DIGEST, a_person, a_site, a_token
from tallystick.errors import NoSuchSite
from tallystick.ledger import Ledger, Session
from tallystick.model.account import Account, UserSettings
from tallystick.model.site import Site, SiteSettings
from tallystick.services.accounts.accounts import (
    change_account,
    delete_account,
    existing,
    set_access,
    set_password,
)
from tallystick.services.accounts.site_hosts import release_host, remember_host
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.accounts.sites import (
    NewSite,
    SiteChanges,
    Sites,
    create_site,
    create_site_as,
    delete_site,
    note_hits,
    update_site,
)
from tallystick.services.accounts.tokens import (
    Tokens,
    all_tokens,
    delete_token,
    rotate_token,
    secret_digest,
    stored_principal,
)


def standing_still() -> float:
    """A clock by which nothing grows old."""
    return 100.0


async def overtake(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, function: Callable[..., object], *arguments: object
) -> None:
    """Let a change be committed while the next read is under way, after it has read."""
    read = ledger.read

    async def slow(reading: Callable[..., object], *its: object) -> object:
        result = await read(reading, *its)
        monkeypatch.setattr(ledger, "read", read)
        await ledger.write(function, *arguments)
        return result

    monkeypatch.setattr(ledger, "read", slow)


CHANGES_OF_SITES: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (update_site, (2, SiteChanges(settings={"collect": SiteSettings().collect ^ 1}), 5)),
    (delete_site, (2, 5)),
    (note_hits, (2, 0)),
    (lambda session, now: create_site(session, existing(session, 1), NewSite(cname="three.example.com"), now), (5,)),
    (lambda session, now: create_site_as(session, existing(session, 1), NewSite(cname="three.example.com"), now), (5,)),
]


@pytest.mark.parametrize(("function", "arguments"), CHANGES_OF_SITES)
async def test_whatever_changes_a_site_invalidates_their_cache(
    ledger: Ledger, function: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada, "one.example.com")
    await a_site(ledger, ada, "two.example.com")
    sites = Sites(ledger, standing_still)
    before = await sites.all()
    await ledger.write(function, *arguments)
    assert sites.known("one.example.com") is None
    assert await sites.all() == await ledger.read(active_sites) != before


async def test_remembering_and_releasing_a_host_invalidate_the_cache_of_sites(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    one = await a_site(ledger, ada, "one.example.com")
    await a_site(ledger, ada, "two.example.com")
    sites = Sites(ledger, standing_still)
    with pytest.raises(NoSuchSite):
        await sites.at("old.example.com")
    await ledger.write(remember_host, one.id, "old.example.com", 5)
    assert await sites.at("old.example.com") == one
    await ledger.write(release_host, one.id, "old.example.com")
    with pytest.raises(NoSuchSite):
        await sites.at("old.example.com")


CHANGES_OF_PRINCIPALS: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (delete_token, (1,)),
    (rotate_token, (1,)),
    (set_access, (2, {"all": "r"}, 5)),
    (change_account, (2, "Ben", UserSettings(timezone="DE.Europe/Berlin"), 5)),
    (set_password, (2, A_DIGEST, 5, b"", True)),
    (delete_account, (2, 5)),
]


@pytest.mark.parametrize(("function", "arguments"), CHANGES_OF_PRINCIPALS)
async def test_whatever_changes_a_token_or_its_account_invalidates_their_cache(
    ledger: Ledger, function: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    secret = await _a_token_of_ben(ledger)
    tokens = Tokens(ledger, standing_still)
    before = await tokens.principal(secret)
    assert before is not None
    await ledger.write(function, *arguments)
    assert await tokens.principal(secret) == await ledger.read(stored_principal, secret_digest(secret)) != before


async def test_a_change_that_is_refused_or_fails_changes_no_cache(ledger: Ledger) -> None:
    site = await a_site(ledger, await a_person(ledger))
    sites = Sites(ledger, standing_still)
    await sites.all()

    def fail(session: Session) -> None:
        delete_site(session, site.id, 5)
        msg = "no"
        raise ValueError(msg)

    with pytest.raises(ValueError, match="no"):
        await ledger.write(fail)
    assert await sites.all() == [site]


async def test_a_slow_reading_of_sites_does_not_bring_the_old_ones_back(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await a_person(ledger)
    one = await a_site(ledger, ada, "one.example.com")
    two = await a_site(ledger, ada, "two.example.com")
    sites = Sites(ledger, standing_still)
    await overtake(ledger, monkeypatch, delete_site, two.id, 5)
    await sites.all()
    assert sites.known("two.example.com") is None
    assert await sites.all() == [one]
    with pytest.raises(NoSuchSite):
        await sites.at("two.example.com")


@pytest.mark.parametrize(("function", "arguments"), CHANGES_OF_PRINCIPALS)
async def test_a_slow_reading_of_a_token_does_not_bring_the_old_one_back(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, function: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    secret = await _a_token_of_ben(ledger)
    tokens = Tokens(ledger, standing_still)
    await overtake(ledger, monkeypatch, function, *arguments)
    await tokens.principal(secret)
    cached, stored = await tokens.principal(secret), await ledger.read(stored_principal, secret_digest(secret))
    assert (cached and cached.account) == (stored and stored.account)  # when the token was used is no change


async def test_a_slow_reading_of_all_digests_does_not_bring_a_revoked_one_back(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = await _a_token_of_ben(ledger)
    tokens, limited = Tokens(ledger, standing_still), PermissionError("too many")
    await overtake(ledger, monkeypatch, delete_token, 1)
    assert await tokens.principal(secret, lambda: limited) is None
    with pytest.raises(PermissionError):
        await tokens.principal(secret, lambda: limited)


async def _a_token_of_ben(ledger: Ledger) -> str:
    site: Site = await a_site(ledger, await a_person(ledger))
    ben: Account = await a_person(ledger, "ben@example.com", site.id, {"all": "a"})
    secret = await a_token(ledger, ben)
    assert [token.account for token in await ledger.read(all_tokens)] == [ben.id] == [2]
    return secret
