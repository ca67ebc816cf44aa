"""Counters and accounts, stored in SQLite or PostgreSQL behind one writer. See DESIGN.md."""

from tallystick.ledger.database import Database, Session, Totals, open_database
from tallystick.ledger.ledger import Ledger

__all__ = ["Database", "Ledger", "Session", "Totals", "open_database"]
