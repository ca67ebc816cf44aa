-- Of texts DuckDB stores a number for each one in a block, in 4 to 8 bits; of numbers up to 3440 it stores 12 bits.
-- Not in a lake (`FILE_ONLY`), whose files number values of any type, and which cannot change a type so.
ALTER TABLE hit ALTER COLUMN width TYPE VARCHAR;
