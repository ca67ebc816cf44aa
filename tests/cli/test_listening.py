"""Where ``tallystick serve`` listens: several addresses, Unix sockets, sockets of systemd."""

import json
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import unix_connect

from support.analytics import prepare
from support.clients import people_of_counters
from support.commands import CommandLine
from support.programs import program
from support.server import clean_environment, running_server, tallystick
from tallystick.server.listening import Listen, UnixListen, open_listeners


def ask(unix: Path | str, path: str, **headers: str) -> httpx.Response:
    """GET a path over a Unix socket."""
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(unix)), timeout=30) as client:
        return client.get(
            f"http://localhost{path}", headers={name.replace("_", "-"): headers[name] for name in headers}
        )


def test_one_server_listens_at_several_addresses(tmp_path: Path) -> None:
    with open_listeners([Listen("::", 0)]) as listeners:
        (address,) = listeners.addresses
    path = tmp_path / "http.sock"
    with running_server(tmp_path / "data", listen=f"{address}, unix:{path}") as server:
        assert isinstance(address, Listen)
        assert server.url == f"http://[::1]:{address.port}"
        assert f"\n  also at   unix:{path}\n" in server.output
        assert server.get("/hit/a.b/visits").json() == {"value": 1}
        assert httpx.get(f"http://127.0.0.1:{address.port}/hit/a.b/visits").json() == {"value": 2}
        assert ask(path, "/hit/a.b/visits").json() == {"value": 3}
        assert server.stop() == 0
    assert not path.exists()


def test_a_unix_socket_alone(tmp_path: Path) -> None:
    path = tmp_path / "a socket"
    with running_server(tmp_path / "data", "--socket-mode", "600", listen=f"unix:{path}") as server:
        assert stat.S_IMODE(path.lstat().st_mode) == 0o600
        (command,) = [line.split("count", 1)[1] for line in server.output.splitlines() if " count " in line]
        counted = subprocess.run([*shlex.split(command), "-s"], capture_output=True, check=True)
        assert json.loads(counted.stdout) == {"value": 1}
        assert "create the first at /setup with the code" in server.output
        assert ask(path, "/nowhere").status_code == 404
        assert ask(path, "/", accept="text/html").status_code in {200, 303}


def test_a_client_without_an_address_is_served_like_any_other(tmp_path: Path) -> None:
    data, path = tmp_path / "data", tmp_path / "http.sock"
    data.mkdir()
    site_token = prepare(data, host="stats.example.com").token
    (token,) = people_of_counters(data, "Ada")
    with running_server(data, listen=f"unix:{path}") as server:
        for url in ("/count?p=/page", "/count?p=/new%20name&q=utm_source%3Dx", "/counter/TOTAL.json", "/user/login"):
            assert ask(path, url, host="stats.example.com").status_code in {200, 403, 404}, url
        assert ask(path, "/api/v0/me", authorization=f"Bearer {site_token}", host="stats.example.com").is_success
        assert ask(path, "/api/v0/me", authorization="Bearer nonsense", host="stats.example.com").status_code == 401
        assert ask(path, "/v1/counters", authorization="Bearer nonsense").status_code == 401
        shown = {"authorization": f"Bearer {token}"}
        with unix_connect(str(path), uri="ws://localhost/v2/ws", additional_headers=shown) as live:
            live.send("ping")
            assert live.recv(timeout=10)
        assert ask(path, "/hit/a.b/page").json() == {"value": 1}
        with (
            httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client,
            client.stream("GET", "http://localhost/live/a.b/page") as stream,
        ):
            assert any(line.startswith("data: ") for line in stream.iter_lines())
        assert "Traceback" not in server.output


def test_the_greeting_in_json_names_all_addresses(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with running_server(tmp_path / "data", "--log-format", "json", listen=f"unix:{path},:0") as server:
        (greeting,) = [told for line in server.output.splitlines() if "url" in (told := json.loads(line))]
    port = server.url.rpartition(":")[2]
    assert greeting["url"] == f"http://127.0.0.1:{port}"
    assert greeting["listen"] == [f"unix:{path}", f"0.0.0.0:{port}"]


def test_doctor_asks_over_the_unix_socket(run: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with running_server(tmp_path / "data", listen=f"unix:{path}"):
        told = run("doctor", "--data", tmp_path / "data", "--listen", f"unix:{path}").out
    assert f"OK\treadiness\tunix:{path}: it counts" in told
    told = run("doctor", "--listen", f"unix:{path}").out
    assert f"setting\tlisten\tunix:{path}\tflag" in told


@pytest.mark.parametrize("text", ['listen = ["unix:http.sock", "[::1]:9"]', 'listen = "unix:http.sock, [::1]:9"'])
def test_the_settings_file_names_several_addresses(run: CommandLine, tmp_path: Path, text: str) -> None:
    (tmp_path / "tallystick.toml").write_text(f"{text}\nsocket-mode = 666\n")
    told = run("doctor").out
    assert f"setting\tlisten\tunix:{tmp_path}/http.sock, [::1]:9\ttallystick.toml" in told
    assert "setting\tsocket_mode\t666\ttallystick.toml" in told
    by_variable = run(
        "doctor", variables={"TALLYSTICK_LISTEN": "unix:/tmp/a b,[::1]:9", "TALLYSTICK_SOCKET_MODE": "0600"}
    )
    assert "setting\tlisten\tunix:/tmp/a b, [::1]:9\tTALLYSTICK_LISTEN" in by_variable.out
    assert "setting\tsocket_mode\t600\tTALLYSTICK_SOCKET_MODE" in by_variable.out


def test_a_killed_servers_socket_is_replaced_and_a_running_ones_is_not(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with running_server(tmp_path / "data", listen=f"unix:{path}") as server:
        refused = tallystick("serve", "--data", tmp_path / "other", "--listen", f"unix:{path}")
        assert refused.returncode == 1
        reason = f"cannot listen on unix:{path}: Address already in use; choose another address with --listen"
        assert refused.stderr == f"tallystick: {reason}\n"
        assert not (tmp_path / "other").exists()
        server.get("/hit/a.b/visits")
        server.kill()
    assert path.is_socket()
    with running_server(tmp_path / "data", listen=f"unix:{path}") as server:
        assert server.get("/hit/a.b/visits").json() == {"value": 2}


def test_what_is_no_socket_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    refused = tallystick("serve", "--data", tmp_path / "data", "--listen", f"127.0.0.1:0,unix:{path}")
    assert refused.returncode == 1
    assert f"cannot listen on unix:{path}: there is a file that is not a socket" in refused.stderr
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_socket_in_the_data_directory(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data, listen=f"unix:{data}/http.sock") as server:
        assert server.get("/hit/a.b/visits").json() == {"value": 1}
    assert not (data / "http.sock").exists()
    refused = tallystick("serve", "--data", tmp_path / "new", "--listen", f"unix:{tmp_path}/new/http.sock,192.0.2.1:1")
    assert "cannot listen on 192.0.2.1:1" in refused.stderr
    assert not (tmp_path / "new").exists()


def test_a_client_that_comes_while_the_server_starts_waits(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with open_listeners([UnixListen(path)]) as listeners, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET /hit/a.b/visits HTTP/1.1\r\nHost: x\r\n\r\n")
        with running_server(tmp_path / "data", listen="", handed_over=listeners.sockets):
            client.settimeout(10)
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")


def test_sockets_of_systemd_in_place_of_the_default_address(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with open_listeners([Listen("127.0.0.1", 0), UnixListen(path)]) as listeners:
        address, _ = listeners.addresses
        with running_server(tmp_path / "data", listen="", handed_over=listeners.sockets) as server:
            assert server.url == f"http://{address}"
            assert "127.0.0.1:8080" not in server.output
            assert server.get("/hit/a.b/visits").json() == {"value": 1}
            assert ask(path, "/hit/a.b/visits").json() == {"value": 2}
            assert server.stop() == 0
        # They stay open in systemd.
        assert path.is_socket()
        with running_server(tmp_path / "data", listen="", handed_over=listeners.sockets) as server:
            assert server.get("/hit/a.b/visits").json() == {"value": 3}


def test_sockets_of_systemd_beside_addresses_of_the_operator(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with open_listeners([UnixListen(path)]) as listeners:
        # One of them is the socket that systemd has.
        listen = f"127.0.0.1:0,unix:{path}"
        with running_server(tmp_path / "data", listen=listen, handed_over=listeners.sockets) as server:
            assert server.get("/hit/a.b/visits").json() == {"value": 1}
            assert ask(path, "/hit/a.b/visits").json() == {"value": 2}
            assert server.output.count(f"unix:{path}") == 1


def test_a_socket_that_systemd_itself_hands_over(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    command = [program("systemd-socket-activate"), "-l", str(path), sys.executable, "-m", "tallystick"]
    process = subprocess.Popen(
        [*command, "serve", "--data", str(tmp_path / "data")],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        while not path.exists():
            time.sleep(0.01)
        try:
            assert ask(path, "/hit/a.b/visits").json() == {"value": 1}  # the first connection starts the server
        finally:
            process.terminate()
        told, _ = process.communicate(timeout=30)
    assert f"at unix:{path}\n" in told
    assert path.is_socket()


def test_a_proxy_on_a_unix_socket_names_its_clients(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    options = ("--client-address-header", "X-Real-IP")
    with running_server(tmp_path / "data", *options, listen=f"unix:{path},127.0.0.1:0", creation_limit=1) as server:

        def created(**headers: str) -> int:
            return ask(path, "/create", **headers).status_code

        assert [created(x_real_ip=f"198.51.100.{n}") for n in range(8)] == [200] * 8
        assert 429 in [created(x_real_ip="203.0.113.1") for _ in range(8)]
        # Without the header they are all the same unknown client.
        assert 429 in [created() for _ in range(8)]
        # Whoever connects to the port is no proxy.
        statuses = [server.get("/create", headers={"x-real-ip": f"198.51.100.{n}"}).status_code for n in range(8)]
        assert 429 in statuses
        forwarded = {"accept": "text/html", "host": "count.example.com", "x_forwarded_proto": "https"}
        assert "https://count.example.com/hit/" in ask(path, "/", **forwarded).text
        by_port = server.get("/", headers={name.replace("_", "-"): value for name, value in forwarded.items()})
        assert "http://count.example.com/hit/" in by_port.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_stopped_while_it_starts_removes_its_socket(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "http.sock"
    for delay in (0.05, 0.2, 0.4):
        process = subprocess.Popen(
            [sys.executable, "-m", "tallystick", "serve", "--data", tmp_path / "data", "--listen", f"unix:{path}"],
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
        )
        with process:
            while not path.exists():
                time.sleep(0.001)
            time.sleep(delay)
            process.send_signal(number)
            assert process.wait(20) == 0
        assert not path.exists()
