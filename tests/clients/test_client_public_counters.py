"""``PublicCounters`` and ``AsyncPublicCounters`` against a running server: every call."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.analytics import HOST, AnalyticsServer, analytics_server
from support.clients import Driven
from tallystick.client import AsyncPublicCounters, CountApi, PublicCounters
from tallystick.client.errors import BadRequest, Conflict, Forbidden, KeyReused, NotFound, Unauthorized
from tallystick.client.public_counters import Added, Addition, CounterName


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path_factory.mktemp("owned") / "data") as running:
        yield running


@pytest.fixture(params=["blocking", "awaited"])
def api(request: pytest.FixtureRequest, server: AnalyticsServer) -> Iterator[Any]:
    """With the token of an account."""
    if request.param == "blocking":
        with PublicCounters(server.url, server.token) as blocking:
            yield blocking
    else:
        with Driven(AsyncPublicCounters(server.url, server.token)) as awaited:
            yield awaited


def test_every_call(api: Any, server: AnalyticsServer, request: pytest.FixtureRequest) -> None:
    space = request.node.callspec.params["api"]
    made = api.create(space, "visits", value=5, label="Visits", origins=["https://example.com"])
    assert (made.value, made.label, made.origins, made.unique, made.expires, made.secret) == (
        5,
        "Visits",
        ("https://example.com",),
        None,
        None,
        "",
    )
    assert api.get(space, "visits") == made
    assert api.get(space, "missing") is None
    changed = api.change(space, "visits", origins=[], unique="day", upper=10)
    assert (changed.origins, changed.unique, changed.upper, changed.label) == ((), "day", 10, "Visits")
    assert api.change(space, "visits", unique=None).unique is None
    assert api.set(space, "visits", -7).value == -7
    assert api.reset(space, "visits").value == 0
    secret = api.renew_secret(space, "visits").secret
    with PublicCounters(server.url, secret) as owner:
        assert owner.set(space, "visits", 41).value == 41
        with pytest.raises(Unauthorized):
            list(owner.mine())
    assert api.rename(space, "visits", "all-visits").key == "all-visits"
    assert [each.key for each in api.mine() if each.namespace == space] == ["all-visits"]
    with pytest.raises(Conflict):
        api.create(space, "all-visits")
    with PublicCounters(server.url) as stranger:
        with pytest.raises(Unauthorized):
            stranger.delete(space, "all-visits")
        assert stranger.create(space, "another").secret.startswith("counter_")
    api.delete(space, "all-visits")
    with pytest.raises(NotFound):
        api.reset(space, "all-visits")


def test_many_counters_with_one_call(api: Any, request: pytest.FixtureRequest) -> None:
    space = f"many-{request.node.callspec.params['api']}"
    additions = [Addition(space, "visits"), Addition(space, "visits"), Addition(space, "stock", -3)]
    key = f"import-of-{space}"
    added = api.add(additions, idempotency_key=key)
    assert added[:2] == [Added(space, "visits", 1, created=True), Added(space, "visits", 2)]
    assert (added[2].value, added[2].error.code) == (None, "no-such-counter")
    assert api.add(additions, idempotency_key=key) == added
    with pytest.raises(KeyReused):
        api.add(additions[:1], idempotency_key=key)
    visits, missing = api.read([CounterName(space, "visits"), CounterName(space, "stock")])
    assert (visits, visits.value) == (api.get(space, "visits"), 2)
    assert missing is None
    with pytest.raises(BadRequest):
        api.read([])


def test_claims_and_reservations(api: Any, server: AnalyticsServer, request: pytest.FixtureRequest) -> None:
    key = request.node.callspec.params["api"]
    with CountApi(server.url) as counting:
        counting.hit(key, HOST)
        assert api.claim(HOST, key).owned
        assert not api.is_reserved(HOST)
        api.reserve(HOST)
        assert api.is_reserved(HOST)
        with pytest.raises(Forbidden):
            counting.hit(f"{key}-new", HOST)
        api.release(HOST)
        assert counting.hit(f"{key}-new", HOST) == 1


def test_more_counters_than_a_page_has(monkeypatch: pytest.MonkeyPatch, server: AnalyticsServer) -> None:
    monkeypatch.setattr("tallystick.client.public_counters.PAGE", 2)
    with PublicCounters(server.url, server.token) as api:
        for number in range(5):
            api.create("pages", f"counter-{number}")
        assert [each.key for each in api.mine() if each.namespace == "pages"] == [f"counter-{n}" for n in range(5)]


def test_a_server_without_this_api_is_not_taken_for_a_missing_counter() -> None:
    absent = httpx.MockTransport(lambda _: httpx.Response(404, json={"error": {"code": "not-found", "message": "no"}}))
    with PublicCounters("http://127.0.0.1:8080", transport=absent) as api, pytest.raises(NotFound):
        api.get("example.com", "visits")
