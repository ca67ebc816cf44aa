"""What commands ask a person, and secrets that they read."""

import sys
from collections.abc import Collection
from getpass import getpass
from typing import Annotated

from cyclopts import Parameter

from tallystick.errors import InputRefused

LINE_AT_MOST = 1_024
YES = frozenset({"y", "yes"})

Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]
"""The option that answers the question of ``confirm`` beforehand."""


def confirm(question: str, refusal: str, *, yes: bool, names: Collection[str] = (), option: str = "--yes") -> None:
    """Ask before data is deleted or replaced. Only y, yes or a name of the thing is a yes.

    Without a terminal the answer is the first line of standard input, and an empty input is a no: a script
    that means it says so on the command line or in its input.

    Args:
        refusal: what did not happen, for the message.
        yes: the answer was given on the command line.
        names: names of the thing; typing one is a yes, too.
        option: gives the answer on the command line.

    Raises:
        InputRefused: the answer was not yes.
    """
    if yes:
        return
    answer = _answer(f"{question} [y/N] ")
    if answer is None:
        msg = f"{refusal}: there is no answer on standard input; add {option} to go on without a question"
        raise InputRefused(msg)
    if answer.lower() not in YES and answer not in names:
        raise InputRefused(refusal)


def _answer(question: str) -> str | None:
    """One line of a person or a script; None where there is none."""
    if sys.stdin is None:  # closed by the calling program
        return None
    if sys.stdin.isatty():
        try:
            return input(question).strip()
        except EOFError:
            print()
            return ""
    # On standard error: whoever waits at an open pipe sees what the command waits for.
    print(question, file=sys.stderr, flush=True)
    line = sys.stdin.buffer.readline(LINE_AT_MOST)
    return line.decode("utf-8", "replace").strip() if line else None


def new_password() -> str:
    """A password from the first line of standard input; a person at a terminal types it twice, unseen.

    Raises:
        InputRefused: there is none, or the two differ.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        return _typed_twice()
    line = b"" if sys.stdin is None else sys.stdin.buffer.readline(LINE_AT_MOST)
    line = line.removesuffix(b"\n").removesuffix(b"\r")
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
