-- What was said in exchanges, where policy keeps it: redacted before it comes here.
INSERT INTO counters (name, value) VALUES ('conversation', 0);

CREATE TABLE conversations (
    id        TEXT PRIMARY KEY NOT NULL, -- of the workspace, the user and the client's name for it
    seq       INTEGER NOT NULL,          -- order of their latest exchanges
    workspace TEXT NOT NULL,
    user_id   TEXT,
    name      TEXT,                      -- what the client calls it; null for an exchange of its own
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    exchanges INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX conversations_by_seq ON conversations (seq);
CREATE INDEX conversations_by_workspace ON conversations (workspace, seq);
CREATE INDEX conversations_by_user ON conversations (workspace, user_id, seq);

CREATE TABLE conversation_exchanges (
    event_id        TEXT PRIMARY KEY NOT NULL,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    seq             INTEGER NOT NULL,    -- order of arrival
    request_id      TEXT NOT NULL,
    time            INTEGER NOT NULL,
    stored_at       INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,    -- as was promised when it was stored
    session         TEXT,
    key_id          TEXT,
    model           TEXT,
    status          INTEGER NOT NULL,
    error_code      TEXT,
    prompt          TEXT NOT NULL,       -- JSON array of parts
    prompt_cut      INTEGER NOT NULL,
    answer          TEXT NOT NULL        -- JSON array of parts
) STRICT;
CREATE INDEX conversation_exchanges_in_order ON conversation_exchanges (conversation_id, time, seq);
CREATE INDEX conversation_exchanges_by_age ON conversation_exchanges (stored_at);
CREATE INDEX conversation_exchanges_by_end ON conversation_exchanges (expires_at);

-- What was deleted does not come back with a message that is repeated, or late.
CREATE TABLE conversation_deletions (
    id         TEXT PRIMARY KEY NOT NULL, -- of the conversation, or of all of a user
    deleted_at INTEGER NOT NULL
) STRICT;
