"""A web site with pages and an endpoint that writes down what is counted, for scripts that run in a browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

GIF = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b",
)
NEVER_WITHIN_S = 0.3
"""How long to wait for what must not come."""


class Counted(NamedTuple):
    """One request to ``/count``."""

    method: str
    query: dict[str, str]
    agent: str


class RecordingSite:
    """Pages, files and what was counted.

    Attributes:
        port: on the loopback address; the browser is told to look for every ``.test`` host there.
        pages: path -> HTML, or the text of a script where the path ends in ``.js``.
        missing: HTML that is answered with 404 where there is no page; empty for no HTML.
        asked: paths of all requests, with their queries.
    """

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.missing = ""
        self.counted: list[Counted] = []
        self.asked: list[str] = []
        self._changed = Condition()
        self.port = 0

    def url(self, path: str, host: str = "www.example.test") -> str:
        """Where a page is."""
        return f"http://{host}:{self.port}{path}"

    def note(self, method: str, target: str, agent: str) -> None:
        """Write a request down."""
        url = urlsplit(target)
        with self._changed:
            self.asked.append(target)
            if url.path == "/count":
                self.counted.append(Counted(method, dict(parse_qsl(url.query, keep_blank_values=True)), agent))
            self._changed.notify_all()

    def wait_for(self, amount: int) -> list[Counted]:
        """So many counts, and shortly after that no more of them."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.counted) >= amount, timeout=20)
            self._changed.wait_for(lambda: len(self.counted) > amount, timeout=NEVER_WITHIN_S)
            assert len(self.counted) == amount, self.counted
            return list(self.counted)

    def only(self) -> Counted:
        """The one count there is."""
        return self.wait_for(1)[0]


def _handler(site: RecordingSite) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.note(self.command, self.path, self.headers.get("user-agent", ""))
            path = urlsplit(self.path).path
            if path == "/count":
                self._answer(200, "image/gif", GIF)
            elif path in site.pages:
                kind = "text/javascript" if path.endswith(".js") else "text/html"
                self._answer(200, f"{kind}; charset=utf-8", site.pages[path].encode())
            else:
                self._answer(404, f"text/{'html' if site.missing else 'plain'}; charset=utf-8", site.missing.encode())

        do_POST = do_GET  # noqa: N815  # the name that http.server calls

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def recording_site() -> Iterator[RecordingSite]:
    """A site that runs until the end of the block."""
    site = RecordingSite()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
    server.daemon_threads = True
    site.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
