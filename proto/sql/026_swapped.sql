-- A cluster that was swapped: what is due goes on over it, however many other events a vehicle has.
CREATE INDEX event_swapped ON event (vin) WHERE type = 'odometer_reset';
