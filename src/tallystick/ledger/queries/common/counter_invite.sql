-- Invites to shared counters; for both databases. Columns stand in the order of services.sharing.invites.

-- name: add_invite(uid, counter, digest, prefix, role, expires, max_uses, account, created)!
-- Store a new invite.
INSERT INTO counter_invite (uid, counter, digest, prefix, role, expires, max_uses, uses, account, created)
VALUES (:uid, :counter, :digest, :prefix, :role, :expires, :max_uses, 0, :account, :created);

-- name: invite_by_digest(digest)^
-- One invite by its code's digest; the last column is its counter.
SELECT invite.uid, invite.prefix, invite.role, invite.expires, invite.max_uses, invite.uses, account.uid,
       account.name, invite.created, shared.uid
FROM counter_invite AS invite
JOIN shared_counter AS shared ON shared.id = invite.counter
LEFT JOIN account ON account.id = invite.account
WHERE invite.digest = :digest;

-- name: open_invites(counter, now)
-- The valid invites of a counter, oldest first.
SELECT invite.uid, invite.prefix, invite.role, invite.expires, invite.max_uses, invite.uses, account.uid,
       account.name, invite.created
FROM counter_invite AS invite
LEFT JOIN account ON account.id = invite.account
WHERE invite.counter = :counter AND invite.expires > :now
  AND (invite.max_uses IS NULL OR invite.uses < invite.max_uses)
ORDER BY invite.uid;

-- name: count_invite_use(uid)!
-- Add 1 to an invite's uses.
UPDATE counter_invite SET uses = uses + 1 WHERE uid = :uid;

-- name: has_invite(counter, uid)$
-- Whether a counter has an invite: 1 or 0.
SELECT count(*) FROM counter_invite WHERE counter = :counter AND uid = :uid;

-- name: remove_invite(counter, uid)!
-- Delete an invite.
DELETE FROM counter_invite WHERE counter = :counter AND uid = :uid;

-- name: remove_invites(counter)!
-- Delete all invites of a counter.
DELETE FROM counter_invite WHERE counter = :counter;

-- name: remove_invites_of(counter, account)!
-- Delete the invites to a counter that one account created.
DELETE FROM counter_invite WHERE counter = :counter AND account = :account;

-- name: forget_closed_invites(counter, now, kept)!
-- Delete invites of a counter that are expired or used up, except the newest ones.
DELETE FROM counter_invite
WHERE counter = :counter AND (expires <= :now OR uses >= max_uses) AND uid NOT IN (
    SELECT uid FROM counter_invite WHERE counter = :counter ORDER BY uid DESC LIMIT :kept);

-- name: note_removal(counter, account, since)!
-- Record a removal: earlier invites are no longer valid for this account.
INSERT INTO counter_removal (counter, account, since) VALUES (:counter, :account, :since)
ON CONFLICT (counter, account) DO UPDATE SET since = excluded.since;

-- name: removed_since(counter, account)$
-- For an account that was removed or lost a role: only invites with a greater UUID are valid. Null for others.
SELECT since FROM counter_removal WHERE counter = :counter AND account = :account;

-- name: newest_invite_and_removal(counter)^
-- The greatest UUIDs of a counter's invites and removals, each null without one.
SELECT (SELECT max(uid) FROM counter_invite WHERE counter = :counter),
       (SELECT max(since) FROM counter_removal WHERE counter = :counter);

-- name: forget_removals(counter)!
-- Delete the removals of a deleted counter.
DELETE FROM counter_removal WHERE counter = :counter;

-- name: forget_removals_of(account)!
-- Delete the removals of a deleted account.
DELETE FROM counter_removal WHERE account = :account;
