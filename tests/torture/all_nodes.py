"""Three servers on one lake, and every fault in turn: ``make torture``.

TORTURE_ROUNDS is how often each happens, in turn on the same servers; after TORTURE_SECONDS no further round begins.
TORTURE_TABLE is a file to which each row of the result is appended.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.storages import ObjectStorage
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
    storage_is_away,
    the_mover_dies_while,
    the_mover_is_killed,
    under_load,
)

Fault = Callable[[Nodes], None]

FAULTS: dict[str, Fault] = {
    "a node is killed": a_node_is_killed,
    "the mover is killed": the_mover_is_killed,
    "PostgreSQL is killed": postgresql_is_killed,
    "the mover is frozen": frozen_for(10.0, 10.0, 30.0),
    "a clock is wrong": a_clock_is_wrong,
    "all are replaced": replaced_by(()),
} | {f"the mover dies: {phase}": the_mover_dies_while(phase) for phase in PHASES}
WAYS = {"nothing comes in": Way.IN, "nothing goes out": Way.OUT, "cut both ways": Way.BOTH}
ROUNDS = int(os.environ.get("TORTURE_ROUNDS", "3"))
SECONDS = float(os.environ.get("TORTURE_SECONDS", "2400"))


def rounds_of(name: str, nodes: Nodes, *faults: Fault) -> None:
    """Let faults happen by turns, judge after each, and write down what there was."""
    began, done = time.monotonic(), 0
    try:
        for number in range(ROUNDS):
            if time.monotonic() > began + SECONDS:
                break
            under_load(nodes, faults[number % len(faults)], clients=3)
            reports_agree(nodes)
            done += 1
        reports_see_hits_of_others(nodes)
        nodes.judge(all_of_it=True)
    except BaseException:
        nodes.write_logs()
        raise
    finally:
        if table := os.environ.get("TORTURE_TABLE"):
            acknowledged = sum(nodes.books.acknowledged.values())
            cells = (name, f"{done} of {ROUNDS}", f"{acknowledged:,}", f"{time.monotonic() - began:.0f} s")
            with Path(table).open("a") as file:
                file.write(f"| {' | '.join(cells)} |\n")


@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("fault", FAULTS)
def test_nodes(fault: str, tmp_path: Path) -> None:
    with some_nodes(tmp_path, int(os.environ["TORTURE_SEED"]), 3) as nodes:
        rounds_of(fault, nodes, FAULTS[fault])


@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("way", WAYS)
def test_nodes_that_do_not_reach_postgresql(way: str, tmp_path: Path) -> None:
    with some_nodes(tmp_path, int(os.environ["TORTURE_SEED"]), 2, apart=True) as nodes:
        rounds_of(way, nodes, *(cut_off(WAYS[way], seconds=16.0, the_mover=the_mover) for the_mover in (True, False)))


@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("how", ["refuses", "refuses the mover", "silent"])
def test_nodes_whose_storage(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ObjectStorage.started() as storage:
        for name, value in storage.environment().items():
            monkeypatch.setenv(name, value)
        with some_nodes(tmp_path, int(os.environ["TORTURE_SEED"]), 3, storage=storage) as nodes:
            rounds_of(f"object storage: {how}", nodes, storage_is_away(how))
