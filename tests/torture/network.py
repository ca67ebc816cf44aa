"""A network of its own for one process, whose link can be cut: what a machine that is gone looks like from here.

It has a second pair of addresses, which stays: clients reach a server there that is cut off from everything else.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Flag, auto
from typing import NamedTuple

NOBODY = "02:00:00:00:00:01"
"""A hardware address that no one has: what is sent there is lost without a word."""


class Way(Flag):
    """In which direction packets are lost."""

    IN = auto()
    OUT = auto()
    BOTH = IN | OUT


class Network(NamedTuple):
    """A namespace with one link to this machine.

    Attributes:
        name: of the namespace.
        link: our end.
        ours, theirs: the addresses of both ends.
        door: another address of its end, which ``loses`` leaves alone.
    """

    name: str
    link: str
    ours: str
    theirs: str
    door: str

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

    @contextmanager
    def loses(self, way: Way) -> Iterator[None]:
        """Packets between ``ours`` and ``theirs`` are lost, also in one direction alone, and neither end is told."""
        ends = {Way.OUT: (("-n", self.name), self.ours, "inside"), Way.IN: ((), self.theirs, self.link)}
        lost = [ends[each] for each in way]
        for where, address, link in lost:
            _ip(*where, "neighbour", "replace", address, "lladdr", NOBODY, "dev", link, "nud", "permanent")
        try:
            yield
        finally:
            for where, address, link in lost:
                _ip(*where, "neighbour", "delete", address, "dev", link)

    @classmethod
    def is_allowed(cls) -> bool:
        """Whether this process may make one."""
        try:
            with cls.made(place=3):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False

    @classmethod
    @contextmanager
    def made(cls, place: int = 0) -> Iterator["Network"]:
        """A network until the end; takes root.

        Args:
            place: another one for each network that a process has at the same time, below 4.
        """
        number = (os.getpid() * 4 + place) % 16_000
        first, second = divmod(number * 8, 256)
        block = f"10.{192 + first // 256}.{first % 256}"
        addresses = [f"{block}.{second + host}" for host in (1, 2, 6)]
        network = cls(f"torture-{number}", f"tt{number}", *addresses)
        entrance = f"{block}.{second + 5}"
        _ip("netns", "add", network.name)
        try:
            _ip("link", "add", network.link, "type", "veth", "peer", "name", "inside", "netns", network.name)
            for address in (network.ours, entrance):
                _ip("address", "add", f"{address}/30", "dev", network.link)
            _ip("link", "set", network.link, "up")
            for arguments in (
                ("address", "add", f"{network.theirs}/30", "dev", "inside"),
                ("address", "add", f"{network.door}/30", "dev", "inside"),
                ("link", "set", "inside", "up"),
                ("link", "set", "lo", "up"),
            ):
                _ip("-n", network.name, *arguments)
            yield network
        finally:
            _ip("netns", "delete", network.name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, stderr=subprocess.PIPE)
