"""``tallystick token``: every verb, on both databases."""

import re
from contextlib import closing

import pytest

from support.commands import CommandLine
from support.places import Place
from tallystick.model.account import EVERY_SITE, Permission, Principal
from tallystick.services.accounts.accounts import account
from tallystick.services.accounts.tokens import NewToken, all_tokens, create_token, secret_digest, stored_principal

ACCEPTED = "it accepts count, export, site-read, site-create, site-update, stats, counters-read, counters-write, sep"


@pytest.fixture
def settled(run: CommandLine, place: Place) -> Place:
    """A place where Ada has two sites."""
    run("user", "create", "--email", "ada@example.com", *place.options, stdin=b"correct horse\n").succeeded()
    for host in ("one.example.com", "two.example.com"):
        run("site", "create", "--host", host, "--email", "ada@example.com", *place.options).succeeded()
    return place


def create(run: CommandLine, place: Place, *options: str, permissions: str = "count") -> str:
    wanted = ("--email", "ada@example.com", "--name", "a script", "--permissions", permissions)
    return run("token", "create", *wanted, *options, *place.options).succeeded().removesuffix("\n")


def holder_of(place: Place, secret: str) -> Principal | None:
    with closing(place.database.session()) as session, session.snapshot():
        return stored_principal(session, secret_digest(secret))


def test_a_token_is_printed_bare_and_works(run: CommandLine, settled: Place) -> None:
    secret = create(run, settled, "--site", "1", "--site", "2", permissions="count,export")
    assert re.fullmatch("[0-9a-z]{48}", secret)
    found = holder_of(settled, secret)
    assert found is not None
    assert (found.account.email, found.token.name) == ("ada@example.com", "a script")
    assert (found.token.permissions, found.token.sites) == (Permission.COUNT | Permission.EXPORT, (1, 2))


def test_without_sites_a_token_works_for_all_of_the_account(run: CommandLine, settled: Place) -> None:
    found = holder_of(settled, create(run, settled))
    assert found is not None
    assert found.token.sites == (EVERY_SITE,)


@pytest.mark.parametrize(
    ("permissions", "bits"),
    [
        ("count", 2),
        ("export", 4),
        ("site-read", 8),
        ("site-create", 16),
        ("site-update", 32),
        ("stats", 64),
        ("site_read, site_create,site_update", 56),
        ("count,export,site-read,site-create,site-update,stats", 126),
        ("counters-read", 128),
        ("counters_read,counters-write", 384),
        ("stats,counters-read", 192),
    ],
)
@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_permissions_are_the_contracts_bits(run: CommandLine, settled: Place, permissions: str, bits: int) -> None:
    found = holder_of(settled, create(run, settled, permissions=permissions))
    assert found is not None
    assert found.token.permissions == bits


def test_tokens_are_listed_without_their_secrets(run: CommandLine, settled: Place) -> None:
    run("user", "create", "--email", "ben@example.com", "--site", "1", *settled.options, stdin=b"battery staple\n")
    run("user", "access", "ben@example.com", "admin", *settled.options).succeeded()
    first = create(run, settled, permissions="site_read,stats")
    wanted = ("--email", "ben@example.com", "--name", "other", "--permissions", "count", "--site", "2")
    second = run("token", "create", *wanted, *settled.options).succeeded().strip()
    told = run("token", "list", *settled.options).succeeded()
    assert [line.split("\t")[:-1] for line in told.splitlines()] == [
        ["1", "ada@example.com", first[:8], "a script", "site-read,stats", "all", "-"],
        ["2", "ben@example.com", second[:8], "other", "count", "2", "-"],
    ]
    assert first not in told
    bens = run("token", "list", "--email", "ben@example.com", *settled.options).succeeded()
    assert bens == told.splitlines(keepends=True)[1]


def test_who_has_no_site_may_have_tokens_for_shared_counters(run: CommandLine, settled: Place) -> None:
    user = ("user", "create", "--email", "ben@example.com", "--name", "Ben", *settled.options)
    run(*user, stdin=b"battery staple\n").succeeded()
    wanted = ("--email", "ben@example.com", "--name", "phone", "--permissions", "counters-read,counters-write")
    made = run("token", "create", *wanted, *settled.options)
    assert made.err == "token 1 of ben@example.com; it is not shown again\n"
    found = holder_of(settled, made.succeeded().strip())
    assert found is not None
    assert (found.account.name, found.account.site, found.token.sites) == ("Ben", None, ())
    listed = run("token", "list", *settled.options).succeeded().split("\t")
    assert listed[3:6] == ["phone", "counters-read,counters-write", "-"]
    refusal = run("token", "create", *wanted, "--site", "1", *settled.options).refused()
    assert refusal == "--site: must be left out: shared counters belong to no site"


def test_a_revoked_token_works_no_more(run: CommandLine, settled: Place) -> None:
    secret = create(run, settled)
    assert run("token", "revoke", "1", "--yes", *settled.options).succeeded() == ""
    assert holder_of(settled, secret) is None
    assert run("token", "revoke", "1", "--yes", *settled.options).refused() == "there is no token 1"


def test_the_question_before_a_revocation_names_what_goes_with_the_token(run: CommandLine, settled: Place) -> None:
    create(run, settled)
    with closing(settled.database.session(writes=True)) as session, session.transaction():
        [made] = all_tokens(session)
        owner = account(session, made.account)
        assert owner is not None
        wanted = NewToken(name="the watch", permissions=Permission.COUNTERS_READ)
        create_token(session, owner, wanted, 1, made_by=made.id)
    asked = run("token", "revoke", "1", *settled.options, stdin=b"n\n")
    assert f"Revoke token 1 ({made.name}), and those created with it: 2 (the watch)? [y/N]" in asked.err
    run("token", "revoke", "1", *settled.options, stdin=b"y\n").succeeded()
    assert run("token", "list", *settled.options).succeeded() == ""


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--email", "eve@example.com"), "there is no user eve@example.com"),
        (
            ("--email", "ben@example.com"),
            "ben@example.com is not an admin; only admins can create and use API tokens for sites",
        ),
        (("--email", "ada@example.com", "--site", "3"), "--site: the account of ada@example.com has no site 3"),
    ],
)
def test_who_may_have_no_token_is_told_why(
    run: CommandLine, settled: Place, options: tuple[str, ...], problem: str
) -> None:
    run("user", "create", "--email", "ben@example.com", *settled.options, stdin=b"battery staple\n").succeeded()
    wanted = ("--name", "a script", "--permissions", "count")
    assert run("token", "create", *options, *wanted, *settled.options).refused() == problem
    assert run("token", "list", *settled.options).succeeded() == ""


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            ("--permissions", "everything"),
            ACCEPTED,
        ),
        (
            ("--permissions", "count,"),
            ACCEPTED,
        ),
        (("--permissions", "count", "--site", "-1"), "it accepts ids of sites"),
        (("--permissions", "count", "--site", "one.example.com"), "it accepts ids of sites"),
        ((), "--permissions requires an argument"),
    ],
)
def test_what_makes_no_sense_is_refused(run: CommandLine, options: tuple[str, ...], problem: str) -> None:
    refusal = run("token", "create", "--email", "ada@example.com", "--name", "a script", *options).refused()
    assert problem in refusal
