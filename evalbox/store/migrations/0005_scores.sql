-- What lists tell of the last attempt that ended; its checks and the text stand with the attempt.
ALTER TABLE evaluations ADD COLUMN error TEXT NOT NULL DEFAULT '';
ALTER TABLE evaluations ADD COLUMN score_kind TEXT;
ALTER TABLE evaluations ADD COLUMN score REAL;
ALTER TABLE evaluations ADD COLUMN score_reason TEXT NOT NULL DEFAULT '';
-- Seconds that the attempts which have ended took, and of those the ones that were tried again.
ALTER TABLE evaluations ADD COLUMN spent REAL NOT NULL DEFAULT 0;
ALTER TABLE evaluations ADD COLUMN respent REAL NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN error TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN score TEXT; -- JSON
-- When the first attempt at one of its evaluations started.
ALTER TABLE batches ADD COLUMN started_at REAL;

UPDATE evaluations SET
  spent = taken.spent,
  respent = taken.spent
    - iif(state IN ('completed', 'failed', 'cancelled', 'dead'), taken.last, 0)
FROM (
  SELECT attempts.evaluation_id AS id,
    sum(max(0, attempts.finished_at - attempts.started_at)) AS spent,
    sum(iif(number = evaluations.attempts, max(0, attempts.finished_at - attempts.started_at), 0))
      AS last
  FROM attempts JOIN evaluations ON evaluations.id = attempts.evaluation_id
  WHERE attempts.finished_at IS NOT NULL AND attempts.started_at IS NOT NULL
  GROUP BY attempts.evaluation_id
) AS taken
WHERE evaluations.id = taken.id;

UPDATE batches SET started_at = (
  SELECT min(attempts.started_at) FROM evaluations
  JOIN attempts ON attempts.evaluation_id = evaluations.id
  WHERE evaluations.batch = batches.name
);

-- All that is told of a batch is read from this alone. Nothing in it changes but with the state.
DROP INDEX evaluations_tally;
CREATE INDEX evaluations_tally ON evaluations (
  batch, state, outcome, score_kind, score, finished_at, attempts, spent, respent
) WHERE batch IS NOT NULL;
