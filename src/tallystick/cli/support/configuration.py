"""The settings file, the sources of settings, and messages about invalid ones."""

import os
import tomllib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from cyclopts import App, ArgumentCollection, Token
from cyclopts.config import Toml
from cyclopts.exceptions import CoercionError, CycloptsError, UnusedCliTokensError

from tallystick.errors import InvalidSetting
from tallystick.settings import Settings

SETTINGS_FILE = Path("tallystick.toml")
"""The default settings file, unless ``--config`` or the variable gives another one."""

VARIABLES = "TALLYSTICK_"
FILE_VARIABLE = "TALLYSTICK_CONFIG"
FILE_OPTION = "--config"
SETTINGS = tuple(field.name for field in fields(Settings))

WHERE_SETTINGS_STAND = (
    "Every setting can also be given as a TALLYSTICK_* variable (TALLYSTICK_LISTEN for --listen) or in a settings"
    ' file (listen = "127.0.0.1:8080"): tallystick.toml in the working directory, or the one given by --config FILE.'
    " A flag takes precedence over a variable, a variable over the file."
)

_EXPECTED: dict[object, str] = {bool: "true or false", int: "a whole number"}


class Sources:
    """Records where each setting of this run came from; runs after the other sources."""

    def __init__(self) -> None:
        self.file = SETTINGS_FILE
        self._found: dict[str, str] = {}

    def __call__(self, _app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Record the sources; cyclopts calls this when flags, variables and the file have been read."""
        self._found.clear()
        for argument in arguments:
            for token in argument.tokens:
                where = {"cli": "flag", "env": token.keyword or "variable"}.get(token.source, str(self.file))
                self._found[argument.field_info.name] = where

    def of(self, setting: str) -> str:
        """The source of a setting: ``flag``, a variable's name, the file's name or ``default``."""
        return self._found.get(setting, "default")


sources = Sources()


def forget_empty_variables() -> None:
    """Remove empty ``TALLYSTICK_*`` variables: compose files write ``TALLYSTICK_DATABASE=`` to leave one out."""
    for name in [name for name, value in os.environ.items() if name.startswith(VARIABLES) and not value]:
        del os.environ[name]


def without_settings_file(arguments: Sequence[str]) -> list[str]:
    """The command line without ``--config FILE``, which may be anywhere in it. The file is stored in ``sources``.

    Raises:
        InvalidSetting: the file does not exist, or its name is missing.
    """
    rest, named = list(arguments), os.environ.get(FILE_VARIABLE)
    for place, word in enumerate(arguments):
        if word == "--":
            break
        if word == FILE_OPTION or word.startswith(f"{FILE_OPTION}="):
            _, sign, named = word.partition("=")
            if not sign:
                named = arguments[place + 1] if place + 1 < len(arguments) else ""
            del rest[place : place + (1 if sign else 2)]
            if not named:
                msg = f"{FILE_OPTION} needs the name of a settings file"
                raise InvalidSetting(msg)
            break
    sources.file = Path(named) if named else SETTINGS_FILE
    if named and not sources.file.is_file():
        msg = f"{named} cannot be read: there is no such file"
        raise InvalidSetting(msg)
    return rest


def settings_file() -> Toml:
    """The file as a source of settings."""
    # Commands have different options; names that no command has are refused by check_settings_file.
    return Toml(sources.file, use_commands_as_keys=False, allow_unknown=True)


def check_settings_file() -> None:
    """Check the settings file.

    Raises:
        InvalidSetting: it cannot be read, or has an unknown setting.
    """
    try:
        written: dict[str, Any] = tomllib.loads(sources.file.read_text("utf-8"))
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"{sources.file} cannot be read: {error}"
        raise InvalidSetting(msg) from error
    if unknown := sorted(name for name in written if name.replace("-", "_") not in SETTINGS):
        msg = f"{sources.file} has unknown settings: {', '.join(unknown)}. It accepts {', '.join(sorted(SETTINGS))}"
        raise InvalidSetting(msg)
    if tables := sorted(name for name, value in written.items() if isinstance(value, dict)):
        msg = f"{sources.file} must give {', '.join(tables)} a value, not a table"
        raise InvalidSetting(msg)


def in_one_line(error: CycloptsError) -> str:
    """The message of an error in the command line, variables or file as one line, without cyclopts' box."""
    error.verbose = False
    text = " ".join(str(error).split()).removesuffix(".")
    if isinstance(error, UnusedCliTokensError):
        text = f"unknown arguments: {' '.join(error.unused_tokens or ())}"
    elif isinstance(error, CoercionError):
        text = _with_name_and_source(text, error)
    return text[0].lower() + text[1:]


def _with_name_and_source(text: str, error: CoercionError) -> str:
    token = error.token or Token()
    if not error.msg and error.target_type in _EXPECTED:
        prefix, _, _ = text.partition(": unable to convert")
        text = f"{prefix}: it accepts {_EXPECTED[error.target_type]}, not {token.value!r}"
    # cyclopts leaves out the name of positional values and of values from a list.
    if text.startswith("it accepts") and error.argument:
        text = f"invalid value for {error.argument.name}: {text}"
    if token.source == str(sources.file.absolute()):
        text = f"{sources.file}: {text.replace(f' from {token.source}', '')}"
    return text.replace(" from env:", ":").replace(" from env.", ".")


def default_worth_showing(default: object) -> str | None:
    """A default as help shows it; that a switch is off, or an option not given, goes without saying."""
    return None if default is False or default is None else str(default)
