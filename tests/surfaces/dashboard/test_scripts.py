"""The scripts of the pages stay small."""

import gzip

from tallystick.surfaces.dashboard.support.static_files import BUNDLES, FILES

MOST_BYTES = 6 * 1024
"""Of all scripts together, compressed."""


def test_all_scripts_fit_the_budget() -> None:
    joined = BUNDLES["statistics.js"]
    sizes = {
        name: len(gzip.compress(file.content, 9, mtime=0))
        for name, file in FILES.items()
        if name.endswith(".js") and name not in joined
    }
    assert sum(sizes.values()) <= MOST_BYTES, sizes
