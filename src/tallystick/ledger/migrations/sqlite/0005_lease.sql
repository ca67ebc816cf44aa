-- A SQLite ledger has one server and needs no lease. The number is taken so that both databases count alike.
SELECT 1;
