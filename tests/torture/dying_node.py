"""Runs a node that kills itself in a phase of moving hits: ``dying_node.py PHASE PYTHON -m tallystick ...``."""

import os
import runpy
import signal
import sys
from typing import Any

from tallystick.warehouse.duckdb import rows
from tallystick.warehouse.lake import moves

PLACES: dict[str, tuple[Any, str, bool]] = {
    "numbered": (moves, "begin", False),
    "inserted": (rows, "insert", False),
    "committed": (moves, "end", True),
    "removed": (moves, "end", False),
    "taking over": (moves, "recover", True),
}
"""By phase: the function at which it dies, and whether before the function has done its work."""


def main() -> None:
    phase, _, _, module, *arguments = sys.argv[1:]
    place, name, before = PLACES[phase]
    real = getattr(place, name)

    def dying(*given: object) -> None:
        if not before:
            real(*given)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(place, name, dying)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
