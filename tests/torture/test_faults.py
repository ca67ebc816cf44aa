"""The quick rows of the table of faults, once each."""

from pathlib import Path

import pytest

from torture.faults import FAULTS, Fault
from torture.running import run

SEED = 1
QUICK = [fault for fault in FAULTS if fault.quick]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", QUICK, ids=[fault.name.replace(" ", "-") for fault in QUICK])
def test_a_fault(fault: Fault, tmp_path: Path) -> None:
    run(fault, tmp_path, SEED)
