"""What Prometheus reads, read with Prometheus' own parser."""

import socket
from collections import Counter
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from builders import NOW
from support.ledgers import opened
from support.server import RunningServer, running_server
from support.services import services_over
from tallystick.hub.hub import Ending, Hub
from tallystick.ledger import open_database
from tallystick.model.change import Change
from tallystick.server.limits import ConnectionCounts
from tallystick.services.feed.following import Following
from tallystick.surfaces.countapi.errors import REASONS
from tallystick.surfaces.native.metrics import metrics_registry
from tallystick.web.traffic import Traffic

Labels: TypeAlias = tuple[tuple[str, str], ...]

FAMILIES = {
    "tallystick_requests": "counter",
    "tallystick_refusals": "counter",
    "tallystick_counter_additions": "counter",
    "tallystick_counters_created": "counter",
    "tallystick_counters_frozen": "gauge",
    "tallystick_namespaces_closed": "gauge",
    "tallystick_connections": "gauge",
    "tallystick_connection_refusals": "counter",
    "tallystick_hot_requests": "counter",
    "tallystick_hot_left": "counter",
    "tallystick_acknowledgement_seconds": "histogram",
    "tallystick_batch_size": "histogram",
    "tallystick_commit_seconds": "histogram",
    "tallystick_commit_failures": "counter",
    "tallystick_queue_length": "gauge",
    "tallystick_hit_commit_failures": "counter",
    "tallystick_hits_waiting": "gauge",
    "tallystick_hits_unmoved": "gauge",
    "tallystick_sessions": "gauge",
    **{f"tallystick_lake_{name}": "gauge" for name in ("files", "bytes", "snapshots", "files_scheduled")},
    **{f"tallystick_lake_chore_{name}_seconds": "gauge" for name in ("longest", "last_success_timestamp")},
    **{
        f"tallystick_lake_{name}": "counter"
        for name in (
            *("chores", "chore_seconds", "chore_failures", "flushed_rows", "rewritten_files", "merged_files"),
            *("expired_snapshots", "removed_files"),
        )
    },
    "tallystick_clock_ahead_seconds": "gauge",
    "tallystick_live_connections": "gauge",
    "tallystick_live_ended": "counter",
    "tallystick_live_merged": "counter",
    "tallystick_live_told": "counter",
    "tallystick_live_watchers": "gauge",
    "tallystick_task_failures": "counter",
    "tallystick_task_last_success_timestamp_seconds": "gauge",
    "tallystick_task_overdue": "gauge",
    "tallystick_info": "gauge",
}
LABELS = {"kind", "surface", "status", "reason", "result", "le", "version", "database", "task", "chore"}


def samples(server: RunningServer) -> dict[tuple[str, Labels], float]:
    """Every sample by name and labels."""
    text = server.get("/metrics").text
    families = list(text_string_to_metric_families(text))
    assert {family.name: family.type for family in families} == FAMILIES
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def answered(surface: str, status: int) -> tuple[str, Labels]:
    return "tallystick_requests_total", (("status", str(status)), ("surface", surface))


def test_connections_and_the_hot_lane_are_counted(server: RunningServer) -> None:
    before = samples(server)
    url = urlsplit(server.url)
    with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=10) as idle:
        server.get("/hit/example.com/one")
        server.get("/hit/example.com/one?callback=f")
        idle.sendall(b"no request\r\n\r\n")
        assert idle.recv(1000).startswith(b"HTTP/1.1 400 ")
        after = samples(server)
    assert after["tallystick_connections", (("kind", "http"),)] >= 1
    for name, labels in (
        ("tallystick_hot_requests_total", ()),
        ("tallystick_hot_left_total", (("reason", "callback"),)),
        ("tallystick_connection_refusals_total", (("reason", "malformed request"),)),
    ):
        assert after[name, labels] - before.get((name, labels), 0) == 1, name


def test_requests_are_counted_by_surface_and_status(server: RunningServer) -> None:
    before = samples(server)
    for path in ("/hit/example.com/one", "/hit/example.com/one?img", "/get/example.com/none", "/hit/x", "/docs/none"):
        server.get(path)
    after = samples(server)
    expected = {
        answered("countapi", 200): 2,
        answered("countapi", 404): 1,
        answered("countapi", 400): 1,
        answered("dashboard", 404): 1,
        answered("native", 200): 1,
    }
    for sample, count in expected.items():
        assert after[sample] - before.get(sample, 0) == count, sample


REFUSED = {
    "/nowhere": "no such endpoint",
    "/hit/x": "bad request",
    "/hit/known/plain?callback=1": "bad request",
    f"/hit/known/plain?{'x' * 8200}": "query too long",
    "/get/known/missing": "missing",
    "/info/known/missing": "missing",
    "/update/known/missing?amount=1": "missing",
    "/update/known/plain?amount=2": "out of bounds",
    "/set/known/plain?value=2": "not resettable",
    "/create?namespace=known&key=plain": "exists",
    "/hit/known/largest": "out of range",
    "/set/known/missing?value=2&img": "missing",
    "/update/known/plain?amount=3&callback=show": "out of bounds",
}


def refused(reason: str) -> tuple[str, Labels]:
    return "tallystick_refusals_total", (("reason", reason), ("surface", "countapi"))


def test_every_refusal_is_counted_by_its_reason(server: RunningServer) -> None:
    server.get("/create?namespace=known&key=plain")
    server.get(f"/create?namespace=known&key=largest&value={2**63 - 1}")
    for path in REFUSED:
        server.get(path)
    httpx.put(f"{server.url}/hit/known/plain")
    told = samples(server)
    counted = {reason: told[refused(reason)] for reason in REASONS}
    expected = Counter([*REFUSED.values(), "method not allowed"])
    assert counted == {reason: expected[reason] for reason in REASONS}


def test_refused_creations_are_counted(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", creation_limit=1) as server:
        statuses = Counter(server.get(f"/hit/limited/key-{number}").status_code for number in range(10))
        assert samples(server)[refused("creation limited")] == statuses[429] > 0


def test_each_count_is_timed_and_belongs_to_a_batch(server: RunningServer) -> None:
    for _ in range(5):
        server.get("/hit/example.com/one")
    after = samples(server)
    assert after["tallystick_acknowledgement_seconds_count", ()] == 5
    assert after["tallystick_batch_size_sum", ()] >= 5
    assert 1 <= after["tallystick_batch_size_count", ()] <= after["tallystick_batch_size_sum", ()]
    assert after["tallystick_commit_seconds_count", ()] >= 5
    assert after["tallystick_commit_seconds_sum", ()] > 0
    assert after["tallystick_commit_failures_total", ()] == 0
    assert after["tallystick_queue_length", ()] == 0


def test_buckets_rise_to_the_count(server: RunningServer) -> None:
    for _ in range(3):
        server.get("/hit/example.com/one")
    after = samples(server)
    for family in ("tallystick_acknowledgement_seconds", "tallystick_batch_size", "tallystick_commit_seconds"):
        buckets = sorted(
            (float(labels[0][1]), value) for (name, labels), value in after.items() if name == f"{family}_bucket"
        )
        counts = [count for _, count in buckets]
        assert counts == sorted(counts)
        assert buckets[-1] == (float("inf"), after[f"{family}_count", ()])


async def test_live_connections_and_what_they_are_told_are_counted(tmp_path: Path) -> None:
    hub = Hub()
    reading, ending = hub.subscribe(1, 1, ZoneInfo("UTC")), hub.subscribe(2, 2, ZoneInfo("UTC"))
    for number in range(2_000):
        hub.publish(Change(number=number, counter="visits", kind="value", at=NOW), [1, 3])
    await reading.next()
    hub.end_one(ending, Ending.SLOW)
    async with opened(open_database(None, tmp_path)) as ledger:
        services = replace(services_over(ledger), following=Following(ledger, hub))
        value = metrics_registry(services, Traffic(), ConnectionCounts()).get_sample_value
        assert value("tallystick_live_connections") == 1
        assert value("tallystick_live_watchers") == 0
        assert value("tallystick_live_told_total") == 2_000
        assert value("tallystick_live_merged_total") == 1_999
        counts = {reason: value("tallystick_live_ended_total", {"reason": reason}) for reason in ("slow", "revoked")}
        assert counts == {"slow": 1, "revoked": 0}


def test_nothing_names_a_counter_or_an_address(server: RunningServer) -> None:
    server.get("/hit/secret-namespace/secret-key?callback=secretly", headers={"user-agent": "secret agent"})
    server.get("/hit/secret%20/secret-key")
    text = server.get("/metrics").text
    assert "secret" not in text
    assert "127.0.0.1" not in text
    assert {name for _, labels in samples(server) for name, _ in labels} <= LABELS
