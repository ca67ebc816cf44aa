"""The ``tallystick`` command: its subcommands, and how errors end it."""

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

# Given by name, so that only the module of the command that runs is imported.
COMMANDS = (
    ("serve", "serve:app", "Run the server."),
    ("demo", "demo:demo", "Serve a site filled with invented visits, to look around."),
    ("init", "init:init", "Create an empty data directory without starting the server."),
    ("user", "user:app", "Manage the people who have accounts; also while a server runs."),
    ("site", "site:app", "Manage the sites whose hits are counted; also while a server runs."),
    ("token", "token:app", "Manage API tokens; also while a server runs."),
    ("path", "path:app", "Rename, merge and delete paths of a site; also while a server runs."),
    ("bots", "bots:app", "List and relabel hits that were classified as bots'."),
    ("goal", "goal:app", "Manage the goals of a site; also while a server runs."),
    (
        "funnel",
        "funnel:app",
        "Manage the funnels of a site, and show where visits leave them; also while a server runs.",
    ),
    ("segment", "segment:app", "Manage the segments of a site; also while a server runs."),
    ("annotation", "annotation:app", "Manage the annotations of a site; also while a server runs."),
    ("share", "share:app", "Manage the shared links of a site; also while a server runs."),
    ("import", "imports:app", "Import hits from other programs, from exports and from logs."),
    ("export", "exports:export", "Write a site's hits or statistics to a file."),
    ("stats", "stats:stats", "Show a site's visits as a table."),
    ("query", "query:query", "Answer any question about a site's visits."),
    ("counter", "counter:app", "Manage public counters; also while a server runs."),
    ("audit", "audit:audit", "Show the log of logins and of changes of accounts, access, tokens and sites."),
    ("backup", "backup:backup", "Write a backup; also while a server runs."),
    ("restore", "restore:restore", "Replace the ledger and the hits by a backup."),
    ("ready", "ready:ready", "Exit with 0 if the running server can store counts; for health checks."),
    ("doctor", "doctor:doctor", "Check this machine and the stored data, and show the settings in force."),
)


def command_line(command: str | None) -> App:
    """The application with all commands.

    Args:
        command: the one that will run; its full help is loaded, the others have one sentence.
    """
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
        summary = None if name == command else sentence
        app.command(f"tallystick.cli.{function}", name=name, help=summary, sort_key=number)
    return app


def main() -> None:
    """Run the command line. An error is one line on standard error and exit code 1."""
    signal.signal(signal.SIGTERM, _terminate)
    # All files are readable by their owner only, including those that databases create beside theirs.
    os.umask(0o077)
    forget_empty_variables()
    try:
        arguments = without_settings_file(sys.argv[1:])
        check_settings_file()
        command_line(arguments[0] if arguments else None)(arguments)
        sys.stdout.flush()
    except CycloptsError as error:
        _refuse(in_one_line(error))
    except TallystickError as error:
        _refuse(str(error))
    except BrokenPipeError:
        # The reader of the output has closed it. Python would raise once more when it closes stdout.
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
    """Exit with all cleanups; the server replaces this by its own handler."""
    sys.exit(TERMINATED)
