"""Hits in the order of visits: whatever the order in the file, and wherever an import begins."""

from collections import defaultdict
from contextlib import closing
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW
from tallystick.errors import InputRefused
from tallystick.model.hit import SESSION_S
from tallystick.services.imports import visit_table
from tallystick.services.imports.batches import ImportBatch
from tallystick.services.imports.marks import FileMark
from tallystick.services.imports.visit_file import VisitFile
from tallystick.services.imports.visit_table import HitRow, ImportedHit, ImportedVisitor, VisitTable

BEGIN = 1_700_000_000
ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3 * SESSION_S // 600)), max_size=40
)  # the visit's id, 0 for none; and the time in ten minutes
NOBODY = ImportedVisitor()


def filled(rows: list[tuple[int, int]]) -> VisitTable:
    table = VisitTable()
    table.add_hits(
        [
            HitRow(
                line,
                visit or -line,
                line,
                None,
                BEGIN + 600 * time,
                ImportedHit(path=f"/{line}", visitor=NOBODY, followed=bool(visit)),
            )
            for line, (visit, time) in enumerate(rows, 1)
        ]
    )
    table.sort(overlapping=False)
    return table


def read(table: VisitTable, most: int, *, mark: FileMark | None = None) -> list[ImportBatch]:
    source = VisitFile("test", table, "digest", marks=[mark] if mark else [], now=lambda: NOW)
    batches = []
    while batch := source.next(most):
        batches.append(batch)
    return batches


def numbers(batches: list[ImportBatch]) -> list[int]:
    return [hit.number for batch in batches for hit in batch.hits]


@given(ROWS, st.integers(1, 12))
def test_visits_stand_together_and_batches_end_with_them(rows: list[tuple[int, int]], most: int) -> None:
    with closing(filled(rows)) as table:
        batches = read(table, most)
        assert sorted(numbers(batches)) == list(range(1, len(rows) + 1))
        batch_of = defaultdict(set)
        sizes: dict[str, int] = defaultdict(int)
        times = defaultdict(list)
        for index, batch in enumerate(batches):
            assert 0 < len(batch.hits) <= most
            assert batch.end.position == batch.start.position + len(batch.hits)
            for hit in batch.hits:
                visit, time = rows[hit.number - 1]
                assert hit.arrival.created == BEGIN + 600 * time
                assert hit.arrival.no_session == (not visit) == (not hit.arrival.session)
                if visit:
                    batch_of[hit.arrival.session].add(index)
                    sizes[hit.arrival.session] += 1
                    times[hit.arrival.session].append(hit.arrival.created)
        for session, within in batch_of.items():
            assert len(within) == 1 or sizes[session] > most, "a visit was divided"
            assert all(0 <= later - earlier <= SESSION_S for earlier, later in pairwise(times[session]))
        begins = [seen[0] for seen in times.values()]
        assert begins == sorted(begins)


@given(ROWS, st.integers(1, 12))
def test_from_every_mark_the_rest_follows(rows: list[tuple[int, int]], most: int) -> None:
    with closing(filled(rows)) as table:
        batches = read(table, most)
        for index, batch in enumerate(batches):
            rest = read(table, most, mark=batch.end)
            assert [(later.start, later.end) for later in rest] == [
                (later.start, later.end) for later in batches[index + 1 :]
            ]
            assert numbers(rest) == numbers(batches[index + 1 :])


def test_hits_of_a_visit_with_a_long_pause_are_two_visits() -> None:
    with closing(filled([(1, 0), (1, SESSION_S // 600), (1, 2 * SESSION_S // 600 + 1)])) as table:
        (batch,) = read(table, 10)
        sessions = [hit.arrival.session for hit in batch.hits]
        assert sessions[0] == sessions[1] != sessions[2]


def test_bad_lines_come_first_and_once() -> None:
    with closing(VisitTable()) as table:
        table.add_bad([(number, "bad") for number in range(1, 1_502)])
        table.add_hits([HitRow(1_502, 1, None, None, BEGIN, ImportedHit(path="/"))])
        table.sort(overlapping=False)
        batches = read(table, 10)
        assert [(len(batch.bad), len(batch.hits)) for batch in batches] == [(1_000, 0), (501, 0), (0, 1)]
        assert read(table, 10, mark=batches[-1].end) == []


def test_properties_and_visitors_of_other_files_are_found() -> None:
    with closing(VisitTable()) as table:
        table.add_props([(5, "plan", "pro"), (5, "seats", "3"), (6, "plan", "free")])
        table.add_visitors([(9, ImportedVisitor(language="fr"))])
        hits = [HitRow(1, 1, 5, 9, BEGIN, ImportedHit(path="/")), HitRow(2, 2, 7, 8, BEGIN + 1, ImportedHit(path="/"))]
        table.add_hits(hits)
        table.sort(overlapping=False)
        first, second = table.placed(0)
    assert (first.props, first.visitor.language) == ({"plan": "pro", "seats": "3"}, "fr")
    assert (second.props, second.visitor) == ({}, NOBODY)


def test_a_file_has_a_limit_of_hits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit_table, "MOST_HITS", 1)
    row = HitRow(1, 1, None, None, BEGIN, ImportedHit(path="/"))
    with closing(VisitTable()) as table, pytest.raises(InputRefused, match="more than 1 hits"):
        table.add_hits([row, row])


def test_what_was_stopped_reads_no_further() -> None:
    with closing(filled([(1, 0)])) as table:
        table.stop()
        with pytest.raises(InputRefused, match="stopped"):
            next(table.placed(0))
