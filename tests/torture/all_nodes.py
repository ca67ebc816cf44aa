"""Three servers on one lake, and every fault in turn: ``make torture``. TORTURE_ROUNDS is how often each happens."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from torture.network import Way
from torture.nodes import (
    PHASES,
    Nodes,
    a_clock_is_wrong,
    a_node_is_killed,
    cut_off,
    frozen_for,
    postgresql_is_killed,
    replaced_by,
    reports_agree,
    reports_see_hits_of_others,
    some_nodes,
    the_mover_dies_while,
    the_mover_is_killed,
    under_load,
)

FAULTS: dict[str, Callable[[Nodes], None]] = {
    "a node is killed": a_node_is_killed,
    "the mover is killed": the_mover_is_killed,
    "PostgreSQL is killed": postgresql_is_killed,
    "the mover is frozen": frozen_for(30.0),
    "a clock is wrong": a_clock_is_wrong,
    "all are replaced": replaced_by(()),
} | {f"the mover dies: {phase}": the_mover_dies_while(phase) for phase in PHASES}


@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("fault", FAULTS)
def test_nodes(fault: str, tmp_path: Path) -> None:
    rounds = int(os.environ.get("TORTURE_ROUNDS", "3"))
    with some_nodes(tmp_path, int(os.environ["TORTURE_SEED"]), 3) as nodes:
        for _ in range(rounds):
            under_load(nodes, FAULTS[fault])
        reports_see_hits_of_others(nodes)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", [*Way, Way.BOTH], ids=["nothing comes in", "nothing goes out", "both"])
def test_nodes_that_do_not_reach_postgresql(way: Way, tmp_path: Path) -> None:
    with some_nodes(tmp_path, int(os.environ["TORTURE_SEED"]), 2, apart=True) as nodes:
        for the_mover in (True, False):
            under_load(nodes, cut_off(way, the_mover=the_mover))
            reports_agree(nodes)
        reports_see_hits_of_others(nodes)
