-- The audit log: append-only, each row's hash covers the one before it. `tollgate-sidecar audit verify` proves it.
INSERT INTO counters (name, value) VALUES ('audit', 0);

CREATE TABLE audit_log (
    seq        BIGINT PRIMARY KEY NOT NULL, -- 1, 2, 3, … without a gap
    time       BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    target     TEXT NOT NULL,
    workspace  TEXT,
    detail     TEXT NOT NULL,               -- JSON, byte for byte as it was hashed
    address    TEXT,
    user_agent TEXT,
    hash       BYTEA NOT NULL               -- SHA-256 over the row before and this one
);
CREATE INDEX audit_log_by_workspace ON audit_log (workspace, seq);
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();
