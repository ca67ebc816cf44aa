"""The ``tallystick`` command and what its commands share."""

import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from cyclopts import App
from cyclopts.config import Env, Toml

from tallystick import __version__
from tallystick.cli.serve import serve
from tallystick.errors import InvalidSetting, TallystickError
from tallystick.settings import Settings

SETTINGS_FILE = Path("tallystick.toml")

app = App(
    name="tallystick",
    help="One server that counts anything and never loses a count it acknowledged.",
    help_epilogue=(
        "Every option can also be given as a TALLYSTICK_* variable (TALLYSTICK_LISTEN for --listen) or in a file"
        ' tallystick.toml in the working directory (listen = "127.0.0.1:8080"). A flag wins over a variable,'
        " a variable over the file."
    ),
    version=f"tallystick {__version__}",
    config=[
        Env("TALLYSTICK_", command=False),
        # Commands know different options; unknown names are refused by _check_settings_file.
        Toml(SETTINGS_FILE, use_commands_as_keys=False, allow_unknown=True),
    ],
)
app.command(serve)


def main() -> None:
    """Run the command line; a refusal is one line on standard error and exit code 1."""
    try:
        _check_settings_file()
        app()
    except TallystickError as error:
        print(f"tallystick: {error}", file=sys.stderr)
        sys.exit(1)


def _check_settings_file() -> None:
    if not SETTINGS_FILE.is_file():
        return
    try:
        written: dict[str, Any] = tomllib.loads(SETTINGS_FILE.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"{SETTINGS_FILE} cannot be read: {error}"
        raise InvalidSetting(msg) from error
    known = {field.name for field in fields(Settings)}
    if unknown := sorted(name for name in written if name.replace("-", "_") not in known):
        msg = f"{SETTINGS_FILE} has unknown settings: {', '.join(unknown)}. It accepts {', '.join(sorted(known))}"
        raise InvalidSetting(msg)
