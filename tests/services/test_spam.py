"""Hosts whose referrals are not counted."""

import asyncio
import os
from pathlib import Path

import pytest

from tallystick.errors import InvalidSetting
from tallystick.services.ingest.spam import SpamReferrers


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spam.txt"


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("spam.example", True),
        ("www.spam.example", True),
        ("a.b.spam.example", True),
        ("notspam.example", False),
        ("example", False),
        ("wild.example", True),
        ("sub.wild.example", True),
        ("dotted.example", True),
        ("commented.example", True),
        ("hidden.example", False),
        ("localhost", True),
        ("app.localhost", True),
        ("", False),
    ],
)
def test_a_host(file: Path, host: str, *, known: bool) -> None:
    file.write_text(
        "\N{ZERO WIDTH NO-BREAK SPACE}# spam\nSpam.Example\n\n*.wild.example\n.dotted.example.\n"
        "commented.example # why\n#hidden.example\n",
        encoding="utf-8",
    )
    assert SpamReferrers([file]).knows(host) is known


def test_several_files_are_one_list(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for path in files:
        path.write_text(f"{path.name}.example\n")
    spam = SpamReferrers(files)
    assert spam.knows("a.example")
    assert spam.knows("b.example")


def test_a_changed_file_is_read_again(file: Path) -> None:
    file.write_text("old.example\n")
    spam = SpamReferrers([file])
    file.write_text("new.example\n")
    os.utime(file, (1, 1))
    assert spam.due(100)
    asyncio.run(spam.refresh(100))
    assert (spam.knows("old.example"), spam.knows("new.example")) == (False, True)
    assert not spam.due(100)
    assert spam.due(101)
    assert spam.due(50)


def test_while_a_file_cannot_be_read_the_old_list_stays(file: Path) -> None:
    file.write_text("spam.example\n")
    spam = SpamReferrers([file])
    file.unlink()
    asyncio.run(spam.refresh(100))
    assert spam.knows("spam.example")
    file.write_bytes(b"\xff\xfe\xff")
    asyncio.run(spam.refresh(200))
    assert spam.knows("spam.example")


def test_without_files_nothing_is_ever_due() -> None:
    assert not SpamReferrers().due(10**10)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff"])
def test_a_file_that_cannot_be_read_is_refused(file: Path, content: bytes | None) -> None:
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidSetting, match="--spam-referrers"):
        SpamReferrers([file])
