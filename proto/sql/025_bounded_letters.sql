-- Letters with a fault of their own are bounded per vehicle, those that a database refused are not: of one car there may
-- be very many, and they are not to be counted through for each of the others.
CREATE INDEX dead_letter_bounded ON dead_letter (vin, received_at DESC, id) WHERE reason NOT IN ('store', 'poison');
