-- Operators who sign in by OpenID Connect: whom the provider means, by its own name and theirs.
ALTER TABLE operators ADD COLUMN subject TEXT; -- issuer and sub; null for who signs in by password
CREATE UNIQUE INDEX operators_by_subject ON operators (subject);
