"""One burst of load from wrk, and what it measured."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from msgspec import Struct

TIMEOUT_S = 10
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BROWSER = {
    "Accept": "*/*",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "https://www.example.org/",
    "Connection": "keep-alive",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "cross-site",
}
"""What a browser sends with ``fetch``, besides Host, User-Agent and Origin."""
MISSING = "wrk is not installed. On Debian and Ubuntu: apt-get install wrk"

# wrk builds a request from the command line only once, so random keys need a script. Its cost is the load
# generator's, not the server's: whoever compares with other bursts compares with bursts of the same script.
_RANDOM_KEYS = """
local head = "GET %(path)s"
local tail = " HTTP/1.1\\r\\nHost: " .. "127.0.0.1" .. "\\r\\n\\r\\n"
math.randomseed(%(seed)d)
for _ = 1, 10 do math.random() end
function request()
  return head .. string.format("%%07d", math.random(0, %(keys)d - 1)) .. tail
end
"""
_REQUESTS = """
local requests = {}
for line in io.lines("%(file)s") do
  requests[#requests + 1] = "%(method)s " .. line:gsub("\\\\n", "\\r\\n")
end
math.randomseed(os.time())
function request() return requests[math.random(#requests)] end
"""
_REPORT = """
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\\n{"requests": %d, "microseconds": %d, "bad_statuses": %d, "lost": %d, "p50": %.0f, "p99": %.0f}\\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


class BadAnswers(Exception):
    """The server refused or dropped requests: such a burst measures nothing."""


class Load(Struct, frozen=True):
    """The requests of a burst.

    Attributes:
        path: of the request; with many keys it is followed by a number of seven digits.
        keys: how many numbers are drawn from, evenly; 1 asks for ``path`` itself.
        browser: whether ``path`` is requested with the headers of a browser.
    """

    path: str
    keys: int = 1
    browser: bool = False

    @property
    def name(self) -> str:
        """What is requested."""
        if self.keys > 1:
            return f"{self.keys:,} keys"
        return "1 key, a browser's headers" if self.browser else "1 key"

    def script(self, seed: int) -> str:
        """Return the Lua script for wrk; empty if it repeats one request."""
        if self.keys > 1:
            return _RANDOM_KEYS % {"path": self.path, "keys": self.keys, "seed": seed}
        headers = {"User-Agent": AGENT, "Origin": "https://www.example.org", **BROWSER} if self.browser else {}
        return "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in headers.items())


class Burst(Struct, frozen=True):
    """Results of wrk. Percentiles are microseconds."""

    requests: int
    microseconds: int
    bad_statuses: int
    lost: int
    p50: int
    p99: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.microseconds * 1e6


def require_wrk() -> None:
    """Exit with a clear message if wrk is missing."""
    if shutil.which("wrk") is None:
        raise SystemExit(MISSING)


def burst(url: str, load: Load, connections: int, seconds: int, seed: int = 1) -> Burst:
    """Send requests as fast as responses arrive, on a number of connections, from one thread.

    Raises:
        BadAnswers: an answer was no success, or a connection failed.
    """
    return scripted_burst(url + load.path, load.script(seed), connections, seconds)


def requests_script(file: Path, method: str, lines: Iterable[str]) -> str:
    """A script that draws from requests, evenly.

    Args:
        file: where they are kept for wrk.
        lines: a request each, without its method; a line's end is a backslash and an n.
    """
    file.write_text("\n".join(lines), "ascii")
    return _REQUESTS % {"file": file, "method": method}


def scripted_burst(url: str, script: str, connections: int, seconds: int) -> Burst:
    """Like ``burst``, of the requests that a Lua script makes.

    Raises:
        BadAnswers: an answer was no success, or a connection failed.
    """
    with TemporaryDirectory(prefix="tallystick-wrk-") as folder:
        file = Path(folder, "load.lua")
        file.write_text(script + _REPORT)
        arguments = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{TIMEOUT_S}s", "-s", str(file)]
        output = subprocess.run([*arguments, url], check=True, capture_output=True, text=True).stdout
    measured = msgspec.json.decode(output.strip().rsplit("\n", 1)[-1], type=Burst)
    if measured.bad_statuses or measured.lost or not measured.requests:
        msg = f"{url} on {connections} connections: {output}"
        raise BadAnswers(msg)
    return measured
