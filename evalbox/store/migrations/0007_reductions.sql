-- Whether the first of it that fails has the rest cancelled.
ALTER TABLE batches ADD COLUMN fail_fast INTEGER NOT NULL DEFAULT 0;

-- The last step of a batch, which gets what the others left. Waiting until they have ended, then
-- made into an evaluation, or refused as it cannot be.
CREATE TABLE reductions (
  batch         TEXT PRIMARY KEY REFERENCES batches (name) ON DELETE CASCADE,
  spec          TEXT NOT NULL, -- JSON, of the environment the names only
  env           BLOB, -- sealed; NULL where it is empty
  state         TEXT NOT NULL CHECK (state IN ('waiting', 'made', 'refused')),
  evaluation_id TEXT,
  reason        TEXT NOT NULL DEFAULT '',
  CHECK ((state = 'made') = (evaluation_id IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- Which blobs a step that waits needs of its own.
CREATE TABLE reduction_inputs (
  batch TEXT NOT NULL REFERENCES reductions (batch) ON DELETE CASCADE,
  blob  TEXT NOT NULL,
  PRIMARY KEY (batch, blob)
) STRICT, WITHOUT ROWID;

CREATE INDEX reduction_inputs_by_blob ON reduction_inputs (blob);
