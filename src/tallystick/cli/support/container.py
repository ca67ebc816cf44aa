"""What ``tallystick doctor`` says in a container."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tallystick.server.listening import Listen
from tallystick.services.accounts.seals import VARIABLE as KEY_VARIABLE
from tallystick.settings import Settings

MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""Files that Docker and Podman put into containers."""

OF_KUBERNETES = "KUBERNETES_SERVICE_HOST"
MOUNTS = Path("/proc/self/mountinfo")
IN_MEMORY = {"tmpfs", "ramfs"}
LOOPBACK = ("127.", "::1")


class Mount(NamedTuple):
    """A mounted file system: its place and its type."""

    place: Path
    kind: str


def in_container(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process runs in a container of Docker, Podman or Kubernetes."""
    return OF_KUBERNETES in environment or any(mark.exists() for mark in MARKS)


def problems_of_container(settings: Settings) -> Iterator[str]:
    """What is probably not meant, each with what to do."""
    mount = mount_of(settings.data.resolve())
    if keeps_data(settings) and mount.place == Path("/"):
        yield f"{settings.data} is in the container and is lost with it: mount a volume there"
    elif keeps_data(settings) and mount.kind in IN_MEMORY:
        yield f"{settings.data} is in memory ({mount.kind}) and is lost at the end: mount a volume there"
    if all(isinstance(each, Listen) and each.host.startswith(LOOPBACK) for each in settings.listen):
        where = ", ".join(map(str, settings.listen))
        yield f"it listens at {where}, which only this container reaches: TALLYSTICK_LISTEN=0.0.0.0:8080"


def keeps_data(settings: Settings) -> bool:
    """Whether the data directory has something that is needed after the container: not with a lake and a key."""
    return settings.lake is None or not os.environ.get(KEY_VARIABLE)


def mount_of(path: Path) -> Mount:
    """The file system that has a path."""
    mounts = [_mount(line.split(" ")) for line in MOUNTS.read_text("utf-8").splitlines()]
    # The last of several at one place covers the others.
    over = [mount for mount in mounts if path.is_relative_to(mount.place)]
    return max(reversed(over), key=lambda mount: len(mount.place.parts))


def _mount(fields: list[str]) -> Mount:
    """A line of mountinfo; see proc_pid_mountinfo(5)."""
    place = fields[4].replace("\\040", " ")
    return Mount(Path(place), fields[fields.index("-") + 1])
