"""Passwords: argon2id digests, slow on purpose, checked a few at a time."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tallystick.errors import InvalidFields, StoreBusy

SHORTEST, LONGEST = 8, 50
"""Bytes."""

CHECKED_AT_ONCE = 2
"""Each takes 64 MiB and some 50 ms of all cores."""

WAITING_AT_MOST = 50

Result = TypeVar("Result")

_hasher = PasswordHasher()
# Made once and for all: making it took a good part of the time in which every command and server starts.
NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$bm9ib2R5IG9mIG5vIG9uZQ$2mLEhuW0GeI3UYznkHgbyIpOi9ER/sOWHhpDaqlcCAs"


def password_problems(password: str) -> list[str]:
    """What is wrong with a password that someone chose; empty when nothing is."""
    try:
        length = len(password.encode())
    except UnicodeEncodeError:
        return ["must be text"]
    if length < SHORTEST:
        return [f"must be longer than {SHORTEST - 1} bytes"]
    return [f"must be shorter than {LONGEST + 1} bytes"] if length > LONGEST else []


def hash_password(password: str) -> str:
    """The digest to keep, with its own salt and parameters.

    Raises:
        InvalidFields: the password is too short or too long.
    """
    if problems := password_problems(password):
        raise InvalidFields({"password": problems})
    return _hasher.hash(password)


def password_matches(digest: str | None, password: str) -> bool:
    """Whether a password is the one of a digest. Without a digest it takes as long and is false.

    So who tries emails learns nothing from the time an answer takes.
    """
    if password_problems(password):
        digest, password = None, ""
    try:
        return _hasher.verify(NOBODYS if digest is None else digest, password) and digest is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(digest: str) -> bool:
    """Whether a digest was made with other parameters than today's and should be made anew."""
    return _hasher.check_needs_rehash(digest)


class Passwords:
    """Checks and hashes away from the event loop, so many at once and no more."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(CHECKED_AT_ONCE)
        self._asked = 0

    async def match(self, digest: str | None, password: str) -> bool:
        """``password_matches`` on another thread.

        Raises:
            StoreBusy: too many wait.
        """
        return await self._in_turn(password_matches, digest, password)

    async def hash(self, password: str) -> str:
        """``hash_password`` on another thread.

        Raises:
            InvalidFields: the password is too short or too long.
            StoreBusy: too many wait.
        """
        return await self._in_turn(hash_password, password)

    async def _in_turn(self, work: Callable[..., Result], *arguments: str | None) -> Result:
        if self._asked >= WAITING_AT_MOST:
            msg = "too many logins are waiting"
            raise StoreBusy(msg)
        self._asked += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, *arguments)
        finally:
            self._asked -= 1
