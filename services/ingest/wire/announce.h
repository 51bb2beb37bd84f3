/* services/ingest/wire/announce.h - changes of alerts to the broker, after they are committed.
 * What does not get through is in the log of changes all the same. */
#ifndef INGEST_ANNOUNCE_H
#define INGEST_ANNOUNCE_H

#include "proto/alert_change.h"
#include "speaker.h"

void announce_alerts(struct speaker *to, const struct alert_change_message *changes, size_t n);

#endif
