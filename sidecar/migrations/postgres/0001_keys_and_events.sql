-- Times are milliseconds since the Unix epoch (UTC). Money is nano-dollars.

-- Counters whose row is written in the transaction that uses the number: numbers become visible in order,
-- so that a reader who has seen n has seen everything below n.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY NOT NULL,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('key_version', 0), ('event', 0), ('verdict', 0);

CREATE TABLE keys (
    id            TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    sha256        BYTEA NOT NULL UNIQUE,
    prefix        TEXT NOT NULL,
    name          TEXT NOT NULL,
    workspace     TEXT NOT NULL,
    user_id       TEXT,
    models        JSONB NOT NULL,          -- JSON array of globs
    expires_at    BIGINT,
    status        TEXT NOT NULL CHECK (status IN ('active', 'paused', 'revoked')),
    moderation    TEXT,
    environment   TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    version       BIGINT NOT NULL UNIQUE -- of the last change, for the feed to gateways
);
CREATE INDEX keys_by_workspace ON keys (workspace, id);

CREATE TABLE events (
    seq                         BIGINT PRIMARY KEY NOT NULL, -- insertion order
    event_id                    TEXT NOT NULL UNIQUE,
    request_id                  TEXT NOT NULL,
    time                        BIGINT NOT NULL,
    workspace                   TEXT,
    user_id                     TEXT,
    session                     TEXT,
    key_id                      TEXT,
    dialect                     TEXT,
    provider                    TEXT,
    request_model               TEXT,
    response_model              TEXT,
    stream                      BOOLEAN NOT NULL,
    status                      BIGINT NOT NULL,
    error_code                  TEXT,
    input_tokens                BIGINT NOT NULL,
    output_tokens               BIGINT NOT NULL,
    cached_input_tokens         BIGINT NOT NULL,
    cache_creation_input_tokens BIGINT NOT NULL,
    reasoning_output_tokens     BIGINT NOT NULL,
    usage_status                TEXT NOT NULL,
    cost_nanousd                BIGINT NOT NULL,
    price_fallback              BOOLEAN NOT NULL,
    latency_ms                  BIGINT NOT NULL,
    time_to_first_token_ms      BIGINT,
    request_bytes               BIGINT NOT NULL,
    response_bytes              BIGINT NOT NULL,
    gateway_id                  TEXT NOT NULL,
    region                      TEXT,
    would_refuse                JSONB NOT NULL                 -- JSON array of limits in shadow mode
);
CREATE INDEX events_by_workspace ON events (workspace, seq);
CREATE INDEX events_by_key ON events (key_id, seq);

-- What a gateway sent and the ledger could not take: kept, so that nothing is lost without a trace.
CREATE TABLE quarantined_events (
    digest      BYTEA PRIMARY KEY NOT NULL, -- SHA-256 of the whole text: a repeated delivery is one row
    received_at BIGINT NOT NULL,
    reason      TEXT NOT NULL,
    body        TEXT NOT NULL              -- the first 16 KiB
);

CREATE TABLE verdicts (
    seq        BIGINT PRIMARY KEY NOT NULL, -- insertion order
    time       BIGINT NOT NULL,
    request_id TEXT NOT NULL,
    workspace  TEXT,
    key_id     TEXT,
    model      TEXT,
    policy     TEXT NOT NULL,
    phase      TEXT NOT NULL,
    action     TEXT NOT NULL,
    categories JSONB NOT NULL,                -- JSON array
    rules      JSONB NOT NULL,                -- JSON array
    text       TEXT                          -- the first 1,000 characters, where the policy stores text
);
CREATE INDEX verdicts_by_workspace ON verdicts (workspace, seq);
