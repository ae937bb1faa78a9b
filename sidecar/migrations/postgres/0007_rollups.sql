-- Rollups: sums over events by time and group, written in the transaction that writes the events.
INSERT INTO counters (name, value) VALUES ('rolled_up', 0); -- the last event that is in them

CREATE TABLE rollups (
    step          BIGINT NOT NULL, -- length in milliseconds: a minute, an hour or a day (UTC)
    dimension     TEXT COLLATE "C" NOT NULL,    -- by what events are grouped: total, workspace, user, key, model, provider, endpoint
    scope         TEXT COLLATE "C" NOT NULL,    -- of which workspace; '' for all, those without one included
    time          BIGINT NOT NULL, -- when it begins
    value         TEXT COLLATE "C" NOT NULL,    -- the group; '' where events have none
    requests      BIGINT NOT NULL,
    refusals      BIGINT NOT NULL,
    errors        BIGINT NOT NULL,
    input_tokens  BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    cost_nanousd  BIGINT NOT NULL,
    latency       BYTEA NOT NULL,    -- a sketch (ledger/rollups/sketch.rs)
    PRIMARY KEY (step, dimension, scope, time, value)
);

CREATE INDEX events_by_time ON events (time, seq);
