"""A command as a person sees it: on a terminal."""

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

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
    process = subprocess.Popen(
        [sys.executable, "-m", "tallystick", *map(str, arguments)],
        env=clean_environment(COLUMNS="100", TERM="xterm", NO_COLOR="1"),
        cwd=directory,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
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
    return process.wait(timeout=30), screen.decode()
