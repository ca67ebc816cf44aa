"""Logs that nobody can read or store never stop the counting, nor the stopping."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from support.server import clean_environment

LARGEST_FILE = 400  # blocks of 1 KB, as bash counts them: enough to start, soon too small to count on


@contextmanager
def served(data: Path, *, stderr: int, limit: bool = False) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    command = [sys.executable, "-m", "tallystick", "serve", "--data", str(data), "--listen", "127.0.0.1:0"]
    if limit:
        command = ["bash", "-c", f'ulimit -f {LARGEST_FILE}; exec "$@"', "bash", *command]
    process = subprocess.Popen(
        [*command, "--creation-limit", "0"],
        env=clean_environment(),
        cwd=data.parent,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().rpartition(" ")[2].strip()
        yield process, url
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=20)
        process.stdout.close()


def first_answer(url: str) -> httpx.Response:
    deadline = time.monotonic() + 20
    while True:
        try:
            return httpx.get(f"{url}/hit/logs/one", timeout=20)
        except httpx.ConnectError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_server_whose_log_nobody_reads_stops_when_told(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with served(tmp_path / "data", stderr=writing) as (process, url):
        os.close(writing)
        os.close(reading)
        assert first_answer(url).json() == {"value": 1}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def test_a_full_disk_under_ledger_and_log_is_told_to_everyone(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full, served(tmp_path / "data", stderr=full.fileno(), limit=True) as running:
        process, url = running
        first_answer(url)
        answers = []
        with httpx.Client(base_url=url, timeout=20) as client:
            for number in range(2_000):
                answers.append(client.get(f"/hit/logs/{'x' * 50}-{number}"))
                if answers[-1].status_code != 200:
                    break
            assert answers[-1].status_code in {500, 503}
            assert "error" in json.loads(answers[-1].text)
            assert client.get("/hit/logs/again-and-again").status_code in {200, 500, 503}
            assert client.get("/metrics").text.count("tallystick_commit_failures_total 0.0") == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
