"""What ``tallystick doctor`` says in a container."""

import os
import tempfile
from pathlib import Path

import pytest

from support.commands import CommandLine
from tallystick.cli import doctor
from tallystick.cli.support import container
from tallystick.cli.support.container import Mount, mount_of

MOUNTS = """\
22 1 0:20 / / rw,relatime - overlay overlay rw,lowerdir=/l
23 22 0:21 / /proc rw - proc proc rw
24 22 8:1 /v/_data /srv/data rw shared:1 - ext4 /dev/sda1 rw
25 22 0:22 / /srv/in\\040memory rw - tmpfs tmpfs rw
26 22 0:23 / /srv/data/over rw - tmpfs tmpfs rw
27 22 8:2 / /srv/data/over rw - xfs /dev/sdb rw
"""


@pytest.fixture(autouse=True)
def a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)
    monkeypatch.setattr(container, "MOUNTS", tmp_path / "mounts")
    monkeypatch.setattr(container, "MARKS", (tmp_path / "mounts",))


def told(run: CommandLine, data: str, *options: str, **variables: str) -> list[tuple[str, str]]:
    ran = run("doctor", "--data", data, *options, variables=variables)
    lines = [line.split("\t") for line in ran.out.splitlines()]
    return [(status, rest[0]) for status, what, *rest in lines if what == "container"]


EVERYWHERE = ("--listen", "0.0.0.0:8080")
FOUND = {
    "/data": ("WARN", "/data is in the container and is lost with it: mount a volume there"),
    "/srv/data/new": ("OK", "/srv/data/new is a volume of this container"),
    "/srv/in memory": ("WARN", "/srv/in memory is in memory (tmpfs) and is lost at the end: mount a volume there"),
    "/srv/data/over": ("OK", "/srv/data/over is a volume of this container"),
}


@pytest.mark.parametrize(("data", "found"), FOUND.items())
def test_data_that_is_lost_with_the_container_is_a_warning(run: CommandLine, data: str, found: tuple[str, str]) -> None:
    assert told(run, data, *EVERYWHERE) == [found]


def test_an_address_that_no_other_container_reaches_is_a_warning(run: CommandLine) -> None:
    ((status, found),) = told(run, "/srv/data", "--listen", "127.0.0.1:8080,[::1]:8080")
    assert status == "WARN"
    assert found == (
        "it listens at 127.0.0.1:8080, [::1]:8080, which only this container reaches: TALLYSTICK_LISTEN=0.0.0.0:8080"
    )
    assert told(run, "/srv/data", "--listen", "unix:/run/http.sock")[0][0] == "OK"


def test_servers_on_a_lake_hold_nothing_once_they_are_given_their_key(run: CommandLine) -> None:
    options = (*EVERYWHERE, "--lake", "s3://hits/lake")
    assert told(run, "/data", *options) == [FOUND["/data"]]
    found = told(run, "/data", *options, TALLYSTICK_SECRET_KEY="a" * 43 + "=")
    assert found == [("OK", "/data has nothing that must outlive it")]


def test_kubernetes_is_seen_by_its_variable(run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MARKS", ())
    assert told(run, "/data", *EVERYWHERE) == []
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert len(told(run, "/data", *EVERYWHERE)) == 1


def test_the_mounts_of_this_machine_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MOUNTS", Path("/proc/self/mountinfo"))
    assert mount_of(Path("/proc/self")) == Mount(Path("/proc"), "proc")


def test_a_directory_of_another_user_says_how_to_give_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    found = doctor._data_directory(tmp_path)  # noqa: SLF001  # a test that runs as root can write anywhere
    user = os.geteuid()
    hint = f"{tmp_path} belongs to user {user}, this is user {user}: chown {user} {tmp_path}"
    assert found == ("FAIL", "data directory", f"{tmp_path} cannot be written: Permission denied; {hint}")
