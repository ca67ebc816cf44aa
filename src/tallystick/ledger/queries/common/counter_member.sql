-- Members of shared counters; for both databases.

-- name: add_member(account, counter, role, joined, since)!
-- Add a member, or change the role of an existing one.
INSERT INTO counter_member (account, counter, role, joined, since)
VALUES (:account, :counter, :role, :joined, :since)
ON CONFLICT (account, counter) DO UPDATE SET role = excluded.role;

-- name: set_role(account, counter, role)!
-- Change a member's role.
UPDATE counter_member SET role = :role WHERE account = :account AND counter = :counter;

-- name: members_of_counter(counter)
-- The members of a counter, in the order in which they joined.
SELECT member.account, account.uid, account.name, member.role, member.joined
FROM counter_member AS member
JOIN account ON account.id = member.account
WHERE member.counter = :counter
ORDER BY member.joined, member.account;

-- name: count_members(counter)$
-- The number of a counter's members.
SELECT count(*) FROM counter_member WHERE counter = :counter;

-- name: count_shared_counters_of(account)$
-- The number of an account's shared counters.
SELECT count(*) FROM counter_member WHERE account = :account;

-- name: remove_member(account, counter)!
-- Remove a member.
DELETE FROM counter_member WHERE account = :account AND counter = :counter;

-- name: remove_members(counter)!
-- Remove all members of a counter.
DELETE FROM counter_member WHERE counter = :counter;
