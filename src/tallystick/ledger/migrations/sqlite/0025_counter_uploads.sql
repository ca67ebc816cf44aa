-- A server of its own keeps the state of a file in memory.
SELECT 1;
