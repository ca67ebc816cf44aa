-- name: newest_batch()$
-- The greatest seq of a batch that is not in the lake, or NULL.
SELECT max(seq) FROM tallystick_hits.batch;

-- name: next_batches(through, max_batches, max_hits)
-- The oldest batches up to a seq, as many as have at most ``max_hits`` hits together, and at least one.
SELECT seq, content, format, hits FROM (
    SELECT seq, content, format, hits, sum(hits) OVER (ORDER BY seq) - hits AS before
    FROM (SELECT * FROM tallystick_hits.batch WHERE seq <= :through ORDER BY seq LIMIT :max_batches) AS oldest
) AS summed
WHERE before = 0 OR before + hits <= :max_hits
ORDER BY seq;

-- name: begin_move(epoch, seqs)$
-- Number the next move of batches, if the lease is ours. Returns the number, or NULL.
WITH numbered AS (
    UPDATE tallystick_hits.lease SET moves = moves + 1 WHERE epoch = :epoch RETURNING moves
)
INSERT INTO tallystick_hits.move (number, seqs) SELECT moves, :seqs FROM numbered RETURNING number;

-- name: end_moves(epoch, number)!
-- Remove the batches of all moves up to the one that the lake has, and these moves, if the lease is ours.
WITH ours AS MATERIALIZED (SELECT 1 FROM tallystick_hits.fence WHERE epoch = :epoch FOR SHARE),
ended AS (DELETE FROM tallystick_hits.move WHERE number <= :number AND EXISTS (SELECT 1 FROM ours) RETURNING seqs)
DELETE FROM tallystick_hits.batch WHERE seq IN (SELECT unnest(seqs) FROM ended);

-- name: undo_moves(epoch, number)!
-- Forget moves after the one that the lake has: their transactions in the lake have failed.
WITH ours AS MATERIALIZED (SELECT 1 FROM tallystick_hits.fence WHERE epoch = :epoch FOR SHARE)
DELETE FROM tallystick_hits.move WHERE number > :number AND EXISTS (SELECT 1 FROM ours);

-- name: skip_moves(epoch, number)$
-- Raise the newest number of a move to the one that the lake has, if it is lower. Returns whether the lease is ours.
UPDATE tallystick_hits.lease SET moves = greatest(moves, :number) WHERE epoch = :epoch RETURNING true;
