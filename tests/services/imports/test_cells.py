"""Cells of a row of CSV, beside Python's own reading of it."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.services.imports.cells import cells_of

rows = st.lists(st.sampled_from(["a", "é", ",", '"', '""', "\n", " ", "\0", "b,c", '"d"']), max_size=12).map("".join)


def right(text: str) -> list[str] | None:
    """The cells of the first row; None if it is no CSV."""
    try:
        return next(csv.reader(io.StringIO(text, newline=""), strict=True), [])
    except csv.Error:
        return None


@given(text=rows, end=st.sampled_from(["", "\n", "\r\n"]))
def test_cells_are_those_of_one_row(text: str, end: str) -> None:
    wanted = right(text + end)
    if wanted is None:
        with pytest.raises(ValueError, match="it is not valid CSV"):
            cells_of(text + end)
    else:
        assert cells_of(text + end) == wanted


def test_a_row_that_is_no_csv_leaves_nothing_behind() -> None:
    for bad in ('"open,1\n', 'a"b"c,"d"e\n'):
        with pytest.raises(ValueError, match="it is not valid CSV"):
            cells_of(bad)
        assert cells_of("1,2\n") == ["1", "2"]
    assert cells_of("\n") == []


def test_rows_of_several_threads_do_not_mix() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda number: cells_of(f"{number},x\n"), range(5_000)))
    assert found == [[str(number), "x"] for number in range(5_000)]
