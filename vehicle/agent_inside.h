/* vehicle/agent_inside.h - what the files of the agent share: agent.c (the loop, opening and
 * closing), agent_take.c (notes out of the inbox), agent_config.c (configuration and the connection
 * it asks for).  The main thread alone. */
#ifndef VEHICLE_AGENT_INSIDE_H
#define VEHICLE_AGENT_INSIDE_H

#include "agent.h"
#include "config.h"
#include "gps.h"
#include "herald.h"
#include "inbox.h"
#include "journal.h"
#include "lib/metrics.h"
#include "obd/reader.h"
#include "sender.h"
#include "timekeeper.h"
#include "uplink.h"
#include "watcher.h"

struct agent {
    const struct vehicle_settings *set;
    struct outbox *outbox;
    struct health *health;
    char vin[VIN_LEN + 1];
    struct inbox *inbox;
    struct gps *gps;
    struct reader *reader;
    struct journal *journal;
    struct watcher *watcher;
    struct sender *sender;
    struct uplink uplink;
    struct config config;
    struct herald herald;
    struct timekeeper timekeeper;
    struct ledger ledgers[STREAMS];
    struct sampler sampler;
    int64_t commit_ms; /* boot time of the next commit */
    bool urgent;       /* commit at once */
    bool disk_takes;   /* the last commit went well */
    bool connected;
    bool reconnect; /* other brokers */
    struct metric *records, *bytes, *fixes, *sources, *link, *ignored;
    struct note note;
};

/* Into the journal, committed at once.  `data` is a JSON object as text. */
void agent_event(struct agent *a, const char *type, const char *data);

/* One note out of the inbox. */
void agent_take(struct agent *a, const struct note *note);

/* config/1 as it came. */
void agent_config(struct agent *a, const char *bytes, size_t len);

/* What the outbox kept of the last configuration. */
enum status agent_load_config(struct agent *a, struct fault *fault) MUST_CHECK;

/* To the brokers of the settings, else to those of the configuration. */
enum status agent_open_uplink(struct agent *a, struct fault *fault) MUST_CHECK;
enum status agent_reopen_uplink(struct agent *a, struct fault *fault) MUST_CHECK;

#endif
