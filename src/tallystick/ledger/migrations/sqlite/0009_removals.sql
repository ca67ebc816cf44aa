-- People who were removed from a counter, or lost a role there: invites from before that do not bring it back.
CREATE TABLE counter_removal (
    counter INTEGER NOT NULL,
    account INTEGER NOT NULL,
    since   TEXT NOT NULL,  -- a UUID v7: invites with a lower one are older
    PRIMARY KEY (counter, account)
) STRICT, WITHOUT ROWID;

-- Tokens that were made with a token are revoked with it.
ALTER TABLE token ADD COLUMN made_by INTEGER;
CREATE INDEX token_by_maker ON token (made_by);
