"""API tokens come and go, on both databases."""

import asyncio
import re
from collections.abc import Callable

import pytest

from support.ledgers import Clock, opened
from support.people import a_person, a_site, a_token, again, elsewhere
from tallystick.errors import InputRefused, InvalidFields, StoreFull
from tallystick.ledger import Database, Ledger
from tallystick.model.account import EVERY_SITE, Access, Account, Permission, Principal
from tallystick.services.accounts import tokens
from tallystick.services.accounts.accounts import delete_account, set_access
from tallystick.services.accounts.tokens import (
    DIGESTS_FRESH_S,
    FRESH_S,
    USED_AGAIN_AFTER_MS,
    NewToken,
    Tokens,
    all_tokens,
    create_token,
    delete_token,
    secret_digest,
    stored_principal,
    token,
    tokens_of,
)

BOTH = int(Permission.COUNT | Permission.STATS)


async def with_a_person(ledger: Ledger) -> tuple[Tokens, list[float], Account]:
    """Tokens with a clock that a test moves, and somebody with a site, who may have some."""
    now = [100.0]
    ada = await a_person(ledger)
    await a_site(ledger, ada)
    return Tokens(ledger, lambda: now[0]), now, ada


async def test_a_token_is_what_it_was_made_as(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    site = await a_site(ledger, ada)
    wanted = NewToken(name=" a script ", permissions=BOTH, sites=(site.id, site.id))
    made, secret = await ledger.write(create_token, ada, wanted, 7)
    assert re.fullmatch("[0-9a-z]{48}", secret)
    assert (made.account, made.name, made.prefix) == (ada.id, "a script", secret[:8])
    assert (made.permissions, made.sites, made.created, made.used) == (BOTH, (site.id,), 7, None)
    assert await ledger.read(token, made.id) == made
    assert await ledger.read(tokens_of, ada.id) == await ledger.read(all_tokens) == [made]
    assert await ledger.read(stored_principal, secret_digest(secret)) == Principal(made, await again(ledger, ada))


@pytest.mark.parametrize(
    ("access", "made"), [({"all": "s"}, False), ({"all": "r", "2": "a"}, True), ({}, False), ({"1": "a"}, True)]
)
async def test_only_an_admin_of_some_site_has_tokens_that_count(
    ledger: Ledger, access: dict[str, Access], *, made: bool
) -> None:
    ada = await a_person(ledger)
    site = await a_site(ledger, ada)
    await a_site(ledger, ada, "two.example.com")
    ben = await a_person(ledger, "ben@example.com", site.id, access)
    if made:
        assert await a_token(ledger, ben)
    else:
        with pytest.raises(InputRefused, match=r"^ben@example\.com is not an admin; only admins can create and use"):
            await a_token(ledger, ben)


@pytest.mark.parametrize("access", [{}, {"all": "r"}])
async def test_everyone_has_tokens_for_shared_counters(ledger: Ledger, access: dict[str, Access]) -> None:
    site = await a_site(ledger, await a_person(ledger))
    ben = await a_person(ledger, "ben@example.com", site.id if access else None, access)
    for permissions in (128, 256, 384):
        made, secret = await ledger.write(create_token, ben, NewToken(name="x", permissions=permissions), 7)
        assert (made.permissions, made.sites) == (permissions, ())
        assert await ledger.read(stored_principal, secret_digest(secret)) == Principal(made, await again(ledger, ben))
        assert not made.covers(site.id)
    with pytest.raises(InputRefused, match="tokens for sites"):
        await ledger.write(create_token, ben, NewToken(name="x", permissions=384 | 2), 7)


async def test_whoever_was_admin_a_moment_ago_is_none(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    site = await a_site(ledger, ada)
    ben = await a_person(ledger, "ben@example.com", site.id, {"all": "a"})
    await ledger.write(set_access, ben.id, {"all": "r"}, 0)
    with pytest.raises(InputRefused, match="is not an admin"):
        await a_token(ledger, ben)


@pytest.mark.parametrize(
    ("wanted", "errors"),
    [
        (NewToken(name="", permissions=2), {"name": ["must be set"]}),
        (NewToken(name="a\nb", permissions=2), {"name": ["cannot contain control characters"]}),
        (NewToken(name="x" * 201, permissions=2), {"name": ["must be shorter than 201 characters"]}),
        (NewToken(name="x", permissions=0), {"permissions": ["must be set"]}),
        (NewToken(name="x", permissions=512), {"permissions": ["must be set"]}),
        (NewToken(name="x", permissions=-2), {"permissions": ["must be set"]}),
        (NewToken(name="x", permissions=2, sites=()), {"sites": ["must be set"]}),
        (
            NewToken(name="x", permissions=384, sites=(1,)),
            {"sites": ["must be left out: shared counters belong to no site"]},
        ),
        (
            NewToken(name="x", permissions=2, sites=(1, 2)),
            {"sites": ["the account of ada@example.com has no site 2"]},
        ),
    ],
)
async def test_what_is_wrong_with_a_token_is_told_by_field(
    ledger: Ledger, wanted: NewToken, errors: dict[str, list[str]]
) -> None:
    ada, ben = await a_person(ledger), await a_person(ledger, "ben@example.com")
    await a_site(ledger, ada)
    await a_site(ledger, ben, "ben.example.com")
    with pytest.raises(InvalidFields) as refused:
        await ledger.write(create_token, ada, wanted, 0)
    assert refused.value.errors == errors
    assert await ledger.read(all_tokens) == []


async def test_a_token_needs_a_site(ledger: Ledger) -> None:
    with pytest.raises(InvalidFields, match=r"sites: ada@example\.com has no site yet"):
        await a_token(ledger, await a_person(ledger))


async def test_an_account_has_so_many_tokens(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "TOKENS_AT_MOST", 2)
    ada = await a_person(ledger)
    await a_site(ledger, ada)
    assert await a_token(ledger, ada) != await a_token(ledger, ada)
    with pytest.raises(InputRefused, match="the most that one person can have"):
        await a_token(ledger, ada)


async def test_a_revoked_token_is_nobodys(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada)
    secret = await a_token(ledger, ada)
    (made,) = await ledger.read(tokens_of, ada.id)
    assert not await ledger.write(delete_token, made.id, ada.id + 1)
    assert await ledger.read(token, made.id) == made
    assert await ledger.write(delete_token, made.id, ada.id)
    assert not await ledger.write(delete_token, made.id)
    assert await ledger.read(stored_principal, secret_digest(secret)) is None


async def test_the_tokens_of_someone_who_left_are_nobodys(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    site = await a_site(ledger, ada)
    ben = await a_person(ledger, "ben@example.com", site.id, {"all": "a"})
    secret = await a_token(ledger, ben)
    await ledger.write(delete_account, ben.id, ledger.clock())
    assert await Tokens(ledger).principal(secret) is None


@pytest.mark.parametrize("secret", ["", "x", "é" * 48, "\0", "\ud800", "a" * 257, "' OR 1=1 --"])
async def test_any_other_secret_is_nobodys(ledger: Ledger, secret: str) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada)
    await a_token(ledger, ada)
    assert await Tokens(ledger).principal(secret) is None


async def test_what_is_known_of_a_secret_is_a_second_old_at_most(ledger: Ledger) -> None:
    known, now, ada = await with_a_person(ledger)
    assert await known.principal("not yet a token") is None
    secret = await a_token(ledger, ada)
    found = await known.principal(secret)
    assert found is not None
    assert found.account.email == "ada@example.com"
    await elsewhere(ledger, delete_token, found.token.id)
    assert await known.principal(secret) == found
    now[0] += FRESH_S
    assert await known.principal(secret) is None


async def test_a_revocation_of_ones_own_shows_at_once(ledger: Ledger) -> None:
    known = Tokens(ledger)
    ada = await a_person(ledger)
    await a_site(ledger, ada)
    secret = await a_token(ledger, ada)
    found = await known.principal(secret)
    assert found is not None
    await ledger.write(delete_token, found.token.id)
    assert await known.principal(secret) is None


async def test_so_many_holders_are_remembered(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "PRINCIPALS_REMEMBERED", 3)
    known = Tokens(ledger)
    ada = await a_person(ledger)
    await a_site(ledger, ada)
    for _ in range(5):
        assert await known.principal(await a_token(ledger, ada))
        assert len(known._known) <= 3  # noqa: SLF001  # the bound is not to be seen from outside


async def test_the_use_of_a_token_is_written_once_a_day(database: Database) -> None:
    clock = Clock()
    async with opened(database, clock) as ledger:
        ada = await a_person(ledger)
        await a_site(ledger, ada)
        secret = await a_token(ledger, ada)
        begun = clock.now
        used = []
        for later in (0, 1, USED_AGAIN_AFTER_MS - 1, USED_AGAIN_AFTER_MS, 2 * USED_AGAIN_AFTER_MS - 1):
            clock.now = begun + later
            await Tokens(ledger).principal(secret)
            (made,) = await ledger.read(tokens_of, ada.id)
            used.append(made.used)
    assert used == [begun, begun, begun, begun + USED_AGAIN_AFTER_MS, begun + USED_AGAIN_AFTER_MS]


async def test_a_token_works_while_nothing_can_be_written(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada)
    secret = await a_token(ledger, ada)

    async def full(*_: object) -> None:
        raise StoreFull

    monkeypatch.setattr(ledger, "write", full)
    found = await Tokens(ledger).principal(secret)
    assert found is not None
    assert found.token.sites == (EVERY_SITE,)


async def test_a_token_that_is_revoked_while_it_is_read_is_not_remembered(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada)
    secret = await a_token(ledger, ada)
    known, read = Tokens(ledger), ledger.read
    (made,) = await ledger.read(all_tokens)

    async def overtaken(function: Callable[..., object], *arguments: object) -> object:
        found = await read(function, *arguments)
        monkeypatch.setattr(ledger, "read", read)
        await ledger.write(delete_token, made.id)
        return found

    monkeypatch.setattr(ledger, "read", overtaken)
    assert await known.principal(secret) is None
    assert await known.principal(secret) is None


class Reads:
    """Counts what a ledger's readers do, and how much of it at once."""

    def __init__(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = self.now = self.most = 0
        self._read = ledger.read
        monkeypatch.setattr(ledger, "read", self.read)

    async def read(self, function: Callable[..., object], *arguments: object) -> object:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await self._read(function, *arguments)
        finally:
            self.now, self.done = self.now - 1, self.done + 1


async def test_unknown_secrets_take_one_reader_at_most(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads(ledger, monkeypatch)
    known = Tokens(ledger)
    assert await asyncio.gather(*(known.principal(f"random {number}") for number in range(20))) == [None] * 20
    assert reads.most == 1


async def test_beyond_a_limit_unknown_secrets_are_refused_without_a_look_up(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada)
    seen, unseen = await a_token(ledger, ada), await a_token(ledger, ada)
    now, refused = [100.0], PermissionError("too many")
    known = Tokens(ledger, lambda: now[0])
    assert await known.principal(seen)
    reads = Reads(ledger, monkeypatch)
    for number in range(50):
        with pytest.raises(PermissionError, match="too many"):
            await known.principal(f"random {number}", lambda: refused)
    assert reads.done == 1  # the digests of all tokens
    for secret in (seen, unseen):
        assert await known.principal(secret, lambda: refused)
    now[0] += 10 * FRESH_S
    known.invalidate()
    assert await known.principal(seen, lambda: refused)
    later = await a_token(ledger, ada)
    now[0] += DIGESTS_FRESH_S
    assert await known.principal(later, lambda: refused)


async def test_a_revoked_secret_is_an_unknown_one(ledger: Ledger) -> None:
    ada = await a_person(ledger)
    await a_site(ledger, ada)
    secret, refused = await a_token(ledger, ada), PermissionError("too many")
    now = [100.0]
    known = Tokens(ledger, lambda: now[0])
    found = await known.principal(secret)
    assert found is not None
    await ledger.write(delete_token, found.token.id)
    now[0] += FRESH_S
    assert await known.principal(secret, lambda: refused) is None
    with pytest.raises(PermissionError, match="too many"):
        await known.principal(secret, lambda: refused)


async def test_so_many_good_secrets_are_remembered(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "GOOD_REMEMBERED", 3)
    known = Tokens(ledger)
    ada = await a_person(ledger)
    await a_site(ledger, ada)
    for _ in range(5):
        assert await known.principal(await a_token(ledger, ada))
        assert len(known._good) <= 3  # noqa: SLF001  # the bound is not to be seen from outside


async def test_a_secret_that_many_requests_show_at_once_is_read_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, now, ada = await with_a_person(ledger)
    secrets = [await a_token(ledger, ada) for _ in range(3)]
    for secret in secrets:
        await known.principal(secret)  # stores its use
    known.invalidate()
    found = [await known.principal(secret) for secret in secrets]
    reads = Reads(ledger, monkeypatch)
    for _ in range(3):
        now[0] += FRESH_S
        assert await asyncio.gather(*(known.principal(secret) for _ in range(20) for secret in secrets)) == 20 * found
    assert reads.done == 9
    now[0] += FRESH_S
    impatient = asyncio.create_task(known.principal(secrets[0]))
    patient = asyncio.create_task(known.principal(secrets[0]))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == found[0]


async def in_use(known: Tokens, secrets: list[str], now: list[float], seconds: float) -> int:
    """Use secrets for so long; how often one of them had to be looked up."""
    lapsed, end = 0, now[0] + seconds
    while now[0] < end:
        for secret in secrets:
            if known.known(secret) is None:
                lapsed += 1
                await known.principal(secret)
        now[0] += FRESH_S / 10
        if (reading := known._reading) is not None:  # noqa: SLF001  # to wait for it
            await reading
    return lapsed


async def test_secrets_in_use_are_read_again_together_before_they_are_out_of_date(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "GATHERING_S", 0)
    known, now, ada = await with_a_person(ledger)
    secrets = [await a_token(ledger, ada) for _ in range(5)]
    assert await in_use(known, secrets, now, 1.0) == len(secrets)
    reads = Reads(ledger, monkeypatch)
    assert await in_use(known, secrets, now, 10 * FRESH_S) == 0
    assert reads.done <= 20
    now[0] += 10 * FRESH_S
    reads.done = 0
    assert [known.known(secret) for secret in secrets] == [None] * 5
    assert reads.done == 0


async def test_a_secret_in_use_that_is_revoked_elsewhere_is_known_no_longer_than_ever(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "GATHERING_S", 0)
    known, now, ada = await with_a_person(ledger)
    secret = await a_token(ledger, ada)
    await in_use(known, [secret], now, 1.0)
    found = known.known(secret)
    assert found is not None
    await elsewhere(ledger, delete_token, found.token.id)
    begun = now[0]
    assert await in_use(known, [secret], now, FRESH_S) > 0
    assert known.known(secret) is None
    assert now[0] - begun < 1.2 * FRESH_S
    assert await known.principal(secret) is None


async def test_a_secret_that_is_revoked_while_it_is_read_again_is_not_known(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "GATHERING_S", 0)
    known, now, ada = await with_a_person(ledger)
    one, other = await a_token(ledger, ada), await a_token(ledger, ada)
    found = await known.principal(one)
    assert found is not None
    await known.principal(other)
    read = ledger.read

    async def overtaken(function: Callable[..., object], *arguments: object) -> object:
        result = await read(function, *arguments)
        await ledger.write(delete_token, found.token.id)
        return result

    monkeypatch.setattr(ledger, "read", overtaken)
    now[0] += FRESH_S * 0.7
    assert known.known(one)
    assert known.known(other)
    reading = known._reading  # noqa: SLF001  # to wait for it
    assert reading is not None
    await reading
    assert known.known(one) is None
    monkeypatch.setattr(ledger, "read", read)
    assert await known.principal(one) is None
    assert await known.principal(other) is not None


async def test_secrets_in_use_are_looked_up_when_the_ledger_can_be_read_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "GATHERING_S", 0)
    known, now, ada = await with_a_person(ledger)
    secret = await a_token(ledger, ada)
    await known.principal(secret)

    async def away(*_: object) -> None:
        raise StoreFull

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "read", away)
        now[0] += FRESH_S * 0.7
        assert known.known(secret)
        reading = known._reading  # noqa: SLF001  # to wait for it
        assert reading is not None
        await reading
        now[0] += FRESH_S
        assert known.known(secret) is None
    assert await in_use(known, [secret], now, 1.0) == 1
