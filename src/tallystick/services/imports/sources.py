"""Opens a file of hits in any of the formats that need no table: GoatCounter's, Tallystick's own, and logs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tallystick.services.imports import json_zip, parquet
from tallystick.services.imports.batches import ImportSource
from tallystick.services.imports.csv_v2 import csv_reader
from tallystick.services.imports.exclude_rules import DEFAULT, rules
from tallystick.services.imports.lines import LineFile
from tallystick.services.imports.logs import Layouts, log_reader
from tallystick.services.imports.marks import FileMark
from tallystick.services.imports.rows import RowFile
from tallystick.warehouse import parquet_row_count, seconds

FILE_FORMATS = ("csv", "json", "parquet")
"""Formats that are no log's."""


def source_of(  # noqa: PLR0913  # where to read, and how
    file: Path,
    form: str,
    *,
    until_by_mark: Mapping[FileMark, int | None],
    exclude: Sequence[str] = DEFAULT,
    layouts: Layouts = Layouts(),  # noqa: B008  # frozen
    growing: bool = False,
) -> ImportSource:
    """Open a file at the first line or row that has not been imported yet. Blocks.

    Args:
        form: one of ``FILE_FORMATS``, or a log's format.
        until_by_mark: where imports of such files ended, with the end of the batch that was being sent.
        exclude: rules that exclude lines of a log.
        growing: whether lines may be added.

    Raises:
        InputRefused: the file is not of its format.
    """
    marks, until = list(until_by_mark), list(until_by_mark.values())
    if form == "json":
        return RowFile(file, json_zip.visits(file, seconds), total=json_zip.visit_count(file), marks=marks)
    if form == "parquet":
        return RowFile(file, parquet.hits(file, seconds), total=parquet_row_count(file), marks=marks)
    if form == "csv":
        return LineFile(file, csv_reader(seconds), quoted=True, marks=marks, until=until)
    read = log_reader(form, layouts, rules(exclude), seconds)
    return LineFile(file, read, marks=marks, until=until, growing=growing)
