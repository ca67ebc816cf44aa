"""The configurations of ``docs/proxies`` work as they are, over a port and over a Unix socket of Tallystick."""

import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from websockets.sync.client import ClientConnection, connect

from support.analytics import prepare
from support.clients import people_of_counters
from support.programs import program
from support.proxies import FOLDER, PROXIES, WEBSITE, Ports, Proxy, proxy_before, with_certificate
from support.server import FREE_PORT, RunningServer, clean_environment, running_server

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
NOW = time.strftime("%Y-%m-%d", time.gmtime())


class Way:
    """From a client through a proxy to the server.

    Attributes:
        base: the URL's path, behind which Tallystick's own follow.
        site_token: of the site's owner.
        token: of a person who shares counters.
        own_sockets: of the server before the first request through the proxy.
    """

    def __init__(self, server: RunningServer, proxy: Proxy, ports: Ports, site_token: str, token: str) -> None:
        self.server, self.ports, self.site_token, self.token = server, ports, site_token, token
        self.host, self.base = proxy.host, proxy.base_path
        self.own_sockets = self.sockets()

    def sockets(self) -> set[str]:
        """The sockets of the server's process, by inode."""
        links = [str(file.readlink()) for file in Path(f"/proc/{self.server.process.pid}/fd").iterdir()]
        return {link for link in links if link.startswith("socket:")}

    @contextmanager
    def client(self, address: str = "127.0.0.1") -> Iterator[httpx.Client]:
        """A client with an address of its own."""
        transport = _Named(self.host, address)
        url = f"https://127.0.0.1:{self.ports.https}{self.base}"
        with httpx.Client(transport=transport, base_url=url, headers={"host": self.host}, timeout=30) as client:
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
            connect(
                f"wss://{self.host}{self.base}{path}",
                sock=opened,
                ssl=context,
                additional_headers=shown,
                open_timeout=60,  # a busy machine is no failure
            ) as live,
        ):
            yield live


class _Named(httpx.HTTPTransport):
    """TLS with the site's name, although the address is another."""

    def __init__(self, host: str, own_address: str) -> None:
        super().__init__(verify=False, local_address=own_address)
        self._host = host

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["sni_hostname"] = self._host
        return super().handle_request(request)


WAYS = [
    *((proxy, over) for proxy in ("nginx", "caddy", "apache") for over in ("port", "unix")),
    *(("nginx-path", "unix"), ("caddy-path", "port"), ("apache-path", "unix")),
]


@pytest.fixture(scope="module", params=WAYS, ids=["-".join(each) for each in WAYS])
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """A site and a person who shares counters, behind each proxy in each way."""
    name, over = request.param
    proxy = PROXIES[name]
    data = tmp_path_factory.mktemp("behind") / "data"
    data.mkdir()
    site_token = prepare(data, host=proxy.host).token
    prepare(data, host="other.example.com", email="other@example.com")
    path = data.parent / "http.sock" if over == "unix" else None
    options = [*(() if path else ("--trusted-proxy", "127.0.0.1/32"))]
    options += ["--base-path", proxy.base_path] if proxy.base_path else []
    listen = f"unix:{path}" if path else FREE_PORT
    with running_server(data, *options, listen=listen, creation_limit=1) as server:
        (token,) = people_of_counters(data, "Ada")
        with proxy_before(server, proxy) as ports:
            yield Way(server, proxy, ports, site_token, token)


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
    assert f"https://{way.host}{way.base}/hit/example.com/visits" in page.text
    assert f"http://{way.host}" not in page.text
    plain = httpx.get(f"http://127.0.0.1:{way.ports.http}{way.base}/docs?a=b", headers={"host": way.host})
    assert plain.status_code in {301, 308}
    assert plain.headers["location"] == f"https://{way.host}{way.base}/docs?a=b"


def test_a_client_cannot_choose_the_servers_name(way: Way) -> None:
    claims = {"x_forwarded_host": "evil.example", "x_forwarded_proto": "http", "forwarded": "host=evil.example"}
    page = way.get("/", accept="text/html", **claims)
    assert f"https://{way.host}{way.base}/hit/example.com/visits" in page.text


def test_paths_are_passed_on_as_they_were_sent(way: Way) -> None:
    """An encoded slash is a part of a name."""
    refused = way.get("/counter/%2Fblog%2F%C3%A9.json")
    assert "visitor counter" in refused.json()["error"]
    assert way.get("/get/a.b/with%2Fslash").json()["error"].startswith("not found: there are")


def test_a_website_is_beside_a_base_path(way: Way) -> None:
    with way.client() as client:
        at_root = client.get(f"https://127.0.0.1:{way.ports.https}/")
        assert (WEBSITE in at_root.text) == bool(way.base)
        if way.base:
            bare = client.get(f"https://127.0.0.1:{way.ports.https}{way.base}?a=b")
            assert bare.status_code == 308
            assert bare.headers["location"].removeprefix(f"https://{way.host}") in {
                f"{way.base}/?a=b",
                f":{way.ports.https}{way.base}/?a=b",
            }
            assert way.get("/user").headers["location"] == f"{way.base}/login?next=/user"


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
    inner = way.base if way.server.unix else ""  # the address that the server prints has it
    (amount,) = re.findall(
        r"^tallystick_hot_requests_total (\S+)$", way.server.get(f"{inner}/metrics").text, re.MULTILINE
    )
    return float(amount)


@pytest.mark.parametrize("file", ["nginx.conf", "nginx-path.conf"])
def test_nginx_warns_of_nothing(tmp_path: Path, file: str) -> None:
    text = with_certificate((FOLDER / file).read_text("utf-8"), tmp_path)
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


@pytest.mark.parametrize("file", ["Caddyfile", "Caddyfile-path"])
def test_caddy_warns_of_nothing(tmp_path: Path, file: str) -> None:
    checked = subprocess.run(
        [program("caddy"), "validate", "--adapter", "caddyfile", "--config", str(FOLDER / file)],
        env=clean_environment(XDG_DATA_HOME=str(tmp_path), HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert re.findall(r'"level":"warn".*', checked.stderr) == []


def test_the_rules_of_the_tunnel_fit_those_of_its_documentation() -> None:
    """cloudflared cannot be had here: its keys and the order of its rules are compared with what it asks for."""
    rules = yaml.safe_load((FOLDER / "cloudflared.yml").read_text("utf-8"))["ingress"]
    *before, last = rules
    assert last == {"service": "http_status:404"}, "the last rule takes everything"
    assert all({"hostname", "path"} & rule.keys() and rule.keys() <= {"hostname", "path", "service"} for rule in before)

    def service(host: str, path: str) -> str:
        fitting = (
            rule["service"]
            for rule in rules
            if rule.get("hostname", host) == host and re.search(rule.get("path", ""), path)
        )
        return str(next(fitting))

    tallystick = "http://127.0.0.1:8080"
    assert service("stats.example.com", "/count") == service("example.com", "/stats/count") == tallystick
    assert service("stats.example.com", "/metrics") == service("example.com", "/stats/metrics") == "http_status:403"
    assert service("example.com", "/statsuite") == service("example.com", "/") == "http://127.0.0.1:80"
