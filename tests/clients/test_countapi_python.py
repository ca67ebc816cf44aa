"""PyPI ``countapi`` 1.0 against a running server: every function, on success and on failure."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import countapi
import pytest
from countapi.common import NotOKError

from support.server import RunningServer

MODULES = ("create", "info", "set", "stats", "value")
LIFETIME_MS = 15_770_000_000


@pytest.fixture(autouse=True)
def _pointed_at_the_server(shared_server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(shared_server.url, monkeypatch)


def point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base address is a constant that each module of the client holds for itself."""
    for module in MODULES:
        monkeypatch.setattr(f"countapi.{module}.API_BASE", url)


def shown(response: object) -> dict[str, Any]:
    return dict(vars(response))


def test_create_without_arguments_makes_a_uuid_in_the_default_namespace() -> None:
    created = countapi.create_counter()
    assert UUID(created.key).version == 4
    assert shown(created) == {"namespace": "default", "key": created.key, "value": 0}


def test_create_takes_every_argument() -> None:
    created = countapi.create_counter(
        "visits", "create.com", value=-7, enable_reset=True, update_lower_bound=-5, update_upper_bound=100
    )
    assert shown(created) == {"namespace": "create.com", "key": "visits", "value": -7}
    assert countapi.update_counter(100, "visits", "create.com").value == 93
    assert countapi.update_counter(-5, "visits", "create.com").value == 88
    assert shown(countapi.set_value(0, "visits", "create.com")) == {"old_value": 88, "value": 0}


def test_hit_update_get_and_set_with_and_without_a_namespace() -> None:
    assert shown(countapi.hit_counter("visits")) == {"value": 1}
    assert shown(countapi.hit_counter("visits", "default")) == {"value": 2}
    assert shown(countapi.hit_counter("visits", "hits.com")) == {"value": 1}
    assert shown(countapi.update_counter(1, "visits")) == {"value": 3}
    assert shown(countapi.get_value("visits")) == {"value": 3}
    assert shown(countapi.get_value("visits", "hits.com")) == {"value": 1}
    countapi.create_counter("score", enable_reset=True)
    assert shown(countapi.set_value(5, "score")) == {"old_value": 0, "value": 5}


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcfromtimestamp:DeprecationWarning")  # from the client itself
def test_info_tells_everything() -> None:
    before = datetime.now(UTC).replace(tzinfo=None)
    countapi.create_counter("visits", "info.com", 3, enable_reset=True, update_lower_bound=-2, update_upper_bound=4)
    info = countapi.get_info("visits", "info.com")
    assert timedelta(0) <= info.created_at - before + timedelta(milliseconds=1) < timedelta(minutes=1)
    assert LIFETIME_MS - 60_000 < info.ttl <= LIFETIME_MS
    assert {name: value for name, value in shown(info).items() if name not in {"created_at", "ttl"}} == {
        "namespace": "info.com",
        "key": "visits",
        "value": 3,
        "enable_reset": True,
        "update_upper_bound": 4,
        "update_lower_bound": -2,
    }


def test_stats_count_this_client(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(server.url, monkeypatch)
    countapi.hit_counter("visits")
    countapi.hit_counter("visits")
    stats = shown(countapi.get_stats())
    version = server.get("/stats").json()["version"]
    assert stats == {"keys_created": 1, "keys_updated": 2, "requests": 3, "version": version}


REFUSALS: list[tuple[Callable[[], object], int]] = [
    (lambda: countapi.get_value("missing"), 404),
    (lambda: countapi.get_info("missing", "example.com"), 404),
    (lambda: countapi.set_value(1, "missing"), 404),
    (lambda: countapi.update_counter(1, "missing"), 404),
    (lambda: countapi.set_value(1, "taken"), 403),
    (lambda: countapi.update_counter(2, "taken"), 403),
    (lambda: countapi.hit_counter("closed"), 403),
    (lambda: countapi.create_counter("taken"), 409),
    (lambda: countapi.create_counter("ab"), 400),
    (lambda: countapi.create_counter(update_lower_bound=1), 400),
    (lambda: countapi.hit_counter("ab"), 400),
    (lambda: countapi.hit_counter(""), 404),
]


def test_each_refusal_is_a_not_ok_error() -> None:
    countapi.create_counter("taken")
    countapi.create_counter("closed", update_upper_bound=0)
    for call, status in REFUSALS:
        with pytest.raises(NotOKError, match=rf"\[status {status}\]$"):
            call()


def test_stats_of_a_server_that_fails_are_a_not_ok_error(
    shared_server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_at(f"{shared_server.url}/no-such-place", monkeypatch)
    with pytest.raises(NotOKError, match=r"\[status 404\]$"):
        countapi.get_stats()
