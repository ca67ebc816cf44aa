"""The ``tallystick`` command and what its commands share."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError

from tallystick import __version__
from tallystick.cli.support.configuration import (
    WHERE_SETTINGS_STAND,
    check_settings_file,
    default_worth_showing,
    forget_empty_variables,
    in_one_line,
    settings_file,
    sources,
    without_settings_file,
)
from tallystick.errors import TallystickError

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM

# Named, not imported: only the command that runs is loaded.
COMMANDS = (
    ("serve", "serve:app", "Run the server."),
    ("init", "init:init", "Make an empty data directory, without starting the server."),
    ("user", "user:app", "Look after the people who have accounts, also while a server serves them."),
    ("site", "site:app", "Look after the sites whose hits are counted, also while a server serves them."),
    ("token", "token:app", "Look after API tokens, also while a server serves them."),
    ("path", "path:app", "Rename, merge and delete paths of a site, also while a server counts for them."),
    ("bots", "bots:app", "Look after hits that were taken for bots'."),
    ("import", "imports:import_", "Import hits from GoatCounter, from exports and from logs."),
    ("export", "exports:export", "Write a site's hits or statistics to a file."),
    ("stats", "stats:stats", "Show a site's visits as a table."),
    ("counter", "counter:app", "Look after public counters, also while a server serves them."),
    ("audit", "audit:audit", "Show who did what: logins, and changes of accounts, access, tokens and sites."),
    ("backup", "backup:backup", "Write a backup while the server serves."),
    ("restore", "restore:restore", "Put a backup in the place of the ledger."),
    ("doctor", "doctor:doctor", "Check whether this machine is fit to count, and show the settings in force."),
)


def command_line(asked: str | None) -> App:
    """All commands; the one that is asked for tells its whole help, the others a sentence each."""
    app = App(
        name="tallystick",
        help="One server that counts anything and never loses a count it acknowledged.",
        help_epilogue=WHERE_SETTINGS_STAND,
        version=f"tallystick {__version__}",
        config=[settings_file(), sources],
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(show_default=default_worth_showing),
    )
    for number, (name, function, sentence) in enumerate(COMMANDS):
        told = None if name == asked else sentence
        app.command(f"tallystick.cli.{function}", name=name, help=told, sort_key=number)
    return app


def main() -> None:
    """Run the command line; a refusal is one line on standard error and exit code 1."""
    signal.signal(signal.SIGTERM, _terminate)
    # Everything that is written is for its owner alone, also what databases make beside their files.
    os.umask(0o077)
    forget_empty_variables()
    try:
        given = without_settings_file(sys.argv[1:])
        check_settings_file()
        command_line(asked=given[0] if given else None)(given)
        sys.stdout.flush()
    except CycloptsError as error:
        _refuse(in_one_line(error))
    except TallystickError as error:
        _refuse(str(error))
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt as interrupt:
        _refuse(str(interrupt) or "interrupted", INTERRUPTED)


def _refuse(line: str, code: int = 1) -> NoReturn:
    print(f"tallystick: {line}", file=sys.stderr)
    sys.exit(code)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Leave by way of every cleanup; the server replaces this by its own handler."""
    sys.exit(TERMINATED)
