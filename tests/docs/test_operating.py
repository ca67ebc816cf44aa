"""``docs/operating.md`` is true: its files and commands exist, and what it quotes is printed."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

from support.server import clean_environment
from tallystick.cli.main import command_line
from tallystick.cli.support.configuration import SETTINGS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "operating.md").read_text("utf-8")
BENCHMARKS = (ROOT / "benchmarks" / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_the_units_that_it_installs_are_there() -> None:
    installed = re.findall(r"^cp /opt/tallystick/(\S+) /etc/systemd/system/$", GUIDE, re.MULTILINE)
    found = {file for pattern in installed for file in ROOT.glob(pattern)}
    assert found == set((ROOT / "deploy" / "systemd").iterdir())
    enabled = {
        name for line in re.findall(r"^systemctl enable --now (.+)$", GUIDE, re.MULTILINE) for name in line.split()
    }
    assert enabled == {"tallystick", "tallystick.socket", "tallystick-backup.timer"}


def test_the_settings_exist() -> None:
    (block,) = blocks("toml")
    names = set(tomllib.loads(re.sub(r"^# ", "", block, flags=re.MULTILINE)))
    assert {name.replace("-", "_") for name in names} <= set(SETTINGS)


def test_every_command_is_understood() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    shown = [*lines, *re.findall(r"`((?:sudo -u tallystick )?tallystick [^`]+)`", GUIDE)]
    commands = 0
    for line in shown:
        words = shlex.split(line.partition("#")[0])
        if "tallystick" in words:
            arguments = words[len(words) - words[::-1].index("tallystick") :]
            if "--config" in arguments:
                place = arguments.index("--config")
                del arguments[place : place + 2]
            if arguments:
                command_line(arguments[0]).parse_args(arguments)
                commands += 1
    assert commands >= 8


def test_a_backup_is_restored_as_the_guide_says(tmp_path: Path) -> None:
    (backup, upgrade) = [block for block in blocks("sh") if "tallystick backup" in block]
    script = "tallystick init\ntallystick counter create shop/stock --value 7\n" + backup + upgrade
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=clean_environment(PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "shop/stock\t7\t" in done.stdout
    assert {path.name for path in tmp_path.glob("*.sqlite3")} == {"today.sqlite3", "before-upgrade.sqlite3"}


def test_figures_are_those_that_were_measured() -> None:
    sizing = GUIDE.partition("## Sizing")[2].partition("\n## ")[0]
    figures = re.findall(r"\d[\d,.]*\d(?= (?:MB|KB|bytes|a second))", sizing.replace("512 MB", ""))
    assert len(figures) >= 7
    assert [figure for figure in figures if figure not in BENCHMARKS] == []


def test_refusals_are_quoted_as_they_are_printed() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "src" / "tallystick").rglob("*.py"))
    quoted = re.findall(r"^\| `([^`]+)`", GUIDE.partition("## When a start is refused")[2], re.MULTILINE)
    assert len(quoted) >= 8
    for text in quoted:
        fixed = [part.strip(" :") for part in text.split("...")]
        beginning = " ".join(fixed[0].split()[:2])
        assert beginning in source or fixed[-1] in source, text
