-- A server of its own keeps attempts in memory.
SELECT 1;
