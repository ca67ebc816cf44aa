"""``tallystick serve`` as a process, as a person would run it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx

STARTS_WITHIN_S = 30.0
FREE_PORT = "127.0.0.1:0"


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's environment without settings of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TALLYSTICK_")}
    return kept | variables


def tallystick(*arguments: str | Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end; output is captured, nothing is raised."""
    return subprocess.run(
        [sys.executable, "-m", "tallystick", *map(str, arguments)],
        env=clean_environment(**variables),
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class RunningServer:
    """A server process.

    Attributes:
        url: where it listens.
        data: its data directory.
        output: what it has printed so far, standard error included.
    """

    def __init__(self, process: "subprocess.Popen[str]", data: Path, database: str | None) -> None:
        self.process, self.data, self.database = process, data, database
        self.output = ""
        self.url = ""
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if not self.url and (found := re.search(r"at (http://\S+)", line)):
                self.url = found[1]

    def close(self) -> None:
        """End the process if it still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()
        self._reader.join(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.url:
                try:
                    httpx.get(f"{self.url}/health/live", timeout=5)
                except httpx.TransportError:
                    pass
                else:
                    return
            time.sleep(0.02)
        msg = f"the server did not start: {self.output}"
        raise AssertionError(msg)

    def get(self, path: str, **options: object) -> httpx.Response:
        """GET a path."""
        return httpx.get(f"{self.url}{path}", timeout=30, **options)  # type: ignore[arg-type]

    def kill(self) -> None:
        """kill -9: no handler runs."""
        self.process.kill()
        self.process.wait(timeout=30)

    def stop(self) -> int:
        """SIGTERM; answers the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextmanager
def running_server(
    data: Path,
    *options: str,
    database: str | None = None,
    creation_limit: int = 0,
    listen: str = FREE_PORT,
    through: Sequence[str] = (),
    **variables: str,
) -> Iterator[RunningServer]:
    """Start a server, on a free port unless one is named; it is stopped at the end if it still runs.

    Args:
        through: a command that runs the server, such as ``ip netns exec NAME``.
    """
    arguments = ["--data", str(data), "--listen", listen, "--creation-limit", str(creation_limit), *options]
    if database:
        arguments += ["--database", database]
    process = subprocess.Popen(
        [*through, sys.executable, "-m", "tallystick", "serve", *arguments],
        env=clean_environment(**variables),
        cwd=tempfile.gettempdir(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = RunningServer(process, data, database)
    try:
        running.wait_until_it_answers()
        yield running
    finally:
        running.close()
