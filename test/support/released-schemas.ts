/** What the migrations of released versions had made of a file, by the number of its schema. Added, never changed. */
const SCHEMA_1 = `
  CREATE TABLE session (
    key          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    version      INTEGER NOT NULL,
    fence        INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    vacant_since INTEGER,
    operation    TEXT
  ) STRICT;
  CREATE INDEX session_by_expiry ON session (expires_at) WHERE expires_at IS NOT NULL;
  CREATE INDEX session_by_vacancy ON session (vacant_since) WHERE vacant_since IS NOT NULL;
  CREATE TABLE field (
    key     INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    type    TEXT NOT NULL,
    id      TEXT NOT NULL,
    version INTEGER NOT NULL,
    bytes   BLOB NOT NULL,
    UNIQUE (session, type, id)
  ) STRICT;
  CREATE TABLE floor (version INTEGER NOT NULL, fence INTEGER NOT NULL) STRICT;
  INSERT INTO floor VALUES (0, 0);
  PRAGMA user_version = 1;
`

export const RELEASED_SCHEMAS = [
  [1, SCHEMA_1],
  [2, `${SCHEMA_1} ALTER TABLE session ADD COLUMN lease_until INTEGER; PRAGMA user_version = 2;`],
] as const
