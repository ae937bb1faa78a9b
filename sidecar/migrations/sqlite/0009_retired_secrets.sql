-- Secrets of keys that were replaced: each works until its grace is over.
CREATE TABLE retired_secrets (
    sha256     BLOB PRIMARY KEY NOT NULL,
    key_id     TEXT NOT NULL REFERENCES keys (id),
    prefix     TEXT NOT NULL,
    retires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX retired_secrets_by_key ON retired_secrets (key_id);
