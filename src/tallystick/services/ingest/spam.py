"""Referrer spam: hosts whose referrals are not counted, from files given by the operator."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog

from tallystick.errors import InvalidSetting

CHECKED_EVERY_S = 1
LARGEST_FILE = 50_000_000
BUILT_IN = frozenset(("localhost",))

Stamp = tuple[int, int]

log = structlog.get_logger()


class SpamReferrers:
    """The hosts of all files, and ``localhost``. Used from one event loop; the constructor blocks.

    A file has one host per line; ``#`` begins a comment. A host includes its subdomains.

    Raises:
        InvalidSetting: a file cannot be read.
    """

    def __init__(self, files: Sequence[Path] = ()) -> None:
        self._files = tuple(files)
        self._checked = 0
        try:
            self._stamps = self._stamps_now()
            self._hosts = self._read()
        except (OSError, ValueError) as error:
            msg = f"--spam-referrers accepts text files of hosts: {error}"
            raise InvalidSetting(msg) from error

    def knows(self, host: str) -> bool:
        """Whether a host (in lower case) or one of its parent domains is listed."""
        hosts = self._hosts
        while host:
            if host in hosts:
                return True
            host = host.partition(".")[2]
        return False

    def due(self, now: int) -> bool:
        """Whether the files should be checked for changes; ``now`` is Unix seconds."""
        return bool(self._files) and abs(now - self._checked) >= CHECKED_EVERY_S

    async def refresh(self, now: int) -> None:
        """Read the files again if one has changed. If one cannot be read, the previous hosts stay in use."""
        self._checked = now
        await asyncio.to_thread(self._refresh)

    def _refresh(self) -> None:
        try:
            stamps = self._stamps_now()
            if stamps != self._stamps:
                self._hosts, self._stamps = self._read(), stamps
                log.info("spam referrers were reloaded", hosts=len(self._hosts))
        except (OSError, ValueError) as error:
            log.warning("spam referrers could not be reloaded; the previous ones stay in use", reason=str(error))

    def _stamps_now(self) -> list[Stamp]:
        stats = [file.stat() for file in self._files]
        return [(stat.st_mtime_ns, stat.st_size) for stat in stats]

    def _read(self) -> frozenset[str]:
        return BUILT_IN.union(*map(_hosts_in, self._files))


def _hosts_in(file: Path) -> frozenset[str]:
    if file.stat().st_size > LARGEST_FILE:
        msg = f"{file} is larger than {LARGEST_FILE // 1_000_000} MB"
        raise ValueError(msg)
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8-sig").splitlines())
    return frozenset(line.lower().removeprefix("*").strip(".") for line in lines if line)
