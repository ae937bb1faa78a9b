-- Answers to requests under an idempotency key, which are answered the same for a day.
CREATE TABLE replies (
    id          BYTEA PRIMARY KEY NOT NULL, -- of the caller and the key
    fingerprint BYTEA NOT NULL,             -- SHA-256 of the request
    sealed      BYTEA,                      -- the answer, for its caller only; null while there is none
    created_at  BIGINT NOT NULL
);
CREATE INDEX replies_by_age ON replies (created_at);
