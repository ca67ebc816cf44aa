"""GoatCounter's JSON export: a count is as many visits, as long as it is plausible."""

import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tallystick.errors import InputRefused
from tallystick.services.imports import bounds, json_zip
from tallystick.services.imports.json_zip import KINDS, NAMES
from tallystick.services.ingest.ingest import Arrival

NOW = 1_800_000_000
DAY = "2026-03-08"


def an_export(file: Path, hits: list[dict[str, Any]], known: int = 0, **members: bytes) -> Path:
    """An export of path 1.

    Args:
        known: visits in each other kind of statistic, on the day.
        members: in place of files, or beside them.
    """
    other = {"browser_id": 1, "system_id": 1, "location": "NL", "width": 800, "language": "nl"}
    counted = {"path_id": 1, "day": DAY, "count": known}
    lines: dict[str, list[dict[str, Any]]] = {
        **{name: [] for name in NAMES},
        "paths": [{"id": 1, "path": "/a", "title": "A"}],
        "refs": [{"id": 1, "ref": "", "ref_scheme": "o"}],
        "browsers": [{"id": 1, "name": "Firefox", "version": "140"}],
        "systems": [{"id": 1, "name": "Linux"}],
        **{
            kind: [{**counted, key: value}] if known else []
            for kind, (key, value) in zip(KINDS, other.items(), strict=True)
        },
        "hit_stats": [{"hour": f"{DAY}T10:00:00Z", "path_id": 1, "ref_id": 1, **hit} for hit in hits],
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export/info.json", msgspec.json.encode({"export_version": "1.0"}))
        for name, rows in lines.items():
            archive.writestr(f"export/{name}.jsonl", members.get(name, msgspec.json.Encoder().encode_lines(rows)))
    return file


def imported(file: Path) -> tuple[list[Arrival], list[str]]:
    rows = list(json_zip.visits(file, lambda: NOW))
    return [row for row in rows if isinstance(row, Arrival)], [row for row in rows if isinstance(row, str)]


@pytest.mark.parametrize(("count", "known"), [(1, 1), (3, 3), (3, 1), (900, 1), (9_000, 1_000), (50_000, 0)])
def test_a_count_is_as_many_visits(tmp_path: Path, count: int, known: int) -> None:
    file = an_export(tmp_path / "export.zip", [{"count": count}], known)
    hits, bad = imported(file)
    assert (len(hits), bad, json_zip.visit_count(file)) == (count, [], count)
    assert Counter(hit.browser for hit in hits)["Firefox", "140"] == min(count, known)


@pytest.mark.parametrize(
    ("count", "known", "reason"),
    [
        (100_000_000, 0, "hit_stats: 100,000,000 visits of path 1, more than 1,000,000 in one line"),
        (100_000_000, 3, "hit_stats: 100,000,000 visits of path 1, more than 1,000,000 in one line"),
        (900_000, 3, "hit_stats: 900,000 visits of path 1; other statistics have 3 that day"),
        (10_001, 1_000, "hit_stats: 10,001 visits of path 1; other statistics have 1,000 that day"),
        (0, 3, "hit_stats: an invalid count of path 1"),
        (-5, 3, "hit_stats: an invalid count of path 1"),
    ],
)
def test_a_count_that_is_not_plausible_is_told_and_left_out(
    tmp_path: Path, count: int, known: int, reason: str
) -> None:
    hits, bad = imported(an_export(tmp_path / "export.zip", [{"count": 2}, {"count": count}, {"count": 1}], known))
    assert (len(hits), bad) == (3, [reason])


def test_many_plausible_counts_are_bounded_in_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_zip, "MOST_VISITS", 2_000_000)
    hits = [{"count": 1_000_000, "hour": f"{DAY}T{hour:02}:00:00Z"} for hour in range(3)]
    with pytest.raises(InputRefused, match="has 3,000,000 visits; at most 2,000,000 can be imported"):
        json_zip.visit_count(an_export(tmp_path / "export.zip", hits))


@pytest.mark.parametrize(
    ("limit", "reason"), [("MOST_LINES_A_DAY", "lines or more for one day"), ("MOST_BYTES_OF_NAMES", "is larger than")]
)
def test_what_is_held_in_memory_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, reason: str
) -> None:
    monkeypatch.setattr(json_zip, limit, 3)
    with pytest.raises(InputRefused, match=reason):
        imported(an_export(tmp_path / "export.zip", [{"count": 1}] * 4))


def test_a_small_export_is_not_much_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = an_export(tmp_path / "export.zip", [{"count": 1}], paths=b'{"id":1,"path":"/a"}' + b"\n" * 5_000)
    assert len(imported(export)[0]) == 1
    monkeypatch.setattr(bounds, "MOST_EMPTY", 4_000)
    with pytest.raises(InputRefused, match="paths has more than 4,000 empty lines in a row"):
        imported(export)
    monkeypatch.setattr(bounds, "PLAUSIBLE_SIZE", 100)
    monkeypatch.setattr(bounds, "PLAUSIBLE_FACTOR", 2)
    with pytest.raises(InputRefused, match="hit_stats becomes more than 2 times its size"):
        imported(an_export(export, [{"count": 1}] * 1_000))


def test_lines_may_have_marks_and_blanks_around_them(tmp_path: Path) -> None:
    paths = b'\xef\xbb\xbf{"id":1,"path":"/a"}\r\n\r\n\n'
    hits, bad = imported(an_export(tmp_path / "export.zip", [{"count": 1}], paths=paths))
    assert ([hit.path for hit in hits], bad) == (["/a"], [])


def test_what_came_from_google_analytics_is_moved_to_the_beginning_of_the_web(tmp_path: Path) -> None:
    hits, _ = imported(an_export(tmp_path / "export.zip", [{"count": 2, "hour": "1980-01-01T00:00:00Z"}]))
    assert [hit.created for hit in hits] == [681_436_800] * 2


@pytest.mark.parametrize("damage", [lambda data: data[:-30], lambda data: data[:80] + b"\xff" * 40 + data[120:]])
def test_a_damaged_zip_is_refused(tmp_path: Path, damage: Any) -> None:
    file = an_export(tmp_path / "export.zip", [{"count": 1}])
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(InputRefused, match="zip"):
        imported(file)
