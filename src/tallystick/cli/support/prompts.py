"""Questions to the person at the terminal, and passwords read from standard input."""

import sys
from collections.abc import Collection
from getpass import getpass
from typing import Annotated

from cyclopts import Parameter

from tallystick.errors import InputRefused

LINE_AT_MOST = 1_024
YES = frozenset({"y", "yes"})

Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=())]
"""The option that skips the question of ``confirm``."""


def confirm(question: str, refusal: str, *, yes: bool, names: Collection[str] = (), option: str = "--yes") -> None:
    """Ask before data is deleted or replaced. Only y, yes or one of ``names`` confirms.

    Without a terminal the answer is the first line of standard input, and an empty input declines: scripts give the
    option or the answer.

    Args:
        refusal: the error message without a confirmation.
        yes: whether the option was given.
        names: names of the object; typing one also confirms.
        option: the name of the option, for the message.

    Raises:
        InputRefused: not confirmed.
    """
    if yes:
        return
    answer = _answer(f"{question} [y/N] ")
    if answer is None:
        msg = f"{refusal}: there is no answer on standard input; add {option} to skip the question"
        raise InputRefused(msg)
    if answer.lower() not in YES and answer not in names:
        raise InputRefused(refusal)


def _answer(question: str) -> str | None:
    """One line from the terminal or standard input; None without one."""
    if sys.stdin is None:  # closed by the calling program
        return None
    if sys.stdin.isatty():
        try:
            return input(question).strip()
        except EOFError:
            print()
            return ""
    # On standard error, so that a person with an open pipe sees what the command waits for.
    print(question, file=sys.stderr, flush=True)
    line = sys.stdin.buffer.readline(LINE_AT_MOST)
    return line.decode("utf-8", "replace").strip() if line else None


def new_password() -> str:
    """A password: typed twice and hidden at a terminal, else the first line of standard input.

    Raises:
        InputRefused: there is no password, or the two differ.
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
        again = getpass("Repeat the password: ")
    except EOFError:
        msg = "no password was typed"
        raise InputRefused(msg) from None
    if password != again:
        msg = "the two passwords differ"
        raise InputRefused(msg)
    return password
