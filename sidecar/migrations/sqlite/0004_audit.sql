-- The audit log: append-only, each row's hash covers the one before it. `tollgate-sidecar audit verify` proves it.
INSERT INTO counters (name, value) VALUES ('audit', 0);

CREATE TABLE audit_log (
    seq        INTEGER PRIMARY KEY NOT NULL, -- 1, 2, 3, … without a gap
    time       INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    target     TEXT NOT NULL,
    workspace  TEXT,
    detail     TEXT NOT NULL,                -- JSON, byte for byte as it was hashed
    address    TEXT,
    user_agent TEXT,
    hash       BLOB NOT NULL                 -- SHA-256 over the row before and this one
) STRICT;
CREATE INDEX audit_log_by_workspace ON audit_log (workspace, seq);
CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_log_is_not_shortened BEFORE DELETE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
