"""Encrypts the few secrets in the ledger that the server must be able to read.

The key is in the environment, or in a file beside the data that only its owner can read, so that a copy of the ledger
alone reveals nothing.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from tallystick.errors import DataDirectoryUnusable, InvalidSetting

VARIABLE = "TALLYSTICK_SECRET_KEY"
KEY_FILE = "secret.key"
KEY_BYTES = 32
PREFIX = "sealed:"
"""The beginning of every sealed text."""


class Seals:
    """Encrypts texts with the first of its keys, and decrypts with any of them.

    Args:
        keys: of 32 bytes each.
    """

    def __init__(self, *keys: bytes) -> None:
        self._cipher = MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])

    @classmethod
    def new(cls) -> Self:
        """Seals with a random key that is not stored."""
        return cls(os.urandom(KEY_BYTES))

    @classmethod
    def load(cls, data: Path, environment: Mapping[str, str] = os.environ, *, create: bool = True) -> Self | None:
        """Seals with the key of the environment, else with the one in the data directory.

        Args:
            create: whether to create a missing key file.

        Returns:
            None if there is no key and none is created.

        Raises:
            InvalidSetting: the variable is not a key.
            DataDirectoryUnusable: the key file cannot be read or created, or has no key.
        """
        if text := environment.get(VARIABLE):
            keys = [_key(part) for part in text.split(",")]
            if None in keys:
                msg = f"{VARIABLE} accepts 32 bytes in base64, such as: head -c 32 /dev/urandom | base64"
                raise InvalidSetting(msg)
            return cls(*filter(None, keys))
        file = data / KEY_FILE
        if not file.exists():
            if not create:
                return None
            _make(file)
        try:
            key = _key(file.read_text("ascii"))
        except (OSError, UnicodeDecodeError) as error:
            msg = f"cannot read {file}: {error}"
            raise DataDirectoryUnusable(msg) from error
        if key is None:
            msg = f"{file} has no valid key; restore the key file that belongs to this data"
            raise DataDirectoryUnusable(msg)
        return cls(key)

    def seal(self, text: str, purpose: str) -> str:
        """Encrypt a text, so that it can be decrypted only for the same purpose."""
        return PREFIX + self._cipher.encrypt(f"{purpose}\n{text}".encode()).decode()

    def open(self, sealed: str, purpose: str) -> str | None:
        """Decrypt a text; None if it was sealed with another key or for another purpose."""
        with suppress(InvalidToken):
            sealed_for, _, text = self._cipher.decrypt(sealed.removeprefix(PREFIX)).decode().partition("\n")
            return text if sealed_for == purpose else None
        return None


def is_sealed(text: str) -> bool:
    """Whether a text is encrypted."""
    return text.startswith(PREFIX)


def _key(text: str) -> bytes | None:
    with suppress(ValueError):
        key = urlsafe_b64decode(text.strip().replace("+", "-").replace("/", "_"))
        return key if len(key) == KEY_BYTES else None
    return None


def _make(file: Path) -> None:
    """Create the key file atomically: two servers may start at once."""
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            os.write(descriptor, urlsafe_b64encode(os.urandom(KEY_BYTES)) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            with suppress(FileExistsError):
                os.link(partial, file)
        finally:
            partial.unlink()
    except OSError as error:
        msg = f"cannot create {file}: {error.strerror}"
        raise DataDirectoryUnusable(msg) from error
