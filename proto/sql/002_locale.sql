-- An account has a language only where somebody chose one; everybody used to be given French.
ALTER TABLE app_user ALTER COLUMN locale DROP DEFAULT, ALTER COLUMN locale DROP NOT NULL;
UPDATE app_user SET locale = NULL;
