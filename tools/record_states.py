"""Record what older programs leave behind, for ``tests/upgrades``: run it after adding a migration, before the commit.

A state is the set of migrations that a program knows: of the ledger, of the warehouse and of its journal. For each
state of the history but the one of this checkout, the last commit that has it is checked out into a temporary worktree.
Its program counts known things, on SQLite and on PostgreSQL, and is killed. What it leaves becomes one file.
States that are recorded already are left alone. Needs the history of git, and the environment of ``make test``.
"""

import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.postgres import Postgres, free_port  # noqa: E402  # the PostgreSQL of the tests

STATES = ROOT / "tests" / "upgrades" / "states"
FOLDERS = {
    "ledger": ["src/tallystick/ledger/migrations/sqlite", "src/tallystick/ledger/migrations/postgresql"],
    "warehouse": ["src/tallystick/warehouse/duckdb/migrations", "src/tallystick/warehouse/migrations"],
    "journal": ["src/tallystick/warehouse/duckdb/migrations/journal", "src/tallystick/warehouse/migrations/journal"],
}
"""Where the migrations of each part are, and where they were before."""

STARTS_WITHIN_S = 60.0
MOVES_WITHIN_S = 3.0
"""Hits lie in the journal for less than a second."""
HOST, EMAIL, PASSWORD = "stats.example.com", "ann@example.com", "a tally of 12 sticks"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
COUNTER_TOKEN, SITE_TOKEN = "counters-read,counters-write", "count,export,site-read,stats"


class State(NamedTuple):
    """The migrations of one program, and the last commit that has them.

    Attributes:
        steps: how many, by part.
        ledger: a digest of the texts of the ledger's.
        digest: of the texts of all.
    """

    commit: str
    steps: Mapping[str, int]
    ledger: str
    digest: str

    @property
    def name(self) -> str:
        """Sorted by age, as long as steps are only added."""
        counts = ".".join(f"{part}-{number:02}" for part, number in self.steps.items())
        return f"{counts}.{self.digest[:8]}"


def say(text: str) -> None:
    """Print the current step."""
    print(f"states: {text}", flush=True)


def git(*arguments: str) -> str:
    """What git prints."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, text=True, capture_output=True).stdout  # noqa: S607


def state_of(commit: str) -> State:
    """The state of a commit, by the names and contents of its migrations."""
    places = [folder for folders in FOLDERS.values() for folder in folders]
    listed = [line.split() for line in git("ls-tree", "-r", commit, *places).splitlines()]
    files = {Path(path): content for _, _, content, path in listed if path.endswith(".sql")}
    return _state(commit, files)


def state_of_checkout() -> State:
    """The state of the files of this checkout, committed or not."""
    places = [ROOT / folder for folders in FOLDERS.values() for folder in folders]
    found = sorted({file for place in places if place.is_dir() for file in place.rglob("*.sql")})
    contents = git("hash-object", *map(str, found)).split()
    return _state("", {file.relative_to(ROOT): content for file, content in zip(found, contents, strict=True)})


def _state(commit: str, files: Mapping[Path, str]) -> State:
    texts = {part: set[tuple[str, ...]]() for part in FOLDERS}
    for file, content in files.items():
        for part, folders in FOLDERS.items():
            if str(file.parent) in folders:
                dialect = file.parent.name if part == "ledger" else ""
                texts[part].add((file.name, dialect, content))
    steps = {part: len({name for name, *_ in found}) for part, found in texts.items()}
    ledger, all_ = (sha256(repr(sorted(found)).encode()).hexdigest() for found in (texts["ledger"], _all(texts)))
    return State(commit, steps, ledger, all_)


def _all(texts: Mapping[str, set[tuple[str, ...]]]) -> set[tuple[str, ...]]:
    return {(part, *text) for part, found in texts.items() for text in found}


def states_before() -> list[State]:
    """The states of the history, older first, without the one of this checkout."""
    places = [folder for folders in FOLDERS.values() for folder in folders]
    changes = git("log", "--first-parent", "--reverse", "--format=%P", "--", *places).split()
    found = {}
    for commit in [*changes, git("rev-parse", "HEAD").strip()]:
        state = state_of(commit)
        found[state.digest] = state
    found.pop(state_of_checkout().digest, None)
    return list(found.values())


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """A worktree of a commit; removed at the end."""
    place = folder / "worktree"
    git("worktree", "add", "--detach", str(place), commit)
    try:
        yield place
    finally:
        git("worktree", "remove", "--force", str(place))


class Program:
    """An older program with its data.

    Args:
        source: its checkout.
        database: a PostgreSQL URL; None for SQLite.
    """

    def __init__(self, source: Path, data: Path, database: str | None) -> None:
        settings = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TALLYSTICK_"))}
        self._environment = settings | {
            "PYTHONPATH": str(source / "src"),
            "TALLYSTICK_DATA": str(data),
            **({"TALLYSTICK_DATABASE": database} if database else {}),
        }
        self._folder = data.parent

    def run(self, *arguments: str, given: str = "") -> str | None:
        """Run a command. Returns what it prints, None where this program has no such command."""
        done = subprocess.run(
            [sys.executable, "-m", "tallystick", *arguments],
            env=self._environment,
            cwd=self._folder,
            input=given,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode and not re.search("unknown command|UnknownCommand", done.stderr, re.IGNORECASE):
            sys.exit(f"states: {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return None if done.returncode else done.stdout.strip()

    @contextmanager
    def serving(self) -> Iterator[httpx.Client]:
        """Serve until the end, then kill: nothing is left to do but what was acknowledged."""
        url = f"http://127.0.0.1:{free_port()}"
        with (self._folder / "output.txt").open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tallystick", "serve", "--listen", url.removeprefix("http://")],
                env=self._environment,
                cwd=self._folder,
                stdout=output,
                stderr=output,
            )
        try:
            with httpx.Client(base_url=url, headers={"User-Agent": BROWSER}) as client:
                _wait_until_ready(client, process, self._folder / "output.txt")
                yield client
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _wait_until_ready(client: httpx.Client, process: "subprocess.Popen[bytes]", output: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            if client.get("/health/ready").is_success:
                return
        time.sleep(0.05)
    sys.exit(f"states: the server did not start:\n{output.read_text('utf-8')}")


def count_known_things(program: Program) -> dict[str, Any]:
    """Have a program count whatever it can. Returns what must be there afterwards."""
    known: dict[str, Any] = {"counters": {}, "shared": {}, "hits": {}}
    with program.serving() as client:
        known["at"] = time.time_ns() // 1_000_000
        for _ in range(3):
            known["counters"]["shop/visits"] = _ask(client, "GET", "/hit/shop/visits")["value"]
        made = _ask(client, "GET", "/create?namespace=shop&key=stock&value=41")
        known["counters"]["shop/stock"] = made["value"]
        keyed = {"Idempotency-Key": "once"}
        known["counters"]["shop/keyed"] = _ask(client, "GET", "/hit/shop/keyed", headers=keyed)["value"]
        if program.run("user", "create", "--email", EMAIL, "--name", "Ann", "--password", "-", given=PASSWORD) is None:
            return known
        known["account"] = {"email": EMAIL, "password": PASSWORD}
        program.run("site", "create", "--host", HOST, "--email", EMAIL)
        token = ("token", "create", "--email", EMAIL, "--name", "known", "--permissions")
        known["token"] = program.run(*token, SITE_TOKEN)
        _count_shared(program, client, token, known)
        _visit(client, known, "/", "/about")
        time.sleep(MOVES_WITHIN_S)  # into columns
        _visit(client, known, "/", "/last")  # these stay in the journal
    return known


def _count_shared(program: Program, client: httpx.Client, token: tuple[str, ...], known: dict[str, Any]) -> None:
    body = {"displayName": "Visitors", "type": "UpDown", "data": {}}
    if client.post("/v1/counters", json=body).status_code != httpx.codes.UNAUTHORIZED:
        return  # a program without shared counters, or only with their tables
    known["token_for_counters"] = program.run(*token, COUNTER_TOKEN)
    bearer = {"Authorization": f"Bearer {known['token_for_counters']}"}
    made = client.post("/v1/counters", json=body, headers=bearer)
    if made.status_code != httpx.codes.CREATED:
        return
    counter = made.json()["id"]
    for _ in range(2):
        _ask(client, "POST", f"/v1/counters/{counter}/increment", headers=bearer)
    known["shared"][counter] = 2


def _visit(client: httpx.Client, known: dict[str, Any], *paths: str) -> None:
    for path in paths:
        client.get("/count", params={"p": path, "t": f"Page {path}"}, headers={"Host": HOST}).raise_for_status()
        known["hits"][path] = known["hits"].get(path, 0) + 1


def _ask(client: httpx.Client, method: str, target: str, **options: Any) -> Any:  # noqa: ANN401  # JSON
    answer = client.request(method, target, **options)
    if not answer.is_success:
        sys.exit(f"states: {method} {target} answered {answer.status_code}: {answer.text}")
    return answer.json()


def record(state: State, postgres: Postgres, *, dumped: bool) -> None:
    """Write the file of a state.

    Args:
        dumped: whether to record the ledger on PostgreSQL too.
    """
    say(f"{state.name}: {state.commit[:10]}")
    with TemporaryDirectory(prefix="tallystick-state-") as name, checked_out(state.commit, Path(name)) as source:
        files: dict[str, bytes] = {}
        data = Path(name) / "sqlite" / "data"
        data.parent.mkdir()
        known = {"commit": state.commit, "steps": state.steps} | count_known_things(Program(source, data, None))
        for file in sorted(data.rglob("*")):
            if file.is_file() and not file.name.endswith((".lock", "-shm")):
                files[f"data/{file.relative_to(data)}"] = file.read_bytes()
        if dumped:
            with postgres.fresh_database() as url:
                data = Path(name) / "postgresql" / "data"
                data.parent.mkdir()
                known["on_postgresql"] = count_known_things(Program(source, data, url))
                files["postgresql.sql"] = postgres.dumped(url).encode()
        files["known.json"] = json.dumps(known, indent=1).encode()
    with tarfile.open(STATES / f"{state.name}.tar.xz", "w:xz", preset=9) as archive:
        for name_, content in sorted(files.items()):
            entry = tarfile.TarInfo(name_)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))


def main() -> None:
    """Record what is missing."""
    STATES.mkdir(parents=True, exist_ok=True)
    states = states_before()
    recorded = {file.name.removesuffix(".tar.xz") for file in STATES.iterdir()}
    missing = [state for state in states if state.name not in recorded]
    with Postgres.started() as postgres:
        ledgers = set()
        for state in states:
            if state in missing:
                record(state, postgres, dumped=state.ledger not in ledgers)
            ledgers.add(state.ledger)
    say(f"{len(states)} states, {len(missing)} of them new")


if __name__ == "__main__":
    main()
