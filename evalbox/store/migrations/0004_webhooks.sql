CREATE TABLE webhooks (
  id         TEXT PRIMARY KEY,
  url        TEXT NOT NULL,
  format     TEXT NOT NULL,
  interest   TEXT NOT NULL, -- JSON
  secret     BLOB NOT NULL, -- sealed
  created_at REAL NOT NULL,
  active     INTEGER NOT NULL DEFAULT 1,
  reason     TEXT NOT NULL DEFAULT '',
  cursor     INTEGER NOT NULL -- the newest event that deliveries have been made of
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
  id          TEXT PRIMARY KEY,
  webhook_id  TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  seq         INTEGER NOT NULL, -- of the event; 0 for a test
  kind        TEXT NOT NULL,
  body        TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
  created_at  REAL NOT NULL,
  attempts    INTEGER NOT NULL DEFAULT 0,
  next_try    REAL,
  status      INTEGER,
  error       TEXT NOT NULL DEFAULT '',
  finished_at REAL,
  CHECK ((state = 'pending') = (next_try IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX deliveries_by_event ON deliveries (webhook_id, seq) WHERE seq > 0;
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, id);
CREATE INDEX deliveries_due ON deliveries (webhook_id, next_try) WHERE state = 'pending';
CREATE INDEX deliveries_ended ON deliveries (finished_at) WHERE finished_at IS NOT NULL;

-- Those that are raised.
CREATE TABLE alerts (
  key       TEXT PRIMARY KEY,
  severity  TEXT NOT NULL,
  text      TEXT NOT NULL,
  raised_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- The last of a batch has ended, whichever way. A batch that grows again ends again.
CREATE TRIGGER batch_finishes AFTER UPDATE OF state ON evaluations
WHEN NEW.batch IS NOT NULL
  AND NEW.state IN ('completed', 'failed', 'cancelled', 'dead')
  AND OLD.state NOT IN ('completed', 'failed', 'cancelled', 'dead')
  AND NOT EXISTS (
    SELECT 1 FROM evaluations
    WHERE batch = NEW.batch AND state IN ('queued', 'starting', 'running', 'scoring')
  )
BEGIN
  INSERT INTO events (at, kind, batch) VALUES (NEW.updated_at, 'batch.finished', NEW.batch);
END;
