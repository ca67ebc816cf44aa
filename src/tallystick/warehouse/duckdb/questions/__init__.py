"""Answers questions about visits and hits (``model/question.py``, ``funnel.py``); DESIGN.md says how."""

from tallystick.warehouse.duckdb.questions.answering import answer
from tallystick.warehouse.duckdb.questions.funnels import answer_funnel
from tallystick.warehouse.duckdb.questions.names import names_matching
from tallystick.warehouse.duckdb.questions.selected import passing_ids

__all__ = ["answer", "answer_funnel", "names_matching", "passing_ids"]
