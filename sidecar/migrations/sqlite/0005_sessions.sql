-- Operators' sessions: who is signed in on the page. The secret is in the browser's cookie only.
CREATE TABLE sessions (
    id         BLOB PRIMARY KEY NOT NULL, -- SHA-256 of the secret
    principal  TEXT NOT NULL,
    credential BLOB NOT NULL,             -- of what it was begun with: when that changes, the session ends
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_end ON sessions (expires_at);
