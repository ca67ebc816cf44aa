"""``--config FILE``: another settings file than the one in the working directory."""

from pathlib import Path

import pytest

from support.commands import CommandLine, Ran

NAMED = [
    (("--config", "other.toml", "doctor"), {}),
    (("doctor", "--config", "other.toml"), {}),
    (("doctor", "--config=other.toml"), {}),
    (("doctor",), {"TALLYSTICK_CONFIG": "other.toml"}),
]


def told(ran: Ran, setting: str) -> tuple[str, str]:
    """A setting's value and source, as doctor says."""
    rows = [line.split("\t") for line in ran.out.splitlines()]
    ((value, source),) = [tuple(row[2:]) for row in rows if row[:2] == ["setting", setting]]
    return value, source


@pytest.mark.parametrize(("arguments", "variables"), NAMED)
def test_the_named_file_is_read_in_the_place_of_the_usual_one(
    run: CommandLine, arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    Path("tallystick.toml").write_text("creation-limit = 7\ncount-prefetch = true\n")
    Path("other.toml").write_text("creation-limit = 9\n")
    ran = run(*arguments, variables=variables)
    assert told(ran, "creation_limit") == ("9", "other.toml")
    assert told(ran, "count_prefetch") == ("False", "default")
    assert "no such setting" not in ran.out


def test_the_flag_wins_over_the_variable(run: CommandLine) -> None:
    for number in (1, 2):
        Path(f"{number}.toml").write_text(f"creation-limit = {number}\n")
    ran = run("doctor", "--config", "1.toml", variables={"TALLYSTICK_CONFIG": "2.toml"})
    assert told(ran, "creation_limit") == ("1", "1.toml")


def test_commands_read_their_settings_from_it(run: CommandLine) -> None:
    Path("other.toml").write_text('data = "elsewhere"\n')
    assert "No Tallystick data in elsewhere. " in run("counter", "list", "--config", "other.toml").refused()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("doctor", "--config", "missing.toml"), "missing.toml cannot be read: there is no such file"),
        (("doctor", "--config"), "--config needs the name of a settings file"),
        (("doctor", "--config="), "--config needs the name of a settings file"),
        (("doctor", "--config", "wrong.toml"), "wrong.toml has unknown settings: listem. It accepts "),
        (("serve", "--config", "bad.toml"), "bad.toml: Invalid value for [creation-limit]: it accepts "),
    ],
)
def test_a_file_that_cannot_be_used_is_named(run: CommandLine, arguments: tuple[str, ...], reason: str) -> None:
    Path("wrong.toml").write_text("listem = 1\n")
    Path("bad.toml").write_text('creation-limit = "many"\n')
    assert run(*arguments).refused().startswith(reason)


def test_the_word_is_left_alone_behind_two_dashes(run: CommandLine) -> None:
    # It is the name of a counter there.
    assert run("counter", "get", "--", "--config").refused().startswith("No Tallystick data in ")
