-- What people and the operator did, kept for good and without addresses; and when a login session last took a password.
CREATE TABLE audit_event (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,  -- Unix milliseconds
    kind    TEXT NOT NULL,  -- services.audit.Kind
    actor   TEXT NOT NULL,  -- an email, an email with a token, or "command line"; empty where nobody is logged in
    subject TEXT NOT NULL,  -- what it was done to: an email, a site, a token
    detail  TEXT NOT NULL,
    times   INTEGER NOT NULL   -- refused logins of one hour are one row
) STRICT;

CREATE INDEX audit_event_by_kind ON audit_event (kind, subject, at);

ALTER TABLE login ADD COLUMN proved INTEGER NOT NULL DEFAULT 0;
