"""The command line, run inside the tests' process: most of a command's time is the start of a Python."""

import io
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from tallystick.cli.main import main


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    def succeeded(self) -> str:
        """What it printed; anything but success fails the test."""
        assert self.code == 0, self
        return self.out

    def refused(self, code: int = 1) -> str:
        """Why it refused: one line on standard error and nothing else."""
        assert (self.code, self.out) == (code, ""), self
        (line,) = self.err.splitlines()
        assert line.startswith("tallystick: "), line
        return line.removeprefix("tallystick: ")


class CommandLine:
    """Runs ``tallystick`` without a terminal; what it wrote is captured."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capture = monkeypatch, capture

    def __call__(
        self, *arguments: str | Path, stdin: bytes = b"", variables: Mapping[str, str] = MappingProxyType({})
    ) -> Ran:
        """Run a command to its end."""
        with self._monkeypatch.context() as patch:
            # A console that is made where COLUMNS is set keeps that width, for all tests that come after.
            for name in [name for name in os.environ if name.startswith("TALLYSTICK_") or name == "COLUMNS"]:
                patch.delenv(name)
            for name, value in variables.items():
                patch.setenv(name, value)
            patch.setattr("sys.argv", ["tallystick", *map(str, arguments)])
            # These would send the log lines of all later tests to this test's standard error.
            for command in ("serve", "demo"):
                patch.setattr(f"tallystick.cli.{command}.configure_logs", lambda _log_format: None)
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            code = _exit_code()
        return Ran(code, *self._capture.readouterr())


def _exit_code() -> int:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        main()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    finally:
        # Else the end of a whole test run looks like the failure of a later test: SystemExit 143.
        signal.signal(signal.SIGTERM, handler)
    return 0
