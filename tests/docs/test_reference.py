"""The reference of settings, metrics and log events has what the code has."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = runpy.run_path(str(ROOT / "tools" / "make_reference.py"))


def test_the_reference_is_up_to_date() -> None:
    written = (ROOT / "docs" / "reference.md").read_text("utf-8")
    assert TOOL["reference"]() == written, "run python tools/make_reference.py"
