"""Passwords are kept as argon2id digests and checked a few at a time."""

import asyncio
from threading import Event

import pytest
from argon2 import PasswordHasher

from tallystick.errors import InvalidFields, StoreBusy
from tallystick.services import passwords
from tallystick.services.passwords import (
    CHECKED_AT_ONCE,
    NOBODYS,
    WAITING_AT_MOST,
    Passwords,
    hash_password,
    outdated,
    password_matches,
)


def test_a_digest_is_argon2id_with_a_salt_of_its_own() -> None:
    first, second = hash_password("correct horse"), hash_password("correct horse")
    assert first.startswith("$argon2id$")
    assert first != second
    assert password_matches(first, "correct horse")
    assert password_matches(second, "correct horse")
    assert not password_matches(first, "correct hors")


@pytest.mark.parametrize("digest", [None, "no digest", ""])
def test_nobody_has_no_password(digest: str | None) -> None:
    assert not password_matches(digest, "nobody has this password")


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("1234567", "must be longer than 7 bytes"),
        ("", "must be longer than 7 bytes"),
        ("é" * 26, "must be shorter than 51 bytes"),
        ("a" * 51, "must be shorter than 51 bytes"),
        ("lonely \ud800 half", "must be text"),
    ],
)
def test_a_password_has_8_to_50_bytes(password: str, problem: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        hash_password(password)
    assert refused.value.errors == {"password": [problem]}
    assert not password_matches(hash_password("12345678"), password)


@pytest.mark.parametrize("password", ["12345678", "é" * 25, "with \0 in it"])
def test_any_text_of_8_to_50_bytes_is_a_password(password: str) -> None:
    assert password_matches(hash_password(password), password)


def test_a_digest_of_other_parameters_is_outdated() -> None:
    assert outdated(PasswordHasher(time_cost=1, memory_cost=8192).hash("12345678"))
    assert not outdated(hash_password("12345678"))


def test_nobodys_password_takes_as_long_to_check_as_anybodys() -> None:
    assert not outdated(NOBODYS)
    assert PasswordHasher().verify(NOBODYS, "nobody has this password")


async def test_checks_run_beside_the_event_loop() -> None:
    checks = Passwords()
    digest = await checks.hash("correct horse")
    assert await checks.match(digest, "correct horse")
    assert not await checks.match(digest, "wrong horse")
    assert not await checks.match(None, "correct horse")


async def test_so_many_are_checked_at_once_and_so_many_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, running, most = Event(), [0], [0]

    def slow_check(_digest: str | None, _password: str) -> bool:
        running[0] += 1
        most[0] = max(most[0], running[0])
        go_on.wait(10)
        running[0] -= 1
        return True

    monkeypatch.setattr(passwords, "password_matches", slow_check)
    checks = Passwords()
    waiting = [asyncio.create_task(checks.match(None, "12345678")) for _ in range(WAITING_AT_MOST)]
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy):
        await checks.match(None, "12345678")
    go_on.set()
    assert await asyncio.gather(*waiting) == [True] * WAITING_AT_MOST
    assert 1 <= most[0] <= CHECKED_AT_ONCE
    assert await checks.match(None, "12345678")
