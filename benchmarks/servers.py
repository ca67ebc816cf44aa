"""Servers under load: each its own process, with its data beside the checkout, stopped at the end."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import prometheus_client.parser

ROOT = Path(__file__).resolve().parent.parent
STARTS_WITHIN_S = 60.0
MOVED_WITHIN_S = 120.0
OUTPUT = "output.txt"
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def working_folder() -> Iterator[Path]:
    """A folder for databases on the checkout's own disk: /tmp may be memory, where a sync costs nothing."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="bench-", dir=build) as folder:
        yield Path(folder)


class Process:
    """A running server.

    Attributes:
        url: where it listens.
        started_in: seconds from its start until it answered.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, started_in: float) -> None:
        self.url, self.started_in = url, started_in
        self._process = process
        self.pid = process.pid

    @property
    def cpu_seconds(self) -> float:
        """Processor time used so far, by all threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def batches(self) -> tuple[float, float]:
        """How many batches were committed, and how many writes they held."""
        samples = self._metrics()
        return samples["tallystick_batch_size_count"], samples["tallystick_batch_size_sum"]

    def wait_until_moved(self) -> None:
        """Wait until no acknowledged hit has still to be brought into columns."""
        deadline = time.monotonic() + MOVED_WITHIN_S
        # Servers of before there was a journal have no such number, and nothing to wait for.
        while hits := self._metrics().get("tallystick_hits_unmoved", 0):
            if time.monotonic() > deadline:
                msg = f"{hits:,.0f} hits were not brought into columns within {MOVED_WITHIN_S:.0f} s"
                raise SystemExit(msg)
            time.sleep(0.5)  # each look is work of the server too

    def _metrics(self) -> dict[str, float]:
        text = httpx.get(f"{self.url}/metrics", timeout=30).text
        return {
            sample.name: sample.value
            for family in prometheus_client.parser.text_string_to_metric_families(text)
            for sample in family.samples
        }


@contextmanager
def tallystick(folder: Path, *options: str, python: str = sys.executable) -> Iterator[Process]:
    """``tallystick serve``, its data in ``folder``; ``python`` may be that of another checkout."""
    command = [python, "-m", "tallystick", "serve", "--listen", "127.0.0.1:0", "--creation-limit", "0"]
    with _serving([*command, "--data", str(folder), *options], folder) as process:
        yield process


@contextmanager
def application(folder: Path, *arguments: str) -> Iterator[Process]:
    """One of ``apps.py``."""
    with _serving([sys.executable, str(ROOT / "benchmarks" / "apps.py"), *arguments], folder) as process:
        yield process


@contextmanager
def redis_server(folder: Path) -> Iterator[int]:
    """Run a Redis that syncs its append-only file every second. Yields its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    options = ["--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    with _running(["redis-server", "--port", str(port), *options], folder) as process:
        _greeting("Ready to accept connections", process, folder)
        yield port


def has_redis() -> bool:
    """Whether a Redis is installed, and the package that speaks to it (the extra ``bench``)."""
    return shutil.which("redis-server") is not None and find_spec("redis") is not None


@contextmanager
def _serving(command: Sequence[str], folder: Path) -> Iterator[Process]:
    started = time.perf_counter()
    with _running(command, folder) as process:
        url = _greeting(r"at (http://\S+)", process, folder)[1]
        _wait_until_it_answers(url)
        yield Process(process, url, time.perf_counter() - started)


@contextmanager
def _running(command: Sequence[str], folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    folder.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TALLYSTICK_")}
    with (folder / OUTPUT).open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _greeting(pattern: str, process: "subprocess.Popen[bytes]", folder: Path) -> "re.Match[str]":
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(pattern, (folder / OUTPUT).read_text("utf-8")):
            return found
        time.sleep(0.002)
    msg = f"a server did not start: {process.args!r}: {(folder / OUTPUT).read_text('utf-8')}"
    raise SystemExit(msg)


def _wait_until_it_answers(url: str) -> None:
    """Wait until the server responds: the address is printed a moment before it listens."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    with httpx.Client(timeout=STARTS_WITHIN_S) as client:
        while True:
            try:
                client.get(f"{url}/health/live")
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.002)
            else:
                return
