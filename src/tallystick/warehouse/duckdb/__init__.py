"""The warehouse on DuckDB, behind a journal in SQLite."""
