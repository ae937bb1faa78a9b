-- Raises of budgets: for a while there is more. JSON arrays; with an account what its amount is raised by, so that whoever
-- locks it knows.
ALTER TABLE budgets ADD COLUMN raises TEXT NOT NULL DEFAULT '[]';
ALTER TABLE budget_accounts ADD COLUMN raises TEXT NOT NULL DEFAULT '[]';
