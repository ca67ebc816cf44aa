"""Two servers on one lake under load, while nodes, the mover and PostgreSQL are killed or frozen.

``make torture`` runs all faults, several times each.
"""

from pathlib import Path

import pytest

from torture.nodes import (
    frozen_for,
    postgresql_is_killed,
    reports_see_hits_of_others,
    some_nodes,
    the_mover_is_killed,
    under_load,
)


@pytest.mark.timeout(240)
def test_two_nodes_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    with some_nodes(tmp_path, seed=1, number=2) as nodes:
        reports_see_hits_of_others(nodes)
        under_load(nodes, postgresql_is_killed)
        under_load(nodes, frozen_for(9.0))
        under_load(nodes, the_mover_is_killed)
        reports_see_hits_of_others(nodes)
