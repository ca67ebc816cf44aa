"""The configurations of ``docs/proxies`` work as they are, over a port and over a Unix socket of Tallystick.

Only ports, files of certificates and the place of Tallystick are replaced. nginx and Caddy must be there.
"""

import getpass
import re
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from support.analytics import prepare
from support.clients import people_of_counters
from support.postgres import free_port
from support.programs import program
from support.server import FREE_PORT, RunningServer, clean_environment, running_server

FOLDER = Path(__file__).parents[2] / "docs" / "proxies"
HOST = "stats.example.com"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
STARTS_WITHIN_S = 30.0
NOW = time.strftime("%Y-%m-%d", time.gmtime())


@dataclass
class Ports:
    """Where a proxy listens: with TLS, and without."""

    https: int
    http: int


def upstream_in_place(text: str, port: str, unix: str, server: RunningServer, path: Path | None) -> str:
    """The configuration with the server of the test; for a Unix socket its line is taken in place of the port's.

    Args:
        port: the line of the file for a port.
        unix: its line for a Unix socket, which is a comment.
    """
    assert text.count(f"{port}\n") == text.count(f"# {unix}") == 1
    if path is None:
        return text.replace("127.0.0.1:8080", server.url.removeprefix("http://"))
    return text.replace(f"{port}\n", "\n").replace(f"# {unix}", unix).replace("/run/tallystick/http.sock", str(path))


def nginx_command(folder: Path, ports: Ports, server: RunningServer, path: Path | None) -> list[str]:
    """nginx with the file of the documentation."""
    text = upstream_in_place(
        (FOLDER / "nginx.conf").read_text("utf-8"),
        "server 127.0.0.1:8080;",
        "server unix:/run/tallystick/http.sock;",
        server,
        path,
    )
    text = text.replace("listen 443 ssl;", f"listen {ports.https} ssl;").replace("listen 80;", f"listen {ports.http};")
    temporary = "".join(
        f"    {name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"user {getpass.getuser()};\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\ndaemon off;\nevents {{}}\n"
        f"http {{\n    access_log off;\n{temporary}{with_certificate(text, folder)}}}\n"
    )
    return [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def with_certificate(text: str, folder: Path) -> str:
    """nginx's configuration with a certificate of our own."""
    files = ["-keyout", str(folder / "example.com.key"), "-out", str(folder / "example.com.pem")]
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=example.com", *files]
    subprocess.run([program("openssl"), *request], check=True, capture_output=True)
    return text.replace("/etc/ssl/", f"{folder}/")


def caddy_command(folder: Path, ports: Ports, server: RunningServer, path: Path | None) -> list[str]:
    """Caddy with the file of the documentation, and certificates that it makes itself."""
    text = upstream_in_place(
        (FOLDER / "Caddyfile").read_text("utf-8"),
        "to 127.0.0.1:8080",
        "to unix//run/tallystick/http.sock",
        server,
        path,
    )
    options = ["admin off", "local_certs", "skip_install_trust", f"https_port {ports.https}", f"http_port {ports.http}"]
    (folder / "Caddyfile").write_text("{\n\t" + "\n\t".join(options) + "\n}\n" + text)
    return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


PROXIES = {"nginx": nginx_command, "caddy": caddy_command}


class Way:
    """From a client through a proxy to the server.

    Attributes:
        site_token: of the site's owner.
        token: of a person who shares counters.
        own_sockets: of the server before the first request through the proxy.
    """

    def __init__(self, server: RunningServer, ports: Ports, site_token: str, token: str) -> None:
        self.server, self.ports, self.site_token, self.token = server, ports, site_token, token
        self.own_sockets = self.sockets()

    def sockets(self) -> set[str]:
        """The sockets of the server's process, by inode."""
        links = [str(file.readlink()) for file in Path(f"/proc/{self.server.process.pid}/fd").iterdir()]
        return {link for link in links if link.startswith("socket:")}

    @contextmanager
    def client(self, address: str = "127.0.0.1") -> Iterator[httpx.Client]:
        """A client with an address of its own."""
        transport = _Named(verify=False, local_address=address)
        url = f"https://127.0.0.1:{self.ports.https}"
        with httpx.Client(transport=transport, base_url=url, headers={"host": HOST}, timeout=30) as client:
            yield client

    def get(self, path: str, *, address: str = "127.0.0.1", **headers: str) -> httpx.Response:
        with self.client(address) as client:
            return client.get(path, headers={name.replace("_", "-"): headers[name] for name in headers})

    @contextmanager
    def websocket(self, path: str) -> Iterator[ClientConnection]:
        """A WebSocket of the person."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        shown = {"authorization": f"Bearer {self.token}"}
        with (
            socket.create_connection(("127.0.0.1", self.ports.https)) as opened,
            connect(f"wss://{HOST}{path}", sock=opened, ssl=context, additional_headers=shown) as live,
        ):
            yield live


class _Named(httpx.HTTPTransport):
    """TLS with the site's name, although the address is another."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["sni_hostname"] = HOST
        return super().handle_request(request)


@contextmanager
def proxy_before(
    server: RunningServer, path: Path | None, command: Callable[[Path, Ports, RunningServer, Path | None], list[str]]
) -> Iterator[Ports]:
    """A proxy in front of a server, until the block ends."""
    ports = Ports(free_port(), free_port())
    with tempfile.TemporaryDirectory(prefix="tallystick-proxy-") as name:
        folder = Path(name)
        with (folder / "output").open("w") as output:
            process = subprocess.Popen(
                command(folder, ports, server, path),
                env=clean_environment(XDG_DATA_HOME=name, XDG_CONFIG_HOME=name, HOME=name),
                stdout=output,
                stderr=output,
            )
        try:
            deadline = time.monotonic() + STARTS_WITHIN_S
            while not _answers(ports.https):
                assert process.poll() is None, (folder / "output").read_text()
                assert time.monotonic() < deadline, (folder / "output").read_text()
                time.sleep(0.05)
            yield ports
        finally:
            process.terminate()
            process.wait(timeout=20)


def _answers(port: int) -> bool:
    """Whether a TLS handshake succeeds; Caddy makes its certificates a moment after it listens."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=HOST),
        ):
            return True
    except OSError:
        return False


WAYS = [(proxy, over) for proxy in PROXIES for over in ("port", "unix")]


@pytest.fixture(scope="module", params=WAYS, ids=["-".join(each) for each in WAYS])
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """A site and a person who shares counters, behind each proxy in each way."""
    proxy, over = request.param
    data = tmp_path_factory.mktemp("behind") / "data"
    data.mkdir()
    site_token = prepare(data, host=HOST).token
    prepare(data, host="other.example.com", email="other@example.com")
    path = data.parent / "http.sock" if over == "unix" else None
    options = () if path else ("--trusted-proxy", "127.0.0.1/32")
    listen = f"unix:{path}" if path else FREE_PORT
    with running_server(data, *options, listen=listen, creation_limit=1) as server:
        (token,) = people_of_counters(data, "Ada")
        with proxy_before(server, path, PROXIES[proxy]) as ports:
            yield Way(server, ports, site_token, token)


def test_hits_are_counted(way: Way) -> None:
    assert [way.get("/hit/a.b/visits", address="127.0.0.9").json() for _ in range(3)] == [
        {"value": n} for n in (1, 2, 3)
    ]
    assert way.get("/get/a.b/visits").json() == {"value": 3}


def test_the_pixel_counts_visitors_by_their_own_addresses(way: Way) -> None:
    for address in ("127.0.0.2", "127.0.0.2", "127.0.0.3"):
        counted = way.get("/count?p=/page", address=address, user_agent=FIREFOX)
        assert (counted.status_code, counted.headers["content-type"]) == (200, "image/gif")
    shown = {"authorization": f"Bearer {way.site_token}"}
    deadline = time.monotonic() + 10
    while (told := way.get(f"/api/v0/stats/hits?start={NOW}", **shown).json())["total"] < 2:
        assert time.monotonic() < deadline, told
        time.sleep(0.1)
    assert {hit["path"]: hit["count"] for hit in told["hits"]} == {"/page": 2}


def test_a_client_cannot_choose_its_address(way: Way) -> None:
    claims = [{"x_forwarded_for": f"192.0.2.{n}", "address": "127.0.0.4"} for n in range(8)]
    assert 429 in [way.get("/create", **claim).status_code for claim in claims]
    apart = [way.get("/create", address=f"127.0.0.{n}").status_code for n in range(20, 28)]
    assert apart == [200] * 8


def test_links_are_https(way: Way) -> None:
    page = way.get("/", accept="text/html")
    assert f"https://{HOST}/hit/example.com/visits" in page.text
    assert f"http://{HOST}" not in page.text
    plain = httpx.get(f"http://127.0.0.1:{way.ports.http}/docs?a=b", headers={"host": HOST})
    assert plain.status_code in {301, 308}
    assert plain.headers["location"] == f"https://{HOST}/docs?a=b"


def test_the_operators_addresses_are_closed(way: Way) -> None:
    assert way.get("/metrics").status_code == 403
    assert way.get("/health/ready").status_code == 200


def test_a_large_batch_passes(way: Way) -> None:
    body = b'{"hits": [' + b" " * 3_000_000 + b"]}"
    shown = {"content-type": "application/json", "authorization": f"Bearer {way.site_token}"}
    with way.client() as client:
        answer = client.post("/api/v0/count", headers=shown, content=body)
    # Judged by Tallystick, not refused by the proxy.
    assert (answer.status_code, answer.json()) == (400, {"error": "no hits"})


def test_events_are_not_buffered(way: Way) -> None:
    assert way.get("/hit/a.b/stream", address="127.0.0.5").json() == {"value": 1}
    with way.client() as client, client.stream("GET", "/live/a.b/stream") as stream:
        lines = stream.iter_lines()
        assert any(line.startswith("data: ") and "1" in line for line in lines)
        way.get("/hit/a.b/stream")
        assert any(line.startswith("data: ") and "2" in line for line in lines)


def test_changes_of_a_shared_counter_come_over_a_websocket(way: Way) -> None:
    shown = {"authorization": f"Bearer {way.token}"}
    with way.client() as client:
        created = client.post("/v1/counters", headers=shown, json={"displayName": "Visitors", "type": "UpDown"})
        counter = created.json()["id"]
        with way.websocket("/v2/ws") as live:
            assert client.post(f"/v2/counters/{counter}/increment/5", headers=shown).json() == 5
            while '"value":5' not in (told := str(live.recv(timeout=10)).replace(" ", "")):
                assert counter not in told


def test_connections_to_tallystick_stay_open(way: Way) -> None:
    seen: list[set[str]] = []
    for _ in range(20):
        way.get("/get/a.b/kept")  # each with a new connection to the proxy
        seen.append(way.sockets())
    kept = set.intersection(*seen) - way.own_sockets
    assert kept
    assert set.union(*seen) - way.own_sockets == kept, "one request at a time needs no further connection"


def test_requests_of_a_proxy_are_answered_in_the_hot_lane(way: Way) -> None:
    way.get("/hit/a.b/hot", address="127.0.0.6")
    before = hot_requests(way)
    for _ in range(10):
        assert way.get("/hit/a.b/hot").status_code == 200
    assert hot_requests(way) == before + 10


def hot_requests(way: Way) -> float:
    """How many requests the hot lane has answered."""
    (amount,) = re.findall(r"^tallystick_hot_requests_total (\S+)$", way.server.get("/metrics").text, re.MULTILINE)
    return float(amount)


def test_nginx_warns_of_nothing(tmp_path: Path) -> None:
    text = with_certificate((FOLDER / "nginx.conf").read_text("utf-8"), tmp_path)
    config = tmp_path / "nginx.conf"
    config.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{text}}}\n", "utf-8")
    checked = subprocess.run(
        [program("nginx"), "-t", "-p", str(tmp_path), "-c", str(config), "-e", str(tmp_path / "error.log")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr


def test_caddy_warns_of_nothing(tmp_path: Path) -> None:
    checked = subprocess.run(
        [program("caddy"), "validate", "--adapter", "caddyfile", "--config", str(FOLDER / "Caddyfile")],
        env=clean_environment(XDG_DATA_HOME=str(tmp_path), HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert re.findall(r'"level":"warn".*', checked.stderr) == []
