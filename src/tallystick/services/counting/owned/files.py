"""Files of the counters of an account: what it has, and what it brings along. Functions of ``(session, ...)``."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tallystick.errors import OwningRefused
from tallystick.ledger import Session
from tallystick.ledger.folding import CounterWrite, fold_over, load_by_lane
from tallystick.model.counter import Counter, Outcome, Put, alive
from tallystick.model.key import Key
from tallystick.services.accounts.audit import EventKind, note
from tallystick.services.counting.counter_files import CSV_HEADER, Format, Line, row_of, to_csv, to_json
from tallystick.services.counting.counter_import import Imported
from tallystick.services.counting.owned.changing import MOST_COUNTERS
from tallystick.services.counting.owned.proving import Asker, refuse_frozen, require_namespace
from tallystick.services.counting.owned.rows import CounterOwner, OwnedCounter, counters_of, owner_of, store_owner

ROWS_AT_ONCE = 500


class StoredLines(Struct, frozen=True):
    """What became of lines.

    Attributes:
        through: how many of them were read.
        outcomes: of these, without counters that have expired.
        refused: why the next line was not stored; empty if all were.
    """

    through: int
    outcomes: Sequence[Outcome]
    refused: str = ""


def own_counters(session: Session, account: int, form: Format) -> bytes:
    """All counters of an account by name, as ``tallystick counter export`` writes them."""
    lines = [CSV_HEADER] if form == "csv" else []
    encode = to_csv if form == "csv" else to_json
    after: Key | None = None
    while page := counters_of(session, account, after, ROWS_AT_ONCE):
        lines.append(encode(row_of(found.key, found.counter) for found in page))
        after = page[-1].key
    return b"".join(lines)


def store_lines(
    session: Session, asker: Asker, lines: Sequence[Line], existing: Literal["keep", "replace"], now: int
) -> StoredLines:
    """Store counters of a file; new ones belong to the sender's account, and never expire.

    The first line that may not be stored ends it.

    Args:
        existing: what becomes of counters that exist already. The sender has to own those that are replaced.
    """
    loaded = load_by_lane(session, {line.key for line in lines})
    room = MOST_COUNTERS - session.common.count_owned_by(session.connection, account=asker.account)
    new = CounterOwner(account=asker.account, created=now)
    created: set[Key] = set()
    writes: list[CounterWrite] = []
    through, refused = 0, ""
    for line in lines:
        key = line.key
        if alive(line.counter, now) is None:
            through += 1
            continue
        if alive(loaded.get(key), now) is None and key not in created:
            refused = _no_creation(session, asker, key, room - len(created))
            created.add(key)
        elif existing == "replace" and key not in created:
            refused = _no_change(session, asker, key, loaded)
        if refused:
            break
        counter = replace(line.counter, flags=new.flags(locked=False))
        writes.append(CounterWrite(key, Put(counter, existing == "replace")))
        through += 1
    folded = fold_over(session, loaded, writes, now)
    for write, outcome in zip(writes, folded.outcomes, strict=True):
        if outcome.created:
            store_owner(session, write.key, new)
    return StoredLines(through, folded.outcomes, refused)


def note_import(session: Session, _asker: Asker, done: Imported, now: int) -> None:
    """Note in the log of administrative events what an account has imported."""
    text = f"created {done.created}, replaced {done.replaced}, kept {done.kept}"
    note(session, EventKind.COUNTERS_IMPORTED, now, "its own", text)


def _no_creation(session: Session, asker: Asker, key: Key, room: int) -> str:
    if room <= 0:
        return f"one account owns {MOST_COUNTERS} counters at most"
    try:
        require_namespace(session, asker, key.namespace)
    except OwningRefused as error:
        return str(error)
    return ""


def _no_change(session: Session, asker: Asker, key: Key, loaded: Mapping[Key, Counter]) -> str:
    found = OwnedCounter(key, loaded[key], owner_of(session, key) if loaded[key].flags else None)
    if not asker.is_superuser and (found.owner is None or not asker.owns(found.owner)):
        return f"{key} exists, and is not a counter of this account: it can only be kept"
    try:
        refuse_frozen(asker, found)
    except OwningRefused as error:
        return str(error)
    return ""
