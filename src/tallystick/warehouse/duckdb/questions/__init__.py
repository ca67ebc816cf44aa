"""Answers questions about visits and hits (``model/question.py``); DESIGN.md says how."""

from tallystick.warehouse.duckdb.questions.answering import answer
from tallystick.warehouse.duckdb.questions.names import names_matching

__all__ = ["answer", "names_matching"]
