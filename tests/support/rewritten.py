"""Asserts of test modules are rewritten once, not by each of the processes that share out the tests.

Each process collects all tests, and on a fresh checkout all would rewrite the same modules at the same time, which
takes longer than all else that they do until the first test.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

# pytest has no public way to rewrite a module that is not imported.
from _pytest.assertion import rewrite

NAMES = ("test_*.py", "conftest.py")


def rewrite_a_share(config: pytest.Config) -> None:
    """Rewrite the modules that are this process's share of those that all are about to collect."""
    worker = getattr(config, "workerinput", None)
    if worker is None or sys.dont_write_bytecode:
        return
    number = int(worker["workerid"].removeprefix("gw"))
    for file in modules(Path(argument.partition("::")[0]) for argument in config.args)[number :: worker["workercount"]]:
        _rewrite(file, config)


def modules(places: Iterable[Path]) -> list[Path]:
    """The modules that are collected from files and folders, in the same order in every process."""
    found = {file for place in places if place.is_dir() for name in NAMES for file in place.rglob(name)}
    return sorted(file.absolute() for file in found)


def _rewrite(file: Path, config: pytest.Config) -> None:
    folder = rewrite.get_cache_dir(file)
    kept = folder / f"{file.stem}{rewrite.PYC_TAIL}"
    if rewrite._read_pyc(file, kept) is not None:  # noqa: SLF001
        return
    folder.mkdir(exist_ok=True)
    source_hash, code = rewrite._rewrite_test(file, config)  # noqa: SLF001
    rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, source_hash, kept)  # noqa: SLF001
