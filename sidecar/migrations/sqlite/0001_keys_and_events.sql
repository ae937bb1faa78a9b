-- Times are milliseconds since the Unix epoch (UTC). Money is nano-dollars.

-- Counters whose row is written in the transaction that uses the number: numbers become visible in order,
-- so that a reader who has seen n has seen everything below n.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY NOT NULL,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('key_version', 0), ('event', 0), ('verdict', 0);

CREATE TABLE keys (
    id            TEXT PRIMARY KEY NOT NULL,
    sha256        BLOB NOT NULL UNIQUE,
    prefix        TEXT NOT NULL,
    name          TEXT NOT NULL,
    workspace     TEXT NOT NULL,
    user_id       TEXT,
    models        TEXT NOT NULL,          -- JSON array of globs
    expires_at    INTEGER,
    status        TEXT NOT NULL CHECK (status IN ('active', 'paused', 'revoked')),
    moderation    TEXT,
    environment   TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    version       INTEGER NOT NULL UNIQUE -- of the last change, for the feed to gateways
) STRICT;
CREATE INDEX keys_by_workspace ON keys (workspace, id);

CREATE TABLE events (
    seq                         INTEGER PRIMARY KEY NOT NULL, -- insertion order
    event_id                    TEXT NOT NULL UNIQUE,
    request_id                  TEXT NOT NULL,
    time                        INTEGER NOT NULL,
    workspace                   TEXT,
    user_id                     TEXT,
    session                     TEXT,
    key_id                      TEXT,
    dialect                     TEXT,
    provider                    TEXT,
    request_model               TEXT,
    response_model              TEXT,
    stream                      INTEGER NOT NULL,
    status                      INTEGER NOT NULL,
    error_code                  TEXT,
    input_tokens                INTEGER NOT NULL,
    output_tokens               INTEGER NOT NULL,
    cached_input_tokens         INTEGER NOT NULL,
    cache_creation_input_tokens INTEGER NOT NULL,
    reasoning_output_tokens     INTEGER NOT NULL,
    usage_status                TEXT NOT NULL,
    cost_nanousd                INTEGER NOT NULL,
    price_fallback              INTEGER NOT NULL,
    latency_ms                  INTEGER NOT NULL,
    time_to_first_token_ms      INTEGER,
    request_bytes               INTEGER NOT NULL,
    response_bytes              INTEGER NOT NULL,
    gateway_id                  TEXT NOT NULL,
    region                      TEXT,
    would_refuse                TEXT NOT NULL                 -- JSON array of limits in shadow mode
) STRICT;
CREATE INDEX events_by_workspace ON events (workspace, seq);
CREATE INDEX events_by_key ON events (key_id, seq);

-- What a gateway sent and the ledger could not take: kept, so that nothing is lost without a trace.
CREATE TABLE quarantined_events (
    digest      BLOB PRIMARY KEY NOT NULL, -- SHA-256 of the whole text: a repeated delivery is one row
    received_at INTEGER NOT NULL,
    reason      TEXT NOT NULL,
    body        TEXT NOT NULL              -- the first 16 KiB
) STRICT, WITHOUT ROWID;

CREATE TABLE verdicts (
    seq        INTEGER PRIMARY KEY NOT NULL, -- insertion order
    time       INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    workspace  TEXT,
    key_id     TEXT,
    model      TEXT,
    policy     TEXT NOT NULL,
    phase      TEXT NOT NULL,
    action     TEXT NOT NULL,
    categories TEXT NOT NULL,                -- JSON array
    rules      TEXT NOT NULL,                -- JSON array
    text       TEXT                          -- the first 1,000 characters, where the policy stores text
) STRICT;
CREATE INDEX verdicts_by_workspace ON verdicts (workspace, seq);
