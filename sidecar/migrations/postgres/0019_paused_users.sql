-- Gateways are told of all users who are paused: few among many.
CREATE INDEX users_paused ON users (workspace, name) WHERE status = 'paused';
