"""``tools/check_names.py`` finds class names that stand more than once."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DUPLICATES = runpy.run_path(str(ROOT / "tools" / "check_names.py"))["duplicates"]


def a_source(folder: Path, **files: str) -> Path:
    """A source folder; ``surfaces__one="..."`` is the file ``surfaces/one.py``."""
    for name, text in files.items():
        file = folder / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return folder


def test_names_of_their_own_are_no_duplicates(tmp_path: Path) -> None:
    assert not DUPLICATES(a_source(tmp_path, one="class A: ...\n", two="class B: ...\ndef A(): ...\n"))


def test_each_place_is_listed_with_its_line(tmp_path: Path) -> None:
    source = a_source(tmp_path, one="class A: ...\n", surfaces__two="\nclass B:\n    class A: ...\n")
    assert DUPLICATES(source) == {"A": ["one.py:1", "surfaces/two.py:3"]}


def test_the_clients_are_exempt(tmp_path: Path) -> None:
    assert not DUPLICATES(a_source(tmp_path, one="class A: ...\n", client__two="class A: ...\n"))
