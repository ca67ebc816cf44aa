-- What people and the operator did, kept for good and without addresses; and when a login session last took a password.
CREATE TABLE audit_event (
    id      bigint PRIMARY KEY,
    at      bigint NOT NULL,  -- Unix milliseconds
    kind    text NOT NULL,  -- services.audit.Kind
    actor   text NOT NULL,  -- an email, an email with a token, or "command line"; empty where nobody is logged in
    subject text NOT NULL,  -- what it was done to: an email, a site, a token
    detail  text NOT NULL,
    times   bigint NOT NULL   -- refused logins of one hour are one row
);

CREATE INDEX audit_event_by_kind ON audit_event (kind, subject, at);

ALTER TABLE login ADD COLUMN proved bigint NOT NULL DEFAULT 0;
