"""Build wheel and sdist twice, install the wheel in a clean environment and run it from another folder.

Two builds must have the same bytes. They are left in ``build/release``, with the SBOM of the environment.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from make_sbom import DOCUMENT, install, licences, problems, versions_pinned, write_sbom

ROOT = Path(__file__).resolve().parent.parent
STARTS_WITHIN_S = 60.0
STOPS_WITHIN_S = 30.0
RELEASE = ROOT / "build" / "release"
IN_SDIST = ("src", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "pyproject.toml", ".gitignore")
ELSEWHERE = {"LC_ALL": "C", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"}
"""The settings of the second build."""
PAGES = ("/", "/docs", "/openapi.json", "/health/ready", "/metrics")


def say(text: str) -> None:
    """Print the current step."""
    print(f"wheel: {text}", flush=True)


def run(*command: str | Path, cwd: Path, umask: int = -1, **variables: str) -> str:
    """Run a command to its end. Its failure ends this program."""
    finished = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=_environment() | variables,
        umask=umask,
        text=True,
        capture_output=True,
        check=False,
    )
    if finished.returncode:
        sys.exit(f"wheel: {' '.join(map(str, command))} failed:\n{finished.stdout}{finished.stderr}")
    return finished.stdout


def built(folder: Path) -> tuple[Path, Path]:
    """The wheel and the sdist of this checkout; another build of other circumstances has the same bytes."""
    epoch = last_commit_time()
    builds = (folder / "build", folder / "another build")
    # The first build gets what `build-system` demands, the second one has it in this environment.
    constraints = str(ROOT / "constraints.txt")
    variables = {"SOURCE_DATE_EPOCH": epoch, "PIP_CONSTRAINT": constraints}
    run(sys.executable, "-m", "build", "--outdir", builds[0], ROOT, cwd=folder, **variables)
    copy = copied(folder / "another place")
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", builds[1], copy)
    run(*command, cwd=folder, umask=0o077, SOURCE_DATE_EPOCH=epoch, **ELSEWHERE)
    names = sorted(file.name for file in builds[0].iterdir())
    for name in names:
        same = (builds[0] / name).read_bytes() == (builds[1] / name).read_bytes()
        _expect(same, f"{name} has the same bytes from another folder, umask, locale and time")
    wheel, sdist = (builds[0] / next(name for name in names if name.endswith(end)) for end in (".whl", ".tar.gz"))
    return wheel, sdist


def last_commit_time() -> str:
    """The time that the files of a release bear, Unix seconds: builds of one commit have the same."""
    return run("git", "log", "-1", "--format=%ct", cwd=ROOT).strip()


def sources(*places: str) -> set[str]:
    """The files of this checkout that git does not ignore, relative to its root."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *places, cwd=ROOT)
    return {name for name in listed.split("\0") if name and (ROOT / name).exists()}


def copied(folder: Path) -> Path:
    """A copy of the sources as a checkout elsewhere has them: with other times and rights."""
    for name in sources():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, file)
        file.chmod(0o600)
    return folder


def check_contents(wheel: Path, sdist: Path) -> None:
    """Nothing is missing, and nothing is there that git does not have."""
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    _expect_same(
        inside, sources(*IN_SDIST) | {"PKG-INFO"}, "the sdist has the sources of the package, and no other files"
    )
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {name.removeprefix("src/") for name in sources("src")}
    _expect_same(packed, expected, "the wheel has the files of src/tallystick, and no others")


def _expect_same(found: set[str], expected: set[str], what: str) -> None:
    if different := sorted(found ^ expected):
        sys.exit(f"wheel: FAILED: {what}; these differ: {', '.join(different)}")
    say(what)


def installed(wheel: Path, folder: Path) -> Path:
    """The command of a clean environment that holds nothing but the wheel and what it needs."""
    venv.create(folder)
    install(folder / "bin" / "python", wheel)
    return folder / "bin" / "tallystick"


def check_sbom(python: Path) -> None:
    """The SBOM is valid, every component is pinned, and has a licence that the document lists."""
    bill = write_sbom(python, RELEASE / "tallystick.cdx.json", last_commit_time())
    for problem in problems(bill, versions_pinned()):
        _expect(holds=False, what=problem)
    listed = dict(re.findall(r"^\| ([a-z0-9-]+) \| (.+) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE))
    found = {name: licence for name, licence in licences(bill).items() if name != "tallystick"}
    missing = sorted(name for name, licence in found.items() if listed.get(name) != licence)
    _expect(not missing, f"docs/dependencies.md lists the licence of all {len(found)} packages {missing or ''}".strip())


@contextmanager
def serving(command: Path, folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """The server on a free port, and its address."""
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            [command, "serve", "--listen", "127.0.0.1:0"], cwd=folder, env=_environment(), stdout=output, stderr=output
        )
    try:
        yield process, _address(process, folder / "output.txt")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _address(process: "subprocess.Popen[bytes]", output: Path) -> str:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"at (http://\S+)", output.read_text("utf-8")):
            return found[1]
        time.sleep(0.05)
    sys.exit(f"wheel: the server did not start:\n{output.read_text('utf-8')}")


def check_server(command: Path, folder: Path) -> None:
    """Every page that needs a file from the wheel, one count, and a clean end."""
    with serving(command, folder) as (process, url):
        _wait_until_it_answers(url)
        assets = {asset for page in PAGES for asset in _ASSET.findall(_fetch(url, page))}
        _expect(bool(assets), "the pages name their style sheets and scripts")
        for asset in sorted(assets):
            _fetch(url, asset)
        for value in (1, 2):
            _expect(httpx.get(f"{url}/hit/wheel/check").json() == {"value": value}, f"hit {value} is counted")
        process.send_signal(signal.SIGTERM)
        _expect(process.wait(timeout=STOPS_WITHIN_S) == 0, "SIGTERM ends it with exit code 0")
    _expect((folder / "tallystick-data" / "ledger.sqlite3").is_file(), "the data lie in the working directory")


def _wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            httpx.get(f"{url}/health/live")
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


_ASSET = re.compile(r'(?:href|src)="(/static/[^"]+)"')


def _fetch(url: str, path: str) -> str:
    answer = httpx.get(url + path)
    _expect(answer.status_code == HTTPStatus.OK and bool(answer.content), f"{path} answers")
    return answer.text


def _expect(holds: bool, what: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not holds:
        sys.exit(f"wheel: FAILED: {what}")
    say(what)


def _environment() -> dict[str, str]:
    """Without this environment's packages and settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TALLYSTICK_"))}


def main() -> None:
    """Build, install, run."""
    with TemporaryDirectory(prefix="tallystick-wheel-") as name:
        folder = Path(name)
        say("building twice")
        wheel, sdist = built(folder)
        check_contents(wheel, sdist)
        shutil.rmtree(RELEASE, ignore_errors=True)
        RELEASE.mkdir(parents=True)
        for file in (wheel, sdist):
            shutil.copyfile(file, RELEASE / file.name)
        say(f"installing {wheel.name} in a clean environment")
        command = installed(wheel, folder / "venv")
        check_sbom(folder / "venv" / "bin" / "python")
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        _expect("serve" in run(command, "--help", cwd=elsewhere), "--help tells about serve")
        _expect(run(command, "--version", cwd=elsewhere).startswith("tallystick "), "--version tells the version")
        check_server(command, elsewhere)
    say(f"complete; wheel, sdist and SBOM are in {RELEASE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
