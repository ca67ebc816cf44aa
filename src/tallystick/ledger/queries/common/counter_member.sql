-- Who shares which counter; alike on both databases.

-- name: add_member(account, counter, role, joined, since)!
-- Let a person in, or give one who is there another role.
INSERT INTO counter_member (account, counter, role, joined, since)
VALUES (:account, :counter, :role, :joined, :since)
ON CONFLICT (account, counter) DO UPDATE SET role = excluded.role;

-- name: set_role(account, counter, role)!
-- Give a member another role.
UPDATE counter_member SET role = :role WHERE account = :account AND counter = :counter;

-- name: members_of_counter(counter)
-- Everyone of a counter, who came first first.
SELECT member.account, account.uid, account.name, member.role, member.joined
FROM counter_member AS member
JOIN account ON account.id = member.account
WHERE member.counter = :counter
ORDER BY member.joined, member.account;

-- name: count_members(counter)$
-- How many people share a counter.
SELECT count(*) FROM counter_member WHERE counter = :counter;

-- name: count_shared_counters_of(account)$
-- How many counters a person shares.
SELECT count(*) FROM counter_member WHERE account = :account;

-- name: remove_member(account, counter)!
-- Let a person go.
DELETE FROM counter_member WHERE account = :account AND counter = :counter;

-- name: remove_members(counter)!
-- Let everyone of a counter go.
DELETE FROM counter_member WHERE counter = :counter;
