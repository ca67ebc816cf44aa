"""Passwords are kept as argon2id digests and checked a few at a time."""

import asyncio
from threading import Event

import pytest
from argon2 import PasswordHasher

from tallystick.errors import InvalidFields, StoreBusy
from tallystick.services.accounts import passwords
from tallystick.services.accounts.passwords import (
    CHECKED_AT_ONCE,
    DUMMY_DIGEST,
    FORMS_WAITING_AT_MOST,
    WAITING_AT_MOST,
    Passwords,
    hash_password,
    outdated,
    password_matches,
    password_problems,
)

A_PASSWORD = "correct horse"


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
        ("7 chars", "must have 8 to 128 characters"),
        ("", "must have 8 to 128 characters"),
        ("x1" * 64 + "a", "must have 8 to 128 characters"),
        ("lonely \ud800 half", "must be text"),
        *((common, "is one of the 10,000 most common ones; choose another") for common in ("password", "12345678")),
        *((common, "is one of the 10,000 most common ones; choose another") for common in ("PassWord1", " iloveyou ")),
        *(
            (common, "is one of the 10,000 most common ones; choose another")
            for common in (
                *("jennifer", "Michelle", "alexander", "administrator", "australia", "chocolate", "butterfly"),
                *("987654321", "87654321", "123123123", "12341234", "abcdefgh", "abababab", "asdfasdf"),
                *("ｐａｓｓｗｏｒｄ", "ＪＥＮＮＩＦＥＲ", "\u3000password\u00a0"),  # noqa: RUF001  # typed in full width
            )
        ),
        *((blank, "must be more than one character repeated") for blank in (" " * 8, " \t" * 8, "a" * 50, "é" * 9)),
    ],
)
@pytest.mark.usefixtures("quick_passwords")
def test_what_is_no_password_is_refused_in_one_wording(password: str, problem: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        hash_password(password)
    assert refused.value.errors == {"password": [problem]}
    assert not password_matches(hash_password(A_PASSWORD), password)


@pytest.mark.parametrize(
    "password", ["8 chars.", "é1" * 26, "with \0 in it", "x1" * 64, "\U0001f40e " * 64, "a" * 63 + "b"]
)
@pytest.mark.usefixtures("quick_passwords")
def test_any_other_text_of_8_to_128_characters_is_a_password(password: str) -> None:
    assert password_problems(password) == []
    assert password_matches(hash_password(password), password)


def test_a_password_from_before_the_list_of_common_ones_still_opens() -> None:
    assert password_matches(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("password"), "password")


def test_a_digest_of_other_parameters_is_outdated() -> None:
    assert outdated(PasswordHasher(time_cost=1, memory_cost=8192).hash(A_PASSWORD))
    assert not outdated(hash_password(A_PASSWORD))


def test_nobodys_password_takes_as_long_to_check_as_anybodys() -> None:
    assert not outdated(DUMMY_DIGEST)
    assert PasswordHasher().verify(DUMMY_DIGEST, "nobody has this password")


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
    waiting = [asyncio.create_task(checks.match(None, A_PASSWORD)) for _ in range(WAITING_AT_MOST)]
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy):
        await checks.match(None, A_PASSWORD)
    go_on.set()
    assert await asyncio.gather(*waiting) == [True] * WAITING_AT_MOST
    assert 1 <= most[0] <= CHECKED_AT_ONCE
    assert await checks.match(None, A_PASSWORD)


async def test_forms_of_the_logged_in_keep_nobody_from_logging_in(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = Event()
    monkeypatch.setattr(passwords, "hash_password", lambda _password: go_on.wait(10) and "digest")
    checks = Passwords()
    digest = hash_password(A_PASSWORD)
    hashing = [asyncio.create_task(checks.hash(A_PASSWORD)) for _ in range(60)]
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy):
        await checks.match(digest, A_PASSWORD, logged_in=True)
    assert await checks.match(digest, A_PASSWORD)
    go_on.set()
    results = await asyncio.gather(*hashing, return_exceptions=True)
    assert results.count("digest") == FORMS_WAITING_AT_MOST
