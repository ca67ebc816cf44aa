"""Object storage for tests: moto's server speaks S3. Each of its clients has a door of its own, which can be shut."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from support.postgres import free_port

BUCKET = "hits"
STARTS_WITHIN_S = 60.0


class ObjectStorage:
    """A running server with an empty bucket.

    Attributes:
        url: where it listens.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self._process, self.port = process, port
        self.url = f"http://127.0.0.1:{port}"

    @classmethod
    @contextmanager
    def started(cls) -> Iterator["ObjectStorage"]:
        """Until the end."""
        port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                _until_it_listens(port)
                storage = cls(process, port)
                made = urllib.request.Request(f"{storage.url}/{BUCKET}", method="PUT")
                urllib.request.urlopen(made, timeout=10).close()
                yield storage
            finally:
                process.kill()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and answers nothing, until the end."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def environment(self, url: str = "") -> dict[str, str]:
        """What tells a server of it; at another URL, through a door."""
        names = {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "REGION": "us-east-1"}
        return {f"AWS_{name}": value for name, value in names.items()} | {"AWS_ENDPOINT_URL": url or self.url}


class Door:
    """Passes connections on to a port, until it is shut: then they end, and new ones are refused."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._passing: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._open(self._listening)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Let nothing through until the end."""
        self.close()
        try:
            yield
        finally:
            self._listening = socket.create_server(("127.0.0.1", self.port))
            self._open(self._listening)

    @contextmanager
    def refusing(self, status: int) -> Iterator[None]:
        """Answer every request with a status until the end."""

        class Refusal(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __getattr__(self, name: str) -> object:
                if not name.startswith("do_"):
                    raise AttributeError(name)
                return self._refuse

            def _refuse(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with self.shut(), ThreadingHTTPServer(("127.0.0.1", self.port), Refusal) as server:
            thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            try:
                yield
            finally:
                server.shutdown()

    def close(self) -> None:
        """End all connections."""
        _end(self._listening)
        self._listening.close()
        for connection in list(self._passing):
            _end(connection)

    def _open(self, listening: socket.socket) -> None:
        Thread(target=self._accept, args=(listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with suppress(OSError), closing(client), socket.create_connection(("127.0.0.1", self._to)) as server:
            both = {client, server}
            self._passing |= both
            back = Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join()
            self._passing -= both


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65_536):
            target.sendall(part)
    _end(source)
    _end(target)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _until_it_listens(port: int) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return
