"""Proxies with the configurations of ``docs/proxies``, in front of a server of the tests.

Only ports, files of certificates, the website beside Tallystick and the place of Tallystick are replaced. The programs
must be there.
"""

import getpass
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from support.postgres import free_port
from support.programs import program
from support.server import RunningServer, clean_environment

FOLDER = Path(__file__).parents[2] / "docs" / "proxies"
STARTS_WITHIN_S = 30.0
WEBSITE = "the website itself"
"""What stands on the start page of the website beside Tallystick."""
APACHE_MODULES = Path("/usr/lib/apache2/modules")


@dataclass
class Ports:
    """Where a proxy listens: with TLS, and without."""

    https: int
    http: int


class Proxy(NamedTuple):
    """A configuration.

    Attributes:
        file: its name in ``docs/proxies``.
        write: writes it as a whole configuration into a folder, and returns the command.
        host: to ask for.
        base_path: that Tallystick has.
    """

    file: str
    write: Callable[[Path, str, Ports], list[str]]
    host: str = "stats.example.com"
    base_path: str = ""


def text_for(file: str, folder: Path, upstream: str, unix: Path | None) -> str:
    """A configuration with the server of the test; for a Unix socket its line is taken in place of the port's.

    Args:
        upstream: the server's ``HOST:PORT``.
        unix: the path of its socket.
    """
    text = (FOLDER / file).read_text("utf-8")
    assert text.count("127.0.0.1:8080") == text.count("/run/tallystick/http.sock") == 1, file
    if unix is None:
        text = text.replace("127.0.0.1:8080", upstream)
    else:
        lines = [line.replace("# ", "", 1) if "/run/tallystick/" in line else line for line in text.splitlines()]
        text = "\n".join(line for line in lines if "127.0.0.1:8080" not in line) + "\n"
        text = text.replace("/run/tallystick/http.sock", str(unix))
    website = folder / "website"
    website.mkdir(exist_ok=True)
    (website / "index.html").write_text(f"<title>{WEBSITE}</title>", "utf-8")
    folder.chmod(0o755)  # a proxy that root starts works as another user
    return text.replace("/var/www/example.com", str(website))


def nginx(folder: Path, text: str, ports: Ports) -> list[str]:
    """nginx with a file of the documentation."""
    text = text.replace("listen 443 ssl;", f"listen {ports.https} ssl;").replace("listen 80;", f"listen {ports.http};")
    temporary = "".join(
        f"    {name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"user {getpass.getuser()};\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\ndaemon off;\nevents {{}}\n"
        f"http {{\n    access_log off;\n{temporary}{with_certificate(text, folder)}}}\n"
    )
    return [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def caddy(folder: Path, text: str, ports: Ports) -> list[str]:
    """Caddy with a file of the documentation, and certificates that it makes itself."""
    options = ["admin off", "local_certs", "skip_install_trust", f"https_port {ports.https}", f"http_port {ports.http}"]
    (folder / "Caddyfile").write_text("{\n\t" + "\n\t".join(options) + "\n}\n" + text)
    return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def apache(folder: Path, text: str, ports: Ports) -> list[str]:
    """Apache with a file of the documentation, and the modules that its head names besides Debian's usual ones."""
    (enabled,) = [line.partition("a2enmod ")[2].split() for line in text.splitlines() if "a2enmod" in line]
    modules = ["mpm_event", "authz_core", "dir", "mime", *enabled]
    text = text.replace("*:443>", f"*:{ports.https}>").replace("*:80>", f"*:{ports.http}>")
    (folder / "apache.conf").write_text(
        "".join(f"LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so\n" for name in modules)
        + f"ServerRoot {folder}\nPidFile {folder}/pid\nErrorLog {folder}/error.log\nDefaultRuntimeDir {folder}\n"
        + "TypesConfig /etc/mime.types\nServerName example.com\nStartServers 1\nServerLimit 1\nThreadsPerChild 25\n"
        + "MaxRequestWorkers 25\n<Directory />\n    Require all granted\n</Directory>\n"
        + f"Listen {ports.https}\nListen {ports.http}\n{with_certificate(text, folder)}"
    )
    return [program("apache2"), "-X", "-f", str(folder / "apache.conf")]


def with_certificate(text: str, folder: Path) -> str:
    """A configuration with a certificate of our own."""
    for name, content in zip(("example.com.key", "example.com.pem"), _certificate(), strict=True):
        (folder / name).write_bytes(content)
    return text.replace("/etc/ssl/", f"{folder}/")


@cache
def _certificate() -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as name:
        files = Path(name, "key"), Path(name, "pem")
        request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=example.com"]
        command = [program("openssl"), *request, "-keyout", str(files[0]), "-out", str(files[1])]
        subprocess.run(command, check=True, capture_output=True)
        return files[0].read_bytes(), files[1].read_bytes()


PROXIES = {
    "nginx": Proxy("nginx.conf", nginx),
    "caddy": Proxy("Caddyfile", caddy),
    "apache": Proxy("apache.conf", apache),
    "nginx-path": Proxy("nginx-path.conf", nginx, "example.com", "/stats"),
    "caddy-path": Proxy("Caddyfile-path", caddy, "example.com", "/stats"),
    "apache-path": Proxy("apache-path.conf", apache, "example.com", "/stats"),
}


@contextmanager
def proxy_before(server: RunningServer, proxy: Proxy) -> Iterator[Ports]:
    """A proxy in front of a server, over its port or its Unix socket, until the block ends."""
    ports = Ports(free_port(), free_port())
    with tempfile.TemporaryDirectory(prefix="tallystick-proxy-") as name:
        folder = Path(name)
        unix = Path(server.unix) if server.unix else None
        upstream = server.url.removeprefix("http://").removesuffix(proxy.base_path)
        command = proxy.write(folder, text_for(proxy.file, folder, upstream, unix), ports)
        with (folder / "output").open("w") as output:
            process = subprocess.Popen(
                command,
                env=clean_environment(XDG_DATA_HOME=name, XDG_CONFIG_HOME=name, HOME=name),
                stdout=output,
                stderr=output,
            )
        try:
            deadline = time.monotonic() + STARTS_WITHIN_S
            while not answers(ports.https, proxy.host):
                assert process.poll() is None, (folder / "output").read_text()
                assert time.monotonic() < deadline, (folder / "output").read_text()
                time.sleep(0.05)
            yield ports
        finally:
            # One process of Apache waits 15 seconds for its idle connections; nginx has others, which it ends itself.
            process.send_signal(signal.SIGKILL if proxy.write is apache else signal.SIGTERM)
            process.wait(timeout=20)


def answers(port: int, host: str) -> bool:
    """Whether a TLS handshake succeeds; Caddy makes its certificates a moment after it listens."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except OSError:
        return False
