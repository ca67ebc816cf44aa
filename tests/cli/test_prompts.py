"""Commands that delete: asked on a terminal, answered on standard input, refused where there is no answer."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.people import a_person, a_site, a_token, again
from support.places import Place, fill
from support.server import clean_environment
from support.terminal import on_a_terminal
from support.warehouses import a_hit, opened_warehouse, rows
from tallystick.ledger import Ledger, open_database
from tallystick.model.counter import Create
from tallystick.model.key import Key
from tallystick.services.analytics.names import Names, NewPath
from tallystick.services.backup.ledger_copy import back_up
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

DATA = ("--data", "data")
RESTORE = ("restore", "backup.db")
DELETING = [
    ("counter", "delete", "shop/stock"),
    ("user", "delete", "ben@example.com"),
    ("token", "revoke", "1"),
    ("site", "delete", "two.example.com"),
    ("path", "delete", "1", "--site", "1"),
    ("path", "merge", "1", "--into", "2", "--site", "1"),
    ("bots", "relabel", "person", "short", "--site", "1"),
    ("bots", "restore", "--filter", "page is /a", "--site", "1"),
    ("bots", "mark", "short", "--filter", "page is /a", "--site", "1"),
    RESTORE,
]
NAMED = {
    ("counter", "delete", "shop/stock"): "shop/stock",
    ("user", "delete", "2"): "ben@example.com",
    ("token", "revoke", "1"): "a script",
    ("site", "delete", "2"): "two.example.com",
}
deleting = pytest.mark.parametrize("command", DELETING, ids=lambda command: " ".join(command[:2]))


async def _fill(data: Path) -> None:
    ledger = await Ledger.open(open_database(None, data))
    ada = await a_person(ledger)
    one = await a_site(ledger, ada, "one.example.com")
    await a_person(ledger, "ben@example.com")
    ada = await again(ledger, ada)
    await a_site(ledger, ada, "two.example.com")
    await a_token(ledger, ada)
    await ledger.count(Key("shop", "stock"), Create())
    names = Names(ledger)
    paths = [NewPath(path, "", event=False, counted=True) for path in ("/a", "/b")]
    await names.learn(one.id, paths)
    async with opened_warehouse(data / WAREHOUSE_FILE) as warehouse:
        await warehouse.append([a_hit(1, site=one.id), a_hit(2, site=one.id)])
    await ledger.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with one of everything, and a backup of another one."""
    made = tmp_path_factory.mktemp("asking")
    (made / "data").mkdir()
    asyncio.run(_fill(made / "data"))
    source = Place(str(made / "source"), None)
    fill(source, 3)
    back_up(source.database, made / "backup.db", lambda *_: None)
    return made


@pytest.fixture
def filled(run: CommandLine, template: Path) -> None:
    """The same in the working directory."""
    del run
    shutil.copytree(template, Path(), dirs_exist_ok=True)


def held() -> tuple[list[str], list[tuple[object, ...]]]:
    """Everything in the data directory."""

    async def hits() -> list[tuple[object, ...]]:
        async with opened_warehouse(Path("data") / WAREHOUSE_FILE) as warehouse:
            return await rows(warehouse, "id, path, bot")

    with closing(sqlite3.connect("data/ledger.sqlite3")) as ledger:
        return list(ledger.iterdump()), asyncio.run(hits())


@deleting
@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"\xffyes\ny\n"])
@pytest.mark.usefixtures("filled")
def test_any_other_answer_on_standard_input_deletes_nothing(
    run: CommandLine, command: tuple[str, ...], answer: bytes
) -> None:
    before = held()
    ran = run(*command, *DATA, stdin=answer)
    assert (ran.code, ran.out) == (1, "")
    question, refusal = ran.err.splitlines()
    assert question.endswith(" [y/N] ")
    assert refusal.startswith("tallystick: ")
    assert held() == before


@deleting
@pytest.mark.usefixtures("filled")
def test_without_an_answer_the_refusal_names_the_option(run: CommandLine, command: tuple[str, ...]) -> None:
    before = held()
    ran = run(*command, *DATA)
    assert (ran.code, ran.out) == (1, "")
    option = "--force" if command[0] == "restore" else "--yes"
    assert ran.err.endswith(f": there is no answer on standard input; add {option} to skip the question\n")
    assert held() == before


@deleting
@pytest.mark.parametrize("answer", [b"y\n", b" YES\r\n"])
@pytest.mark.usefixtures("filled")
def test_a_yes_on_standard_input_is_a_yes(run: CommandLine, command: tuple[str, ...], answer: bytes) -> None:
    before = held()
    run(*command, *DATA, stdin=answer).succeeded()
    assert held() != before


@pytest.mark.parametrize(("command", "name"), NAMED.items(), ids=" ".join)
@pytest.mark.usefixtures("filled")
def test_the_name_of_the_thing_is_a_yes(run: CommandLine, command: tuple[str, ...], name: str) -> None:
    before = held()
    assert run(*command, *DATA, stdin=f"{name}x\n".encode()).code == 1
    assert held() == before
    run(*command, *DATA, stdin=f"{name}\n".encode()).succeeded()
    assert held() != before


@pytest.mark.parametrize(
    ("command", "option"),
    [*((command, "--yes") for command in DELETING), (("counter", "delete", "shop/stock"), "-y"), (RESTORE, "--force")],
    ids=lambda part: part if isinstance(part, str) else " ".join(part[:2]),
)
@pytest.mark.usefixtures("filled")
def test_the_option_answers_beforehand(run: CommandLine, command: tuple[str, ...], option: str) -> None:
    before = held()
    ran = run(*command, option, *DATA, stdin=b"n\n")
    assert ran.code == 0, ran
    assert "[y/N]" not in ran.err
    assert held() != before


@pytest.mark.usefixtures("filled")
def test_accounts_without_any_counter_are_not_replaced_unasked(run: CommandLine) -> None:
    run("counter", "delete", "shop/stock", "--yes", *DATA).succeeded()
    (Path("data") / WAREHOUSE_FILE).unlink()
    ran = run("restore", "backup.db", *DATA)
    assert ran.code == 1
    assert ran.err.startswith("data/ledger.sqlite3 has 2 accounts. Replace everything by the backup? [y/N]")


@pytest.mark.usefixtures("filled")
def test_a_closed_standard_input_is_no_answer() -> None:
    ran = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m tallystick counter delete shop/stock --data data <&-"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, "add --yes" in ran.stderr) == (1, True), ran


@pytest.mark.usefixtures("filled")
def test_on_a_terminal_a_token_is_revoked_after_a_yes() -> None:
    before = held()
    code, screen = on_a_terminal("token", "revoke", "1", *DATA, directory=Path(), typed="\n")
    assert (code, "Revoke token 1 (a script)? [y/N] " in screen) == (1, True)
    assert held() == before
