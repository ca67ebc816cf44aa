"""Every row of the table of faults, several times each: ``make torture``. The seed is TORTURE_SEED."""

import os
from pathlib import Path

import pytest

from torture.faults import FAULTS, Fault
from torture.running import run

ROUNDS = 3


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name.replace(" ", "-") for fault in FAULTS])
def test_a_fault(fault: Fault, tmp_path: Path) -> None:
    run(fault, tmp_path, int(os.environ["TORTURE_SEED"]), ROUNDS)
