-- The values of an evaluation's environment, sealed; the names stand in its spec.
CREATE TABLE environments (
  evaluation_id TEXT PRIMARY KEY REFERENCES evaluations (id) ON DELETE CASCADE,
  sealed        BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Until here they stood in the spec. The next opening seals what is there, then drops this row.
INSERT INTO meta (key, value) SELECT 'unsealed', '1' WHERE EXISTS (SELECT 1 FROM specs);

CREATE TABLE keys (
  id           TEXT PRIMARY KEY,
  name         TEXT NOT NULL,
  scopes       TEXT NOT NULL,
  created_at   REAL NOT NULL,
  expires_at   REAL,
  revoked_at   REAL,
  last_used_at REAL,
  digest       BLOB NOT NULL,
  signing      BLOB -- the sealed secret that requests are signed with; NULL where they are not
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX keys_by_name ON keys (name) WHERE revoked_at IS NULL;

-- Of signed requests, until they are too old to be accepted anyway.
CREATE TABLE nonces (
  key   TEXT NOT NULL,
  nonce TEXT NOT NULL,
  until REAL NOT NULL,
  PRIMARY KEY (key, nonce)
) STRICT, WITHOUT ROWID;

CREATE INDEX nonces_by_age ON nonces (until);

-- AUTOINCREMENT: the newest seq ever given is remembered, so that a log cut at its end shows.
CREATE TABLE audit (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  at         REAL NOT NULL,
  actor      TEXT NOT NULL,
  source     TEXT NOT NULL,
  action     TEXT NOT NULL,
  target     TEXT NOT NULL,
  result     TEXT NOT NULL,
  request_id TEXT,
  detail     TEXT NOT NULL,
  previous   TEXT NOT NULL,
  hash       TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit log is only added to');
END;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit log is only added to');
END;
