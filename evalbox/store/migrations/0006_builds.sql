-- Images that were made upon others. What each is made of is in its key, and its log in a file.
CREATE TABLE builds (
  key         TEXT PRIMARY KEY,
  state       TEXT NOT NULL CHECK (state IN ('building', 'ready', 'failed', 'removed')),
  base        TEXT NOT NULL,
  engine      TEXT NOT NULL,
  created_at  REAL NOT NULL,
  used_at     REAL NOT NULL,
  seconds     REAL NOT NULL DEFAULT 0,
  size        INTEGER NOT NULL DEFAULT 0,
  reason      TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '' -- JSON
) STRICT, WITHOUT ROWID;

CREATE INDEX builds_by_use ON builds (used_at);
