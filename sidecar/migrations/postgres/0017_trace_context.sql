-- The trace that an exchange was part of (W3C Trace Context), as the client or Envoy named it.
ALTER TABLE events ADD COLUMN trace_id TEXT;       -- 32 lower-case hex digits
ALTER TABLE events ADD COLUMN parent_span_id TEXT; -- 16 lower-case hex digits
ALTER TABLE events ADD COLUMN trace_sampled BOOLEAN;    -- whether whoever began the trace records it
