"""The second step: each code is right once, and the proof of the first step is sealed and short-lived."""

import asyncio

import pyotp
import pytest

from builders import NOW
from tallystick.errors import InvalidFields
from tallystick.ledger import Ledger, Session
from tallystick.services.accounts.accounts import NewAccount, account, create_account, credentials, set_password
from tallystick.services.accounts.seals import Seals, is_sealed
from tallystick.services.accounts.two_factor import (
    PROOF_MS,
    STEP_MS,
    accept_code,
    disable,
    enable,
    is_totp_secret,
    new_totp_secret,
    password_proof,
    proven,
    provisioning_uri,
    recovery_codes_left,
    renew_recovery_codes,
    seal_secrets,
    unreadable_secrets,
)

SEALS = Seals.new()
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_at(now: int) -> str:
    return pyotp.TOTP(SECRET).at(now // 1000)


@pytest.fixture
async def ada(ledger: Ledger) -> int:
    person = await ledger.write(create_account, NewAccount(email="ada@example.com", password="a digest"), NOW)
    return person.id


@pytest.fixture
async def recovery_codes(ledger: Ledger, ada: int) -> list[str]:
    return await ledger.write(enable, ada, SECRET, code_at(NOW), NOW, SEALS)


def test_secrets_are_what_they_seem() -> None:
    assert is_totp_secret(new_totp_secret())
    assert new_totp_secret() != new_totp_secret()
    uri = provisioning_uri(SECRET, "ada@example.com", "stats.example.com")
    assert pyotp.parse_uri(uri).secret == SECRET


async def test_turning_it_on_takes_a_code_of_the_app(ledger: Ledger, ada: int) -> None:
    for secret, code in ((SECRET, "000000"), (SECRET, ""), (SECRET, "٠١٢٣٤٥"), ("no secret", code_at(NOW))):
        with pytest.raises(InvalidFields):
            await ledger.write(enable, ada, secret, code, NOW, SEALS)
    person = await ledger.read(account, ada)
    assert person is not None
    assert not person.totp_enabled
    codes = await ledger.write(enable, ada, SECRET, f" {code_at(NOW)[:3]} {code_at(NOW)[3:]}", NOW, SEALS)
    assert len(set(codes)) == 10
    person = await ledger.read(account, ada)
    assert person is not None
    assert person.totp_enabled


@pytest.mark.usefixtures("recovery_codes")
async def test_no_code_is_taken_twice(ledger: Ledger, ada: int) -> None:
    assert not await ledger.write(accept_code, ada, code_at(NOW), NOW, SEALS)
    later = NOW + STEP_MS
    assert await ledger.write(accept_code, ada, code_at(later), later, SEALS)
    assert not await ledger.write(accept_code, ada, code_at(later), later, SEALS)
    assert not await ledger.write(accept_code, ada, code_at(NOW), later, SEALS)


@pytest.mark.usefixtures("recovery_codes")
async def test_of_two_at_once_one_is_taken(ledger: Ledger, ada: int) -> None:
    later = NOW + STEP_MS
    answers = await asyncio.gather(*(ledger.write(accept_code, ada, code_at(later), later, SEALS) for _ in range(8)))
    assert answers.count(True) == 1


@pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
@pytest.mark.usefixtures("recovery_codes")
async def test_clocks_may_differ_by_one_step(ledger: Ledger, ada: int, steps: int, right: bool) -> None:  # noqa: FBT001
    now = NOW + 10 * STEP_MS
    assert await ledger.write(accept_code, ada, code_at(now + steps * STEP_MS), now, SEALS) == right


async def test_a_recovery_code_works_once_however_it_is_typed(
    ledger: Ledger, ada: int, recovery_codes: list[str]
) -> None:
    first, second, *_ = recovery_codes
    assert await ledger.write(accept_code, ada, first, NOW, SEALS)
    assert not await ledger.write(accept_code, ada, first, NOW, SEALS)
    assert await ledger.write(accept_code, ada, f" {second.upper().replace('-', ' ')} ", NOW, SEALS)
    assert await ledger.read(recovery_codes_left, ada) == 8


async def test_new_recovery_codes_replace_the_old_ones(ledger: Ledger, ada: int, recovery_codes: list[str]) -> None:
    renewed = await ledger.write(renew_recovery_codes, ada)
    assert not set(renewed) & set(recovery_codes)
    assert not await ledger.write(accept_code, ada, recovery_codes[0], NOW, SEALS)
    assert await ledger.write(accept_code, ada, renewed[0], NOW, SEALS)


async def test_nothing_is_accepted_once_it_is_off(ledger: Ledger, ada: int, recovery_codes: list[str]) -> None:
    await ledger.write(disable, ada, NOW)
    later = NOW + STEP_MS
    for code in (code_at(later), recovery_codes[0], "", "\ud800", "123456"):
        assert not await ledger.write(accept_code, ada, code, later, SEALS)


async def test_the_proof_of_the_first_step_is_good_for_ten_minutes(ledger: Ledger, ada: int) -> None:
    found = await ledger.read(credentials, "ada@example.com")
    assert found is not None
    proof = password_proof(found, NOW)
    person = await ledger.read(proven, proof, NOW + PROOF_MS - 1)
    assert person is not None
    assert person.id == ada
    assert await ledger.read(proven, proof, NOW + PROOF_MS) is None


async def test_a_proof_cannot_be_altered_and_ends_with_the_password(ledger: Ledger, ada: int) -> None:
    await ledger.write(create_account, NewAccount(email="ben@example.com", password="another"), NOW)
    found = await ledger.read(credentials, "ada@example.com")
    assert found is not None
    proof = password_proof(found, NOW)
    email, expires, seal = proof.split(" ")
    for altered in (
        "",
        f"ben@example.com {expires} {seal}",
        f"{email} {int(expires) + 1} {seal}",
        f"{email} {expires} {'0' * 64}",
        f"{email} {expires} \ud800",
        f"{email} {'9' * 5000} {seal}",
    ):
        assert await ledger.read(proven, altered, NOW) is None
    await ledger.write(set_password, ada, "a new digest", NOW)
    assert await ledger.read(proven, proof, NOW) is None


def stored_secret(session: Session, number: int) -> str:
    return str(session.common.totp_of(session.connection, id=number)[0])


def store_plain(session: Session, number: int) -> None:
    session.common.set_totp(session.connection, id=number, secret=SECRET, used=None, updated=NOW)


@pytest.mark.usefixtures("recovery_codes")
async def test_the_secret_lies_encrypted_and_for_its_account_only(ledger: Ledger, ada: int) -> None:
    stored = await ledger.read(stored_secret, ada)
    assert is_sealed(stored)
    assert SECRET not in stored
    assert SEALS.open(stored, f"second step of account {ada}") == SECRET
    assert SEALS.open(stored, f"second step of account {ada + 1}") is None
    assert await ledger.read(unreadable_secrets, SEALS) == 0


@pytest.mark.usefixtures("recovery_codes")
async def test_with_another_key_only_recovery_codes_are_good(
    ledger: Ledger, ada: int, recovery_codes: list[str]
) -> None:
    other, later = Seals.new(), NOW + STEP_MS
    assert await ledger.read(unreadable_secrets, other) == await ledger.read(unreadable_secrets, None) == 1
    assert not await ledger.write(accept_code, ada, code_at(later), later, other)
    assert await ledger.write(accept_code, ada, recovery_codes[0], later, other)
    assert await ledger.write(accept_code, ada, code_at(later), later, SEALS)


async def test_secrets_of_older_versions_are_encrypted_and_stay_good(ledger: Ledger, ada: int) -> None:
    await ledger.write(store_plain, ada)
    assert await ledger.write(accept_code, ada, code_at(NOW), NOW, SEALS)
    assert await ledger.write(seal_secrets, SEALS) == 1
    assert is_sealed(await ledger.read(stored_secret, ada))
    assert await ledger.write(seal_secrets, SEALS) == 0
    assert await ledger.write(accept_code, ada, code_at(NOW + STEP_MS), NOW + STEP_MS, SEALS)
