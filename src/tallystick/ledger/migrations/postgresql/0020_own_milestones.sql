-- Milestones that people gave a shared counter, beside the powers of ten.
CREATE TABLE own_milestone (
    counter BIGINT NOT NULL,
    value   BIGINT NOT NULL,
    number  BIGINT,  -- of the first change with which the value rose to it and that was not undone; null until then
    PRIMARY KEY (counter, value)
);
