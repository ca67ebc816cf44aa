"""Commands forked from a process that has loaded their modules already, which else takes longer than most tests."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import NamedTuple, TextIO

from support.templates import Kept, keep_compiled_templates

PRELOADED = "support.preloaded"

_forks = get_context("forkserver")
_forks.set_forkserver_preload([PRELOADED])


class ForkedProcess:
    """``tallystick`` with arguments in a process of its own; as much of ``subprocess.Popen`` as tests need.

    Attributes:
        stdout: what it prints, standard error included.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], folder: str | Path) -> None:
        output, prints_to = _forks.Pipe(duplex=False)
        self._process = _forked(arguments, environment, folder, _Ends(None, prints_to, prints_to))
        prints_to.close()
        self.stdout: TextIO = os.fdopen(os.dup(output.fileno()), encoding="utf-8")
        output.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def forked_command(
    arguments: Sequence[str], environment: Mapping[str, str], folder: str | Path, timeout: float
) -> "subprocess.CompletedProcess[str]":
    """Run ``tallystick`` with arguments to its end, like ``subprocess.run`` with ``capture_output``.

    Args:
        timeout: seconds until it is killed.

    Raises:
        subprocess.TimeoutExpired: it has not ended.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
        prints_to, complains_to = (Connection(os.dup(file.fileno()), readable=False) for file in (out, err))
        process = _forked(arguments, environment, folder, _Ends(None, prints_to, complains_to))
        prints_to.close()
        complains_to.close()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired([*arguments], timeout)
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess([*arguments], process.exitcode, out.read(), err.read())


def forked_on_terminal(
    arguments: Sequence[str], environment: Mapping[str, str], folder: str | Path, terminal: int
) -> ForkServerProcess:
    """Run ``tallystick`` with arguments on a terminal; it has begun, and has the terminal open.

    Args:
        terminal: a descriptor of it, which is closed here.
    """
    end = Connection(terminal)
    process = _forked(arguments, environment, folder, _Ends(end, end, end))
    end.close()
    return process


class _Ends(NamedTuple):
    reads_from: Connection | None
    prints_to: Connection
    complains_to: Connection


class _Command(NamedTuple):
    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    ends: _Ends
    templates: Path | None


def _forked(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: str | Path,
    ends: _Ends,
) -> ForkServerProcess:
    command = _Command(arguments, dict(environment), str(folder), ends, Kept.folder)
    process = _forks.Process(target=_run, args=(command,), daemon=True)
    with _path_in_environment():
        process.start()
    return process


@contextmanager
def _path_in_environment() -> Iterator[None]:
    """The process that forks is started with the first fork, and does not get this one's path otherwise."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _run(command: _Command) -> None:
    assert PRELOADED in sys.modules  # what fails there is passed over in silence
    from tallystick.cli.main import main  # noqa: PLC0415  # loaded before the fork

    if command.templates:
        keep_compiled_templates(command.templates)
    for number, end in enumerate(command.ends):
        if end is not None:
            os.dup2(end.fileno(), number)
    for end in command.ends:
        if end is not None:
            end.close()
    if command.ends.reads_from is not None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # stays open
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # stays open
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(command.environment)
    os.chdir(command.folder)
    sys.argv = ["tallystick", *command.arguments]
    main()
