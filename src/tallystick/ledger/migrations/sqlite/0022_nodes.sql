-- A SQLite ledger has one server, which keeps in memory what several servers keep here.
SELECT 1;
