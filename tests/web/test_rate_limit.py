"""The creation limit's window and memory."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from tallystick.web.address import ClientAddresses
from tallystick.web.rate_limit import CreationLimit


def request_from(address: str) -> dict[str, Any]:
    return {"client": (address, 1), "headers": []}


def test_a_window_opens_with_the_first_creation_and_lasts_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=1_000.7)
    monkeypatch.setattr("tallystick.web.rate_limit.time", SimpleNamespace(monotonic=lambda: clock.now))
    limit, client = CreationLimit(3, ClientAddresses()), request_from("192.0.2.1")
    admitted = []
    for moment in (1_000.7, 1_001.2, 1_001.6, 1_001.69, 1_001.7, 1_001.8, 1_001.9, 1_002.0):
        clock.now = moment
        admitted.append(limit.admit(client))
    assert admitted == [True, True, True, False, True, True, True, False]


def test_each_client_has_a_window_of_its_own() -> None:
    limit = CreationLimit(1, ClientAddresses())
    assert all(limit.admit(request_from(f"192.0.2.{last}")) for last in range(1, 100))


def addresses_in_memory(limit: CreationLimit) -> int:
    return len(vars(limit)["_windows"])


def test_addresses_are_forgotten() -> None:
    """They are in memory for a second or until the next creation after it, so that memory is bounded."""
    limit = CreationLimit(1, ClientAddresses())
    for last in range(200):
        limit.admit(request_from(f"192.0.2.{last}"))
    deadline = time.monotonic() + 20
    assert addresses_in_memory(limit) > 1
    while addresses_in_memory(limit) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        limit.admit(request_from("198.51.100.1"))
