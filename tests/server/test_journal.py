"""Log lines for systemd's journal have their level in front."""

import json
import logging
import os
import re
from pathlib import Path
from typing import Literal

import pytest
import structlog

from tallystick.logs import configure_logs


def lines(log_format: Literal["text", "json"], file: Path, journal: str | None = None) -> list[str]:
    """What is written for one entry of each level, one of a library, and one with a traceback.

    Args:
        file: stands for standard error.
        journal: what systemd says of its journal; by default that it reads the file.
    """
    root = logging.getLogger()
    before, structured = (root.handlers[:], root.level), structlog.get_config()
    with file.open("w") as stream, pytest.MonkeyPatch.context() as changed:
        found = os.fstat(stream.fileno())
        changed.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}" if journal is None else journal)
        changed.setattr("sys.stderr", stream)
        try:
            configure_logs(log_format)
            write_one_of_each()
        finally:
            root.handlers[:], root.level = before
            structlog.configure(**structured)
    return file.read_text().splitlines()


def write_one_of_each() -> None:
    log = structlog.get_logger()
    log.info("all is well")
    log.warning("something is odd")
    log.error("something failed")
    logging.getLogger("library").warning("of a library")
    try:
        msg = "broken"
        raise ValueError(msg)  # noqa: TRY301  # a traceback is wanted
    except ValueError:
        log.exception("with a traceback")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_each_line_has_its_level(tmp_path: Path, log_format: Literal["text", "json"]) -> None:
    written = lines(log_format, tmp_path / "log")
    levels = [re.sub(r"^<(\d)>.*", r"\1", line) for line in written]
    assert levels[:5] == ["6", "4", "3", "4", "3"]
    # All lines of a traceback, or else the journal would take them for information.
    assert set(levels[5:]) <= {"3"}
    if log_format == "json":
        assert [json.loads(line[3:])["event"] for line in written][3:] == ["of a library", "with a traceback"]


@pytest.mark.parametrize("journal", ["1:1", ""])
def test_another_reader_gets_no_levels(tmp_path: Path, journal: str) -> None:
    written = lines("json", tmp_path / "log", journal)
    assert len(written) == 5
    assert all(line.startswith("{") for line in written)
