-- Operators' sessions: who is signed in on the page. The secret is in the browser's cookie only.
CREATE TABLE sessions (
    id         BYTEA PRIMARY KEY NOT NULL, -- SHA-256 of the secret
    principal  TEXT NOT NULL,
    credential BYTEA NOT NULL,             -- of what it was begun with: when that changes, the session ends
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_end ON sessions (expires_at);
