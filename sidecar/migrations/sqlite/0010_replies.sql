-- Answers to requests under an idempotency key, which are answered the same for a day.
CREATE TABLE replies (
    id          BLOB PRIMARY KEY NOT NULL, -- of the caller and the key
    fingerprint BLOB NOT NULL,             -- SHA-256 of the request
    sealed      BLOB,                      -- the answer, for its caller only; null while there is none
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX replies_by_age ON replies (created_at);
