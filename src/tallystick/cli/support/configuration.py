"""The settings file, where each setting came from, and how a wrong one is told."""

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
"""The settings file unless ``--config`` or the variable names another one."""

VARIABLES = "TALLYSTICK_"
FILE_VARIABLE = "TALLYSTICK_CONFIG"
FILE_OPTION = "--config"
SETTINGS = tuple(field.name for field in fields(Settings))

WHERE_SETTINGS_STAND = (
    "Every setting can also be given as a TALLYSTICK_* variable (TALLYSTICK_LISTEN for --listen) or in a file"
    ' tallystick.toml in the working directory (listen = "127.0.0.1:8080"), or in the one that --config FILE'
    " names, with any command. A flag wins over a variable, a variable over the file."
)

_WORDS: dict[object, str] = {bool: "true or false", int: "a whole number"}


class Sources:
    """Where the settings of this run came from: the last one to look at what was given."""

    def __init__(self) -> None:
        self.file = SETTINGS_FILE
        self._found: dict[str, str] = {}

    def __call__(self, _app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Called by cyclopts when flags, variables and the file have been read."""
        self._found.clear()
        for argument in arguments:
            for token in argument.tokens:
                where = {"cli": "flag", "env": token.keyword or "variable"}.get(token.source, str(self.file))
                self._found[argument.field_info.name] = where

    def of(self, setting: str) -> str:
        """The flag, the variable, the file or the default."""
        return self._found.get(setting, "default")


sources = Sources()


def forget_empty_variables() -> None:
    """An empty variable is as good as none: ``TALLYSTICK_DATABASE=`` is how compose files leave one out."""
    for name in [name for name, value in os.environ.items() if name.startswith(VARIABLES) and not value]:
        del os.environ[name]


def without_settings_file(arguments: Sequence[str]) -> list[str]:
    """The command line without ``--config FILE``, which may stand anywhere in it and is remembered in ``sources``.

    Raises:
        InvalidSetting: the file is not there, or not named.
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
    # Commands know different options; names that none knows are refused by check_settings_file.
    return Toml(sources.file, use_commands_as_keys=False, allow_unknown=True)


def check_settings_file() -> None:
    """Refuse a settings file that cannot be read or names a setting that does not exist.

    Raises:
        InvalidSetting
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
    """What is wrong with the command line, the variables or the file, without a box around it."""
    error.verbose = False
    text = " ".join(str(error).split()).removesuffix(".")
    if isinstance(error, UnusedCliTokensError):
        text = f"not understood: {' '.join(error.unused_tokens or ())}"
    elif isinstance(error, CoercionError):
        text = _with_name_and_source(text, error)
    return text[0].lower() + text[1:]


def _with_name_and_source(text: str, error: CoercionError) -> str:
    token = error.token or Token()
    if not error.msg and error.target_type in _WORDS:
        told, _, _ = text.partition(": unable to convert")
        text = f"{told}: it accepts {_WORDS[error.target_type]}, not {token.value!r}"
    # cyclopts leaves the name out where a value has its place, or came from a list.
    if text.startswith("it accepts") and error.argument:
        text = f"invalid value for {error.argument.name}: {text}"
    if token.source == str(sources.file.absolute()):
        text = f"{sources.file}: {text.replace(f' from {token.source}', '')}"
    return text.replace(" from env:", ":").replace(" from env.", ".")


def default_worth_showing(default: object) -> str | None:
    """A default as help shows it; that a switch is off, or an option not given, goes without saying."""
    return None if default is False or default is None else str(default)
