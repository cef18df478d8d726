-- Sandboxes of the service. Values of their environments are sealed, as those of evaluations are.
CREATE TABLE sandboxes (
  id           TEXT PRIMARY KEY,
  name         TEXT NOT NULL,
  spec         TEXT NOT NULL, -- JSON, of the environment the names only
  env          BLOB, -- sealed; NULL where it is empty or the sandbox has ended
  state        TEXT NOT NULL CHECK (state IN ('starting', 'running', 'ended')),
  created_at   REAL NOT NULL,
  deadline     REAL NOT NULL,
  last_used_at REAL NOT NULL,
  engine_id    TEXT,
  ended_at     REAL,
  "end"        TEXT,
  reason       TEXT NOT NULL DEFAULT '',
  CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
  CHECK ((state = 'ended') = ("end" IS NOT NULL)),
  CHECK (state != 'running' OR engine_id IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX sandboxes_live_names ON sandboxes (name) WHERE state != 'ended' AND name != '';
CREATE INDEX sandboxes_live ON sandboxes (id) WHERE state != 'ended';
CREATE INDEX sandboxes_ended ON sandboxes (ended_at) WHERE state = 'ended';
