-- Times are seconds since 1970, sizes are bytes, flags are 0 or 1.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('box', lower(hex(randomblob(16))));

CREATE TABLE batches (
  name        TEXT PRIMARY KEY,
  created_at  REAL NOT NULL,
  concurrency INTEGER CHECK (concurrency > 0)
) STRICT;

-- A lane holds the evaluations that are alike to the claim; '' is no batch. Its head is the oldest
-- ready one, NULL where none is, kept by the triggers below. A claim walks the heads in order.
CREATE TABLE lanes (
  id       INTEGER PRIMARY KEY,
  priority INTEGER NOT NULL,
  batch    TEXT NOT NULL,
  engine   TEXT NOT NULL,
  cpus     REAL NOT NULL,
  memory   INTEGER NOT NULL,
  head     TEXT,
  UNIQUE (priority, batch, engine, cpus, memory)
) STRICT;

CREATE INDEX lanes_by_head ON lanes (priority, head) WHERE head IS NOT NULL;

-- Small rows, changed often; what never changes stands in specs.
CREATE TABLE evaluations (
  id               TEXT PRIMARY KEY,
  short            TEXT NOT NULL,
  lane             INTEGER NOT NULL, -- in lanes; to check that costs an index it needs nowhere else
  batch            TEXT REFERENCES batches (name),
  name             TEXT NOT NULL,
  engine           TEXT NOT NULL,
  priority         INTEGER NOT NULL,
  state            TEXT NOT NULL,
  ready            INTEGER NOT NULL,
  created_at       REAL NOT NULL,
  updated_at       REAL NOT NULL,
  attempts         INTEGER NOT NULL DEFAULT 0,
  failures         INTEGER NOT NULL DEFAULT 0,
  infra_failures   INTEGER NOT NULL DEFAULT 0,
  outcome          TEXT,
  exit_code        INTEGER,
  reason           TEXT NOT NULL DEFAULT '',
  not_before       REAL,
  started_at       REAL,
  finished_at      REAL,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  idempotency_key  TEXT,
  CHECK (ready = 0 OR state = 'queued')
) STRICT, WITHOUT ROWID;

CREATE INDEX evaluations_by_short ON evaluations (short);
CREATE INDEX evaluations_by_state ON evaluations (state, id);
CREATE INDEX evaluations_by_outcome ON evaluations (outcome, id) WHERE outcome IS NOT NULL;
CREATE INDEX evaluations_by_batch ON evaluations (batch, id) WHERE batch IS NOT NULL;
CREATE INDEX evaluations_ready ON evaluations (lane, id) WHERE ready = 1;
CREATE INDEX evaluations_waiting ON evaluations (not_before) WHERE state = 'queued' AND ready = 0;
-- Counts of a batch are read from this alone: what runs, by the claim; what is done, by its view.
CREATE INDEX evaluations_tally ON evaluations (batch, state, outcome) WHERE batch IS NOT NULL;
CREATE UNIQUE INDEX evaluations_by_key ON evaluations (idempotency_key)
  WHERE idempotency_key IS NOT NULL;

CREATE TRIGGER lane_gains_new AFTER INSERT ON evaluations WHEN NEW.ready = 1 BEGIN
  UPDATE lanes SET head = NEW.id WHERE id = NEW.lane AND (head IS NULL OR head > NEW.id);
END;

CREATE TRIGGER lane_gains AFTER UPDATE OF ready ON evaluations
WHEN NEW.ready = 1 AND OLD.ready = 0 BEGIN
  UPDATE lanes SET head = NEW.id WHERE id = NEW.lane AND (head IS NULL OR head > NEW.id);
END;

CREATE TRIGGER lane_loses AFTER UPDATE OF ready ON evaluations
WHEN NEW.ready = 0 AND OLD.ready = 1 BEGIN
  UPDATE lanes SET head = (SELECT min(id) FROM evaluations WHERE lane = OLD.lane AND ready = 1)
  WHERE id = OLD.lane AND head = OLD.id;
END;

CREATE TRIGGER lane_loses_gone AFTER DELETE ON evaluations WHEN OLD.ready = 1 BEGIN
  UPDATE lanes SET head = (SELECT min(id) FROM evaluations WHERE lane = OLD.lane AND ready = 1)
  WHERE id = OLD.lane AND head = OLD.id;
END;

CREATE TABLE specs (
  evaluation_id TEXT PRIMARY KEY REFERENCES evaluations (id) ON DELETE CASCADE,
  body          TEXT NOT NULL
) STRICT;

CREATE TABLE labels (
  evaluation_id TEXT NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
  key           TEXT NOT NULL,
  value         TEXT NOT NULL,
  PRIMARY KEY (evaluation_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX labels_by_value ON labels (key, value, evaluation_id);

-- Which blobs an evaluation needs; the spec tells what for.
CREATE TABLE inputs (
  evaluation_id TEXT NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
  blob          TEXT NOT NULL,
  PRIMARY KEY (evaluation_id, blob)
) STRICT, WITHOUT ROWID;

CREATE INDEX inputs_by_blob ON inputs (blob);

CREATE TABLE attempts (
  evaluation_id   TEXT NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
  number          INTEGER NOT NULL,
  claimed_at      REAL NOT NULL,
  engine          TEXT NOT NULL,
  sandbox_id      TEXT,
  image_digest    TEXT,
  warm            INTEGER,
  started_at      REAL,
  first_output_at REAL,
  finished_at     REAL,
  outcome         TEXT,
  exit_code       INTEGER,
  signal          INTEGER,
  reason          TEXT NOT NULL DEFAULT '',
  oom_killed      INTEGER NOT NULL DEFAULT 0,
  cpu_seconds     REAL NOT NULL DEFAULT 0,
  memory          INTEGER NOT NULL DEFAULT 0,
  memory_peak     INTEGER NOT NULL DEFAULT 0,
  pids            INTEGER NOT NULL DEFAULT 0,
  disk            INTEGER NOT NULL DEFAULT 0,
  read_bytes      INTEGER NOT NULL DEFAULT 0,
  written_bytes   INTEGER NOT NULL DEFAULT 0,
  output_bytes    INTEGER NOT NULL DEFAULT 0,
  truncated       INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (evaluation_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifacts (
  evaluation_id TEXT NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
  attempt       INTEGER NOT NULL,
  position      INTEGER NOT NULL,
  path          TEXT NOT NULL,
  size          INTEGER NOT NULL,
  mode          INTEGER NOT NULL,
  kind          TEXT NOT NULL CHECK (kind IN ('file', 'skipped')),
  reason        TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (evaluation_id, attempt, position)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a seq is never given twice, even when the newest events are deleted.
CREATE TABLE events (
  seq           INTEGER PRIMARY KEY AUTOINCREMENT,
  at            REAL NOT NULL,
  kind          TEXT NOT NULL,
  evaluation_id TEXT,
  attempt       INTEGER,
  batch         TEXT,
  data          TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE INDEX events_by_evaluation ON events (evaluation_id, seq) WHERE evaluation_id IS NOT NULL;

CREATE TABLE samples (
  evaluation_id TEXT NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
  attempt       INTEGER NOT NULL,
  at            REAL NOT NULL,
  cpu_seconds   REAL NOT NULL,
  memory        INTEGER NOT NULL,
  memory_peak   INTEGER NOT NULL,
  pids          INTEGER NOT NULL,
  disk          INTEGER NOT NULL,
  read_bytes    INTEGER NOT NULL,
  written_bytes INTEGER NOT NULL,
  PRIMARY KEY (evaluation_id, attempt, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE host_samples (
  number INTEGER PRIMARY KEY,
  at     REAL NOT NULL,
  data   TEXT NOT NULL
) STRICT;

CREATE INDEX host_samples_by_time ON host_samples (at);

-- Files that nothing refers to any more, named in the transaction that dropped the last reference
-- and deleted after it.
CREATE TABLE trash (
  path TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
