"""Any text is a size; its leading number is the width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.screen import MOST_WIDTH, width_of


@pytest.mark.parametrize(
    ("size", "width"),
    [
        ("", 0),
        ("1920", 1920),
        ("1920,1080,1", 1920),
        ("1920,1080,1.25", 1920),
        ("1920,1080,1.100000023841858", 1920),
        ("1539,866,1.0399999618530273", 1539),
        ("1745.4545454545455,982,1", 1745),
        ("1920,", 1920),
        ("1920,,", 1920),
        (" 1920", 1920),
        ("1920 , 1080 , 1", 1920),
        ("1920,1080,1,1", 1920),
        ("1920,-1,nonsense", 1920),
        ("1920,1080,NaN", 1920),
        ("1920.", 1920),
        ("+1920", 1920),
        ("0", 0),
        ("-1", 0),
        ("-1920,1080,1", 0),
        (",1080,1", 0),
        ("NaN", 0),
        ("undefined,undefined,1", 0),
        ("wide", 0),
        ("2147483647", MOST_WIDTH),
        ("2147483648", 0),
        ("9" * 5_000, 0),
        ("1e300", 0),
        ("1.5e+300", 0),
        ("1920x1080", 1920),
    ],
)
def test_a_size(size: str, width: int) -> None:
    assert width_of(size) == width


@given(st.text())
def test_any_text_has_a_width(size: str) -> None:
    assert 0 <= width_of(size) <= MOST_WIDTH


@given(st.integers(0, MOST_WIDTH), st.text())
def test_what_follows_the_width_changes_nothing(width: int, more: str) -> None:
    assert width_of(f"{width},{more}") == width
