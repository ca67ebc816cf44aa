"""Metrics for Prometheus. Labels are fixed sets (surface, status, reason, task), never a key or an address."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tallystick import __version__
from tallystick.hub.hub import Hub
from tallystick.ledger.measurements import Histogram
from tallystick.server.limits import ConnectionCounts
from tallystick.services.counting.abuse import AbuseNumbers
from tallystick.services.services import Services
from tallystick.tasks import BackgroundTasks
from tallystick.warehouse import Warehouse
from tallystick.warehouse.types import ChoreCounts
from tallystick.web.traffic import Traffic


class TallystickCollector(Collector):
    """Collects the server's metrics for each scrape."""

    def __init__(self, services: Services, traffic: Traffic, connections: ConnectionCounts) -> None:
        self._services, self._traffic, self._connections = services, traffic, connections

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        yield from self._requests()
        yield from _connections(self._connections)
        yield from self._writing()
        yield from _hits(self._services.warehouse)
        yield from _chores(self._services.warehouse.chores)
        yield from _live(self._services.following.hub)
        text = "Seconds by which the clock is ahead of the newest commit, 0 when it fits; below 0 behind."
        yield GaugeMetricFamily("tallystick_clock_ahead_seconds", text, self._services.clock.ahead)
        yield from _tasks(self._services.tasks)
        version = GaugeMetricFamily("tallystick_info", "What runs here.", labels=["version", "database"])
        version.add_metric([__version__, self._services.ledger.database.name], 1)
        yield version

    def _requests(self) -> Iterator[Metric]:
        answers = CounterMetricFamily(
            "tallystick_requests", "Answers sent, by surface and status.", labels=["surface", "status"]
        )
        for (surface, status), count in self._traffic.answers.items():
            answers.add_metric([surface, str(status)], count)
        yield answers
        refusals = CounterMetricFamily(
            "tallystick_refusals", "Requests refused, by surface and reason.", labels=["surface", "reason"]
        )
        for (surface, reason), count in self._traffic.refusals.items():
            refusals.add_metric([surface, reason], count)
        yield refusals
        additions = CounterMetricFamily(
            "tallystick_counter_additions",
            "Additions of POST /api/counters/add, by result: added, or the code of the refusal.",
            labels=["result"],
        )
        for result, count in self._traffic.additions.items():
            additions.add_metric([result], count)
        yield additions
        yield from _counters(self._services.counter_numbers.newest)

    def _writing(self) -> Iterator[Metric]:
        writers = self._services.ledger.measurements
        yield _histogram(
            "tallystick_acknowledgement_seconds",
            "From handing a count in to its durable commit.",
            [writer.acknowledgement for writer in writers],
        )
        yield _histogram(
            "tallystick_batch_size", "Writes that one batch holds.", [writer.batch_size for writer in writers]
        )
        yield _histogram(
            "tallystick_commit_seconds",
            "One transaction: load, fold, save and sync.",
            [writer.commit for writer in writers],
        )
        failures = CounterMetricFamily("tallystick_commit_failures", "Transactions that failed.")
        failures.add_metric([], sum(writer.failures for writer in writers))
        yield failures
        queue = GaugeMetricFamily("tallystick_queue_length", "Writes that wait for their batch.")
        queue.add_metric([], self._services.ledger.waiting)
        yield queue


def _counters(numbers: AbuseNumbers | None) -> Iterator[Metric]:
    created = CounterMetricFamily(
        "tallystick_counters_created", "Public counters created, in all of the ledger's time."
    )
    frozen = GaugeMetricFamily("tallystick_counters_frozen", "Public counters that the operator has frozen.")
    closed = GaugeMetricFamily("tallystick_namespaces_closed", "Namespaces that the operator has closed.")
    if numbers is not None:
        created.add_metric([], numbers.created)
        frozen.add_metric([], numbers.frozen)
        closed.add_metric([], numbers.closed)
    yield from (created, frozen, closed)


def _connections(counts: ConnectionCounts) -> Iterator[Metric]:
    opened = GaugeMetricFamily("tallystick_connections", "Open connections, by kind.", labels=["kind"])
    for kind, count in counts.open.items():
        opened.add_metric([kind], count)
    yield opened
    yield CounterMetricFamily("tallystick_hot_requests", "Requests answered in the hot lane.", counts.hot)
    left = CounterMetricFamily(
        "tallystick_hot_left", "Requests for URLs of the hot lane that took the ordinary way.", labels=["reason"]
    )
    for reason, count in counts.left.items():
        left.add_metric([reason], count)
    yield left
    refused = CounterMetricFamily(
        "tallystick_connection_refusals",
        "Requests and connections that the HTTP server itself refused.",
        labels=["reason"],
    )
    for reason, count in counts.refused.items():
        refused.add_metric([reason], count)
    yield refused


def _hits(warehouse: Warehouse) -> Iterator[Metric]:
    for name, text, value in (
        ("tallystick_hits_waiting", "Hits that wait for their commit.", warehouse.waiting),
        ("tallystick_hits_unmoved", "Acknowledged hits that wait to be brought into columns.", warehouse.unmoved),
        ("tallystick_sessions", "Sessions that live in memory.", warehouse.sessions),
    ):
        yield GaugeMetricFamily(name, text, value)
    yield CounterMetricFamily(
        "tallystick_hit_commit_failures", "Transactions with hits that failed.", warehouse.failures
    )


def _chores(counts: ChoreCounts | None) -> Iterator[Metric]:
    """Of a lake; without one the metrics have no values."""
    numbers = counts or ChoreCounts(runs={})
    families: tuple[tuple[type[GaugeMetricFamily | CounterMetricFamily], str, str, float], ...] = (
        (GaugeMetricFamily, "files", "Files with hits in the lake.", numbers.files),
        (GaugeMetricFamily, "bytes", "Bytes of these files.", numbers.bytes),
        (GaugeMetricFamily, "snapshots", "Snapshots of the lake that have not ended.", numbers.snapshots),
        (GaugeMetricFamily, "files_scheduled", "Files of the lake that are to be removed.", numbers.scheduled),
        (CounterMetricFamily, "flushed_rows", "Rows written from the catalogue to files.", numbers.flushed_rows),
        (CounterMetricFamily, "rewritten_files", "Files written anew without deleted rows.", numbers.rewritten_files),
        (CounterMetricFamily, "merged_files", "Small files that became part of larger ones.", numbers.merged_files),
        (CounterMetricFamily, "expired_snapshots", "Snapshots that were ended.", numbers.expired_snapshots),
        (CounterMetricFamily, "removed_files", "Files that were removed.", numbers.removed_files),
    )
    for kind, name, text, value in families:
        family = kind(f"tallystick_lake_{name}", text)
        if counts is not None:
            family.add_metric([], value)
        yield family
    of_each: tuple[tuple[type[GaugeMetricFamily | CounterMetricFamily], str, str, str], ...] = (
        (CounterMetricFamily, "chores", "Pieces of work on the lake that were done, by chore.", "count"),
        (CounterMetricFamily, "chore_failures", "Pieces of work on the lake that failed, by chore.", "failures"),
        (CounterMetricFamily, "chore_seconds", "Time that chores of the lake have taken.", "seconds"),
        (GaugeMetricFamily, "chore_longest_seconds", "The longest piece; no hit is moved meanwhile.", "longest"),
        (
            GaugeMetricFamily,
            "chore_last_success_timestamp_seconds",
            "When a piece was last done; 0 before the first one.",
            "succeeded",
        ),
    )
    for kind, name, text, field in of_each:
        family = kind(f"tallystick_lake_{name}", text, labels=["chore"])
        for chore, runs in numbers.runs.items():
            family.add_metric([chore], getattr(runs, field))
        yield family


def _live(hub: Hub) -> Iterator[Metric]:
    measurements = hub.measurements
    for name, text, value in (
        ("tallystick_live_connections", "Connections that receive changes of shared counters.", len(hub)),
        ("tallystick_live_watchers", "Connections that watch a public counter.", hub.watchers),
    ):
        yield GaugeMetricFamily(name, text, value)
    for name, text, value in (
        ("tallystick_live_told", "Changes of shared counters handed to connections.", measurements.published),
        ("tallystick_live_merged", "Of these, replaced by newer ones before they were read.", measurements.merged),
    ):
        yield CounterMetricFamily(name, text, value)
    ended = CounterMetricFamily(
        "tallystick_live_ended", "Live connections that we ended, by reason.", labels=["reason"]
    )
    for ending, count in measurements.ended.items():
        ended.add_metric([ending.name.lower()], count)
    yield ended


def _tasks(tasks: BackgroundTasks) -> Iterator[Metric]:
    failures = CounterMetricFamily("tallystick_task_failures", "Failures of background tasks.", labels=["task"])
    success = GaugeMetricFamily(
        "tallystick_task_last_success_timestamp_seconds",
        "When a background task last succeeded; absent before it first did.",
        labels=["task"],
    )
    overdue = GaugeMetricFamily(
        "tallystick_task_overdue", "1 where a background task has not succeeded for long.", labels=["task"]
    )
    for state in tasks.states:
        name = [state.row.name]
        failures.add_metric(name, state.failures)
        if state.last_success is not None:
            success.add_metric(name, state.last_success)
        overdue.add_metric(name, state.overdue)
    yield from (failures, success, overdue)


def metrics_registry(services: Services, traffic: Traffic, connections: ConnectionCounts) -> CollectorRegistry:
    """A registry of its own for each server: the process-wide one would mix the servers of a test run."""
    registry = CollectorRegistry()
    registry.register(TallystickCollector(services, traffic, connections))
    return registry


def _histogram(name: str, text: str, histograms: list[Histogram]) -> HistogramMetricFamily:
    bounds = histograms[0].bounds
    counts = [sum(column) for column in zip(*(histogram.counts for histogram in histograms), strict=True)]
    running, buckets = 0, []
    for bound, count in zip((*bounds, float("inf")), counts, strict=True):
        running += count
        buckets.append(("+Inf" if bound == float("inf") else str(bound), running))
    family = HistogramMetricFamily(name, text)
    family.add_metric([], buckets, sum_value=sum(histogram.sum for histogram in histograms))
    return family
