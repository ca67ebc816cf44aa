"""``tallystick goal``, ``funnel``, ``segment``, ``annotation`` and ``share``, on both databases and beside a server."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from support.analytics import FIREFOX, HOST, analytics_server
from support.commands import CommandLine, Ran
from support.places import Place
from tallystick.client import GoatCounter

Kept = Callable[..., Ran]

FUNNEL = "1\tBuys\t/pricing > [Cart] > goal:Bought\t-\t"
LISTS = ("goal", "funnel", "segment", "annotation")


@pytest.fixture
def kept(run: CommandLine, place: Place) -> Kept:
    """Runs a command on a ledger with one site."""
    run("user", "create", "--email", "ada@example.com", *place.options, stdin=b"correct horse\n").succeeded()
    run("site", "create", "--host", HOST, "--email", "ada@example.com", *place.options).succeeded()

    def run_there(*arguments: str) -> Ran:
        return run(*arguments, *place.options)

    return run_there


def fill(kept: Kept) -> None:
    kept("goal", "add", "Bought", "--event", "Purchase", "--prop", "plan=pro").succeeded()
    kept("funnel", "add", "Buys", "/pricing", "Cart", "goal:bought", "--optional", "2").succeeded()
    kept("segment", "add", "German", "--filter", "country is DE", "--filter", "page contains blog").succeeded()
    kept("annotation", "add", "New\ndesign", "--at", "2026-03-10", "--link", "https://example.com/a").succeeded()


def test_each_is_added_listed_and_removed(kept: Kept) -> None:
    fill(kept)
    assert kept("goal", "list").succeeded().startswith("1\tBought\t-\tPurchase\tplan='pro'\t20")
    assert kept("funnel", "list").succeeded().startswith(FUNNEL)
    filters = '[["is","visit:country",["DE"]],["contains","event:page",["blog"]]]'
    assert kept("segment", "list").succeeded().startswith(f"1\tGerman\t{filters}\t20")
    note = "1\t2026-03-10\tnote\tNew design\thttps://example.com/a\n"
    assert kept("annotation", "list", "--from", "2026-03-10", "--to", "2026-03-10").succeeded() == note
    assert kept("annotation", "list", "--kind", "upgrade").succeeded() == ""
    used = "the goal 'Bought' is used by the funnel 'Buys'; change or delete that first"
    assert kept("goal", "remove", "Bought", "--yes").refused() == used
    kept("funnel", "remove", "BUYS", "--yes").succeeded()
    kept("goal", "remove", "1", "--yes").succeeded()
    kept("segment", "remove", "german", "--yes").succeeded()
    kept("annotation", "remove", "1", "--yes").succeeded()
    assert [kept(kind, "list").succeeded() for kind in LISTS] == [""] * 4
    logged = kept("audit").succeeded()
    assert "goal deleted\tcommand line\tsite 1" in logged


def test_what_is_not_valid_is_refused_in_one_line(kept: Kept) -> None:
    fill(kept)
    for arguments, message in (
        (("goal", "add"), "--page: a goal has either a page or an event"),
        (("goal", "add", "x\ny", "--event", "x"), "NAME: cannot contain control characters"),
        (("goal", "add", "--event", "x", "--prop", "plan"), "--prop accepts NAME=VALUE, not 'plan'"),
        (("goal", "add", "bought", "--event", "x"), "the site has a goal 'bought' already"),
        (("goal", "remove", "Nothing", "--yes"), "the site has no goal 'Nothing'"),
        (("goal", "list", "--site", "nowhere.example.com"), "there is no site nowhere.example.com"),
        (("funnel", "add", "F", "/a"), "steps: a funnel has 2 to 8 steps; this one has 1"),
        (("funnel", "add", "F", "/a", "goal:x"), "the site has no goal 'x'"),
        (
            ("funnel", "add", "F", "/a", "/b", "--optional", "2"),
            "step 2: the first and the last step cannot be optional",
        ),
        (("funnel", "add", "F", "/a", "/b", "--optional", "3"), "--optional accepts the number of a step, from 1 to 2"),
        (("segment", "add", "S", "--filter", "nothing is x"), "--filter: "),
        (("annotation", "add", "x", "--at", "today"), "--at: must be a date"),
        (("annotation", "add", "x", "--link", "javascript:x"), "--link: must be a URL"),
        (("annotation", "list", "--from", "March"), "--from accepts a day such as 2026-03-10, not 'March'"),
    ):
        assert message in kept(*arguments).refused(), arguments
    assert "was not deleted: there is no answer on standard input" in kept("goal", "remove", "Bought").err


@pytest.mark.parametrize("other", ["sqlite", "postgresql"], indirect=True)
def test_all_of_it_is_in_a_backup(run: CommandLine, kept: Kept, other: Place) -> None:
    fill(kept)
    before = [kept(kind, "list").succeeded() for kind in LISTS]
    kept("backup", "backup.db").succeeded()
    run("restore", "backup.db", *other.options).succeeded()
    assert [run(kind, "list", *other.options).succeeded() for kind in LISTS] == before
    assert run("goal", "add", "--event", "Signup", *other.options).succeeded() == "2\n"


def test_a_server_sees_what_a_command_does_and_the_other_way_round(run: CommandLine, tmp_path: Path) -> None:
    here = ("--data", str(tmp_path / "data"))
    with analytics_server(tmp_path / "data") as server, GoatCounter(server.url, server.token) as api:
        assert api.goals(HOST) == []
        run("goal", "add", "Signup", "--event", "Signup", *here).succeeded()
        assert goals_soon(api) == ["Signup"]
        api.create_goal(HOST, page="/thanks")
        listed = run("goal", "list", *here).succeeded().splitlines()
        assert [line.split("\t")[1] for line in listed] == ["Signup", "Visit /thanks"]
        told = run("share", "create", "Bob", "--list", "pages", *here).succeeded()
        path = told.rstrip("\n").split("\t")[1]
        assert httpx.get(f"{server.url}{path}/pages.json").json()["list"] == "pages"
        assert httpx.get(f"{server.url}{path}/sources.json").status_code == 404
        run("share", "withdraw", "Bob", "--yes", *here).succeeded()
        assert httpx.get(f"{server.url}{path}/pages.json").status_code == 410


def goals_soon(api: GoatCounter) -> list[str]:
    """The names of goals, once there are some: within an eighth of a second, and more on a busy machine."""
    deadline = time.monotonic() + 10
    while not (goals := api.goals(HOST)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [goal.name for goal in goals]


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_an_import_annotates_its_site_without_the_name_of_the_file(kept: Kept) -> None:
    log = f'192.0.2.1 - - [10/Mar/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 10 "-" "{FIREFOX}"\n'
    Path("secret-name.log").write_text(log)
    kept("import", "secret-name.log", "--format", "combined").succeeded()
    (line,) = kept("annotation", "list").succeeded().splitlines()
    assert line.split("\t")[2:4] == ["import", "Imported 1 hits from 2026-03-10 to 2026-03-10: a log."]
    kept("import", "secret-name.log", "--format", "combined")  # nothing is new
    assert len(kept("annotation", "list").succeeded().splitlines()) == 1


# Shared links.

SHARE = ("share", "create", "Bob", "--expires", "2999-03-31", "--password", "-", "--filter", "page contains blog")


def made(told: str) -> str:
    """The secret of a link that was made."""
    number, path = told.rstrip("\n").split("\t")
    assert number == "1"
    assert path.startswith("/share/")
    return path.removeprefix("/share/")


def test_a_shared_link_is_made_listed_changed_and_withdrawn(run: CommandLine, kept: Kept, place: Place) -> None:
    told = run(*SHARE, "--list", "pages", "--list", "left-out", *place.options, stdin=b"correct horse\n").succeeded()
    secret = made(told)
    listed = kept("share", "list").succeeded()
    assert listed.startswith("1\tBob\t2999-03-31\tyes\tpage contains blog\tpages,left-out\t20")
    assert secret not in listed
    assert kept("share", "change", "bob", "--name", "Carol", "--expires", "never", "--list", "all").succeeded() == ""
    assert kept("share", "list").succeeded().startswith("1\tCarol\t-\tyes\tpage contains blog\tall\t20")
    assert run("share", "change", "1", "--password", "-", *place.options, stdin=b"another horse\n").succeeded() == ""
    kept("share", "change", "1", "--no-password", "--filter", "all", "--expires", "2999-01-01").succeeded()
    assert kept("share", "list").succeeded().startswith("1\tCarol\t2999-01-01\tno\t-\tall\t20")
    assert "was not deleted" in kept("share", "withdraw", "Carol").err
    kept("share", "withdraw", "Carol", "--yes").succeeded()
    assert kept("share", "list").succeeded() == ""
    assert "command line\tsite 1" in kept("audit").succeeded()


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_shared_links_that_cannot_be_are_refused_in_one_line(run: CommandLine, kept: Kept, place: Place) -> None:
    kept("share", "create", "Bob").succeeded()
    for arguments, message in (
        (("create", "bob"), "the site has a shared link 'bob' already"),
        (("create", " "), "NAME: must not be empty"),
        (("create", "x", "--expires", "soon"), "--expires accepts a day such as 2026-12-31, or never, not 'soon'"),
        (("create", "x", "--expires", "2020-01-01"), "--expires: must be in the future"),
        (("create", "x", "--filter", "nothing is x"), "--filter: "),
        (("create", "x", "--list", "nothing"), "--list: there is no list 'nothing'; they are pages, "),
        (("create", "x", "--password", "correct horse"), "--password"),
        (("create", "x", "--password", "-"), "there is no password on standard input"),
        (("change", "Nobody", "--name", "x"), "the site has no shared link 'Nobody'"),
        (("change", "Bob", "--password", "-", "--no-password"), "--password and --no-password exclude each other"),
        (("withdraw", "2", "--yes"), "the site has no shared link 2"),
    ):
        refusal = kept("share", *arguments).refused()
        assert message in refusal, arguments
        assert "correct horse" not in refusal
    short = run("share", "create", "x", "--password", "-", *place.options, stdin=b"short\n").refused()
    assert short == "--password: must have 8 to 128 characters"
    assert len(kept("share", "list").succeeded().splitlines()) == 1
