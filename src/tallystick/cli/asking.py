"""What commands ask a person, and secrets that they read."""

import sys
from getpass import getpass

from tallystick.errors import InputRefused

LINE_AT_MOST = 1_024


def agreed(question: str) -> bool:
    """Whether the person at the terminal says yes."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def confirm(question: str, refusal: str, *, yes: bool) -> None:
    """Ask before something is lost; scripts, which have no terminal, are not asked.

    Args:
        yes: whether the answer was given on the command line.

    Raises:
        InputRefused: the answer was no.
    """
    if not yes and sys.stdin.isatty() and not agreed(question):
        raise InputRefused(refusal)


def new_password() -> str:
    """A password from the first line of standard input; a person at a terminal types it twice, unseen.

    Raises:
        InputRefused: there is none, or the two differ.
    """
    if sys.stdin.isatty():
        return _typed_twice()
    line = sys.stdin.buffer.readline(LINE_AT_MOST).removesuffix(b"\n").removesuffix(b"\r")
    if not line:
        msg = "there is no password on standard input"
        raise InputRefused(msg)
    try:
        return line.decode()
    except UnicodeDecodeError:
        msg = "the password on standard input is not UTF-8"
        raise InputRefused(msg) from None


def _typed_twice() -> str:
    try:
        password = getpass("Password: ")
        again = getpass("The same again: ")
    except EOFError:
        msg = "no password was typed"
        raise InputRefused(msg) from None
    if password != again:
        msg = "the two passwords differ"
        raise InputRefused(msg)
    return password
