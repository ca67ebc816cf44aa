"""``docs/operating.md`` is true: proxies and systemd take its blocks, and requests come through as it says."""

import getpass
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from support.analytics import prepare
from support.clients import people_of_counters
from support.server import RunningServer, clean_environment, running_server
from tallystick.cli.main import command_line
from tallystick.cli.support.configuration import SETTINGS

GUIDE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")
BENCHMARKS = (Path(__file__).parents[2] / "benchmarks" / "README.md").read_text("utf-8")
HOST = "stats.example.com"
STARTS_WITHIN_S = 20.0


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def program(name: str) -> str:
    """A program of Debian that .ci/run installs; without it this test fails."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/bin")
    assert found, f"{name} is missing: .ci/run installs it"
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def nginx_command(folder: Path, port: int, upstream: str) -> list[str]:
    """nginx with the guide's block, on a port without TLS and with the server of the test."""
    (block,) = blocks("nginx")
    block = re.sub(r" *ssl_certificate.*\n", "", block)
    block = block.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};").replace("http://127.0.0.1:8080", upstream)
    temporary = "".join(
        f"    {name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"user {getpass.getuser()};\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\ndaemon off;\nevents {{}}\n"
        f"http {{\n    access_log off;\n{temporary}{block}}}\n"
    )
    return [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def caddy_command(folder: Path, port: int, upstream: str) -> list[str]:
    """Caddy with the guide's block, likewise."""
    (block,) = blocks("caddy")
    names, body = block.split(" {\n", 1)
    addresses = ", ".join(f"http://{name}:{port}" for name in names.split(", "))
    body = body.replace("127.0.0.1:8080", upstream.removeprefix("http://"))
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n{addresses} {{\n{body}")
    return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


PROXIES = {"nginx": nginx_command, "caddy": caddy_command}


@contextmanager
def proxy_before(server: RunningServer, command: Callable[[Path, int, str], list[str]]) -> Iterator[str]:
    """A proxy in front of a server, until the block ends."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="tallystick-proxy-") as name:
        folder = Path(name)
        process = subprocess.Popen(
            command(folder, port, server.url),
            env=clean_environment(XDG_DATA_HOME=name, XDG_CONFIG_HOME=name, HOME=name),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + STARTS_WITHIN_S
            while time.monotonic() < deadline and process.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            assert process.poll() is None
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)


@pytest.fixture(scope="module", params=PROXIES)
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A proxy's address, and two tokens of the server behind it: for the site, and for shared counters."""
    data = tmp_path_factory.mktemp("behind") / "data"
    data.mkdir()
    site_token = prepare(data, host=HOST).token
    prepare(data, host="other.example.com", email="other@example.com")
    with running_server(data, "--trusted-proxy", "127.0.0.1", creation_limit=1) as server:
        (token,) = people_of_counters(data, "Ada")
        with proxy_before(server, PROXIES[request.param]) as url:
            yield url, f"{site_token} {token}"


def headers(**more: str) -> dict[str, str]:
    return {"host": HOST} | more


def test_the_host_chooses_the_site_and_the_visitors_address_arrives(way: tuple[str, str]) -> None:
    url, _ = way
    assert httpx.get(f"{url}/count?p=/page", headers=headers()).status_code == 200
    # Everyone comes from one address here; the proxy says so, whatever the client claims.
    claims = [headers(**{"x-forwarded-for": f"192.0.2.{n}"}) for n in range(8)]
    created = [httpx.get(f"{url}/create", headers=claim).status_code for claim in claims]
    assert 429 in created


def test_the_operators_addresses_are_closed(way: tuple[str, str]) -> None:
    url, _ = way
    assert httpx.get(f"{url}/metrics", headers=headers()).status_code == 403
    assert httpx.get(f"{url}/health/ready", headers=headers()).status_code == 200


def test_a_large_batch_passes(way: tuple[str, str]) -> None:
    url, tokens = way
    body = b'{"hits": [' + b" " * 3_000_000 + b"]}"
    shown = {"content-type": "application/json", "authorization": f"Bearer {tokens.split()[0]}"}
    answer = httpx.post(f"{url}/api/v0/count", headers=headers(**shown), content=body, timeout=30)
    # Judged by Tallystick, not refused by the proxy.
    assert (answer.status_code, answer.json()) == (400, {"error": "no hits"})


def test_events_are_not_buffered(way: tuple[str, str]) -> None:
    url, _ = way
    assert httpx.get(f"{url}/hit/a.b/stream", headers=headers()).status_code in {200, 429}
    deadline = time.monotonic() + 10
    while httpx.get(f"{url}/hit/a.b/stream", headers=headers()).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    with httpx.stream("GET", f"{url}/live/a.b/stream", headers=headers(), timeout=10) as stream:
        lines = stream.iter_lines()
        assert any(line.startswith("data: ") for line in lines)
        httpx.get(f"{url}/hit/a.b/stream", headers=headers())
        assert any(line.startswith("data: ") for line in lines)


def test_websockets_come_through(way: tuple[str, str]) -> None:
    url, tokens = way
    token = tokens.split()[1]
    address = url.replace("http://", "ws://")
    port = int(url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port)) as open_socket,
        connect(
            address.replace("127.0.0.1", HOST) + "/v2/ws",
            sock=open_socket,
            additional_headers={"authorization": f"Bearer {token}"},
        ) as live,
    ):
        live.send("ping")
        assert live.recv(timeout=10)


def test_nginx_accepts_the_whole_block(tmp_path: Path) -> None:
    """With TLS, on the port that the guide names."""
    files = ["-keyout", str(tmp_path / "example.com.key"), "-out", str(tmp_path / "example.com.pem")]
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=example.com", *files]
    subprocess.run([program("openssl"), *request], check=True, capture_output=True)
    (block,) = blocks("nginx")
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{block.replace('/etc/ssl/', f'{tmp_path}/')}}}\n", "utf-8"
    )
    checked = subprocess.run(
        [program("nginx"), "-t", "-p", str(tmp_path), "-c", str(config), "-e", str(tmp_path / "error.log")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr


def test_caddy_accepts_the_whole_block(tmp_path: Path) -> None:
    (tmp_path / "Caddyfile").write_text(blocks("caddy")[0])
    checked = subprocess.run(
        [program("caddy"), "validate", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")],
        env=clean_environment(XDG_DATA_HOME=str(tmp_path), HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    names = ["tallystick.service", "tallystick-backup.service", "tallystick-backup.timer"]
    # The program lies elsewhere here, and has no user of its own.
    here = str(Path(sys.executable).parent / "tallystick")
    user = f"User={getpass.getuser()}"
    for name, block in zip(names, blocks("ini"), strict=True):
        assert f"`/etc/systemd/system/{name}`" in GUIDE
        unit = block.replace("/opt/tallystick/.venv/bin/tallystick", here).replace("User=tallystick", user)
        (tmp_path / name).write_text(unit)
    checked = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", *(str(tmp_path / name) for name in names)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in checked.stderr.splitlines() if "tallystick" in line]
    assert (checked.returncode, told) == (0, []), checked.stderr


def test_the_settings_exist() -> None:
    (block,) = blocks("toml")
    names = set(tomllib.loads(re.sub(r"^# ", "", block, flags=re.MULTILINE)))
    assert {name.replace("-", "_") for name in names} <= set(SETTINGS)


def test_every_command_is_understood() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    shown = [*lines, *re.findall(r"`((?:sudo -u tallystick )?tallystick [^`]+)`", GUIDE)]
    shown += [f"tallystick {rest}" for rest in re.findall(r"/bin/tallystick ([^'$\n]+)", "".join(blocks("ini")))]
    commands = 0
    for line in shown:
        words = shlex.split(line.partition("#")[0])
        if "tallystick" in words:
            arguments = words[len(words) - words[::-1].index("tallystick") :]
            if "--config" in arguments:
                place = arguments.index("--config")
                del arguments[place : place + 2]
            if arguments:
                command_line(arguments[0]).parse_args(arguments)
                commands += 1
    assert commands >= 8


def test_a_backup_is_restored_as_the_guide_says(tmp_path: Path) -> None:
    (backup, upgrade) = [block for block in blocks("sh") if "tallystick backup" in block]
    script = "tallystick init\ntallystick counter create shop/stock --value 7\n" + backup + upgrade
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=clean_environment(PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "shop/stock\t7\t" in done.stdout
    assert {path.name for path in tmp_path.glob("*.sqlite3")} == {"today.sqlite3", "before-upgrade.sqlite3"}


def test_figures_are_those_that_were_measured() -> None:
    sizing = GUIDE.partition("## Sizing")[2].partition("\n## ")[0]
    figures = re.findall(r"\d[\d,.]*\d(?= (?:MB|KB|bytes|a second))", sizing.replace("512 MB", ""))
    assert len(figures) >= 7
    assert [figure for figure in figures if figure not in BENCHMARKS] == []


def test_refusals_are_quoted_as_they_are_printed() -> None:
    source = "\n".join(
        path.read_text("utf-8") for path in (Path(__file__).parents[2] / "src" / "tallystick").rglob("*.py")
    )
    quoted = re.findall(r"^\| `([^`]+)`", GUIDE.partition("## When a start is refused")[2], re.MULTILINE)
    assert len(quoted) >= 8
    for text in quoted:
        fixed = [part.strip(" :") for part in text.split("...")]
        beginning = " ".join(fixed[0].split()[:2])
        assert beginning in source or fixed[-1] in source, text
