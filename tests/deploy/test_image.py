"""``deploy/Dockerfile``: what it promises without being built. ``make image`` carries out its steps."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from support.deployed import ROOT, STAGES, assert_settings_are_accepted, last
from tallystick.cli.main import command_line

IMAGE = STAGES[-1]


def test_the_linter_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    checked = subprocess.run(
        [hadolint, "--failure-threshold", "style", ROOT / "deploy" / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout) == (0, ""), checked.stdout + checked.stderr


def test_only_what_is_copied_is_sent_to_the_builder() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    copied: set[str] = set()
    for verb, rest in STAGES[0].steps:
        if verb == "COPY":
            copied |= {name.rstrip("/") for name in rest.split()[:-1]}
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)
    assert all(rest.startswith("--from=") for verb, rest in IMAGE.steps if verb in {"COPY", "ADD"})


def test_it_is_neither_root_nor_a_name() -> None:
    # Kubernetes refuses a name where a pod must not be root: it cannot know whose it is.
    user, group = last("USER").split(":")
    assert int(user) >= 10_000
    assert user == group
    made = next(rest for verb, rest in IMAGE.steps if verb == "RUN")
    assert f"--uid {user}" in made
    assert f"--owner={user} --group={group} --mode=0700 {last('VOLUME')}" in made


def test_its_settings_are_accepted_and_its_data_are_in_the_volume() -> None:
    variables = {name: value for name, value in IMAGE.environment().items() if name.startswith("TALLYSTICK_")}
    settings = assert_settings_are_accepted(variables)
    assert str(settings.data) == last("VOLUME") == last("WORKDIR")
    assert [str(address) for address in settings.listen] == [f"0.0.0.0:{last('EXPOSE')}"]


def test_its_commands_are_those_of_the_command_line() -> None:
    (entry,) = json.loads(last("ENTRYPOINT"))
    assert entry == "tallystick"
    health = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    for words in ([entry, *json.loads(last("CMD"))], health):
        command_line(words[1]).parse_args(words[1:])
    assert not re.search(r"\b(curl|wget|apt-get)\b", (ROOT / "deploy" / "Dockerfile").read_text())


def test_the_health_check_waits_for_the_answer() -> None:
    options = dict(word.removeprefix("--").split("=") for word in shlex.split(last("HEALTHCHECK").partition(" CMD")[0]))
    # The command itself gives up after 5 seconds.
    assert int(options["timeout"].removesuffix("s")) > 5
    assert set(options) == {"interval", "timeout", "start-period", "retries"}
