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
"""The rule for passwords, for people who choose one."""

CHECKED_AT_ONCE = 2
"""Each check takes 64 MiB and about 50 ms of all cores."""

WAITING_AT_MOST = 50
FORMS_AT_ONCE, FORMS_WAITING_AT_MOST = 1, 10
"""Limits for forms of logged-in people, which have a queue of their own so that they cannot block logins."""

Result = TypeVar("Result")

LONGEST_COMMON = 20
"""Characters; longer passwords are in no list of common passwords."""

_repeats = re.compile(r"(.{1,6})\1+", re.DOTALL).fullmatch
_hasher = PasswordHasher()
# A constant: computing it at import slowed the start of every command and server.
DUMMY_DIGEST = "$argon2id$v=19$m=65536,t=3,p=4$bm9ib2R5IG9mIG5vIG9uZQ$2mLEhuW0GeI3UYznkHgbyIpOi9ER/sOWHhpDaqlcCAs"


def password_problems(password: str) -> list[str]:
    """Messages about a password that is not accepted; empty for a good one.

    The first call loads the list of common passwords, which takes about 30 ms.
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
    """Whether a password is in a list, repeats a piece, or is a run of characters (the lists omit the latter two)."""
    short = len(password) <= LONGEST_COMMON
    return short and (bool(_repeats(password)) or _is_run(password) or password in _common_passwords())


@cache
def _common_passwords() -> frozenset[str]:
    """The most common passwords of published leaks, words and names, in lower case.

    The package has each text only in the list where it ranks highest: common passwords that are names (jennifer) or
    words (administrator) are missing from the list of passwords, so all lists are used.
    """
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415  # 800 KB of words, for those who choose one

    return frozenset(word for words in FREQUENCY_LISTS.values() for word in words[:COMMONEST])


def _is_run(text: str) -> bool:
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return steps in ({1}, {-1})


def hash_password(password: str) -> str:
    """The digest to store, with its salt and parameters.

    Raises:
        InvalidFields: the password is too short, too long or too common.
    """
    if problems := password_problems(password):
        raise InvalidFields({"password": problems})
    return _hasher.hash(password)


def password_matches(digest: str | None, password: str) -> bool:
    """Whether a password matches a digest. False without a digest, after the same time.

    The equal time keeps response times from telling which emails have accounts.
    """
    try:
        if len(password) > LONGEST or len(password.encode()) > MOST_BYTES:
            digest, password = None, ""
    except UnicodeEncodeError:
        digest, password = None, ""
    try:
        return _hasher.verify(DUMMY_DIGEST if digest is None else digest, password) and digest is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(digest: str) -> bool:
    """Whether a digest was made with outdated parameters and should be replaced."""
    return _hasher.check_needs_rehash(digest)


class Passwords:
    """Checks and hashes passwords on other threads, a few at once. Logins have a queue of their own."""

    def __init__(self) -> None:
        self._logins = _Queue(CHECKED_AT_ONCE, WAITING_AT_MOST)
        self._forms = _Queue(FORMS_AT_ONCE, FORMS_WAITING_AT_MOST)

    async def match(self, digest: str | None, password: str, *, logged_in: bool = False) -> bool:
        """``password_matches`` on another thread.

        Args:
            logged_in: whether the request comes from a logged-in person.

        Raises:
            StoreBusy: too many requests are waiting.
        """
        queue = self._forms if logged_in else self._logins
        return await queue.run(password_matches, digest, password)

    async def hash(self, password: str) -> str:
        """``hash_password`` on another thread.

        Raises:
            InvalidFields: the password is too short, too long or too common.
            StoreBusy: too many requests are waiting.
        """
        return await self._forms.run(hash_password, password)

    async def problems(self, password: str) -> list[str]:
        """``password_problems`` on another thread."""
        return await asyncio.to_thread(password_problems, password)

    async def renewed(self, digest: str, password: str) -> str | None:
        """A new digest for a correct password whose digest is outdated, else None.

        Also None when too many requests are waiting: the next login renews it.
        """
        if not outdated(digest):
            return None
        try:
            # Not hash_password: an old password may break today's rule.
            return await self._forms.run(_hasher.hash, password)
        except StoreBusy:
            return None


class _Queue:
    """Runs slow functions on threads, with limits for running and waiting calls."""

    def __init__(self, at_once: int, waiting_at_most: int) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._waiting_at_most = waiting_at_most
        self._pending = 0

    async def run(self, work: Callable[..., Result], *arguments: str | None) -> Result:
        """Run a function on another thread and return its result.

        Raises:
            StoreBusy: too many requests are waiting.
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
