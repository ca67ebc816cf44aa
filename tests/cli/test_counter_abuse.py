"""``tallystick counter find``, ``freeze``, ``unfreeze``, ``close``, ``reopen`` and ``delete`` of many."""

from support.commands import CommandLine

Storage = tuple[str, ...]


def test_what_is_abused_is_found_and_stopped(run: CommandLine, storage: Storage) -> None:
    names = [f"spam.example/spam{number}" for number in range(3)]
    for name in (*names, "good.example/visits"):
        run("counter", "create", name, *storage).succeeded()

    def told(*arguments: str) -> list[str]:
        return run("counter", *arguments, *storage).succeeded().splitlines()

    assert told("find") == ["spam.example\t3\t-", "good.example\t1\t-"]
    assert told("find", "--busy") == []
    assert told("close", "spam.example") == []
    assert told("find", "--limit", "1") == ["spam.example\t3\tclosed"]
    assert told("find", "--closed") == ["spam.example"]
    assert told("freeze", "--prefix", "spam.example/spam") == ["3"]
    assert told("freeze", names[0]) == []
    assert told("unfreeze", names[0]) == []
    assert told("find", "--frozen") == names[1:]
    assert told("find", "--namespace", "spam.example") == [
        f"{names[0]}\t0\t-",
        f"{names[1]}\t0\tfrozen",
        f"{names[2]}\t0\tfrozen",
    ]
    assert told("delete", "--namespace", "spam.example", "--yes") == ["3"]
    assert told("find") == ["good.example\t1\t-"]
    assert told("reopen", "spam.example") == []
    assert told("find", "--closed") == []
    log = "\n".join(run("audit", *storage).succeeded().splitlines())
    for kind in ("frozen", "unfrozen", "deleted"):
        assert f"public counters {kind}" in log
    assert "spam.example/spam*" in log


def test_which_counters_are_meant_is_said(run: CommandLine, storage: Storage) -> None:
    run("counter", "create", "good.example/visits", *storage).succeeded()
    unclear = "say which counters: a NAME, --namespace or --prefix, and one of them"
    unclear_ones: list[tuple[str, ...]] = [
        ("freeze",),
        ("unfreeze", "--namespace", "abc", "--prefix", "abc"),
        ("freeze", "--prefix", ""),
        ("delete", "--yes"),
        ("delete", "good.example/visits", "--prefix", "good", "--yes"),
    ]
    for arguments in unclear_ones:
        assert run("counter", *arguments, *storage).refused() == unclear
    assert run("counter", "freeze", "good.example/missing", *storage).refused() == (
        "there is no counter good.example/missing"
    )
    assert run("counter", "get", "good.example/visits", *storage).succeeded() == "0\n"
