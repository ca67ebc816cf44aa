"""Measure the time of a disk sync: the lower bound of a durable response."""

import os
import time
from pathlib import Path
from statistics import median

BLOCK = bytes(4096)


def flush_microseconds(folder: Path, times: int = 100) -> float:
    """The median of writing 4 KB at the end of a file and syncing it with ``fdatasync``."""
    file = os.open(folder / "flush", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        return median(_flush(file) for _ in range(times)) * 1e6
    finally:
        os.close(file)


def _flush(file: int) -> float:
    started = time.perf_counter()
    os.write(file, BLOCK)
    os.fdatasync(file)
    return time.perf_counter() - started
