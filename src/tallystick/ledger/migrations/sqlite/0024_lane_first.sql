-- A SQLite ledger has all counters in one file.
SELECT 1;
