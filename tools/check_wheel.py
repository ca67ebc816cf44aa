"""Build the wheel, install it in a clean environment and run it from another folder: is it complete?"""

import os
import re
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

ROOT = Path(__file__).resolve().parent.parent
STARTS_WITHIN_S = 60.0
STOPS_WITHIN_S = 30.0
PAGES = ("/", "/docs", "/openapi.json", "/health/ready", "/metrics")


def say(text: str) -> None:
    """Print the current step."""
    print(f"wheel: {text}", flush=True)


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command to its end. Its failure ends this program."""
    finished = subprocess.run(
        [*map(str, command)], cwd=cwd, env=_environment(), text=True, capture_output=True, check=False
    )
    if finished.returncode:
        sys.exit(f"wheel: {' '.join(map(str, command))} failed:\n{finished.stdout}{finished.stderr}")
    return finished.stdout


def built_wheel(folder: Path) -> Path:
    """The wheel of this checkout."""
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def installed(wheel: Path, folder: Path) -> Path:
    """The command of a clean environment that holds nothing but the wheel and what it needs."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    options = ("--quiet", "--disable-pip-version-check", "--constraint", ROOT / "constraints.txt")
    run(python, "-m", "pip", "install", *options, wheel, cwd=folder)
    return folder / "bin" / "tallystick"


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
        say("building")
        wheel = built_wheel(folder)
        say(f"installing {wheel.name} in a clean environment")
        command = installed(wheel, folder / "venv")
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        _expect("serve" in run(command, "--help", cwd=elsewhere), "--help tells about serve")
        _expect(run(command, "--version", cwd=elsewhere).startswith("tallystick "), "--version tells the version")
        check_server(command, elsewhere)
    say("complete")


if __name__ == "__main__":
    main()
