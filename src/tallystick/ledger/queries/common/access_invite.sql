-- Invites to sites and to the server; for both databases. Columns stand in the order of services.accounts.access_invites.

-- name: add_access_invite(uid, digest, prefix, root, access, expires, max_uses, account, created)!
-- Store a new invite.
INSERT INTO access_invite (uid, digest, prefix, root, access, expires, max_uses, uses, account, created)
VALUES (:uid, :digest, :prefix, :root, :access, :expires, :max_uses, 0, :account, :created);

-- name: access_invite_by_digest(digest)^
-- One invite by its code's digest.
SELECT invite.uid, invite.prefix, invite.root, invite.access, invite.expires, invite.max_uses, invite.uses,
       invite.account, account.name, invite.created
FROM access_invite AS invite
LEFT JOIN account ON account.id = invite.account
WHERE invite.digest = :digest;

-- name: open_access_invites(root, now)
-- The valid invites to the sites of an account, or for root 0 to the server, oldest first.
SELECT invite.uid, invite.prefix, invite.root, invite.access, invite.expires, invite.max_uses, invite.uses,
       invite.account, account.name, invite.created
FROM access_invite AS invite
LEFT JOIN account ON account.id = invite.account
WHERE COALESCE(invite.root, 0) = :root AND invite.expires > :now
  AND (invite.max_uses IS NULL OR invite.uses < invite.max_uses)
ORDER BY invite.uid;

-- name: count_access_invite_use(uid)!
-- Add 1 to an invite's uses.
UPDATE access_invite SET uses = uses + 1 WHERE uid = :uid;

-- name: remove_access_invite(root, uid)!
-- Delete an invite to the sites of an account, or for root 0 to the server.
DELETE FROM access_invite WHERE COALESCE(root, 0) = :root AND uid = :uid;

-- name: forget_access_invites(before)!
-- Delete invites that expired before a time.
DELETE FROM access_invite WHERE expires < :before;

-- name: delete_access_invites_of_person(account)!
-- Delete the invites that a person has made.
DELETE FROM access_invite WHERE account = :account;
