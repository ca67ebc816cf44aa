"""What servers and commands need before they can begin, loaded once: ``support.forked`` forks them from here.

Nothing here may start a thread or open a store: a fork has only the thread that forks, and shares the files.
"""

import gc
from importlib import import_module
from importlib.metadata import version
from pkgutil import walk_packages
from threading import active_count

import support.forked  # noqa: F401  # each fork begins there
import tallystick
import tallystick.app
import tallystick.cli.main
import tallystick.cli.serve
import tallystick.ledger.postgresql
from tallystick.services.ingest.ingest import Knowledge
from tallystick.surfaces.dashboard.support.language import Languages

# DuckDB 1 starts a thread of its own when it is imported.
if not version("duckdb").startswith("1."):
    for module in walk_packages(tallystick.__path__, "tallystick."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
Knowledge.load()
Languages.load()
assert active_count() == 1
# All of this stays to the end of each process: none has to look through it for garbage.
gc.collect()
gc.freeze()
