-- The model that stood in for the one that was asked for, because a budget ran low.
ALTER TABLE events ADD COLUMN downgraded_model TEXT;
