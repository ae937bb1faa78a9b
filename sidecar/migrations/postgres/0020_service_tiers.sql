-- The service tiers that an exchange was asked for and served by: by these its price is told.
ALTER TABLE events ADD COLUMN request_service_tier TEXT;
ALTER TABLE events ADD COLUMN response_service_tier TEXT;
