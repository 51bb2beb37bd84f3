-- Of moving_ms, in which speeds were told so often that they show harsh manoeuvres; else there is nothing to score.
ALTER TABLE segment ADD COLUMN slope_ms bigint NOT NULL DEFAULT 0;
