"""``tallystick counter import`` and ``export``."""

import errno
import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from builders import a_counter, a_key
from support.commands import CommandLine
from support.places import Place
from support.postgres import Postgres
from support.terminal import on_a_terminal
from tallystick.errors import StoreFull
from tallystick.ledger import open_database
from tallystick.ledger.folding import CounterWrite, operate
from tallystick.ledger.ledger import milliseconds
from tallystick.model.counter import FOREVER, INT64_MAX, INT64_MIN, LIFETIME_MS, Counter, Outcome, Put
from tallystick.model.key import Key
from tallystick.services import files
from tallystick.services.counting import counter_import

Storage = tuple[str, ...]

HEADER = "namespace,key,value,update_lowerbound,update_upperbound,enable_reset,created,expires"


def keep(url: str | None, counters: Mapping[Key, Counter]) -> None:
    """Put counters into the ledger at ``url``, or in ``data``; it is made when missing."""
    Path("data").mkdir(exist_ok=True)
    database = open_database(url, Path("data"))
    database.migrate()
    with closing(database.session()) as session:
        operate(database, session, [CounterWrite(key, Put(counter)) for key, counter in counters.items()], 0)


def kept(url: str | None) -> dict[Key, Counter]:
    """All counters of a ledger."""
    with closing(open_database(url, Path("data")).session()) as session, session.snapshot():
        return dict(session.page(None, 100))


def without_versions(counters: Mapping[Key, Counter]) -> dict[Key, tuple[int | bool, ...]]:
    return {
        key: (found.value, found.lower, found.upper, found.resettable, found.created, found.expires)
        for key, found in counters.items()
    }


def all_sorts(now: int) -> dict[Key, Counter]:
    """Counters at every edge, living at ``now``; all but one."""
    living = partial(a_counter, created=now - 5, expires=now + 100_000)
    return {
        a_key("highest"): living(INT64_MAX, lower=INT64_MIN, upper=INT64_MAX, resettable=True, version=9),
        a_key("lowest"): living(INT64_MIN, lower=0, upper=0, version=2),
        a_key("beyond-2-53"): living(2**53 + 1),
        a_key("zero", "---"): a_counter(0, created=0, expires=INT64_MAX),
        a_key("x" * 64, "y" * 64): living(-1),
        Key("Example.com", "highest"): living(1),
        a_key("expired"): a_counter(7, created=now - 10, expires=now),
    }


@pytest.fixture
def other_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """A second place, of either kind."""
    if request.param == "sqlite":
        yield None
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.fresh_database() as url:
        yield url


@pytest.mark.parametrize("other_url", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_is_exported_and_imported_is_the_same(
    run: CommandLine, ledger_url: str | None, storage: Storage, other_url: str | None, form: str
) -> None:
    now = milliseconds()
    counters = all_sorts(now)
    keep(ledger_url, counters)
    run("counter", "export", f"all.{form}", *storage).succeeded()
    other = ("--data", "elsewhere") if other_url is None else ("--database", other_url)
    run("init", *other).succeeded()
    assert run("counter", "import", f"all.{form}", *other).err == "created 6, replaced 0, kept 0\n"
    del counters[a_key("expired")]
    Path("data").rename("exported")
    if other_url is None:
        Path("elsewhere").rename("data")
    assert without_versions(kept(other_url)) == without_versions(counters)


def test_an_export_is_stable_and_leaves_out_what_has_expired(
    run: CommandLine, ledger_url: str | None, storage: Storage
) -> None:
    now = milliseconds()
    keep(ledger_url, all_sorts(now))
    first = run("counter", "export", "-", *storage)
    assert first == run("counter", "export", "-", *storage)
    header, *lines = first.succeeded().splitlines()
    assert header == HEADER
    assert f"---,zero,0,-1,1,0,0,{INT64_MAX}" in lines
    assert f"example.com,highest,{INT64_MAX},{INT64_MIN},{INT64_MAX},1,{now - 5},{now + 100_000}" in lines
    assert len(lines) == 6
    assert first.err == "6 counters exported\n"


@pytest.fixture
def data(run: CommandLine, file_place: Place) -> Storage:
    """A ledger in SQLite with one counter, ``default/stock`` at 5."""
    del file_place
    run("counter", "create", "stock", "--value", "5", "--data", "data").succeeded()
    return ("--data", "data")


@pytest.mark.parametrize("command", [("counter", "export", "file.csv"), ("backup", "file.csv")], ids=" ".join)
class TestAFile:
    """What is written appears whole, and never in the place of something else."""

    def test_does_not_replace_another_unasked(self, run: CommandLine, data: Storage, command: Sequence[str]) -> None:
        Path("file.csv").write_text("precious")
        assert run(*command, *data).refused() == "file.csv exists; --force replaces it"
        assert Path("file.csv").read_text() == "precious"
        run(*command, "--force", *data).succeeded()
        assert b"stock" in Path("file.csv").read_bytes()

    def test_takes_the_place_of_what_a_killed_command_left(
        self, run: CommandLine, data: Storage, command: Sequence[str]
    ) -> None:
        run(*command, *data).succeeded()
        expected = Path("file.csv").read_bytes()
        Path("file.csv").unlink()
        Path("file.csv.partial").write_bytes(b"x" * 100_000)
        Path("file.csv.partial-wal").write_bytes(b"x" * 100_000)
        run(*command, *data).succeeded()
        assert Path("file.csv").read_bytes() == expected

    @pytest.mark.parametrize("force", [(), ("--force",)], ids=["", "forced"])
    def test_is_no_device_pipe_or_socket(
        self, run: CommandLine, data: Storage, command: Sequence[str], force: Storage
    ) -> None:
        os.mkfifo("file.csv")
        reason = "file.csv is a device, a pipe or a socket; a file name is needed"
        assert run(*command, *force, *data).refused() == reason
        assert stat.S_ISFIFO(Path("file.csv").stat().st_mode)

    def test_is_what_a_symbolic_link_means(self, run: CommandLine, data: Storage, command: Sequence[str]) -> None:
        Path("elsewhere").mkdir()
        Path("file.csv").symlink_to("elsewhere/file.csv")
        run(*command, *data).succeeded()
        Path("elsewhere/file.csv").write_text("old")
        run(*command, "--force", *data).succeeded()
        assert Path("file.csv").is_symlink()
        assert b"stock" in Path("elsewhere/file.csv").read_bytes()
        assert [path.name for path in Path("elsewhere").iterdir()] == ["file.csv"]

    @pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
    def test_does_not_replace_what_came_meanwhile(
        self, run: CommandLine, data: Storage, monkeypatch: pytest.MonkeyPatch, command: Sequence[str], *, links: bool
    ) -> None:
        if not links:
            monkeypatch.setattr(os, "link", no_hard_links)

        def meanwhile(path: Path) -> None:
            if path.name == "file.csv.partial":
                Path("file.csv").write_text("precious")

        monkeypatch.setattr(files, "sync", meanwhile)
        assert run(*command, *data).refused() == "file.csv exists; --force replaces it"
        assert Path("file.csv").read_text() == "precious"
        assert not Path("file.csv.partial").exists()

    def test_needs_no_hard_links(
        self, run: CommandLine, data: Storage, monkeypatch: pytest.MonkeyPatch, command: Sequence[str]
    ) -> None:
        monkeypatch.setattr(os, "link", no_hard_links)
        run(*command, *data).succeeded()
        assert b"stock" in Path("file.csv").read_bytes()
        assert not Path("file.csv.partial").exists()

    def test_outlives_a_kill_between_its_two_names(
        self, run: CommandLine, data: Storage, command: Sequence[str]
    ) -> None:
        run(*command, *data).succeeded()
        written = Path("file.csv").read_bytes()
        os.link("file.csv", "file.csv.partial")
        assert run(*command, *data).refused() == "file.csv exists; --force replaces it"
        Path("file.csv").rename("kept.csv")
        run(*command, *data).succeeded()
        assert Path("kept.csv").read_bytes() == written
        assert not Path("kept.csv").samefile("file.csv")

    def test_is_written_by_one_command_at_a_time(self, run: CommandLine, data: Storage, command: Sequence[str]) -> None:
        with Path("file.csv.partial").open("wb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            assert run(*command, *data).refused() == "file.csv.partial is being written by another command"

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("data", "data is a directory; a file name is needed"),
            ("nowhere/file.csv", "nowhere/file.csv.partial: No such file or directory"),
        ],
    )
    def test_needs_a_place(
        self, run: CommandLine, data: Storage, command: Sequence[str], name: str, reason: str
    ) -> None:
        form = ("--format", "csv") if "export" in command else ()
        assert run(*command[:-1], name, *form, *data).refused() == reason


def no_hard_links(*_: object) -> None:
    """``os.link`` on a file system that has none, as on many USB sticks."""
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def test_an_interrupted_export_leaves_nothing(
    run: CommandLine, data: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.services.counting.counter_export.to_csv", interrupt)
    assert run("counter", "export", "file.csv", *data).refused(130) == "interrupted"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def interrupt(*_: object) -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt


def test_only_key_and_value_are_needed(run: CommandLine, ledger_url: str | None, storage: Storage) -> None:
    before = milliseconds()
    run("counter", "import", "-", *storage, stdin=b"value,key\n5,stock\n").succeeded()
    run("counter", "import", "-", "--format", "jsonl", *storage, stdin=b'{"key":"sold","value":-6}').succeeded()
    found = kept(ledger_url)
    created = {key: counter.created for key, counter in found.items()}
    assert all(before <= time <= milliseconds() for time in created.values())
    assert without_versions(found) == {
        Key("default", key): (value, 0, 1, False, time, time + LIFETIME_MS)
        for key, value, time in (
            ("stock", 5, created[Key("default", "stock")]),
            ("sold", -6, created[Key("default", "sold")]),
        )
    }


def test_what_exists_is_kept_or_replaced(run: CommandLine, ledger_url: str | None, storage: Storage) -> None:
    def imported(*options: str) -> str:
        return run("counter", "import", "-", *options, *storage, stdin=b"key,value\nstock,1\nsold,2\n").err

    run("counter", "create", "stock", "--value", "5", *storage).succeeded()
    assert imported("--existing", "keep") == "created 1, replaced 0, kept 1\n"
    assert imported() == "created 0, replaced 0, kept 2\n"
    assert kept(ledger_url)[Key("default", "stock")].value == 5
    assert imported("--existing", "replace") == "created 0, replaced 2, kept 0\n"
    assert kept(ledger_url)[Key("default", "stock")].value == 1


def test_a_line_whose_lifetime_is_over_is_left_out(run: CommandLine, data: Storage) -> None:
    rows = f"key,value,expires\nstock,1,{milliseconds() - 1}\nsold,2,0\nnew,3,\n".encode()
    ran = run("counter", "import", "-", "--existing", "replace", *data, stdin=rows)
    assert ran.err == "created 1, replaced 0, kept 0, left out 2 expired\n"
    assert run("counter", "get", "stock", *data).succeeded() == "5\n"


NAME = "must be 3 to 64 of the characters A-Z a-z 0-9 . _ -"
WHOLE = f"must be a whole number from {INT64_MIN} to {INT64_MAX}"
TIME = f"must be Unix milliseconds, 0 to {INT64_MAX}"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ab,1,,", f"key {NAME}"),
        ("abc\u00e4,1,,", f"key {NAME}"),
        ("'abc\nd',1,,", f"key {NAME}"),
        (",1,,", "object missing required field `key`"),
        ("abc,,,", "object missing required field `value`"),
        ("abc,1.0,,", f"value {WHOLE}"),
        ("abc,1e3,,", f"value {WHOLE}"),
        ("abc,9223372036854775808,,", f"value {WHOLE}"),
        ("abc,-9223372036854775809,,", f"value {WHOLE}"),
        ("abc,٣,,", f"value {WHOLE}"),
        ("abc,1,yes,", "enable_reset must be 0 or 1, or false or true"),
        ("abc,1,2,", "enable_reset must be 0 or 1, or false or true"),
        ("abc,1,,-1", f"expires {TIME}"),
        ("abc,1,,2030-01-01", f"expires {TIME}"),
        ("abc,1,", "it has 3 columns, the header has 4"),
        ("abc,1,,,", "it has 5 columns, the header has 4"),
        ("'abc'd,1,,", "',' expected after '\"'"),
    ],
)
def test_a_bad_line_of_csv_is_told(run: CommandLine, data: Storage, line: str, reason: str) -> None:
    rows = f"key,value,enable_reset,expires\ngood,1,true,\n\n{line}\n".replace("'", '"').encode()
    number = 4 + line.count("\n")
    refusal = run("counter", "import", "-", *data, stdin=rows).refused()
    stored = "Lines 1 to 2 are stored; the whole file can be imported again"
    assert refusal == f"line {number}: {reason}. {stored}"
    assert run("counter", "get", "good", *data).succeeded() == "1\n"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"key":"abc","value":1,"color":2}', "object contains unknown field `color`"),
        (b'{"key":"abc"}', "object missing required field `value`"),
        (b'{"key":"abc","value":1.5}', f"value {WHOLE}"),
        (b'{"key":"abc","value":"1"}', f"value {WHOLE}"),
        (b'{"key":"abc","value":9223372036854775808}', f"value {WHOLE}"),
        (b'{"key":"abc","value":1,"namespace":"a/b"}', f"namespace {NAME}"),
        (b'{"key":"abc","value":1,"namespace":null}', f"namespace {NAME}"),
        (
            b'{"key":"abc","value":1,"update_lowerbound":1}',
            f"update_lowerbound must be a whole number from {INT64_MIN} to 0",
        ),
        (
            b'{"key":"abc","value":1,"update_upperbound":-1}',
            f"update_upperbound must be a whole number from 0 to {INT64_MAX}",
        ),
        (b'{"key":"abc","value":1,"enable_reset":2}', "enable_reset must be 0 or 1, or false or true"),
        (b'{"key":"abc","value":1,"created":-1}', f"created {TIME}"),
        (b'{"key":"a\xffc","value":1}', "it is not UTF-8"),
        (b"[]", "expected `object`, got `array`"),
        (b'{"key":"abc",', "input data was truncated"),
        (b"{} {}", "object missing required field `key`"),
    ],
)
def test_a_bad_line_of_json_is_told(run: CommandLine, data: Storage, line: bytes, reason: str) -> None:
    rows = b'{"key":"good","value":1,"enable_reset":1,"created":null}\n\n' + line
    refusal = run("counter", "import", "-", "--format", "jsonl", *data, stdin=rows).refused()
    assert refusal == f"line 3: {reason}. Lines 1 to 1 are stored; the whole file can be imported again"


def test_numbers_of_pages_are_those_that_busuanzi_js_counts(run: CommandLine, storage: Storage) -> None:
    lines = "https://Blog.example.com/,site_pv,9\nhttps://blog.example.com/,page_pv,7\nhttp://blog.example.com/a/,page_uv,4\n"
    run("counter", "import", "-", *storage, stdin=lines.encode())
    row = b'{"namespace":"https://blog.example.com/b","key":"page_pv","value":3}\n'
    run("counter", "import", "-", "--format", "jsonl", *storage, stdin=row)
    run("counter", "import", "-", *storage, stdin=b"page,name,value\nhttps://blog.example.com/,site_uv,5\n")
    listed = run("counter", "list", "--namespace", "blog.example.com", *storage).succeeded()
    assert [line.split("\t")[:2] for line in listed.splitlines()] == [
        ["blog.example.com/page_pv.b.07d66407b49cd414", "3"],
        ["blog.example.com/page_pv.index.af63a24c860189fe", "7"],
        ["blog.example.com/page_uv.a.07d66707b49cd92d", "4"],
        ["blog.example.com/site_pv", "9"],
        ["blog.example.com/site_uv", "5"],
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("https://,page_pv,1", "'https://' is no address of a page, such as https://blog.example.com/post/"),
        ("https://a.example/,visits,1", "'visits' is none of site_pv, site_uv, page_pv, page_uv"),
        ("https://a.example/,page_pv,x", f"value must be a whole number from {INT64_MIN} to {INT64_MAX}"),
    ],
)
def test_numbers_of_pages_that_are_none(run: CommandLine, data: Storage, line: str, reason: str) -> None:
    rows = f"https://a.example/,page_pv,1\n{line}\n".encode()
    refusal = run("counter", "import", "-", *data, stdin=rows).refused()
    assert refusal == f"line 2: {reason}. Lines 1 to 1 are stored; the whole file can be imported again"


@pytest.mark.parametrize(
    "header",
    ["", "key", "value", "key,value,", "key,value,colour", "key,value,key", "stock,x", "a,b,c", "key;value", "{}"],
)
def test_a_csv_header_names_the_columns(run: CommandLine, data: Storage, header: str) -> None:
    refusal = run("counter", "import", "-", *data, stdin=f"{header}\nstock,5\n".encode()).refused()
    assert refusal.startswith(f"line 1 must name the columns, at least key and value, of {HEADER}; it is {header!r}")
    assert "for example: a line name,value and below it mysite.com/visits,136; or that alone" in refusal
    assert refusal.endswith("Nothing was stored")


def test_a_csv_header_that_is_no_csv_is_told(run: CommandLine, data: Storage) -> None:
    refusal = run("counter", "import", "-", *data, stdin=b'"key"x,value\nstock,5\n').refused()
    assert refusal.startswith(f"line 1 must name the columns, at least key and value, of {HEADER}; it is no CSV: ',' ")
    assert refusal.endswith("Nothing was stored")


@pytest.mark.parametrize(
    "rows",
    [
        "\ufeffkey,value\r\nsold,7\r\n",
        '"key","value"\n"sold","7"\n',
        "value, key\n+7,sold",
        "key,value,namespace,enable_reset\n\nsold,007,,FALSE\n\n",
        "name,value\nsold,7\n",
        "Name, Value\ndefault/sold, 7\n",
        "sold,7\n",
        "sold, 7",
        "\ufeffsold,7\r\n",
        "\0\0sold,7\n",
        '"default/sold","7"\n',
        "default/sold,7\n",
        "default,sold,7\n",
        "key,value\ndefault/sold,7\n",
        "value,name\n7,default/sold\n",
    ],
)
def test_csv_of_other_programs_is_understood(run: CommandLine, data: Storage, rows: str) -> None:
    assert run("counter", "import", "-", *data, stdin=rows.encode()).err == "created 1, replaced 0, kept 0\n"
    assert run("counter", "get", "sold", *data).succeeded() == "7\n"


def test_names_have_their_namespace_in_every_form(run: CommandLine, data: Storage) -> None:
    rows = b"mysite.com/visits,136\nexample.com/visits,-2\nplain,3\n"
    assert run("counter", "import", "-", *data, stdin=rows).err == "created 3, replaced 0, kept 0\n"
    lines = b'{"key":"mysite.com/visits","value":137}\n{"key":"mysite.com/sold","value":1}'
    ran = run("counter", "import", "-", "--format", "jsonl", "--existing", "replace", *data, stdin=lines)
    assert ran.err == "created 1, replaced 1, kept 0\n"
    listed = [line.split("\t")[:4] for line in run("counter", "list", *data).succeeded().splitlines()]
    assert listed == [
        ["default/plain", "3", "0", "1"],
        ["default/stock", "5", "0", "1"],
        ["example.com/visits", "-2", "0", "1"],
        ["mysite.com/sold", "1", "0", "1"],
        ["mysite.com/visits", "137", "0", "1"],
    ]


@pytest.mark.parametrize("name", ["mysite.com/", "/visits", "a/b/visits", "mysite.com//visits", "ab/visits"])
def test_a_name_that_is_none_is_told(run: CommandLine, data: Storage, name: str) -> None:
    refusal = run("counter", "import", "-", *data, stdin=f"good,1\n{name},2\n".encode()).refused()
    assert refusal.startswith("line 2: ")
    assert NAME in refusal


def test_what_is_brought_back_counts_up_only_unless_asked(run: CommandLine, data: Storage) -> None:
    run("counter", "create", "both", "--update-lowerbound", "-1", *data).succeeded()
    rows = b"name,value,update_lowerbound,update_upperbound\nwide,1,-5,9\nnarrow,1,,\n"
    run("counter", "import", "-", *data, stdin=rows).succeeded()
    listed = [line.split("\t") for line in run("counter", "list", *data).succeeded().splitlines()]
    assert {name: (lower, upper) for name, _, lower, upper, *_ in listed} == {
        "default/both": ("-1", "1"),
        "default/narrow": ("0", "1"),
        "default/stock": ("0", "1"),
        "default/wide": ("-5", "9"),
    }


def test_what_is_brought_back_lives_as_long_as_others(run: CommandLine, data: Storage) -> None:
    run("counter", "import", "-", "--counter-lifetime", "never", *data, stdin=b"kept,1\n").succeeded()
    (line,) = (line for line in run("counter", "list", *data).succeeded().splitlines() if "kept" in line)
    assert line.endswith(f"\t{FOREVER}")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_counters_in_another_encoding_are_refused(run: CommandLine, data: Storage, form: str, encoding: str) -> None:
    rows = ("name,value\nsold,7\n" if form == "csv" else '{"key":"sold","value":7}\n').encode(encoding)
    refusal = run("counter", "import", "-", "--format", form, *data, stdin=rows).refused()
    assert refusal.startswith(
        "the file is UTF-16 or UTF-32; iconv -f UTF-16 -t UTF-8 FILE | tallystick counter import -"
    )


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_file_without_lines_is_not_read_into_memory(run: CommandLine, data: Storage, form: str) -> None:
    refusal = run("counter", "import", "-", "--format", form, *data, stdin=b"x" * 100_000).refused()
    assert refusal == "line 1 is longer than 65536 bytes: this is no file of counters. Nothing was stored"


def test_a_quote_that_is_never_closed_is_not_read_into_memory(run: CommandLine, data: Storage) -> None:
    rows = b'key,value\n"abc,1\n' + b"abc,1\n" * 100_000
    assert "line 21" in (refusal := run("counter", "import", "-", *data, stdin=rows).refused()), refusal
    assert "field larger than field limit" in refusal


def test_an_import_goes_on_when_the_line_is_corrected(
    run: CommandLine, data: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter_import, "ROWS_AT_ONCE", 2)
    rows = [f"key{number},{number}" for number in range(5)]
    wrong = "\n".join(["key,value", *rows, "wrong,", "last,9"]).encode()
    assert (
        run("counter", "import", "-", *data, stdin=wrong)
        .refused()
        .endswith("Lines 1 to 6 are stored; the whole file can be imported again")
    )
    right = wrong.replace(b"wrong,", b"wrong,8")
    assert run("counter", "import", "-", *data, stdin=right).err == "created 2, replaced 0, kept 5\n"


@pytest.mark.parametrize("known", [True, False], ids=["ledger", "no ledger"])
def test_a_dry_run_tells_everything_and_changes_nothing(
    run: CommandLine, tmp_path: Path, file_place: Place, *, known: bool
) -> None:
    if known:
        run("counter", "create", "stock", *file_place.options).succeeded()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    rows = b"key,value\nstock,1\nsold,1\nab,1\nnew,x\n"
    ran = run("counter", "import", "-", "--dry-run", *file_place.options, stdin=rows)
    assert ran.code == 1
    created, existing = (1, 1) if known else (2, 0)
    assert ran.err.splitlines() == [
        f"line 4: key {NAME}",
        f"line 5: value {WHOLE}",
        f"nothing was changed; it would be: created {created}, replaced 0, kept {existing}, could not read 2 lines",
    ]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert run("counter", "import", "-", "--dry-run", *file_place.options, stdin=b"key,value\nstock,1\n").code == 0


def failing_at_the_second(error: BaseException) -> Callable[..., list[Outcome]]:
    """In place of ``operate``: the second call fails."""
    calls = []

    def operate_once(*arguments: object) -> list[Outcome]:
        calls.append(arguments)
        if len(calls) > 1:
            raise error
        return operate(*arguments)  # type: ignore[arg-type]

    return operate_once


@pytest.mark.parametrize(
    ("error", "refusal"),
    [(KeyboardInterrupt(), (130, "interrupted")), (StoreFull("the disk is full"), (1, "the disk is full"))],
    ids=["Ctrl-C", "disk full"],
)
def test_an_import_that_is_cut_short_says_how_far_it_came(
    run: CommandLine, data: Storage, monkeypatch: pytest.MonkeyPatch, error: BaseException, refusal: tuple[int, str]
) -> None:
    code, told = refusal
    monkeypatch.setattr(counter_import, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(counter_import, "operate", failing_at_the_second(error))
    rows = b"key,value\nkey0,1\nkey1,1\nkey2,1\nkey3,1\n"
    reason = run("counter", "import", "-", *data, stdin=rows).refused(code)
    assert reason == f"{told}. Lines 1 to 3 are stored; the whole file can be imported again"
    listed = run("counter", "list", "--json", *data).succeeded().splitlines()
    assert [json.loads(line)["key"] for line in listed] == ["key0", "key1", "stock"]


@pytest.mark.parametrize(
    ("name", "begins"), [("a.csv", "namespace,key"), ("a.JSONL", '{"namespace"'), ("a.ndjson", '{"namespace"')]
)
def test_the_name_tells_the_format(run: CommandLine, data: Storage, name: str, begins: str) -> None:
    run("counter", "export", name, *data).succeeded()
    assert Path(name).read_text().startswith(begins)
    assert run("counter", "import", name, *data).err == "created 0, replaced 0, kept 1\n"


def test_a_name_that_tells_no_format_needs_one(run: CommandLine, data: Storage) -> None:
    assert run("counter", "export", "counters.txt", *data).refused() == (
        "the name counters.txt has no suffix of a format; give --format csv or --format jsonl"
    )
    run("counter", "export", "counters.txt", "--format", "csv", *data).succeeded()
    assert Path("counters.txt").read_text().startswith(HEADER)


def test_a_missing_file_and_a_mistyped_option_are_told(run: CommandLine) -> None:
    assert run("counter", "import", "nowhere.csv").refused() == "nowhere.csv: No such file or directory"
    assert "there is no option --dryrun" in run("counter", "import", "--dryrun").refused()


@pytest.mark.parametrize("command", [("import", "more.csv"), ("export", "all.csv")], ids=" ".join)
def test_on_a_terminal_progress_is_shown(
    run: CommandLine, data: Storage, tmp_path: Path, command: Sequence[str]
) -> None:
    Path("more.csv").write_text("key,value\n" + "".join(f"key{number:04},1\n" for number in range(3_000)))
    run("counter", "import", "more.csv", *data).succeeded()
    code, screen = on_a_terminal("counter", *command, *data, directory=tmp_path)
    assert code == 0
    assert f"{command[0].capitalize()}ing" in screen
    assert "100%" in screen
    assert screen.rstrip().endswith("kept 3,000" if command[0] == "import" else "3,001 counters exported")
