"""Secrets are sealed with a key beside the data, or of the environment."""

import os
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path

import pytest

from tallystick.errors import DataDirectoryUnusable, InvalidSetting
from tallystick.services.accounts.seals import KEY_FILE, VARIABLE, Seals


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first = Seals.load(tmp_path, {})
    finally:
        os.umask(before)
    second = Seals.load(tmp_path, {})
    assert first
    assert second
    assert second.open(first.seal("a secret", "x"), "x") == "a secret"
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_no_key_is_made_by_who_only_looks(tmp_path: Path) -> None:
    assert Seals.load(tmp_path, {}, create=False) is None
    assert list(tmp_path.iterdir()) == []


def test_a_key_of_the_environment_is_taken_and_older_ones_still_open(tmp_path: Path) -> None:
    old, new = os.urandom(32), os.urandom(32)
    before = Seals.load(tmp_path, {VARIABLE: b64encode(old).decode()})
    after = Seals.load(tmp_path, {VARIABLE: f"{urlsafe_b64encode(new).decode()},{b64encode(old).decode()}"})
    assert before
    assert after
    assert after.open(before.seal("a secret", "x"), "x") == "a secret"
    assert before.open(after.seal("a secret", "x"), "x") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["x", "é", "c2hvcnQ=", ",", b64encode(bytes(33)).decode()])
def test_what_is_no_key_stops_the_start(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidSetting, match="TALLYSTICK_SECRET_KEY accepts 32 bytes in base64"):
        Seals.load(tmp_path, {VARIABLE: text})
    (tmp_path / KEY_FILE).write_text(text)
    with pytest.raises(DataDirectoryUnusable, match=r"secret\.key"):
        Seals.load(tmp_path, {})


def test_a_place_that_takes_no_key_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(DataDirectoryUnusable, match="cannot create"):
        Seals.load(tmp_path / "nowhere", {})


@pytest.mark.parametrize("sealed", ["", "x", "sealed:", "sealed:gAAAA"])
def test_what_was_not_sealed_is_not_opened(sealed: str) -> None:
    assert Seals.new().open(sealed, "x") is None
