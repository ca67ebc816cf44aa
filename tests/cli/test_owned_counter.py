"""``tallystick counter owner``, ``change`` and ``reserve``: on both databases."""

import json

from support.commands import CommandLine

Storage = tuple[str, ...]
ADA = ("--email", "ada@example.com", "--password", "-")
NAME = "stats.example.com/visits"


def shown(run: CommandLine, storage: Storage) -> dict[str, object]:
    told: dict[str, object] = json.loads(run("counter", "owner", NAME, "--json", *storage).succeeded())
    return told


def test_a_counter_is_given_and_gets_rules(run: CommandLine, storage: Storage) -> None:
    run("counter", "create", NAME, "--value", "41", *storage).succeeded()
    assert shown(run, storage)["owner"] is None
    refused = run("counter", "change", NAME, "--lock", *storage).refused()
    assert refused == "nobody owns this counter; give it an owner first: tallystick counter owner NAME --account EMAIL"
    secret = run("counter", "owner", NAME, "--secret", *storage).succeeded().strip()
    assert secret.startswith("counter_")
    assert shown(run, storage)["owner"] == "who has its secret"
    run(
        "user", "create", "--email", "ada@example.com", "--password", "-", *storage, stdin=b"a long password\n"
    ).succeeded()
    text = run("counter", "owner", NAME, "--account", "ada@example.com", *storage).succeeded()
    assert "owner       ada@example.com\n" in text
    assert "locked      no\n" in text
    rules = ("--lock", "--label", "Visits", "--origin", "https://Example.com", "--unique", "day")
    assert run("counter", "change", NAME, *rules, *storage).succeeded() == ""
    assert shown(run, storage) == {
        "counter": NAME,
        "value": 41,
        "owner": "ada@example.com",
        "locked": True,
        "label": "Visits",
        "origins": ["https://example.com"],
        "unique": "day",
    }
    run("counter", "change", NAME, "--unlock", "--label", "", "--any-origin", "--unique", "off", *storage).succeeded()
    assert [shown(run, storage)[rule] for rule in ("locked", "label", "origins", "unique")] == [False, "", [], None]
    kinds = run("audit", *storage).succeeded()
    assert kinds.count("public counter changed") == 4


def test_what_cannot_be_done_is_said(run: CommandLine, storage: Storage) -> None:
    run("counter", "create", NAME, *storage).succeeded()
    run("counter", "owner", NAME, "--secret", *storage).succeeded()
    tries = (
        (("owner", "not-here"), "there is no counter default/not-here"),
        (("owner", "not-here", "--secret"), "there is no counter default/not-here"),
        (("owner", NAME, "--account", "bob@example.com"), "there is no user bob@example.com"),
        (("owner", NAME, "--account", "1", "--secret"), "--account and --secret exclude each other: "),
        (("change", NAME), "name what to change: --lock, "),
        (("change", NAME, "--lock", "--unlock"), "--lock and --unlock exclude each other, "),
        (("change", NAME, "--origin", "https://example.com/page"), "--origin"),
        (("change", NAME, "--label", "two\nlines"), "--label"),
        (("reserve", "nobody.example.com"), "no site on this server has this name"),
        (("release", "nobody.example.com"), "the namespace nobody.example.com is not reserved"),
    )
    for command, message in tries:
        assert message in run("counter", *command, *storage).refused(), command


def test_a_namespace_is_reserved(run: CommandLine, storage: Storage) -> None:
    run("user", "create", *ADA, *storage, stdin=b"a long password\n").succeeded()
    run("site", "create", "--host", "stats.example.com", *ADA[:2], *storage).succeeded()
    run("counter", "reserve", "stats.example.com", *storage).succeeded()
    assert run("counter", "reserved", *storage).succeeded() == "stats.example.com\t1\tstats.example.com\n"
    run("counter", "create", NAME, *storage).succeeded()  # the operator may
    run("counter", "release", "stats.example.com", *storage).succeeded()
    assert run("counter", "reserved", *storage).succeeded() == ""
