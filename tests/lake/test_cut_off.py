"""Two servers, each in a network of its own, and the mover's link to PostgreSQL is cut under load.

``make torture`` cuts each server's, also in one direction alone.
"""

from pathlib import Path

import pytest

from torture.network import Network, Way
from torture.nodes import cut_off, reports_agree, reports_see_hits_of_others, some_nodes, under_load


@pytest.mark.skipif(not Network.is_allowed(), reason="takes root, and network namespaces")
@pytest.mark.timeout(240)
def test_the_mover_is_cut_off_and_comes_back(tmp_path: Path) -> None:
    with some_nodes(tmp_path, seed=1, number=2, apart=True) as nodes:
        under_load(nodes, cut_off(Way.BOTH, seconds=16.0), clients=2)
        reports_agree(nodes)
        reports_see_hits_of_others(nodes, hits=2)
