"""``tallystick user``: every verb, on both databases."""

from contextlib import closing
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.places import Place
from support.terminal import on_a_terminal
from tallystick.ledger.ledger import milliseconds
from tallystick.services.accounts.access_invites import access_invite
from tallystick.services.accounts.accounts import credentials
from tallystick.services.accounts.passwords import password_matches

PASSWORD = b"correct horse\n"


def create(run: CommandLine, place: Place, *options: str, email: str = "ada@example.com") -> str:
    command = ("user", "create", "--email", email, "--password", "-", *options, *place.options)
    return run(*command, stdin=PASSWORD).succeeded()


def listed(run: CommandLine, place: Place) -> list[list[str]]:
    return [line.split("\t") for line in run("user", "list", *place.options).succeeded().splitlines()]


def password_is(place: Place, email: str, password: str) -> bool:
    with closing(place.database.session()) as session, session.snapshot():
        found = credentials(session, email)
    assert found is not None
    return password_matches(found.password, password)


def test_a_first_run_from_the_command_line(run: CommandLine, place: Place) -> None:
    made = run("user", "create", "--email", "Ada@example.com", "--password", "-", *place.options, stdin=PASSWORD)
    assert (made.succeeded(), made.err) == ("1\n", "ada@example.com: superuser\n")
    site = run("site", "create", "--host", "stats.example.com", "--email", "ada@example.com", *place.options)
    assert (site.succeeded(), site.err) == ("1\n", "stats.example.com belongs to ada@example.com\n")
    options = ("--email", "ada@example.com", "--name", "a script", "--permissions", "count,export", "--site", "1")
    token = run("token", "create", *options, *place.options)
    assert (len(token.succeeded()), token.err) == (49, "token 1 of ada@example.com; it is not shown again\n")
    assert password_is(place, "ada@example.com", "correct horse")


def test_users_are_listed_by_email(run: CommandLine, place: Place) -> None:
    assert create(run, place, email="zoe@example.com") == "1\n"
    assert create(run, place, "--name", "Ada", "--access", "admin") == "2\n"
    rows = listed(run, place)
    assert [row[:-1] for row in rows] == [
        ["2", "ada@example.com", "Ada", "-", "admin", "no", "-"],
        ["1", "zoe@example.com", "-", "-", "superuser", "no", "-"],
    ]
    assert all(row[-1].startswith("20") and row[-1].endswith("Z") for row in rows)


def test_a_colleague_joins_and_gets_access_per_site(run: CommandLine, place: Place) -> None:
    create(run, place)
    for host in ("one.example.com", "two.example.com"):
        run("site", "create", "--host", host, "--email", "1", *place.options).succeeded()
    create(run, place, "--site", "2", "--access", "1:settings,2:readonly", email="ben@example.com")
    create(run, place, "--site", "1", email="eve@example.com")
    assert [row[3:5] for row in listed(run, place)] == [
        ["1", "superuser"],
        ["1", "1:settings,2:readonly"],
        ["1", "readonly"],
    ]
    changed = run("user", "access", "ben@example.com", "readonly,2:admin", *place.options)
    assert (changed.succeeded(), changed.err) == ("", "ben@example.com: readonly,2:admin\n")
    refusal = run("user", "access", "ben@example.com", "3:admin", *place.options).refused()
    assert refusal == "access: the account has no site 3"


@pytest.mark.parametrize(
    ("stdin", "problem"),
    [
        (b"", "there is no password on standard input"),
        (b"\n", "there is no password on standard input"),
        (b"1234567\n", "--password: must have 8 to 128 characters"),
        (b"xy" * 65, "--password: must have 8 to 128 characters"),
        (b"x" * 5_000, "--password: must have 8 to 128 characters"),
        (b"password\n", "--password: is one of the 10,000 most common ones; choose another"),
        (b"        \n", "--password: must be more than one character repeated"),
        (b"correct\xff horse\n", "the password on standard input is not UTF-8"),
    ],
)
@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_what_is_no_password_is_refused(run: CommandLine, place: Place, stdin: bytes, problem: str) -> None:
    command = ("user", "create", "--email", "ada@example.com", "--password", "-", *place.options)
    assert run(*command, stdin=stdin).refused() == problem
    assert run("user", "list", *place.options).succeeded() == ""


@pytest.mark.parametrize("stdin", [b"correct horse\n", b"correct horse\r\n", b"correct horse", b"correct horse\nrest"])
@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_password_is_the_first_line_of_standard_input(run: CommandLine, place: Place, stdin: bytes) -> None:
    run("user", "create", "--email", "ada@example.com", *place.options, stdin=stdin).succeeded()
    assert password_is(place, "ada@example.com", "correct horse")


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_password_is_not_taken_from_where_others_see_it(run: CommandLine, place: Place) -> None:
    refusal = run("user", "create", "--email", "a@b.c", "--password", "correct horse", *place.options).refused()
    assert "it accepts - only" in refusal
    assert "correct horse" not in refusal


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--email", "ada"), "--email: must be a valid email address"),
        (("--email", "ada@example.com"), "--email: already exists"),
        (("--email", "a@b.c", "--site", "9"), "--site: there is no site 9"),
        (("--email", "a@b.c", "--access", "3:admin"), "--access: the account has no site 3"),
        (("--email", "a@b.c", "--name", "x" * 201), "--name: must be shorter than 201 characters"),
    ],
)
def test_what_cannot_be_used_is_told_by_option(
    run: CommandLine, place: Place, options: tuple[str, ...], problem: str
) -> None:
    create(run, place)
    assert run("user", "create", *options, *place.options, stdin=PASSWORD).refused() == problem
    assert len(listed(run, place)) == 1


@pytest.mark.parametrize("level", ["owner", "1:owner", ":admin", "x:admin", "0:admin", "1:2:admin", ""])
def test_what_is_no_level_of_access_is_refused(run: CommandLine, file_place: Place, level: str) -> None:
    refusal = run("user", "create", "--email", "a@b.c", "--access", level, *file_place.options).refused()
    assert "it accepts LEVEL or SITE:LEVEL, where LEVEL is one of readonly, settings, admin, superuser" in refusal


def test_a_guest_is_invited_to_the_server(run: CommandLine, place: Place) -> None:
    refusal = run("user", "invite", *place.options).refused()
    assert refusal == "this server is not set up yet: its first account must not be one of a guest"
    create(run, place)
    for options, access in ((("--sites", "--days", "30"), {"all": "a"}), (("--uses", "5"), {})):
        path = run("user", "invite", *options, *place.options).succeeded()
        code = path.removeprefix("/invites/").strip()
        with closing(place.database.session()) as session, session.snapshot():
            invite = access_invite(session, code, milliseconds())
        assert (invite.access, invite.maker) == (access, None)
    assert "1 to 366" in run("user", "invite", "--days", "0", *place.options).refused()


def test_a_password_is_replaced(run: CommandLine, place: Place) -> None:
    create(run, place)
    assert run("user", "password", "ADA@example.com", *place.options, stdin=b"battery staple\n").succeeded() == ""
    assert password_is(place, "ada@example.com", "battery staple")


def test_a_user_is_deleted_but_not_a_sites_last_admin(run: CommandLine, place: Place) -> None:
    create(run, place)
    create(run, place, email="ben@example.com")
    run("site", "create", "--host", "stats.example.com", "--email", "ada@example.com", *place.options).succeeded()
    refusal = run("user", "delete", "ada@example.com", "--yes", *place.options).refused()
    assert refusal == "ada@example.com is the last admin of site 1"
    assert run("user", "delete", "2", "--yes", *place.options).succeeded() == ""
    assert [row[1] for row in listed(run, place)] == ["ada@example.com"]


@pytest.mark.parametrize("command", [("password",), ("access", "admin"), ("delete", "--yes")])
@pytest.mark.parametrize("who", ["nobody@example.com", "7", "nobody", "²", "9" * 30])
@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_missing_user_is_named(run: CommandLine, place: Place, command: tuple[str, ...], who: str) -> None:
    create(run, place)
    verb, *rest = command
    assert run("user", verb, who, *rest, *place.options, stdin=PASSWORD).refused() == f"there is no user {who}"


@pytest.mark.parametrize(("typed", "deleted"), [("yes\n", True), ("\n", False)])
def test_on_a_terminal_delete_asks(run: CommandLine, file_place: Place, typed: str, *, deleted: bool) -> None:
    create(run, file_place)
    _, screen = on_a_terminal("user", "delete", "1", *file_place.options, directory=Path(), typed=typed)
    assert "Delete ada@example.com? [y/N] " in screen
    assert ("ada@example.com was not deleted" in screen) is not deleted
    assert len(listed(run, file_place)) == int(not deleted)


@pytest.mark.parametrize(("again", "made"), [("correct horse\n", True), ("correct house\n", False)])
def test_on_a_terminal_a_password_is_typed_twice(
    run: CommandLine, file_place: Place, again: str, *, made: bool
) -> None:
    create(run, file_place)
    answers = {"Password: ": "correct horse\n", "Repeat the password: ": again}
    code, screen = on_a_terminal("user", "password", "1", *file_place.options, directory=Path(), answers=answers)
    assert "correct" not in screen
    assert code == int(not made)
    assert ("the two passwords differ" in screen) is not made


def test_on_a_terminal_a_list_is_a_table(run: CommandLine, file_place: Place) -> None:
    create(run, file_place, "--name", "[bold]Ada")
    code, screen = on_a_terminal("user", "list", *file_place.options, directory=Path())
    assert code == 0
    assert "ada@example" in screen
    assert "[bold]" in screen


def test_a_terminal_that_is_too_narrow_cuts_nothing(run: CommandLine, file_place: Place) -> None:
    email = f"ada.{'long' * 12}@{'sub.' * 9}example.com"
    create(run, file_place, email=email)
    _, screen = on_a_terminal("user", "list", *file_place.options, directory=Path())
    assert email in screen
    assert "…" not in screen
    assert [line.split()[0] for line in screen.splitlines() if line][:3] == ["Id", "Email", "Name"]
