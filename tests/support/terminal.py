"""A command as a person sees it: on a terminal."""

import os
import pty
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from support.forked import forked_on_terminal
from support.server import clean_environment


def on_a_terminal(
    *arguments: str | Path, directory: Path, typed: str = "", answers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, str]:
    """Run ``tallystick`` on a terminal of 100 columns and type something; answers its exit code and the screen.

    Args:
        typed: at once.
        answers: question -> what is typed when the screen shows it, for questions that forget what was typed before.
    """
    ours, theirs = pty.openpty()
    environment = clean_environment(COLUMNS="100", TERM="xterm", NO_COLOR="1")
    process = forked_on_terminal([*map(str, arguments)], environment, directory, theirs)
    os.write(ours, typed.encode())
    screen, waiting = b"", dict(answers)
    try:
        while piece := os.read(ours, 65_536):
            screen += piece
            for question in [question for question in waiting if question.encode() in screen]:
                os.write(ours, waiting.pop(question).encode())
    except OSError:
        pass  # Linux tells the end of a terminal by an error
    finally:
        os.close(ours)
    process.join(30)
    assert process.exitcode is not None
    return process.exitcode, screen.decode()
