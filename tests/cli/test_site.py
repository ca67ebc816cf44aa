"""``tallystick site``: every verb, on both databases."""

from contextlib import closing
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.places import Place
from support.terminal import on_a_terminal
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import account_by_email
from tallystick.services.accounts.site_hosts import remember_host
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.accounts.sites import NewSite, create_site


@pytest.fixture
def owned(run: CommandLine, place: Place) -> Place:
    """A place with one user, Ada."""
    run("user", "create", "--email", "ada@example.com", *place.options, stdin=b"correct horse\n").succeeded()
    return place


def create(run: CommandLine, place: Place, *options: str, host: str = "stats.example.com") -> str:
    command = ("site", "create", "--host", host, "--email", "ada@example.com", *options, *place.options)
    return run(*command).succeeded()


def stored(place: Place) -> list[Site]:
    with closing(place.database.session()) as session, session.snapshot():
        return active_sites(session)


def test_sites_are_created_and_listed(run: CommandLine, owned: Place) -> None:
    assert create(run, owned, "--code", "one", "--link-domain", "https://example.com") == "1\n"
    assert create(run, owned, "--code", "two", "--domain", "WWW.Example.COM.", host="Two.Example.COM") == "2\n"
    rows = [line.split("\t") for line in run("site", "list", *owned.options).succeeded().splitlines()]
    assert [row[:5] + row[6:] for row in rows] == [
        ["1", "stats.example.com", "one", "-", "https://example.com", "-", "-"],
        ["2", "two.example.com", "two", "1", "-", "-", "example.com"],
    ]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--host", "stats.example.com"), "--host: already exists"),
        (("--host", "x.example.com", "--code", "one"), "--code: already exists"),
        (("--host", "localhost"), "--host: must be a fully qualified domain name, such as stats.example.com"),
        (("--host", "x.example.com", "--code", "www"), "--code: cannot be ‘www’"),  # noqa: RUF001
        (("--host", "x.example.com", "--link-domain", "a b"), "--link-domain: must be a valid url"),
        (
            ("--host", "x.example.com", "--domain", "blog"),
            "--domain: must be a fully qualified domain name, such as stats.example.com",
        ),
        (
            ("--host", "x.example.com", "--domain", "https://example.com"),
            "--domain: must be a valid hostname: invalid character: '/'",
        ),
        (
            ("--host", "x.example.com", "--domain", "www.stats.example.com"),
            "--domain: is the domain or a host of another site",
        ),
        (("--host", "x.example.com", "--domain", "example.net"), "--domain: is the domain or a host of another site"),
        (("--host", "www.example.net"), "--host: already exists"),
        (
            ("--host", "a.example.com:80", "--code", "a_b"),
            "--code: cannot contain '_'; --host: must be a valid hostname: invalid character: ':'",
        ),
    ],
)
def test_what_cannot_be_used_is_told_by_option(
    run: CommandLine, owned: Place, options: tuple[str, ...], problem: str
) -> None:
    create(run, owned, "--code", "one", "--domain", "example.net")
    assert run("site", "create", "--email", "ada@example.com", *options, *owned.options).refused() == problem
    assert len(stored(owned)) == 1


def test_a_site_needs_an_owner(run: CommandLine, owned: Place) -> None:
    command = ("site", "create", "--host", "stats.example.com", "--email", "eve@example.com", *owned.options)
    assert run(*command).refused() == "there is no user eve@example.com"


@pytest.mark.parametrize("which", ["1", "stats.example.com", "STATS.example.com."])
def test_a_site_is_changed_by_id_or_host(run: CommandLine, owned: Place, which: str) -> None:
    create(run, owned, "--code", "one", "--link-domain", "example.com")
    options = ("--setting", "data_retention=365", "--setting", "ignore_ips=192.0.2.1, 10.0.0.0/8")
    rules = ("--setting", "ignore_paths=/admin/*,*.php", "--setting", "ignore_hosts=*.Example.com")
    more = (
        *rules,
        "--setting",
        "ignore_campaigns=Spring, autumn",
        "--setting",
        "ignore_countries=nl",
        "--setting",
        "allow_counter=true",
        "--setting",
        "collect_regions=",
        "--setting",
        "public=public",
    )
    command = ("site", "change", which, "--host", "new.example.com", *options, *more, *owned.options)
    assert run(*command).succeeded() == ""
    (site,) = stored(owned)
    assert (site.cname, site.code, site.link_domain) == ("new.example.com", "one", "example.com")
    assert (site.settings.data_retention, site.settings.ignore_ips) == (365, ("192.0.2.1", "10.0.0.0/8"))
    assert (site.settings.ignore_paths, site.settings.ignore_hosts) == (("/admin/*", "*.php"), ("*.example.com",))
    assert (site.settings.ignore_countries, site.settings.ignore_campaigns) == (("NL",), ("Spring", "autumn"))
    assert (site.settings.allow_counter, site.settings.collect_regions) == (True, ())
    assert site.settings.public == "public"
    assert run("site", "change", "1", "--link-domain", "", "--code", "uno", *owned.options).succeeded() == ""
    (site,) = stored(owned)
    assert (site.code, site.link_domain) == ("uno", "")


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("data_retention=3", "--setting data_retention: must be 0, or 31 to 1825"),
        ("ignore_ips=example.com", "--setting ignore_ips: must be a valid IPv4 or IPv6 address"),
        ("ignore_paths=/a*b", "--setting ignore_paths: can have * at the beginning and at the end only"),
        ("ignore_countries=Peru", "--setting ignore_countries: must be country codes of two letters, such as NL"),
        ("allow_embed=*", "--setting allow_embed: '*' is not allowed"),
        ("public=secret", "--setting secret: must be 8 to 40 letters and digits"),
    ],
)
@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_setting_that_cannot_be_used_is_named(run: CommandLine, owned: Place, setting: str, problem: str) -> None:
    create(run, owned)
    (before,) = stored(owned)
    assert run("site", "change", "1", "--setting", setting, *owned.options).refused() == problem
    assert stored(owned) == [before]


@pytest.mark.parametrize(
    "setting", ["nothing=1", "data_retention", "data_retention=x", "public=open", "allow_counter=perhaps", "="]
)
def test_what_is_no_setting_is_refused(run: CommandLine, setting: str) -> None:
    refusal = run("site", "change", "1", "--setting", setting).refused()
    assert refusal.startswith("invalid value for --setting: it accepts NAME=VALUE, where ")


def test_a_domain_is_changed_and_names_the_site(run: CommandLine, owned: Place) -> None:
    create(run, owned, "--domain", "example.com")
    create(run, owned, host="two.example.com")

    def change(which: str, *options: str) -> tuple[str, ...]:
        return "site", "change", which, *options, *owned.options

    assert run(*change("example.com", "--code", "uno")).succeeded() == ""
    assert run(*change("www.Example.com", "--domain", "Example.org")).succeeded() == ""
    assert next((site.code, site.domain) for site in stored(owned)) == ("uno", "example.org")
    taken = "--domain: is the domain or a host of another site"
    for domain in ("example.org", "www.example.org", "stats.example.com"):
        assert run(*change("two.example.com", "--domain", domain)).refused() == taken
    assert run(*change("2", "--host", "example.org")).refused() == "--host: already exists"
    bad = "--domain: must be a valid hostname: invalid character: ' '"
    assert run(*change("2", "--domain", "a b.example.org")).refused() == bad
    assert run(*change("1", "--domain", "")).succeeded() == ""
    assert run(*change("2", "--domain", "example.org")).succeeded() == ""
    assert [site.domain for site in stored(owned)] == ["", "example.org"]
    assert run(*change("", "--code", "due")).refused() == "there is no site yet: tallystick site create makes one"


def test_a_site_is_deleted_and_its_host_is_free(run: CommandLine, owned: Place) -> None:
    create(run, owned)
    create(run, owned, host="two.example.com")
    assert "delete the others before it: 2" in run("site", "delete", "1", "--yes", *owned.options).refused()
    assert run("site", "delete", "two.example.com", "--yes", *owned.options).succeeded() == ""
    assert [site.id for site in stored(owned)] == [1]
    assert create(run, owned, host="two.example.com") == "3\n"


@pytest.mark.parametrize("command", [("change", "--code", "x1"), ("delete", "--yes")])
@pytest.mark.parametrize("which", ["7", "no.example.com", "..é"])
@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_missing_site_is_named(run: CommandLine, owned: Place, command: tuple[str, ...], which: str) -> None:
    verb, *rest = command
    assert run("site", verb, which, *rest, *owned.options).refused() == f"there is no site {which}"


@pytest.mark.parametrize(("typed", "deleted"), [("yes\n", True), ("\n", False)])
@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_on_a_terminal_delete_asks(run: CommandLine, owned: Place, typed: str, *, deleted: bool) -> None:
    create(run, owned)
    _, screen = on_a_terminal("site", "delete", "1", *owned.options, directory=Path(), typed=typed)
    assert "Delete site 1 (stats.example.com) with all its hits? [y/N] " in screen
    assert ("site 1 (stats.example.com) was not deleted" in screen) is not deleted
    assert len(stored(owned)) == int(not deleted)


def test_hosts_that_an_only_site_has_counted_for_are_listed_and_released(run: CommandLine, owned: Place) -> None:
    create(run, owned)
    with closing(owned.database.session(writes=True)) as session, session.transaction():
        remember_host(session, 1, "old.example.com", 0)
        remember_host(session, 1, "192.0.2.1", 0)
    assert run("site", "hosts", "1", *owned.options).succeeded() == "192.0.2.1\nold.example.com\n"
    assert run("site", "hosts", "1", "--release", "192.0.2.1", *owned.options).succeeded() == "old.example.com\n"
    refused = run("site", "hosts", "1", "--release", "192.0.2.1", *owned.options).refused()
    assert refused == "--release: site 1 does not count for 192.0.2.1"


def test_a_second_site_waits_for_the_firsts_host(run: CommandLine, owned: Place) -> None:
    with closing(owned.database.session(writes=True)) as session, session.transaction():
        ada = account_by_email(session, "ada@example.com")
        assert ada
        create_site(session, ada, NewSite(), 0)
    options = ("site", "create", "--host", "two.example.com", "--email", "ada@example.com", *owned.options)
    assert "site 1 has no host yet" in run(*options).refused()
    run("site", "change", "1", "--host", "one.example.com", *owned.options).succeeded()
    run(*options).succeeded()
