/* vehicle/agent_inside.h - what the files of the agent share: agent.c (the loop, opening and
 * closing), agent_disk.c (commits and what a disk can do to them), agent_power.c (how awake it is),
 * agent_clock.c (what its clock is worth), agent_take.c (notes out of the inbox), agent_config.c
 * (configuration and the connection it asks for), agent_command.c, agent_private.c, agent_errand.c
 * (the API).  The main thread alone. */
#ifndef VEHICLE_AGENT_INSIDE_H
#define VEHICLE_AGENT_INSIDE_H

#include "agent.h"
#include "commands.h"
#include "config.h"
#include "courier.h"
#include "gps.h"
#include "herald.h"
#include "inbox.h"
#include "journal.h"
#include "lib/drive/power.h"
#include "lib/metrics.h"
#include "obd/reader.h"
#include "rates.h"
#include "renewal.h"
#include "sender.h"
#include "supply.h"
#include "timekeeper.h"
#include "trial.h"
#include "uplink.h"
#include "watcher.h"

struct agent {
    const struct vehicle_settings *set;
    struct outbox *outbox;
    struct health *health;
    char vin[VIN_LEN + 1];
    char protocol;  /* what the car's bus spoke last, kept in the outbox; '0' not known */
    bool urgent;    /* commit at once */
    bool known_due; /* the configuration's second home is behind */
    bool connected;
    bool reconnect; /* other brokers */
    bool restart;   /* a command asks for it */
    bool set_back;  /* an ack shows an old copy of the outbox: new streams with the next commit */
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
    int64_t commit_ms;          /* boot time of the next commit */
    enum outbox_trouble disk;   /* what the last commit met */
    pid_t switching_off;        /* --power-off's process; 0: none */
    int64_t recovered_ms;       /* boot time when the outbox was last found damaged; 0 never */
    struct text config_text;    /* config/1 as it came */
    int64_t refused_revision;   /* of a configuration, told already; 0 none */
    int64_t clock_offset_ms;    /* our time - boot, last tick */
    enum clock_source clock_is; /* what it was worth then */
    struct power power;
    struct rates rates;
    struct supply_line line;
    int64_t off_ms;       /* boot time the ignition went off; 0: it is not */
    int64_t heartbeat_ms; /* in force */
    struct metric *records, *bytes, *fixes, *sources, *link, *ignored, *mode, *writable, *failures;
    struct metric *last, *clock, *broker, *volts;
    struct note note;
    struct commands commands; /* answered */
    struct agent_running {
        bool used, begun;
        struct command command;
        int64_t until_ms; /* boot time: given up then */
        unsigned fetch;   /* of the configuration, the one that was begun for it */
        char why[128];    /* what went wrong meanwhile */
    } running[COMMANDS_RUNNING_MAX];
    struct metric *orders;
    struct privacy privacy;
    double gps_kmh; /* of the last fix; NAN */
    int64_t fix_ms; /* boot time of the last fix */
    struct metric *hidden, *is_private;
    struct trial trial; /* of a configuration with other brokers */
    struct config good, tried;
    struct text good_text, tried_text;
    int64_t left_revision; /* tried in vain; 0 none */
    struct courier *courier;
    unsigned fetches_asked, fetches_back; /* of the configuration; they come back in order */
    struct office office;
    struct renewal renewal;
    struct metric *expiry, *errands;
};

/* Into the journal, committed at once.  `data` is a JSON object as text. */
void agent_event(struct agent *a, const char *type, const char *data);

/* What may be sent now. */
enum status agent_send(struct agent *a, struct fault *fault) MUST_CHECK;

/* What the clock is worth at the start; on every tick. */
void agent_clock_begin(struct agent *a);
void agent_watch_clock(struct agent *a);
/* When that was, by our clock as we know it: if it is set, all that is dated already moves. */
int64_t agent_date(const struct agent *a, int64_t boot_ms);

/* How awake we are, and what follows from it; on every tick. */
enum status agent_power(struct agent *a, struct fault *fault) MUST_CHECK;
/* At start: was the supply cut last time? */
enum status agent_tell_cut(struct agent *a, struct fault *fault) MUST_CHECK;
/* Into the outbox: that we run, or that we stopped in order. */
void agent_mark(struct agent *a, bool running);
/* Is the clock's date possible at all? */
bool agent_time_known(const struct agent *a);

/* One note out of the inbox. */
void agent_take(struct agent *a, const struct note *note);

/* What the outbox kept of the car's bus. */
enum status agent_load_protocol(struct agent *a, struct fault *fault) MUST_CHECK;

/* config/1 as it came. */
void agent_config(struct agent *a, const char *bytes, size_t len);

/* What the outbox, or its second home, kept of the last configuration. */
enum status agent_load_config(struct agent *a, struct fault *fault) MUST_CHECK;

/* Put in force; nothing is kept or told. */
void agent_apply(struct agent *a, const struct config *config);
void agent_told_config(struct agent *a); /* the one in force is the one that was asked for */
void agent_refuse_config(struct agent *a, int64_t revision, const char *reason);
/* What is known to work: while another is on trial the one before. */
void agent_good_config(const struct agent *a, const struct config **config,
                       const struct text **text);

/* ---- a configuration on trial (agent_trial.c) */

bool agent_needs_trial(const struct agent *a, const struct config *next); /* other brokers? */
bool agent_left(const struct agent *a, int64_t revision); /* was it tried in vain? */
void agent_begin_trial(struct agent *a, const struct config *next, const char *bytes, size_t len);
void agent_end_trial(struct agent *a);
void agent_pass_trial(struct agent *a); /* on every tick */
enum status agent_load_trial(struct agent *a, struct fault *fault) MUST_CHECK;

/* ---- commands (agent_command.c) */

enum status agent_load_commands(struct agent *a, struct fault *fault) MUST_CHECK;
void agent_command(struct agent *a, const char *bytes, size_t len); /* command/1 as it came */
void agent_codes(struct agent *a, const struct codes_result *result);
void agent_configured(struct agent *a, int64_t revision, const char *refused); /* NULL: applied */
/* On every tick: begin what is kept as delivered, give up what took too long. */
void agent_pass_commands(struct agent *a);

/* ---- the API (agent_errand.c) */

enum status agent_open_courier(struct agent *a, struct fault *fault) MUST_CHECK;
void agent_plan_renewal(struct agent *a); /* the certificate is another */
void agent_pass_errands(struct agent *a); /* on every tick */
void agent_errand(struct agent *a, const struct errand_result *result);
/* The configuration was asked for: nothing newer came (NULL), or this went wrong. */
void agent_asked_config(struct agent *a, const char *wrong);

/* ---- private mode (agent_private.c) */

enum status agent_load_privacy(struct agent *a, struct fault *fault) MUST_CHECK;
/* Look at the button, the hours and the commands; on every tick and before every fix. */
void agent_look_private(struct agent *a);
/* privacy.set; kept with the next commit. */
void agent_command_privacy(struct agent *a, bool on, int64_t until_ms);
/* Take the place out of a fix that must not have one. */
void agent_hide_place(struct agent *a, struct fix *fix);

/* Write them with the next commit: configuration and brokers, answers, private mode. */
void agent_keep_config(struct agent *a);
void agent_keep_commands(struct agent *a);
void agent_keep_privacy(struct agent *a);

/* ---- the disk (agent_disk.c) */

/* What waits goes to disk; `all`: samples that have not settled too.  ST_OK also when the disk
 * takes nothing: it waits on, in memory.  ST_FATAL: the outbox is damaged and cannot be replaced.
 */
enum status agent_commit(struct agent *a, bool all, struct fault *fault) MUST_CHECK;
/* After ST_FATAL: the outbox is opened again, or another begun; ST_FATAL: it was not damage, or the
 * second time within a minute. */
enum status agent_recover(struct agent *a, struct fault *fault) MUST_CHECK;
void agent_tell_found(struct agent *a, const struct outbox_found *found);
void agent_count(struct agent *a);

/* ---- the connection */

/* To the brokers of the settings, else to those of the configuration. */
enum status agent_open_uplink(struct agent *a, struct fault *fault) MUST_CHECK;
enum status agent_reopen_uplink(struct agent *a, struct fault *fault) MUST_CHECK;

#endif
