"""Passwords that do not slow the tests down."""

import pytest
from argon2 import PasswordHasher

from tallystick.services import passwords


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing is slow on purpose, and not what these tests are about."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", quick)
    monkeypatch.setattr(passwords, "NOBODYS", quick.hash("nobody has this password"))
