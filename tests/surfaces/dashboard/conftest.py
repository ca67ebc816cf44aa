"""Passwords that do not slow the tests down."""

import pytest


@pytest.fixture(autouse=True)
def _quick_passwords(quick_passwords: None) -> None:
    """People log in everywhere."""
