"""``deploy/Caddyfile.nodes``: Caddy with servers that come and go."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx

from support.deployed import DEPLOY, documents, last
from support.postgres import free_port
from support.programs import program
from support.server import clean_environment

CADDYFILE = (DEPLOY / "Caddyfile.nodes").read_text("utf-8")


def test_it_balances_the_servers_of_the_compose_file() -> None:
    (found,) = documents("compose.nodes.yaml")
    nodes = [name for name, service in found["services"].items() if service["image"].startswith("tallystick")]
    (upstreams,) = re.findall(r"^\t\tto (.+)$", CADDYFILE, re.MULTILINE)
    assert upstreams.split() == [f"{node}:{last('EXPOSE')}" for node in nodes]
    (mounted,) = [volume for volume in found["services"]["caddy"]["volumes"] if volume.startswith("./")]
    assert (DEPLOY / mounted.partition(":")[0]).samefile(DEPLOY / "Caddyfile.nodes")


class Node:
    """A server that says who it is, and whether it is ready."""

    def __init__(self) -> None:
        self.ready, self.addresses = True, set[str]()
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                probe = self.path == "/health/ready"
                if not probe:
                    node.addresses.add(self.headers["x-forwarded-for"])
                body = str(node.port).encode()
                self.send_response(200 if node.ready or not probe else 503)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        """No connection is accepted any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def caddy(nodes: list[Node], folder: Path) -> Iterator[str]:
    """Caddy in front of nodes, with the file as it is but for names and ports."""
    port = free_port()
    text = re.sub(r"to node1.+", "to " + " ".join(f"127.0.0.1:{node.port}" for node in nodes), CADDYFILE)
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
    hosts = f"http://127.0.0.1:{port}, http://localhost:{port}"
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")],
            env=clean_environment(HOSTS=hosts, XDG_DATA_HOME=str(folder), XDG_CONFIG_HOME=str(folder)),
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 30
        while not answers(f"http://127.0.0.1:{port}/metrics"):
            assert process.poll() is None, (folder / "output").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 403
    except httpx.TransportError:
        return False


def reached(url: str, *addresses: str) -> set[int]:
    """The nodes that answer people, each with an address of its own."""
    found = set()
    for address in addresses:
        with httpx.Client(transport=httpx.HTTPTransport(local_address=address), timeout=20) as client:
            answer = client.get(f"{url}/")
            assert answer.status_code == 200
            found.add(int(answer.text))
    return found


PEOPLE = [f"127.0.1.{number}" for number in range(1, 31)]


def test_requests_reach_servers_that_are_ready(tmp_path: Path) -> None:
    nodes = [Node() for _ in range(3)]
    try:
        with caddy(nodes, tmp_path) as url:
            assert reached(url, *PEOPLE) == {node.port for node in nodes}
            # A person stays with one server, which learns the person's address.
            (port,) = reached(url, *PEOPLE[:1] * 5)
            (own,) = [node for node in nodes if node.port == port]
            assert PEOPLE[0] in own.addresses
            own.ready = False
            others = {node.port for node in nodes if node is not own}
            wait_until(lambda: reached(url, PEOPLE[0]) <= others)
            assert reached(url, *PEOPLE) == others
            own.ready = True
            wait_until(lambda: reached(url, PEOPLE[0]) == {port})
            # One that is gone without a word: its requests go to others at once.
            own.stop()
            assert reached(url, *PEOPLE) == others
            assert httpx.get(f"{url}/metrics").status_code == 403
    finally:
        for node in nodes:
            node.stop()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
