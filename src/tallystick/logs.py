"""Structured logs on standard error. Addresses, User-Agents and query strings are never logged."""

import logging
import os
import sys
from contextlib import suppress
from typing import Literal, TextIO, cast

import structlog

JOURNAL = "JOURNAL_STREAM"
"""Device and inode of the journal's stream, set by systemd; see systemd.exec(5)."""

PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "exception": 3, "critical": 2}
"""Of syslog, by level."""


class LossyStream:
    """A text stream that drops what it cannot write: a full disk or a closed pipe must not stop the server."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text; drop it on an error."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush; ignore errors."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def goes_to_journal(stream: TextIO) -> bool:
    """Whether systemd has connected a stream to its journal."""
    with suppress(OSError, ValueError):
        found = os.fstat(stream.fileno())
        return os.environ.get(JOURNAL) == f"{found.st_dev}:{found.st_ino}"
    return False


def with_priority(_logger: object, level: str, rendered: object) -> str:
    """Put the level before each line as ``<N>``, as the journal expects it: ``journalctl --priority warning``."""
    prefix = f"<{PRIORITIES.get(level, PRIORITIES['info'])}>"
    return "\n".join(f"{prefix}{each}" for each in str(rendered).split("\n"))


def configure_logs(log_format: Literal["text", "json"]) -> None:
    """Send all log lines, including those of libraries, to standard error in one format."""
    stream = LossyStream(sys.stderr)
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    last: list[structlog.types.Processor] = [renderer]
    if goes_to_journal(sys.stderr):
        last.append(with_priority)
    shared: list[structlog.types.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if log_format == "json":
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", stream)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
