"""Every command explains itself."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from support.commands import CommandLine
from tallystick.app import SURFACES
from tallystick.settings import Settings
from tallystick.web.surface import default_rates

COMMANDS = [
    "",
    "serve",
    "demo",
    "init",
    "user",
    *(f"user {verb}" for verb in ("create", "list", "password", "access", "delete")),
    "site",
    *("path rules", *(f"path rules {verb}" for verb in ("add", "list", "remove", "apply"))),
    *(f"site {verb}" for verb in ("create", "list", "change", "delete")),
    "token",
    *(f"token {verb}" for verb in ("create", "list", "revoke")),
    *("goal", "funnel", "segment", "annotation"),
    *(f"{kind} {verb}" for kind in ("goal", "funnel", "segment", "annotation") for verb in ("add", "list", "remove")),
    *("share", *(f"share {verb}" for verb in ("create", "list", "change", "withdraw"))),
    "import",
    *(f"import {program}" for program in ("umami", "ga4")),
    "funnel show",
    "stats",
    "query",
    "counter",
    *(f"counter {verb}" for verb in ("list", "get", "create", "set", "delete", "import", "export")),
    "backup",
    "restore",
    "ready",
    "doctor",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_what_every_command_and_option_does(run: CommandLine, command: str) -> None:
    told = run(*command.split(), "--help", variables={"COLUMNS": "600"}).succeeded()
    assert told.startswith(f"Usage: tallystick {command}".rstrip())
    entries = [line.strip("│ ") for line in told.splitlines() if line.startswith("│ ")]
    assert entries
    assert [entry for entry in entries if not re.fullmatch(r"(\* +)?\S.*?  +[A-Z].*[.\]]", entry)] == []


@pytest.mark.parametrize("setting", [field.name for field in fields(Settings)])
def test_every_setting_is_a_flag_and_a_variable(run: CommandLine, setting: str) -> None:
    told = " ".join(run("serve", "--help", variables={"COLUMNS": "600"}).succeeded().replace("│", " ").split())
    assert f"--{setting.replace('_', '-')} " in told
    assert f"[env var: TALLYSTICK_{setting.upper()}]" in told


def test_every_rate_limit_is_named_with_its_default(run: CommandLine) -> None:
    told = " ".join(run("serve", "--help", variables={"COLUMNS": "600"}).succeeded().split())
    for rate in default_rates(SURFACES):
        assert f"{rate.name} {rate.amount}/{rate.seconds} (" in told


@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_a_rate_limit_that_there_is_not_is_refused(run: CommandLine, command: str) -> None:
    told = run(command, "--data", "never-made", "--rate-limit", "pixel:1/1").refused()
    assert told.startswith("--rate-limit: there is no limit called 'pixel'; names are keyed, counter-creations, ")
    assert not Path("never-made").exists()


def test_the_version_is_told(run: CommandLine) -> None:
    assert run("--version").succeeded().startswith("tallystick 0.")
