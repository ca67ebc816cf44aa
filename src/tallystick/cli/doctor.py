"""``tallystick doctor``: checks this machine and the stored data, and shows the settings in force."""

import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import apsw
from cyclopts import Parameter

from tallystick import __version__
from tallystick.app import SURFACES
from tallystick.cli.support.configuration import FILE_VARIABLE, SETTINGS, sources
from tallystick.cli.support.container import in_container, keeps_data, problems_of_container
from tallystick.cli.support.data_directory import server_runs
from tallystick.cli.support.readiness import place_of, readiness_of
from tallystick.errors import TallystickError
from tallystick.ledger import open_database
from tallystick.ledger.copying import BackupFile, damage, slight_damage
from tallystick.ledger.database import opened
from tallystick.ledger.migrations import all_migrations
from tallystick.ledger.sqlite import OLDEST_SAFE_SQLITE
from tallystick.model.counter import NEVER
from tallystick.server.listening import ListenAddress
from tallystick.services.accounts.seals import VARIABLE as KEY_VARIABLE
from tallystick.services.clock import SEEN, clock_marks, offset, problem_of
from tallystick.services.operating.backups import BackupNote
from tallystick.services.operating.findings import BACKUP_OLD_MS
from tallystick.services.privacy import open_to_others
from tallystick.services.stores import backup_notes
from tallystick.settings import Settings, lifetime_text
from tallystick.warehouse import (
    LakeStanding,
    WarehouseStorage,
    lake_standing,
    refuse_unfinished_lake,
    warehouse_storage,
)
from tallystick.web.rate_limit import RateLimits
from tallystick.web.surface import default_rates

Status = Literal["OK", "WARN", "FAIL"]

OTHER_VARIABLES = {FILE_VARIABLE, KEY_VARIABLE, "TALLYSTICK_TOKEN"}
"""Variables that are not settings of a server."""

SYNCS = 50
SYNCING_AT_MOST_S = 1.0
BLOCK = b"\0" * 4096
SLOW_SYNC_S = 0.020
UNBELIEVABLE_SYNC_S = 0.000_010

LAKE_BEHIND_S = 15.0
"""Another server takes over within ten seconds."""

LITTLE_SPACE = 1 << 30
NO_SPACE = 64 << 20

SANE_YEARS = range(2025, 2100)
CLOCK_TOLERANCE_S = 60.0

HOSTS_SHOWN = 10

DAY_MS = 86_400_000

COPIED = ", in a copy of the running server's hits"
LEDGER_FILE = "ledger.sqlite3"
QUICK_CHECK_S = 3.0
"""Time limit of the quick check of a SQLite file."""


class Check(NamedTuple):
    """One check and its result."""

    status: Status
    what: str
    result: str


def doctor(*, thorough: Annotated[bool, Parameter(negative=())] = False, settings: Settings = Settings()) -> int:
    """Check this machine and the stored data, and show the settings in force.

    Nothing is changed. The exit code is 1 if a check fails. The output is a table on a terminal, otherwise lines
    separated by tabs.

    Args:
        thorough: Read every value of the ledger, the journal and the hits, which takes as long as reading the files;
            and compare every visit with its hits, a few seconds for each million hits.
    """
    RateLimits(default_rates(SURFACES), settings.rate_limit)  # refuses unknown names
    checks = [*examine(settings), *damages(settings, thorough=thorough)]
    setting_rows = list(settings_in_force(settings))
    if sys.stdout.isatty():
        _print_tables(checks, setting_rows)
    else:
        for row in (*checks, *setting_rows):
            print(*row, sep="\t")
    return int(any(check.status == "FAIL" for check in checks))


def examine(settings: Settings) -> Iterator[Check]:
    """All checks of the machine and the stores, in the order of a server's start."""
    yield _variables()
    yield _sqlite_version()
    yield _clock(settings.data)
    yield _data_directory(settings.data)
    yield from _container(settings)
    yield _file_modes(settings.data)
    yield _free_space(settings.data)
    if settings.database is None:
        # PostgreSQL syncs on its own disk.
        yield _disk_sync(settings.data)
    yield from _server(settings)
    yield _database(settings)
    yield from _clock_of_ledger(settings)
    yield _hits(settings.data) if settings.lake is None else _lake(settings, settings.lake)
    yield from _backup(settings)
    yield from _hosts(settings)
    yield from _second_steps(settings)
    if settings.database is not None:
        yield from _database_sync(settings)


def damages(settings: Settings, *, thorough: bool) -> Iterator[Check]:
    """Checks whether the files are undamaged and fit together."""
    if settings.database is None:
        yield _sqlite_file("ledger file", settings.data / LEDGER_FILE, thorough=thorough)
    if settings.lake is not None:
        yield from _stored_in_lake(settings, thorough=thorough)
        return
    for what, file in warehouse_storage(settings.data).sqlite_files().items():
        yield _sqlite_file(what, file, thorough=thorough)
    storage, in_use = warehouse_storage(settings.data), server_runs(settings.data)
    if thorough:
        yield _every_hit(storage, in_use=in_use)
    yield _visits(storage, in_use=in_use, thorough=thorough)
    yield _stores(settings)


def settings_in_force(settings: Settings) -> Iterator[tuple[str, str, str, str]]:
    """Each setting's name, value and source, without passwords."""
    for name in SETTINGS:
        value = getattr(settings, name)
        if name == "database":
            value = "SQLite in the data directory" if value is None else _where(settings)
        elif name == "counter_lifetime":
            value = lifetime_text(value) if value == NEVER else f"{lifetime_text(value)} days"
        elif name in {"creation_limit", "namespace_keys"}:
            value = value or "off"
        elif name == "warehouse_memory":
            value = f"{value}MB"
        elif name == "socket_mode":
            value = f"{value:o}"
        elif value == "":
            value = "none"
        elif value is None or isinstance(value, tuple):
            value = ", ".join(map(str, value or ())) or "none"
        yield "setting", name, str(value), sources.of(name)


def _variables() -> Check:
    accepted = {f"TALLYSTICK_{name.upper()}" for name in SETTINGS} | OTHER_VARIABLES
    set_ = {name for name in os.environ if name.startswith("TALLYSTICK_")}
    if unknown := sorted(set_ - accepted):
        return Check("WARN", "variables", f"{', '.join(unknown)}: no such setting; see tallystick serve --help")
    return Check("OK", "variables", ", ".join(sorted(set_)) or "no TALLYSTICK_ variable is set")


def _sqlite_version() -> Check:
    version = apsw.sqlite_lib_version()
    needed = ".".join(map(str, OLDEST_SAFE_SQLITE))
    if tuple(map(int, version.split("."))) < OLDEST_SAFE_SQLITE:
        return Check("FAIL", "SQLite", f"{version} can corrupt a ledger; install an apsw that brings {needed} or newer")
    return Check("OK", "SQLite", f"{version}; {needed} or newer is needed")


def _clock(data: Path) -> Check:
    now = time.time()
    shown = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if datetime.fromtimestamp(now, UTC).year not in SANE_YEARS:
        return Check("FAIL", "clock", f"it is {shown}, which cannot be; counters would expire at wrong times")
    if not time.get_clock_info("monotonic").monotonic:
        return Check("WARN", "clock", f"it is {shown}; this system has no clock that never goes back")
    newest = max((file.stat().st_mtime for file in data.glob("ledger.sqlite3*")), default=now)
    if newest > now + CLOCK_TOLERANCE_S:
        ahead = newest - now
        return Check("WARN", "clock", f"it is {shown}, but the ledger was last written {ahead:,.0f} seconds after that")
    return Check("OK", "clock", f"it is {shown}, and no file of the ledger is newer")


def _clock_of_ledger(settings: Settings) -> Iterator[Check]:
    """Whether the clock fits the newest commit; no check if no server has recorded one."""
    try:
        database = open_database(settings.database, settings.data)
        if database.schema() != len(all_migrations(database.name)):
            return
        with closing(database.session()) as session, session.snapshot():
            seen = clock_marks(session).get(SEEN)
    except TallystickError:
        # Reported by the check of the database.
        return
    if seen is not None:
        problem = problem_of(offset(time.time(), seen))
        yield Check("WARN" if problem else "OK", "newest commit", problem or "the clock fits the newest commit")


def _container(settings: Settings) -> Iterator[Check]:
    """Whether a container keeps its data and can be reached; no check elsewhere."""
    if in_container():
        problems = list(problems_of_container(settings))
        yield from (Check("WARN", "container", problem) for problem in problems)
        if not problems:
            kept = "is a volume of this container" if keeps_data(settings) else "has nothing that must outlive it"
            yield Check("OK", "container", f"{settings.data} {kept}")


def _data_directory(data: Path) -> Check:
    there = _existing(data)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except PermissionError as error:
        owner, user = there.stat().st_uid, os.geteuid()
        hint = f"{there} belongs to user {owner}, this is user {user}: chown {user} {there}"
        return Check("FAIL", "data directory", f"{data} cannot be written: {error.strerror}; {hint}")
    except OSError as error:
        return Check("FAIL", "data directory", f"{data} cannot be written: {error.strerror}")
    if data.is_dir():
        return Check("OK", "data directory", f"{data} can be written")
    return Check("OK", "data directory", f"{data} does not exist yet; the server creates it")


def _file_modes(data: Path) -> Check:
    if files := [f"{file} ({file.stat().st_mode & 0o777:04o})" for file in open_to_others(data)]:
        result = f"other users can read {', '.join(files)}; the server corrects this when it starts, or chmod 600"
        return Check("WARN", "file modes", result)
    return Check("OK", "file modes", "only their owner can read Tallystick's files")


def _free_space(data: Path) -> Check:
    free = shutil.disk_usage(_existing(data)).free
    result = f"{free / (1 << 30):,.1f} GB are free"
    if free < NO_SPACE:
        return Check("FAIL", "free space", f"only {free >> 20} MB are free; counts are refused when the disk is full")
    if free < LITTLE_SPACE:
        return Check("WARN", "free space", f"{result}; counts are refused when the disk is full")
    return Check("OK", "free space", result)


def _disk_sync(data: Path) -> Check:
    try:
        took = measured_syncs(_existing(data))
    except OSError as error:
        return Check("FAIL", "disk sync", f"cannot be measured: {error.strerror}")
    median = statistics.median(took)
    result = (
        f"4 KB are on disk after {median * 1000:.2f} ms (median of {len(took)}): at most {1 / median:,.0f} counts a"
        " second on one connection; many connections share a sync"
    )
    if median > SLOW_SYNC_S:
        return Check("WARN", "disk sync", f"{result}. That is slow")
    if median < UNBELIEVABLE_SYNC_S:
        return Check("WARN", "disk sync", f"{result}. No disk is that fast: a power cut could lose counts here")
    return Check("OK", "disk sync", result)


def measured_syncs(directory: Path) -> list[float]:
    """The times of some writes of one page, each synced like the ledger's WAL."""
    took: list[float] = []
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        while len(took) < SYNCS and sum(took) < SYNCING_AT_MOST_S:
            started = time.perf_counter()
            file.write(BLOCK)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - started)
    return took


def _server(settings: Settings) -> Iterator[Check]:
    if not server_runs(settings.data):
        yield Check("OK", "server", f"none is running on {settings.data}")
        return
    yield Check("OK", "server", f"one is running on {settings.data}")
    yield _readiness(settings.listen[0], settings.base_path)


def _readiness(listen: ListenAddress, base_path: str) -> Check:
    """The readiness of a running server: whether it can store counts, and which background tasks fail."""
    place, readiness = place_of(listen, base_path), readiness_of(listen, base_path)
    if readiness is None:
        hint = "if it listens elsewhere, say so with --listen and --base-path; otherwise look at its log"
        return Check("WARN", "readiness", f"the server does not answer at {place}: {hint}")
    if readiness.reason is not None:
        result = f"{place}: not ready: {readiness.reason}; the server's log says more"
        return Check("FAIL", "readiness", result)
    if readiness.problems:
        return Check("WARN", "readiness", f"{place}: {'; '.join(readiness.problems)}; the server's log says why")
    return Check("OK", "readiness", f"{place}: it counts, and its background tasks succeed")


def _database(settings: Settings) -> Check:
    try:
        database = open_database(settings.database, settings.data, settings.durability)
        schema = database.schema()
        if schema is None:
            return Check("OK", "database", f"{database.describe()} has no ledger yet; the server creates it")
        newest = len(all_migrations(database.name))
        if schema > newest:
            result = f"it has schema {schema}, this program knows schema {newest}: a newer Tallystick wrote it"
            return Check("FAIL", "database", f"{database.describe()}: {result}")
        with closing(database.session()) as session, session.snapshot():
            counters = session.size()
    except TallystickError as error:
        return Check("FAIL", "database", str(error))
    result = f"{database.describe()}: schema {schema}, {counters:,} counters"
    if schema < newest:
        return Check("WARN", "database", f"{result}; the server migrates it to schema {newest} when it starts")
    return Check("OK", "database", result)


def _hits(data: Path) -> Check:
    storage = warehouse_storage(data)
    try:
        size = f"{storage.size_bytes() / (1 << 20):,.1f} MB"
    except (FileNotFoundError, NotADirectoryError):
        return Check("OK", "hits", f"{data} has no hits yet; the server creates the files for them")
    except OSError as error:
        return Check("FAIL", "hits", f"cannot open {storage.describe()}: {error.strerror}")
    if server_runs(data):
        return Check("OK", "hits", f"{storage.describe()}: {size}, open in the running server")
    try:
        return Check("OK", "hits", f"{storage.describe()}: {size}, {storage.count():,} hits")
    except TallystickError as error:
        return Check("FAIL", "hits", str(error))


def _lake(settings: Settings, lake: str) -> Check:
    """Which server brings hits into the lake, and how far the lake reaches."""
    from tallystick.ledger.postgresql import PostgresqlDatabase  # noqa: PLC0415  # only where it is used

    try:
        database = open_database(settings.database, settings.data)
        if not isinstance(database, PostgresqlDatabase):
            return Check("FAIL", "lake", "--lake needs a PostgreSQL database: add --database postgresql://...")
        standing = lake_standing(partial(opened, database))
    except TallystickError as error:
        return Check("FAIL", "lake", str(error))
    if standing is None:
        return Check("OK", "lake", f"no server has used {lake} with this database yet; the first one creates it")
    status, result = _standing(standing)
    return Check(status, "lake", f"{lake}: {result}")


def _standing(standing: LakeStanding) -> tuple[Status, str]:
    """What the lake's state means for this program."""
    if standing.schema > standing.known:
        newer = f"it has schema {standing.schema}, this program knows schema {standing.known}"
        return "FAIL", f"{newer}: a newer Tallystick wrote it; start that one"
    here = socket.gethostname()
    mover = f"{standing.mover} (this machine)" if standing.mover.rpartition("-")[0] == here else standing.mover
    waits = f"{standing.waiting:,} acknowledged hits are not in it yet"
    if 0 < standing.schema < standing.known:
        by = f"{mover}, an older server, brings hits into it" if mover else waits
        upgrade = f"the first server of this version that starts brings it to schema {standing.known}"
        return "WARN", f"schema {standing.schema}; {by}; {upgrade}"
    if not mover:
        none = "no server brings hits into it at this moment: start one with the same --database and --lake"
        return "WARN" if standing.waiting else "OK", f"{none}; {waits}"
    result = f"{mover} brings hits into it; {waits}"
    if standing.behind > LAKE_BEHIND_S:
        late = f"the oldest for {standing.behind:,.0f} seconds: see the log of {standing.mover}"
        return "WARN", f"{result}, {late}"
    return "OK", result


def _stored_in_lake(settings: Settings, *, thorough: bool) -> Iterator[Check]:
    """Whether the lake can be read and fits the ledger; no check without one, or of another version's."""
    from tallystick.ledger.postgresql import PostgresqlDatabase  # noqa: PLC0415  # only where it is used
    from tallystick.services.stores import marks_of, stored_hits  # noqa: PLC0415  # not needed by other checks

    try:
        database = open_database(settings.database, settings.data)
        if not isinstance(database, PostgresqlDatabase):
            return
        standing = lake_standing(partial(opened, database))
        if standing is None or standing.schema not in {0, standing.known}:
            return
        storage = stored_hits(database, settings.lake, settings.data)
        if not storage.exists():
            return
    except TallystickError:
        return
    try:
        refuse_unfinished_lake(partial(opened, database))
        size = f"{storage.size_bytes() / (1 << 20):,.1f} MB"
        yield Check("OK", "lake files", f"{storage.describe()}: {size}, {storage.count():,} hits")
        disagreement = storage.disagreement(marks_of(database))
    except TallystickError as error:
        yield Check("FAIL", "lake files", str(error))
        return
    fits = "the ledger and the lake fit together"
    yield Check("FAIL" if disagreement else "OK", "stores", disagreement or fits)
    if thorough:
        yield _every_hit(storage, in_use=False)
    yield _visits(storage, in_use=False, thorough=thorough)


def _backup(settings: Settings) -> Iterator[Check]:
    """Whether the last backup that was noted is new enough; no check where there is nothing, or it cannot be read."""
    if settings.lake is None and not settings.data.is_dir():
        return
    try:
        note = backup_notes(open_database(settings.database, settings.data), settings.lake, settings.data).read()
    except TallystickError:
        return
    if note is None:
        yield _no_backup(settings.lake or str(settings.data))
    else:
        yield _backup_of(note)


def _no_backup(of: str) -> Check:
    return Check("WARN", "backup", f"none was taken of {of} yet; tallystick backup FILE takes one beside a server")


def _backup_of(note: BackupNote) -> Check:
    age_ms = time.time() * 1000 - note.at
    result = f"the last one was taken {age_ms / DAY_MS:,.1f} days ago: {note.bytes / (1 << 20):,.1f} MB"
    if age_ms > BACKUP_OLD_MS:
        return Check("WARN", "backup", f"{result}; look at the timer that takes backups")
    return Check("OK", "backup", result)


def _hosts(settings: Settings) -> Iterator[Check]:
    """Whether hits are lost because no site has their host; no check if the ledger cannot be read."""
    from tallystick.services.accounts.site_hosts import unknown_hosts, without_host  # noqa: PLC0415  # not needed by other checks
    from tallystick.services.accounts.site_rows import active_sites  # noqa: PLC0415

    try:
        database = open_database(settings.database, settings.data)
        if database.schema() != len(all_migrations(database.name)):
            return
        with closing(database.session()) as session, session.snapshot():
            sites, unknown = active_sites(session), unknown_hosts(session)
    except TallystickError:
        return
    if not sites:
        return
    if len(sites) > 1 and (hostless := without_host(sites)):
        yield Check(
            "WARN", "hosts", f"site {hostless.id} has no host; tallystick site change {hostless.id} --host HOST"
        )
    hosts = [f"{each.host} ({each.requests:,})" for each in unknown[:HOSTS_SHOWN]]
    more = f" and {len(unknown) - HOSTS_SHOWN} more" if len(unknown) > HOSTS_SHOWN else ""
    if hosts:
        result = f"in the last 30 days there were requests for hosts that no site has: {', '.join(hosts)}{more}"
        yield Check("WARN", "hosts", f"{result}; their hits are refused unless --default-site gives a site for them")
    else:
        yield Check("OK", "hosts", "all requests were for hosts of sites")


def _second_steps(settings: Settings) -> Iterator[Check]:
    """Whether the key decrypts the secrets of authenticator apps; no check if there are none."""
    from tallystick.services.accounts.seals import KEY_FILE, VARIABLE, Seals  # noqa: PLC0415  # not needed by other checks
    from tallystick.services.accounts.two_factor import unreadable_secrets  # noqa: PLC0415

    try:
        database = open_database(settings.database, settings.data)
        if database.schema() is None:
            return
        seals = Seals.load(settings.data, create=False)
        with closing(database.session()) as session, session.snapshot():
            unreadable = unreadable_secrets(session, seals)
    except TallystickError as error:
        yield Check("FAIL", "second steps", str(error))
        return
    if unreadable:
        result = f"the key does not decrypt the secrets of {unreadable:,} authenticator apps; put the right one into"
        yield Check("WARN", "second steps", f"{result} {settings.data / KEY_FILE} or {VARIABLE}")


def _sqlite_file(what: str, file: Path, *, thorough: bool) -> Check:
    try:
        if not file.exists():
            return Check("OK", what, f"{file} does not exist yet")
        with closing(BackupFile(file).session()) as session, session.snapshot():
            wrong = damage(session) if thorough else slight_damage(session, QUICK_CHECK_S)
    except OSError as error:
        return Check("FAIL", what, f"cannot open {file}: {error.strerror}")
    except TallystickError as error:
        return Check("FAIL", what, str(error))
    if wrong:
        return Check("FAIL", what, f"{file} is damaged ({wrong}): restore a backup")
    return Check(
        "OK", what, f"{file}: {'every page was checked' if thorough else 'looks whole; --thorough checks all'}"
    )


def _every_hit(storage: WarehouseStorage, *, in_use: bool) -> Check:
    try:
        if not storage.exists():
            return Check("OK", "every hit", f"{storage.describe()} has no hits yet")
        read = f"{storage.read_everything(in_use=in_use):,} hits were read"
        return Check("OK", "every hit", f"{read}{COPIED if in_use else ''}")
    except (TallystickError, OSError) as error:
        return Check("FAIL", "every hit", f"{error}: restore a backup")


def _visits(storage: WarehouseStorage, *, in_use: bool, thorough: bool) -> Check:
    try:
        if not storage.exists():
            return Check("OK", "visits", f"{storage.describe()} has no hits yet")
        if in_use and not thorough:
            return Check("OK", "visits", "the running server keeps them; --thorough compares a copy with the hits")
        wrong, right = _compared_visits(storage, in_use=in_use) if thorough else _added_visits(storage)
    except (TallystickError, OSError) as error:
        return Check("FAIL", "visits", f"cannot be compared with the hits: {error}")
    if wrong:
        return Check("FAIL", "visits", f"{wrong}: answers about visits are wrong until a start with --recompute-visits")
    return Check("OK", "visits", right)


def _added_visits(storage: WarehouseStorage) -> tuple[str, str]:
    """What is wrong with the visits by their sums, or nothing; and what is right."""
    wrong = "" if storage.visits_add_up() else "they have other numbers of hits than there are"
    return wrong, "they have as many hits as there are; --thorough compares each"


def _compared_visits(storage: WarehouseStorage, *, in_use: bool) -> tuple[str, str]:
    """The same, after a comparison of each."""
    visits, differing = storage.compare_visits(in_use=in_use)
    wrong = f"{differing:,} of {visits:,} visits differ from their hits" if differing else ""
    return wrong, f"{visits:,} visits were compared with their hits{COPIED if in_use else ''}"


def _stores(settings: Settings) -> Check:
    from tallystick.services.stores import marks_of  # noqa: PLC0415  # not needed by other checks

    if server_runs(settings.data):
        return Check("OK", "stores", "the running server has compared the ledger with the hits")
    try:
        ledger = marks_of(open_database(settings.database, settings.data))
        disagreement = warehouse_storage(settings.data).disagreement(ledger)
    except TallystickError as error:
        return Check("FAIL", "stores", f"cannot be compared: {error}")
    if disagreement:
        return Check("FAIL", "stores", disagreement)
    return Check("OK", "stores", "the ledger and the hits fit together")


def _database_sync(settings: Settings) -> Iterator[Check]:
    """Whether PostgreSQL syncs; no check if it cannot be reached, which another check reports."""
    from tallystick.ledger.postgresql import PostgresqlSession  # noqa: PLC0415  # only where it is used

    try:
        with closing(open_database(settings.database, settings.data).session()) as session, session.snapshot():
            assert isinstance(session, PostgresqlSession)
            risks = session.risks()
    except TallystickError:
        return
    if risks:
        off = " and ".join(f"{name} = off" for name in risks)
        yield Check("WARN", "database sync", f"the server has {off}: a power cut there could lose or damage counts")
    else:
        yield Check("OK", "database sync", "the server has fsync and full_page_writes on")


def _where(settings: Settings) -> str:
    try:
        return open_database(settings.database, settings.data).describe()
    except TallystickError:
        return "an invalid URL"


def _existing(data: Path) -> Path:
    """The data directory, or the nearest one above it that exists."""
    return next(path for path in (data, *data.absolute().parents) if path.is_dir())


def _print_tables(checks: Sequence[Check], setting_rows: Sequence[tuple[str, str, str, str]]) -> None:
    from rich.console import Console  # noqa: PLC0415  # scripts need not wait for it
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Column, Table  # noqa: PLC0415

    console = Console()
    table = Table(
        "", "Check", Column("Result", overflow="fold"), title=f"Tallystick {__version__}", title_justify="left"
    )
    for status, what, result in checks:
        colour = {"OK": "green", "WARN": "yellow", "FAIL": "bold red"}[status]
        table.add_row(f"[{colour}]{status}[/]", what, escape(result))
    console.print(table)
    table = Table("Setting", Column("Value", overflow="fold"), "From", title="Settings in force", title_justify="left")
    for _, name, value, source in setting_rows:
        table.add_row(name, escape(value), source)
    console.print(table)
