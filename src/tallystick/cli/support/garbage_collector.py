"""How often Python looks for cycles: requests and rows create few."""

import gc


def collect_rarely() -> None:
    """Collect after more objects than by default, and old ones yet more rarely."""
    gc.set_threshold(50_000, 20, 100)


def calm_garbage_collector() -> None:
    """The same, and never look at what is there now, which lives as long as the process."""
    gc.collect()
    gc.freeze()
    collect_rarely()
