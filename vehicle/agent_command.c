/* vehicle/agent_command.c - commands: answered, kept as delivered on disk, and only then done, so
 * that a crash in between costs a command and never does one twice.  See agent_inside.h. */
#include "agent_inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/stop.h"
#include "obd/clearing.h"

#define AGENT_FIX_FRESH_MS 10000
#define AGENT_CONFIG_WAIT_MS 60000 /* for the configuration that config.apply names */
#define AGENT_CODES_WAIT_MS 120000 /* the reader answers every order; should it ever not */

/* ---- answers */

/* Reasons come from libraries and servers too: plain ASCII leaves. */
static void agent_reason(char out[RESULT_REASON_MAX + 1], const char *from)
{
    (void)text_copy(out, RESULT_REASON_MAX + 1, from);
    for (char *c = out; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

void agent_keep_commands(struct agent *a)
{
    struct text text;

    text_init(&text);
    commands_write(&a->commands, &text);
    if (text.len > 0 && !text.failed)
        journal_note(a->journal, "commands", text.bytes, text.len);
    text_done(&text);
}

static void agent_answer(struct agent *a, const struct commands_answer *answer, const char *data)
{
    commands_keep(&a->commands, answer);
    agent_keep_commands(a);
    journal_result(a->journal, answer->id, answer->state, answer->reason, data);
    a->urgent = true;
    metric_add(a->orders, command_state_word(answer->state), 1);
    log_info("command", "id=%s state=%s reason=\"%s\"", answer->id,
             command_state_word(answer->state), answer->reason);
}

static void agent_finish(struct agent *a, struct agent_running *r, enum command_state state,
                         const char *reason, const char *data)
{
    struct commands_answer answer = {.state = state, .expires_ms = r->command.expires_ms};

    memcpy(answer.id, r->command.id, sizeof answer.id);
    agent_reason(answer.reason, reason);
    r->used = false;
    agent_answer(a, &answer, data);
}

static struct agent_running *agent_find(struct agent *a, const char *id)
{
    for (size_t i = 0; i < COMMANDS_RUNNING_MAX; i++)
        if (a->running[i].used && strcmp(a->running[i].command.id, id) == 0)
            return &a->running[i];
    return NULL;
}

/* ---- what comes */

static struct commands_car agent_car(const struct agent *a)
{
    int64_t boot_ms = clock_boot_ms();
    struct commands_car car = {
        .time_known = agent_time_known(a),
        .is_private = a->privacy.cause != PRIVACY_NONE,
        .gps_kmh =
            a->fix_ms != 0 && boot_ms - a->fix_ms <= AGENT_FIX_FRESH_MS ? a->gps_kmh : (double)NAN};

    for (size_t i = 0; i < COMMANDS_RUNNING_MAX; i++)
        car.running += a->running[i].used;
    return car;
}

static void agent_take_on(struct agent *a, const struct command *c)
{
    size_t i = 0;

    while (a->running[i].used) /* one is free: commands_judge counted them */
        i++;
    a->running[i] = (struct agent_running){.used = true, .command = *c};
}

void agent_command(struct agent *a, const char *bytes, size_t len)
{
    struct commands_verdict verdict;
    struct fault why = {""};
    struct command c;
    int64_t now_ms = clock_now_ms();
    struct commands_car car = agent_car(a);
    enum status read = command_read(&c, bytes, len, &why);

    if (c.id[0] == '\0') {
        metric_add(a->orders, "malformed", 1);
        log_warn("command.malformed", "reason=\"%s\"", why.text);
        return;
    }
    commands_judge(&verdict, &a->commands, &c, read, why.text, &car, now_ms);
    agent_reason(verdict.answer.reason, verdict.answer.reason);
    agent_answer(a, &verdict.answer, NULL);
    if (verdict.begin)
        agent_take_on(a, &c);
}

/* What was under way when the agent last ended is not done again: nobody knows how far it came. */
enum status agent_load_commands(struct agent *a, struct fault *fault)
{
    const struct commands_answer *open;
    struct commands_answer answer;
    struct fault why = {""};
    struct text text;
    enum status st;

    text_init(&text);
    st = outbox_get(a->outbox, "commands", &text, fault);
    if (st == ST_OK && commands_load(&a->commands, text.bytes, text.len, &why) != ST_OK)
        log_warn("commands.unreadable", "reason=\"%s\"", why.text);
    text_done(&text);
    while ((open = commands_unfinished(&a->commands)) != NULL) {
        answer = *open;
        answer.state = COMMAND_FAILED;
        agent_reason(answer.reason, "the agent was stopped meanwhile");
        agent_answer(a, &answer, NULL);
    }
    return st == ST_NONE ? ST_OK : st;
}

/* ---- what is done */

static void agent_begin_codes(struct agent *a, struct agent_running *r)
{
    const struct command *c = &r->command;
    enum status st = c->type == COMMAND_DIAGNOSTICS_CLEAR
                         ? reader_clear_codes(a->reader, c->id, c->expires_ms)
                         : reader_read_codes(a->reader, c->id, c->expires_ms);

    r->until_ms += AGENT_CODES_WAIT_MS;
    if (st == ST_NONE)
        agent_finish(a, r, COMMAND_REFUSED, "no adapter is configured", NULL);
    else if (st != ST_OK)
        agent_finish(a, r, COMMAND_FAILED, "too many orders wait for the adapter", NULL);
}

/* What it asks for is on trial: what becomes of that is the answer. */
static bool agent_is_trying(const struct agent *a, const struct agent_running *r)
{
    return a->trial.state != TRIAL_NONE && a->tried.revision >= r->command.args.config.revision;
}

/* One that is under way may have been answered before the revision was there: its own.  Where too
 * many wait already, the last of them has not begun either. */
static void agent_fetch_config(struct agent *a, struct agent_running *r)
{
    enum status st = courier_send(a->courier, ERRAND_CONFIG);

    if (st == ST_NONE)
        (void)text_copy(r->why, sizeof r->why, "no configuration came, and no --api is set");
    else if (st == ST_OK)
        a->fetches_asked++;
    r->fetch = a->fetches_asked;
}

static void agent_begin_config(struct agent *a, struct agent_running *r)
{
    const struct config *good;
    const struct text *text;

    agent_good_config(a, &good, &text);
    r->until_ms = clock_boot_ms() + AGENT_CONFIG_WAIT_MS;
    if (good->revision >= r->command.args.config.revision)
        agent_finish(a, r, COMMAND_DONE, "", NULL);
    else if (!agent_is_trying(a, r))
        agent_fetch_config(a, r);
}

static void agent_begin_privacy(struct agent *a, struct agent_running *r)
{
    const struct command *c = &r->command;
    char data[128];

    agent_command_privacy(a, c->args.privacy.on, c->args.privacy.until_ms);
    snprintf(data, sizeof data, "{\"private\":true,\"by\":\"%s\"}",
             privacy_cause_word(a->privacy.cause));
    agent_finish(a, r, COMMAND_DONE, "",
                 a->privacy.cause != PRIVACY_NONE ? data : "{\"private\":false}");
}

static void agent_begin(struct agent *a, struct agent_running *r)
{
    int64_t now_ms = clock_now_ms(), left_ms = r->command.expires_ms - now_ms;

    if (left_ms <= 0 && agent_time_known(a)) { /* the disk took it too late */
        agent_finish(a, r, COMMAND_EXPIRED, "it was kept too late", NULL);
        return;
    }
    r->begun = true;
    r->until_ms = clock_boot_ms() + (left_ms > 0 ? left_ms : 0);
    switch (r->command.type) {
    case COMMAND_DIAGNOSTICS_READ:
    case COMMAND_DIAGNOSTICS_CLEAR:
        agent_begin_codes(a, r);
        break;
    case COMMAND_CONFIG_APPLY:
        agent_begin_config(a, r);
        break;
    case COMMAND_PRIVACY_SET:
        agent_begin_privacy(a, r);
        break;
    case COMMAND_AGENT_RESTART:
        a->restart = true;
        agent_finish(a, r, COMMAND_DONE, "", NULL);
        break;
    default:
        agent_finish(a, r, COMMAND_REFUSED, "no camera", NULL);
        break;
    }
}

void agent_pass_commands(struct agent *a)
{
    int64_t boot_ms = clock_boot_ms();

    if (journal_has_facts(a->journal))
        return; /* the disk did not take it: first kept, then done */
    if (a->restart) {
        log_info("restarting", "reason=command");
        stop_ask();
        return;
    }
    for (size_t i = 0; i < COMMANDS_RUNNING_MAX; i++) {
        struct agent_running *r = &a->running[i];

        if (r->used && !r->begun)
            agent_begin(a, r);
        else if (r->used && boot_ms >= r->until_ms &&
                 (r->command.type != COMMAND_CONFIG_APPLY || a->trial.state == TRIAL_NONE))
            agent_finish(a, r, COMMAND_FAILED, r->why[0] != '\0' ? r->why : "it took too long",
                         NULL);
    }
}

/* ---- what comes back */

static void agent_units(struct text *out, const struct codes_result *result)
{
    text_print(out, "{\"units\":[");
    for (size_t i = 0; i < result->unit_count; i++) {
        const struct codes_unit *u = &result->units[i];
        char ecu[LINK_ECU_TEXT];

        text_print(out, "%s{\"cleared\":%s", i > 0 ? "," : "", u->cleared ? "true" : "false");
        link_print_ecu(ecu, u->ecu);
        if (ecu[0] != '\0') /* an adapter may not say whose answer it was */
            text_print(out, ",\"ecu\":\"%s\"", ecu);
        if (u->refused != 0)
            text_print(out, ",\"refused\":\"%02X\"", u->refused);
        text_print(out, "}");
    }
    text_print(out, "]}");
}

void agent_codes(struct agent *a, const struct codes_result *result)
{
    static const enum command_state states[CODES_OUTCOMES] = {[CODES_DONE] = COMMAND_DONE,
                                                              [CODES_REFUSED] = COMMAND_REFUSED,
                                                              [CODES_FAILED] = COMMAND_FAILED,
                                                              [CODES_EXPIRED] = COMMAND_EXPIRED};
    struct agent_running *r = agent_find(a, result->command);
    struct text data;

    log_info("codes.order", "command=%s clear=%d outcome=%s reason=\"%s\"", result->command,
             result->clear, codes_outcome_name(result->outcome), result->reason);
    if (r == NULL)
        return; /* given up already */
    text_init(&data);
    if (result->clear)
        agent_units(&data, result);
    agent_finish(a, r, states[result->outcome], result->reason,
                 data.len > 0 && !data.failed ? data.bytes : NULL);
    text_done(&data);
}

void agent_configured(struct agent *a, int64_t revision, const char *refused)
{
    for (size_t i = 0; i < COMMANDS_RUNNING_MAX; i++) {
        struct agent_running *r = &a->running[i];

        if (!r->used || !r->begun || r->command.type != COMMAND_CONFIG_APPLY ||
            revision < r->command.args.config.revision)
            continue;
        if (refused == NULL)
            agent_finish(a, r, COMMAND_DONE, "", NULL);
        else
            agent_finish(a, r, COMMAND_FAILED, refused, NULL);
    }
}

void agent_asked_config(struct agent *a, const char *wrong)
{
    char reason[96];

    a->fetches_back++;
    snprintf(reason, sizeof reason, "the API has revision %lld", (long long)a->config.revision);
    for (size_t i = 0; i < COMMANDS_RUNNING_MAX; i++) {
        struct agent_running *r = &a->running[i];

        if (!r->used || !r->begun || r->command.type != COMMAND_CONFIG_APPLY)
            continue;
        if (agent_is_trying(a, r) || r->fetch > a->fetches_back)
            continue;
        if (wrong == NULL)
            agent_finish(a, r, COMMAND_FAILED, reason, NULL);
        else
            (void)text_copy(r->why, sizeof r->why, wrong); /* it may still come over MQTT */
    }
}
