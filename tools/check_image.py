"""Carry out deploy/Dockerfile without Docker, and run what it makes as a container runs it.

Each stage gets a root directory of its own: this machine's Debian with this Python stands for the base image. RUN steps
are carried out there. Then the entry point runs as the image's user and as process 1, without privileges and without a
network, on a root directory that cannot be written. Needs root, for that.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
SHARED = ("bin", "sbin", "lib", "lib64", "usr")
"""Of the machine, read only."""

WRITABLE = ("dev", "etc", "opt", "proc", "root", "run", "tmp", "var/lib")
STARTS_WITHIN_S = 60.0
STOPS_WITHIN_S = 30.0
GUIDE = ROOT / "docs" / "running.md"


class Step(NamedTuple):
    """One instruction of a Dockerfile."""

    verb: str
    rest: str


class Stage(NamedTuple):
    """What stands between one FROM and the next."""

    name: str
    steps: list[Step]

    def environment(self) -> dict[str, str]:
        """What its ENV instructions set."""
        found: dict[str, str] = {}
        for step in self.steps:
            if step.verb == "ENV":
                found |= dict(word.split("=", 1) for word in shlex.split(step.rest))
        return found

    def last(self, verb: str) -> str:
        """What its last instruction of a kind says."""
        return [step.rest for step in self.steps if step.verb == verb][-1]


def stages(dockerfile: Path = DOCKERFILE) -> list[Stage]:
    """The stages of a Dockerfile, in their order."""
    lines = [line for line in dockerfile.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    found: list[Stage] = []
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        verb, _, rest = line.strip().partition(" ")
        if verb == "FROM":
            found.append(Stage(rest.partition(" AS ")[2], []))
        elif verb and found:
            found[-1].steps.append(Step(verb, rest.strip()))
    return found


def say(text: str) -> None:
    """Print the current step."""
    print(f"image: {text}", flush=True)


def expect(holds: bool, what: str, found: object = "") -> None:  # noqa: FBT001  # reads as a sentence
    """End this program if something does not hold.

    Args:
        found: what is there instead.
    """
    if not holds:
        sys.exit(f"image: FAILED: {what}: {found}")
    say(what)


class Machine:
    """A root directory and the steps that change it.

    Args:
        folder: a new one.
        others: those of earlier stages, by name.
        arguments: of ``--build-arg``.
    """

    def __init__(
        self, folder: Path, stage: Stage, others: Mapping[str, "Machine"], arguments: Mapping[str, str]
    ) -> None:
        folder.mkdir(parents=True)
        self.root, self._stage, self._others, self._given = folder, stage, others, arguments
        self._arguments: dict[str, str] = {}
        self.folder = Path("/")
        for name in (*WRITABLE, *SHARED):
            (folder / name).mkdir(parents=True, exist_ok=True)
        shutil.copytree("/etc", folder / "etc", symlinks=True, dirs_exist_ok=True)
        (folder / "tmp").chmod(0o1777)
        (folder / sys.base_prefix.lstrip("/")).mkdir(parents=True, exist_ok=True)
        self.environment = {"PATH": f"{sys.base_prefix}/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

    def carry_out(self) -> None:
        """All steps of the stage."""
        for step in self._stage.steps:
            match step.verb:
                case "ENV":
                    for word in shlex.split(step.rest):
                        name, _, value = word.partition("=")
                        self.environment[name] = value.replace("$PATH", self.environment["PATH"])
                case "ARG":
                    name, _, default = "".join(shlex.split(step.rest)).partition("=")
                    self._arguments[name] = self._given.get(name, default)
                case "WORKDIR":
                    self.folder = Path(step.rest)
                    self._inside(self.folder).mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(shlex.split(step.rest))
                case "RUN":
                    say(f"RUN {' '.join(step.rest.split())}")
                    self._run(step.rest)

    def _inside(self, path: Path) -> Path:
        return self.root / path.relative_to("/")

    def _copy(self, words: list[str]) -> None:
        source = ROOT
        if words[0].startswith("--from="):
            source = self._others[words.pop(0).partition("=")[2]].root
        *names, target = words
        for name in names:
            found = source / name.lstrip("/")
            place = self._inside(self.folder / target)
            if found.is_dir():
                ignored = shutil.ignore_patterns("__pycache__") if source == ROOT else None
                shutil.copytree(found, place, symlinks=True, ignore=ignored, dirs_exist_ok=True)
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, place)

    def _run(self, script: str) -> None:
        kept = {name: os.environ[name] for name in _OF_PACKAGES if name in os.environ}
        inside = f"cd {self.folder} && {script}"
        done = subprocess.run(
            _unshared(_mounts(self.root), ["chroot", str(self.root), "/bin/sh", "-euc", inside]),
            env=kept | {"HOME": "/root"} | self._arguments | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"image: the step failed:\n{done.stdout}{done.stderr}")

    @contextmanager
    def container(self, data: Path, command: Sequence[str] = ()) -> Iterator["subprocess.Popen[str]"]:
        """The entry point with its command, on a data volume.

        Args:
            data: what is mounted at the image's VOLUME.
            command: in place of both.
        """
        command = command or [*json.loads(self._stage.last("ENTRYPOINT")), *json.loads(self._stage.last("CMD"))]
        mounts = [
            *_mounts(self.root),
            f"mount --bind {data} {self._inside(Path(self._stage.last('VOLUME')))}",
            f"mount -t tmpfs tmpfs {self._inside(Path('/tmp'))}",  # noqa: S108
            f"mount -o remount,bind,ro {self.root}",
            "ip link set lo up",
        ]
        process = subprocess.Popen(
            _unshared(mounts, self._as_user(command), "--net"),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def beside(self, process: "subprocess.Popen[str]", command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        """A command in the container of a process, as ``docker exec`` runs it."""
        target = _only_child(process.pid)
        entered = ["nsenter", f"--target={target}", "--mount", "--net", "--pid", "--root"]
        inside = self._as_user(command)
        inside = inside[inside.index("setpriv") :]
        return subprocess.run(
            [*entered, *inside], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def _as_user(self, command: Sequence[str]) -> list[str]:
        user, group = self._stage.last("USER").split(":")
        bare = ["--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
        in_folder = ["env", f"--chdir={self.folder}", *command]
        return ["chroot", str(self.root), "setpriv", f"--reuid={user}", f"--regid={group}", *bare, *in_folder]


_OF_PACKAGES = ("PIP_CERT", "PIP_INDEX_URL", "SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")
"""Variables with which pip reaches packages on this machine."""


def _mounts(root: Path) -> list[str]:
    """What the base image has: Debian, and Python."""
    lines = [f"mount --rbind {root} {root}"]
    for name in SHARED:
        place = Path("/", name)
        if place.is_symlink():
            with suppress(OSError):
                (root / name).rmdir()
                (root / name).symlink_to(place.readlink())
        elif place.exists():
            lines.append(f"mount --rbind -o ro {place} {root / name}")
    if Path(sys.base_prefix).relative_to("/").parts[0] not in SHARED:
        # In its own place: it may load a library from there.
        lines.append(f"mount --rbind -o ro {sys.base_prefix} {root}{sys.base_prefix}")
    return [
        *lines,
        f"mount --rbind /dev {root}/dev",
        f"mount -t proc proc {root}/proc",
    ]


def _unshared(mounts: Sequence[str], command: Sequence[str], *more: str) -> list[str]:
    """A command in namespaces of its own, as process 1, after some mounts that end with it."""
    script = f"{' && '.join(mounts)} && exec {shlex.join(command)}"
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", *more, "sh", "-euc", script]


def _only_child(process: int) -> int:
    """Process 1 of a container, as seen from outside."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if found := Path(f"/proc/{process}/task/{process}/children").read_text().split():
            return int(found[0])
        time.sleep(0.01)
    sys.exit("image: FAILED: the container does not start")


def built(folder: Path, **arguments: str) -> Machine:
    """The image of the last stage."""
    say(f"building with {arguments or 'no build arguments'}")
    machines: dict[str, Machine] = {}
    for number, stage in enumerate(stages()):
        machine = machines[stage.name] = Machine(folder / str(number), stage, machines, arguments)
        machine.carry_out()
    return machine


def pins(*files: str) -> dict[str, str]:
    """The pinned version of each package; a later file decides."""
    lines = [line for file in files for line in (ROOT / file).read_text("utf-8").split()]
    return {line.partition("==")[0]: line for line in lines}


def check_packages(machine: Machine, versions: Mapping[str, str], image: str) -> None:
    """Exactly the pinned versions, nothing that only builds need, and the size that the guide says.

    Args:
        image: its name in the guide.
    """
    pinned = {_pin(*line.split("==")) for line in versions.values()}
    (packages,) = machine.root.glob("opt/tallystick/lib/python*/site-packages")
    there = {_pin(*path.name.removesuffix(".dist-info").split("-")) for path in packages.glob("*.dist-info")}
    ours = {each for each in there if each.startswith("tallystick==")}
    expect(len(ours) == 1, "Tallystick is installed")
    expect(there - ours <= pinned, "every package has the pinned version", sorted(there - ours - pinned))
    expect(not (packages / "pip").exists(), "pip is not in the image")
    expect(not (packages / "tallystick" / "__init__.py").is_symlink(), "the sources are copied")
    shut = [path for path in packages.rglob("*") if not path.stat().st_mode & 0o004]
    expect(shut == [], "every user can read the files", shut[:5])
    size = sum(path.lstat().st_size for path in (machine.root / "opt").rglob("*")) / 1_000_000
    told = float(re.findall(rf"(\d+) MB for `{image}`", GUIDE.read_text("utf-8"))[0])
    expect(abs(size - told) < told / 10, f"it adds {size:.0f} MB to its base; the guide says {told:.0f}")


def _pin(name: str, version: str) -> str:
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"


def check_container(machine: Machine, stage: Stage, data: Path) -> None:
    """It starts, becomes healthy, counts, ends cleanly, and has its counts after the next start."""
    health = json.loads(stage.last("HEALTHCHECK").partition("CMD ")[2])
    counted = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/hit/image/check').read().decode())"
    for value in (1, 2):
        with machine.container(data) as process:
            began = time.monotonic()
            while (told := machine.beside(process, health)).returncode:
                late = time.monotonic() - began > STARTS_WITHIN_S
                if late or process.poll() is not None:
                    process.kill()
                    sys.exit(f"image: it does not become healthy: {told.stderr}{process.communicate()[0]}")
            expect(told.stdout == "ready\n", f"it is healthy after {time.monotonic() - began:.1f} seconds")
            told = machine.beside(process, ["python", "-c", counted])
            expect(told.stdout == f'{{"value":{value}}}\n', f"hit {value} is counted", told)
            told = machine.beside(process, ["tallystick", "doctor"])
            expect(told.returncode == 0, "tallystick doctor finds no failure", told.stdout)
            told = machine.beside(process, ["touch", "/opt/tallystick/file"])
            expect("Read-only file system" in told.stderr, "its root directory cannot be written", told)
            os.kill(_only_child(process.pid), signal.SIGTERM)
            output, _ = process.communicate(timeout=STOPS_WITHIN_S)
            expect(process.returncode == 0, "SIGTERM ends it with exit code 0", output)
    user = int(stage.last("USER").partition(":")[0])
    written = {path.stat().st_uid for path in data.rglob("*")}
    expect(written == {user}, "its files belong to its user")


def check_extensions(machine: Machine, data: Path) -> None:
    """The extensions of DuckDB that ``--lake`` needs can be loaded, without a network."""
    load = "import duckdb; from tallystick.warehouse.lake import extensions as e; "
    load += "e.load_extensions(duckdb.connect(), (*e.LAKE, *e.OBJECT_STORAGE)); print('loaded')"
    with machine.container(data, ["python", "-c", load]) as process:
        output, _ = process.communicate(timeout=STARTS_WITHIN_S)
    expect(output == "loaded\n", "the extensions of --lake are in the image", output)


def volume(machine: Machine, folder: Path) -> Path:
    """A new one: it gets the owner and the mode of the directory of the image that it covers."""
    covered = machine.root / "var/lib/tallystick"
    shutil.copytree(covered, folder)
    os.chown(folder, covered.stat().st_uid, covered.stat().st_gid)
    return folder


def main() -> None:
    """Build, look, run."""
    if os.geteuid() and "CI" not in os.environ:
        say("skipped: the steps of a Dockerfile are carried out as root; continuous integration does it")
        return
    # Inside another container the kernel may refuse what makes one, also to root: no mistake of ours would show.
    probe = ["unshare", "--mount", "--pid", "--net", "--fork", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    if subprocess.run(probe, check=False).returncode:
        say("SKIPPED: this machine lets even root make no namespaces and mounts; the image is not checked here")
        return
    with TemporaryDirectory(prefix="tallystick-image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        machine, stage = built(folder / "one"), stages()[-1]
        check_packages(machine, pins("constraints.txt"), "tallystick")
        check_container(machine, stage, volume(machine, folder / "volume"))
        nodes = built(folder / "nodes", EXTRA="nodes")
        check_packages(nodes, pins("constraints.txt", "constraints-nodes.txt"), "tallystick:nodes")
        check_extensions(nodes, volume(nodes, folder / "volume-of-nodes"))
    say("complete")


if __name__ == "__main__":
    main()
