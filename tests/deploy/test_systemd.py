"""``deploy/systemd``: systemd takes the units, they allow little, and the server works with what they allow."""

import getpass
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import httpx
import pytest

from support.analytics import FIREFOX, prepare
from support.confined import confined_by
from support.deployed import DEPLOY
from support.postgres import free_port
from support.programs import program
from support.server import clean_environment, running_server
from tallystick.cli import serve
from tallystick.cli.main import command_line
from tallystick.server.listening import BACKLOG, Listen, open_listeners

UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICE = DEPLOY / "systemd" / "tallystick.service"
MOST_EXPOSED = 15
"""Tenths of what ``systemd-analyze security`` counts; 100 is a service without any limit."""


def test_systemd_accepts_them(tmp_path: Path) -> None:
    # The program lies elsewhere here, and has no user of its own.
    here = str(Path(sys.executable).parent / "tallystick")
    for unit in UNITS:
        text = unit.read_text("utf-8").replace("/opt/tallystick/.venv/bin/tallystick", here)
        text = re.sub(r"^(User|SocketUser|SocketGroup)=.*", rf"\1={getpass.getuser()}", text, flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)
    checked = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in checked.stderr.splitlines() if "tallystick" in line]
    assert (checked.returncode, told) == (0, []), checked.stderr


def test_they_say_where_they_belong_and_run_commands_that_exist() -> None:
    assert {unit.name for unit in UNITS} == {
        "tallystick.service",
        "tallystick.socket",
        "tallystick-backup.service",
        "tallystick-backup.timer",
    }
    commands = 0
    for unit in UNITS:
        text = unit.read_text("utf-8")
        assert text.startswith(f"# /etc/systemd/system/{unit.name}")
        for command in re.findall(r"/bin/tallystick (\w+) --config /etc/tallystick.toml(.*?)['$\n]", text):
            name, rest = command
            command_line(name).parse_args([name, *rest.split()])
            commands += 1
    assert commands == 2


def test_the_service_may_do_little() -> None:
    options = ["security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(SERVICE)]
    judged = subprocess.run([program("systemd-analyze"), *options], capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert "Overall exposure level" in judged.stdout


def test_the_service_has_the_time_and_the_sockets_that_the_server_takes() -> None:
    text = SERVICE.read_text("utf-8")
    (stops,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert int(stops) >= serve.TAKES_LEAVE_WITHIN_S + serve.STOPS_WITHIN_S + serve.CLOSES_WITHIN_S
    assert f"\nBacklog={BACKLOG}\n" in SERVICE.with_suffix(".socket").read_text("utf-8")


def test_a_server_that_systemd_starts_works_with_what_it_may(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    token = prepare(data, host="127.0.0.1").token
    url = f"http://127.0.0.1:{(port := free_port())}"
    passed = [f"--setenv=PYTHONPATH={os.environ['PYTHONPATH']}"] if "PYTHONPATH" in os.environ else []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        passed.append(f"--setenv=NOTIFY_SOCKET={tmp_path}/notify")
        confined = [*confined_by(SERVICE), sys.executable, "-m", "tallystick", "serve", "--data", str(data)]
        process = subprocess.Popen(
            [program("systemd-socket-activate"), f"--listen=127.0.0.1:{port}", *passed, *confined],
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            wait_for_listener(port, process)
            # The first connection starts it, and waits meanwhile.
            assert httpx.get(f"{url}/hit/a.b/visits", timeout=60).json() == {"value": 1}
            assert b"READY=1" not in manager.recv(4096)
            assert b"READY=1" in manager.recv(4096)
            look_around(url, token)
        finally:
            process.terminate()
            output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output
        assert b"STOPPING=1" in manager.recv(4096)
    assert "Traceback" not in output
    assert "not permitted" not in output.lower()


def wait_for_listener(port: int, process: "subprocess.Popen[str]") -> None:
    """Wait until systemd's program has opened a port, without connecting to it."""
    waiting = f":{port:04X} "
    wait_until(lambda: waiting in Path("/proc/net/tcp").read_text() or process.poll() is not None)
    assert process.poll() is None


def look_around(url: str, token: str) -> None:
    """What needs threads, files, and the memory of other libraries."""
    with httpx.Client(base_url=url, timeout=30, headers={"authorization": f"Bearer {token}"}) as client:
        assert client.get("/count?p=/page", headers={"user-agent": FIREFOX}).status_code == 200
        today = time.strftime("%Y-%m-%d", time.gmtime())
        assert client.get(f"/api/v0/stats/total?start={today}").json()["total"] == 1
        assert "</html>" in client.get("/user/login", headers={"accept": "text/html"}).text
        assert client.get("/badge/a.b/visits.svg").status_code == 200
        assert client.post("/api/v0/export", json={}).status_code in {200, 202}
        assert client.get("/health/ready").json() == {"status": "ready"}
        assert "\ntallystick_info" in client.get("/metrics").text


def test_no_client_is_refused_while_the_service_restarts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with open_listeners([Listen("127.0.0.1", 0)]) as listeners, ThreadPoolExecutor() as clients:
        address = listeners.sockets[0].getsockname()
        statuses: list[int] = []
        enough = Event()
        counting = [clients.submit(hits_until, enough, address, statuses) for _ in range(4)]
        try:
            for least in (20, 40):
                with running_server(data, listen="", handed_over=listeners.sockets) as server:
                    while len(statuses) < least and not any(each.done() for each in counting):
                        time.sleep(0.01)
                    assert server.stop() == 0
        finally:
            with running_server(data, listen="", handed_over=listeners.sockets) as server:
                enough.set()
                for each in counting:
                    each.result(timeout=30)
                value = server.get("/get/a.b/visits").json()["value"]
    assert set(statuses) == {200}
    assert value == len(statuses) >= 40


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def hits_until(enough: Event, address: tuple[str, int], statuses: list[int]) -> None:
    """Send hits, each over a connection of its own, and note the statuses of their answers."""
    while not enough.is_set():
        with closing(socket.create_connection(address, timeout=60)) as client:
            client.sendall(b"GET /hit/a.b/visits HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            with client.makefile("rb") as answer:
                statuses.append(int(answer.readline().split()[1]))
        time.sleep(0.002)


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.suffix == ".service"], ids=lambda unit: unit.name)
def test_services_have_a_user_and_their_secrets_a_file(unit: Path) -> None:
    text = unit.read_text("utf-8")
    assert "\nUser=tallystick\n" in text
    assert "\nEnvironmentFile=-/etc/tallystick.env\n" in text
