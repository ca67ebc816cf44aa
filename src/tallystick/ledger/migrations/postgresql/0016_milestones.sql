-- Changes with which the value of a shared counter got another digit: its milestones are found among them, however
-- many changes there are. Other changes have no row in the index.
CREATE INDEX change_by_digits ON counter_change (counter, (length(CAST(value AS TEXT))), number)
WHERE delta > 0 AND value >= 10
  AND (value - delta < 0 OR length(CAST(value AS TEXT)) > length(CAST(value - delta AS TEXT)));
