"""How often Python looks for cycles: requests and rows create few."""

import gc


def collect_rarely() -> None:
    """Look for cycles after more new objects than by default, and among older objects still less often."""
    gc.set_threshold(50_000, 20, 100)


def calm_garbage_collector() -> None:
    """Collect rarely, and never what is there now, which lives as long as the server.

    Not for commands: at their end, objects of DuckDB that are never collected are reported as leaks on standard error.
    """
    gc.collect()
    gc.freeze()
    collect_rarely()
