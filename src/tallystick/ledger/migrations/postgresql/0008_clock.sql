-- Instants by which a wrong clock is noticed; Unix seconds.
CREATE TABLE clock_mark (
    name text   PRIMARY KEY,  -- seen: a server ran; retention: old hits were removed, or the operator confirmed the clock
    at   bigint NOT NULL
);
