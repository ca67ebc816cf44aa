-- Instants by which a wrong clock is noticed; Unix seconds.
CREATE TABLE clock_mark (
    name TEXT    PRIMARY KEY,  -- seen: a server ran; retention: old hits were removed, or the operator confirmed the clock
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
