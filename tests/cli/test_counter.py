"""``tallystick counter``: every verb, on both databases."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.terminal import on_a_terminal
from tallystick.ledger.ledger import milliseconds
from tallystick.model.counter import FOREVER, INT64_MAX, INT64_MIN, LIFETIME_MS

Storage = tuple[str, ...]


def test_a_counter_is_created_read_set_and_deleted(run: CommandLine, storage: Storage) -> None:
    assert run("counter", "create", "shop/stock", "--value", "5", *storage).succeeded() == "shop/stock\n"
    assert run("counter", "get", "shop/stock", *storage).succeeded() == "5\n"
    assert run("counter", "set", "shop/stock", "-7", *storage).succeeded() == "-7\n"
    assert run("counter", "get", "shop/stock", *storage).succeeded() == "-7\n"
    assert run("counter", "delete", "shop/stock", "--yes", *storage).succeeded() == ""
    assert run("counter", "get", "shop/stock", *storage).refused() == "there is no counter shop/stock"


def test_what_create_is_told_is_what_the_counter_is(run: CommandLine, storage: Storage) -> None:
    before = milliseconds()
    options = ("--value", str(INT64_MIN), "--enable-reset", "--update-lowerbound", "-9", "--update-upperbound", "0")
    run("counter", "create", "stock", *options, *storage).succeeded()
    told = json.loads(run("counter", "get", "stock", "--json", *storage).succeeded())
    created = told["created"]
    assert before <= created <= milliseconds()
    assert told == {
        "namespace": "default",
        "key": "stock",
        "value": INT64_MIN,
        "update_lowerbound": -9,
        "update_upperbound": 0,
        "enable_reset": True,
        "created": created,
        "expires": created + LIFETIME_MS,
    }


def test_a_counter_is_created_once(run: CommandLine, storage: Storage) -> None:
    run("counter", "create", "stock", "--value", "5", *storage).succeeded()
    refusal = run("counter", "create", "default/stock", *storage).refused()
    assert refusal == "the counter default/stock exists already, its value is 5"


@pytest.mark.parametrize("verb", [("get",), ("set", "1"), ("delete", "--yes")], ids=lambda verb: str(verb[0]))
def test_a_missing_counter_is_named(run: CommandLine, storage: Storage, verb: tuple[str, ...]) -> None:
    run("counter", "create", "here", *storage).succeeded()
    name, *rest = verb
    assert run("counter", name, "not-here", *rest, *storage).refused() == "there is no counter default/not-here"


@pytest.mark.parametrize("name", ["ab", "no space", "a/b/ccc", "/abc", "abc/", "x" * 65, "ümlaut", "abc\n"])
def test_an_illegal_name_is_refused(run: CommandLine, name: str) -> None:
    refusal = run("counter", "get", name).refused()
    assert refusal.endswith(
        "is not a counter's name: write NAMESPACE/KEY or KEY, each 3 to 64 of the characters A-Z a-z 0-9 . _ -"
    )


@pytest.mark.parametrize("value", ["1.5", "1e3", "0x10", "1_000", " 1", "", "many", str(INT64_MAX + 1), "9" * 5000])
def test_a_value_is_a_whole_number_of_64_bits(run: CommandLine, value: str) -> None:
    refusal = run("counter", "set", "stock", value).refused()
    assert refusal.startswith(f"invalid value for VALUE: it accepts whole numbers from {INT64_MIN} to {INT64_MAX}")


@pytest.mark.parametrize(("option", "value"), [("--update-lowerbound", "1"), ("--update-upperbound", "-1")])
def test_bounds_lie_on_both_sides_of_zero(run: CommandLine, option: str, value: str) -> None:
    assert run("counter", "create", "stock", option, value).refused().startswith(f"invalid value for {option}: ")


@pytest.fixture
def three_counters(run: CommandLine, storage: Storage) -> None:
    """Two in one namespace, one in another, made in no order."""
    for name, value in (("shop/stock", 1), ("site/visits", 2), ("shop/sold", 3)):
        run("counter", "create", name, "--value", str(value), *storage).succeeded()


@pytest.mark.usefixtures("three_counters")
def test_lists_are_lines_for_scripts(run: CommandLine, storage: Storage) -> None:
    lines = [line.split("\t") for line in run("counter", "list", *storage).succeeded().splitlines()]
    assert [line[:5] for line in lines] == [
        ["shop/sold", "3", "0", "1", "0"],
        ["shop/stock", "1", "0", "1", "0"],
        ["site/visits", "2", "0", "1", "0"],
    ]
    assert all(int(expires) == int(created) + LIFETIME_MS for *_, created, expires in lines)


@pytest.mark.usefixtures("three_counters")
def test_lists_are_narrowed(run: CommandLine, storage: Storage) -> None:
    def listed(*options: str) -> list[str]:
        return [line.split("\t")[0] for line in run("counter", "list", *options, *storage).succeeded().splitlines()]

    assert listed("--namespace", "shop") == ["shop/sold", "shop/stock"]
    assert listed("--limit", "1") == ["shop/sold"]
    assert listed("--namespace", "nothing") == []


@pytest.mark.usefixtures("three_counters")
def test_a_json_list_is_what_export_writes(run: CommandLine, storage: Storage) -> None:
    listed = run("counter", "list", "--json", *storage).succeeded()
    exported = run("counter", "export", "-", "--format", "jsonl", *storage).succeeded()
    assert sorted(listed.splitlines()) == sorted(exported.splitlines())
    assert [json.loads(line)["key"] for line in listed.splitlines()] == ["sold", "stock", "visits"]


@pytest.mark.usefixtures("three_counters")
@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_on_a_terminal_a_list_is_a_table_that_cuts_no_number(run: CommandLine, tmp_path: Path) -> None:
    run("counter", "set", "shop/stock", str(INT64_MIN), "--data", "data").succeeded()
    code, screen = on_a_terminal("counter", "list", "--limit", "2", "--data", "data", directory=tmp_path)
    assert code == 0
    assert "│ shop/stock │ -9223372036854775808 │" in screen
    assert "The first 2; --limit shows more" in screen
    assert "visits" not in screen


@pytest.mark.parametrize(("typed", "deleted"), [("yes\n", True), ("\n", False), ("\4", False)])
@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_on_a_terminal_delete_asks(
    run: CommandLine, storage: Storage, tmp_path: Path, typed: str, *, deleted: bool
) -> None:
    run("counter", "create", "stock", *storage).succeeded()
    code, screen = on_a_terminal("counter", "delete", "stock", *storage, directory=tmp_path, typed=typed)
    assert "Delete default/stock? [y/N] " in screen
    assert ("tallystick: default/stock was not deleted" in screen) is not deleted
    assert code == int(not deleted)
    assert run("counter", "get", "stock", *storage).code == int(deleted)


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_reader_that_has_seen_enough_is_told_nothing(run: CommandLine, storage: Storage, tmp_path: Path) -> None:
    rows = "".join(f"key{number:06d},{number}\n" for number in range(5_000))
    run("counter", "import", "-", *storage, stdin=f"key,value\n{rows}".encode()).succeeded()
    command = [sys.executable, "-m", "tallystick", "counter", "list", "--limit", "5000", *storage]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, complaint = process.communicate(timeout=30)
    assert (process.returncode, complaint) == (1, b"")


@pytest.mark.parametrize(
    ("lifetime", "expected"), [("never", FOREVER), ("10", 10 * 86_400_000), ("182.5", LIFETIME_MS), (None, LIFETIME_MS)]
)
def test_a_counter_lives_as_long_as_the_setting_says(
    run: CommandLine, storage: Storage, lifetime: str | None, expected: int
) -> None:
    variables = {} if lifetime is None else {"TALLYSTICK_COUNTER_LIFETIME": lifetime}
    before = milliseconds()
    for verb in (("create", "stock"), ("set", "stock", "5")):
        run("counter", *verb, *storage, variables=variables).succeeded()
        row = json.loads(run("counter", "get", "stock", "--json", *storage).succeeded())
        least = expected if expected == FOREVER else before + expected
        assert least <= row["expires"] <= least + 60_000
