"""A network of its own for one process, whose link can be cut: what a machine that is gone looks like from here."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Network(NamedTuple):
    """A namespace with one link to this machine.

    Attributes:
        name: of the namespace.
        link: our end.
        ours, theirs: the addresses of both ends.
    """

    name: str
    link: str
    ours: str
    theirs: str

    @property
    def through(self) -> tuple[str, ...]:
        """The command that runs another one in there."""
        return ("ip", "netns", "exec", self.name)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Nothing comes through, and neither end is told."""
        _ip("link", "set", self.link, "down")
        try:
            yield
        finally:
            _ip("link", "set", self.link, "up")

    @classmethod
    @contextmanager
    def made(cls) -> Iterator["Network"]:
        """A network until the end; takes root."""
        number = os.getpid() % 16_000
        first, second = divmod(number * 4, 256)
        network = cls(
            f"torture-{number}",
            f"tt{number}",
            f"10.{192 + first // 256}.{first % 256}.{second + 1}",
            f"10.{192 + first // 256}.{first % 256}.{second + 2}",
        )
        _ip("netns", "add", network.name)
        try:
            _ip("link", "add", network.link, "type", "veth", "peer", "name", "inside", "netns", network.name)
            _ip("address", "add", f"{network.ours}/30", "dev", network.link)
            _ip("link", "set", network.link, "up")
            for arguments in (
                ("address", "add", f"{network.theirs}/30", "dev", "inside"),
                ("link", "set", "inside", "up"),
                ("link", "set", "lo", "up"),
            ):
                _ip("-n", network.name, *arguments)
            yield network
        finally:
            _ip("netns", "delete", network.name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
