"""Passwords: argon2id digests, slow on purpose, checked a few at a time."""

import asyncio
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tallystick.errors import InvalidFields, StoreBusy

SHORTEST, LONGEST = 8, 128
"""Characters."""

MOST_BYTES = 512
COMMONEST = 10_000
RULE = f"{SHORTEST} to {LONGEST} characters. The {COMMONEST:,} most common passwords, words and names are not accepted."
"""What a password must be, for people who choose one."""

CHECKED_AT_ONCE = 2
"""Each takes 64 MiB and some 50 ms of all cores."""

WAITING_AT_MOST = 50
FORMS_AT_ONCE, FORMS_WAITING_AT_MOST = 1, 10
"""The same for forms of people who are logged in: they cannot keep others from logging in."""

Result = TypeVar("Result")

LONGEST_COMMON = 20
"""Characters; longer passwords are in no list of common ones."""

_repeats = re.compile(r"(.{1,6})\1+", re.DOTALL).fullmatch
_hasher = PasswordHasher()
# Made once and for all: making it took a good part of the time in which every command and server starts.
NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$bm9ib2R5IG9mIG5vIG9uZQ$2mLEhuW0GeI3UYznkHgbyIpOi9ER/sOWHhpDaqlcCAs"


def password_problems(password: str) -> list[str]:
    """What is wrong with a password that someone chose; empty when nothing is.

    The first call reads the list of common passwords and takes some 30 ms.
    """
    try:
        size = len(password.encode())
    except UnicodeEncodeError:
        return ["must be text"]
    if not SHORTEST <= len(password) <= LONGEST:
        return [f"must have {SHORTEST} to {LONGEST} characters"]
    if size > MOST_BYTES:
        return [f"must be shorter than {MOST_BYTES + 1} bytes"]
    if len(set(password)) == 1 or not password.strip():
        return ["must be more than one character repeated"]
    if _is_common(unicodedata.normalize("NFKC", password).strip().casefold()):
        return [f"is one of the {COMMONEST:,} most common ones; choose another"]
    return []


def _is_common(password: str) -> bool:
    """The package's lists leave out what a rule describes better: pieces that repeat, and characters in a row."""
    short = len(password) <= LONGEST_COMMON
    return short and (bool(_repeats(password)) or _is_run(password) or password in _common_passwords())


@cache
def _common_passwords() -> frozenset[str]:
    """The commonest passwords of published leaks, lower case, and the commonest words and names.

    The package keeps each text in the one list where it stands highest: a common password that is a name (jennifer)
    or a word (administrator) is missing from the list of passwords, and stands no lower in the other one.
    """
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415  # 800 KB of words, for those who choose one

    return frozenset(word for words in FREQUENCY_LISTS.values() for word in words[:COMMONEST])


def _is_run(text: str) -> bool:
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return steps in ({1}, {-1})


def hash_password(password: str) -> str:
    """The digest to keep, with its own salt and parameters.

    Raises:
        InvalidFields: the password is too short, too long or too common.
    """
    if problems := password_problems(password):
        raise InvalidFields({"password": problems})
    return _hasher.hash(password)


def password_matches(digest: str | None, password: str) -> bool:
    """Whether a password is the one of a digest. Without a digest it takes as long and is false.

    So who tries emails learns nothing from the time an answer takes.
    """
    try:
        if len(password) > LONGEST or len(password.encode()) > MOST_BYTES:
            digest, password = None, ""
    except UnicodeEncodeError:
        digest, password = None, ""
    try:
        return _hasher.verify(NOBODYS if digest is None else digest, password) and digest is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(digest: str) -> bool:
    """Whether a digest was made with other parameters than today's and should be made anew."""
    return _hasher.check_needs_rehash(digest)


class Passwords:
    """Checks and hashes away from the event loop, a few at once. Logins wait in a queue of their own."""

    def __init__(self) -> None:
        self._logins = _Queue(CHECKED_AT_ONCE, WAITING_AT_MOST)
        self._forms = _Queue(FORMS_AT_ONCE, FORMS_WAITING_AT_MOST)

    async def match(self, digest: str | None, password: str, *, logged_in: bool = False) -> bool:
        """``password_matches`` on another thread.

        Args:
            logged_in: whether the request comes from a person who is logged in.

        Raises:
            StoreBusy: too many wait.
        """
        queue = self._forms if logged_in else self._logins
        return await queue.run(password_matches, digest, password)

    async def hash(self, password: str) -> str:
        """``hash_password`` on another thread.

        Raises:
            InvalidFields: the password is too short, too long or too common.
            StoreBusy: too many wait.
        """
        return await self._forms.run(hash_password, password)

    async def problems(self, password: str) -> list[str]:
        """``password_problems`` on another thread."""
        return await asyncio.to_thread(password_problems, password)

    async def renewed(self, digest: str, password: str) -> str | None:
        """A digest of today's parameters for a password that was just typed right; None where it is not needed.

        Also None when too many wait: the next login renews it as well.
        """
        if not outdated(digest):
            return None
        try:
            # Not hash_password: a password of the past may break the rules of today.
            return await self._forms.run(_hasher.hash, password)
        except StoreBusy:
            return None


class _Queue:
    """Calls of slow functions, some at once, some waiting, and no more."""

    def __init__(self, at_once: int, waiting_at_most: int) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._waiting_at_most = waiting_at_most
        self._pending = 0

    async def run(self, work: Callable[..., Result], *arguments: str | None) -> Result:
        """The function's result, from another thread.

        Raises:
            StoreBusy: too many wait.
        """
        if self._pending >= self._waiting_at_most:
            msg = "too many passwords are being checked"
            raise StoreBusy(msg)
        self._pending += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, *arguments)
        finally:
            self._pending -= 1
