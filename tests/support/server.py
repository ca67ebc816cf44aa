"""``tallystick serve`` as a process, as a person would run it."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx

from support.forked import ForkedProcess, forked_command

STARTS_WITHIN_S = 60.0
FREE_PORT = "127.0.0.1:0"

HANDING_OVER = """
import os, sys
count = int(sys.argv[1])
# First out of the way: one may have a number that another one is to get.
moved = [os.dup2(int(number), 100 + place) for place, number in enumerate(sys.argv[2:2 + count])]
for place, number in enumerate(moved):
    os.dup2(number, 3 + place)
    os.close(number)
names = ":".join(f"number-{place}" for place in range(count))
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count), LISTEN_FDNAMES=names)
os.execv(sys.argv[2 + count], sys.argv[2 + count:])
"""


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's environment without settings of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TALLYSTICK_")}
    return kept | variables


def handing_over(sockets: Sequence[socket.socket]) -> list[str]:
    """A command that runs another one with sockets as systemd hands them over; ``pass_fds`` must name them."""
    numbers = [str(each.fileno()) for each in sockets]
    return [sys.executable, "-c", HANDING_OVER, str(len(numbers)), *numbers] if numbers else []


def tallystick(*arguments: str | Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end in a process of its own; output is captured, nothing is raised."""
    return forked_command([*map(str, arguments)], clean_environment(**variables), tempfile.gettempdir(), timeout=60)


class RunningServer:
    """A server process.

    Attributes:
        url: where it listens.
        unix: the path of its Unix socket, if it listens nowhere else; ``url`` is good for requests there.
        data: its data directory.
        output: what it has printed so far, standard error included.
    """

    def __init__(self, process: "subprocess.Popen[str] | ForkedProcess", data: Path, database: str | None) -> None:
        self.process, self.data, self.database = process, data, database
        self.output = ""
        self.url, self.unix = "", ""
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if not self.url and (found := re.search(r'(?:at |"url": ")(http://[^\s"]+|unix:.+)', line)):
                self.unix = found[1].removeprefix("unix:") if found[1].startswith("unix:") else ""
                self.url = "http://localhost" if self.unix else found[1]

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
                    self.get("/health/live")
                except httpx.TransportError:
                    pass
                else:
                    return
            time.sleep(0.02)
        msg = f"the server did not start: {self.output}"
        raise AssertionError(msg)

    def get(self, path: str, **options: object) -> httpx.Response:
        """GET a path."""
        transport = httpx.HTTPTransport(uds=self.unix or None)
        with httpx.Client(transport=transport, timeout=30) as client:
            return client.get(f"{self.url}{path}", **options)  # type: ignore[arg-type]

    def kill(self) -> None:
        """kill -9: no handler runs."""
        self.process.kill()
        self.process.wait(timeout=30)

    def stop(self) -> int:
        """SIGTERM; answers the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextmanager
def running_server(  # noqa: PLR0913  # each has a default
    data: Path,
    *options: str,
    database: str | None = None,
    creation_limit: int = 0,
    listen: str = FREE_PORT,
    through: Sequence[str] = (),
    handed_over: Sequence[socket.socket] = (),
    **variables: str,
) -> Iterator[RunningServer]:
    """Start a server, on a free port unless one is named; it is stopped at the end if it still runs.

    One that needs nothing special of its process is forked, see ``ForkedProcess``.

    Args:
        listen: empty for no ``--listen``.
        through: a command that runs the server, such as ``ip netns exec NAME``.
        handed_over: sockets that it gets as from systemd.
    """
    arguments = ["--data", str(data), "--creation-limit", str(creation_limit), *options]
    if listen:
        arguments += ["--listen", listen]
    if database:
        arguments += ["--database", database]
    process: subprocess.Popen[str] | ForkedProcess
    environment, folder = clean_environment(**variables), tempfile.gettempdir()
    if through or handed_over or any(not name.startswith("TALLYSTICK_") for name in variables):
        process = subprocess.Popen(
            [*through, *handing_over(handed_over), sys.executable, "-m", "tallystick", "serve", *arguments],
            pass_fds=[each.fileno() for each in handed_over],
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    else:
        process = ForkedProcess(["serve", *arguments], environment, folder)
    running = RunningServer(process, data, database)
    try:
        running.wait_until_it_answers()
        yield running
    finally:
        running.close()
