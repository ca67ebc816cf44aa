"""A balancer in front of several servers: nginx, which sends each request to another one than the request before."""

import getpass
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from support.postgres import free_port
from support.programs import program
from support.server import STARTS_WITHIN_S

CONFIGURATION = """
user {user};
pid {folder}/nginx.pid;
daemon off;
worker_processes 1;
events {{}}
http {{
    log_format servers "$upstream_addr $request_method $uri";
    access_log {folder}/requests servers;
    client_max_body_size 8m;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream servers {{
        {servers}
    }}
    map $http_upgrade $connection_header {{
        default upgrade;
        "" "";
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://servers;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_header;
            proxy_buffering off;
            proxy_read_timeout 1h;
        }}
    }}
}}
"""


class Balancer:
    """A running balancer.

    Attributes:
        url: where it listens.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self.url = folder, f"http://127.0.0.1:{port}"

    def requests(self) -> Counter[str]:
        """How many requests each server has answered, by its address."""
        return Counter(line.split()[0] for line in (self._folder / "requests").read_text().splitlines())


@contextmanager
def balanced(folder: Path, urls: Sequence[str]) -> Iterator[Balancer]:
    """A balancer for servers with these addresses.

    Args:
        folder: of its own.
    """
    port = free_port()
    servers = " ".join(f"server {url.removeprefix('http://')};" for url in urls)
    text = CONFIGURATION.format(user=getpass.getuser(), folder=folder, port=port, servers=servers)
    (folder / "nginx.conf").write_text(text)
    errors = str(folder / "errors")
    process = subprocess.Popen([program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", errors])
    balancer = Balancer(folder, port)
    try:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not _answers(balancer.url):
            assert process.poll() is None, (folder / "errors").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield balancer
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
