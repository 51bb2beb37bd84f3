/* services/api/admin_dead_letters.c - records that could not be decoded or stored. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin.h"
#include "lib/clock.h"
#include "lib/stop.h"
#include "proto/envelope.h"
#include "proto/vin.h"
#include "render.h"
#include "request.h"

#define TIME_FORMAT "AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
#define RECEIVED_AT "to_char(received_at " TIME_FORMAT " AS received_at"
#define REPLAYED_AT "to_char(replayed_at " TIME_FORMAT " AS replayed_at"
#define ASKED_AT "to_char(asked_at " TIME_FORMAT " AS asked_at"
#define LOOK_MS 200
#define LIMIT_MAX 10000 /* letters of one command */

/* Which letters: $1 a vehicle, $2 a reason ('' any), $3 how many. */
struct chosen {
    const char *params[4];
    char limit[24];
};

static enum status choose(struct admin *ad, struct chosen *which, struct fault *fault)
{
    const char *vin = ad->set->vin;

    if (ad->set->limit < 1 || ad->set->limit > LIMIT_MAX)
        return fault_set(fault, ST_REJECT, "--limit: 1 to %d", LIMIT_MAX);
    if (vin[0] && !vin_is_valid(vin, strlen(vin)))
        return fault_set(fault, ST_REJECT, "--vin %.40s is no VIN", vin);
    snprintf(which->limit, sizeof which->limit, "%lld", (long long)ad->set->limit);
    which->params[0] = vin;
    which->params[1] = ad->set->reason;
    which->params[2] = which->limit;
    return ST_OK;
}

enum status admin_dead_letter_list(struct admin *ad, struct fault *fault)
{
    PGresult *rows = NULL;
    struct chosen which;
    enum status st;

    if (ad->argc != 0)
        return fault_set(fault, ST_REJECT,
                         "dead-letter list [--vin VIN] [--reason WORD] [--limit N]");
    if ((st = choose(ad, &which, fault)) != ST_OK)
        return st;
    st = pg_run(ad->pg,
                "SELECT id, site, vin, kind, stream, seq, reason, detail, octet_length(payload) AS "
                "bytes, " RECEIVED_AT ", " REPLAYED_AT ", " ASKED_AT
                " FROM dead_letter WHERE ($1 = '' OR vin = $1) AND ($2 = '' OR reason = $2) "
                "ORDER BY dead_letter.received_at DESC LIMIT $3::bigint",
                3, which.params, &rows, fault);
    if (st == ST_OK)
        admin_print_rows(ad, rows);
    PQclear(rows);
    return st;
}

static enum status check_id(const char *id, struct fault *fault)
{
    if (uuid_is_valid(id, strlen(id)))
        return ST_OK;
    return fault_set(fault, ST_REJECT, "%.40s is no id: it is a UUID, as dead-letter list shows it",
                     id);
}

/* ---- one letter */

static enum status read_payload(const PGresult *row, struct text *payload, struct fault *fault)
{
    int column = PQfnumber(row, "payload");
    size_t len = (size_t)PQgetlength(row, 0, column);

    if (len == 0)
        return ST_OK;
    if (!text_reserve(payload, len / 2) ||
        !text_unhex((unsigned char *)payload->bytes, PQgetvalue(row, 0, column), len))
        return fault_set(fault, ST_FATAL, "out of memory for a letter of %zu bytes", len / 2);
    payload->len = len / 2;
    payload->bytes[payload->len] = '\0';
    return ST_OK;
}

static bool is_text(const struct text *payload)
{
    return utf8_is_valid(payload->bytes, payload->len) && strlen(payload->bytes) == payload->len;
}

/* What a car sent must not steer a terminal: escapes for control characters, and for what is no
 * UTF-8. */
static void add_visible(struct text *out, const struct text *payload)
{
    bool text = is_text(payload);

    for (size_t i = 0; i < payload->len; i++) {
        unsigned char byte = (unsigned char)payload->bytes[i];
        bool c1 = byte == 0xc2 && text && (unsigned char)payload->bytes[i + 1] < 0xa0;

        if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f || c1 ||
            (byte >= 0x80 && !text))
            text_print(out, "\\x%02x", byte);
        else
            text_add(out, payload->bytes + i, 1);
        if (c1)
            text_print(out, "\\x%02x", (unsigned char)payload->bytes[++i]);
    }
    text_add(out, "\n", 1);
}

static void add_fields(struct text *out, const PGresult *row)
{
    for (int c = 0; c < PQfnumber(row, "payload"); c++)
        if (!PQgetisnull(row, 0, c))
            text_print(out, "%-12s %s\n", PQfname(row, c), PQgetvalue(row, 0, c));
}

/* As `list` would, and the payload as text, or in hex where it is none. */
static void add_json(struct text *out, const PGresult *row, const struct text *payload)
{
    bool text = is_text(payload);
    int column = PQfnumber(row, "payload");

    text_print(out, "[{");
    for (int c = 0; c < column; c++) {
        if (PQgetisnull(row, 0, c))
            continue;
        render_key(out, PQfname(row, c));
        if (!strcmp(PQfname(row, c), "seq"))
            text_print(out, "%s", PQgetvalue(row, 0, c));
        else
            render_text(out, PQgetvalue(row, 0, c));
    }
    render_key(out, text ? "payload" : "payload_hex");
    render_text(out, text ? payload->bytes : PQgetvalue(row, 0, column));
    text_print(out, "}]\n");
}

/* Into a file or a pipe go the bytes of the letter and nothing else; what is known of it goes to
 * stderr then. */
static enum status show(struct admin *ad, const PGresult *row, struct fault *fault)
{
    struct text payload, fields;
    enum status st;

    text_init(&payload);
    text_init(&fields);
    if ((st = read_payload(row, &payload, fault)) == ST_OK) {
        add_fields(&fields, row);
        if (ad->set->json) {
            add_json(&ad->out, row, &payload);
        } else if (isatty(STDOUT_FILENO)) {
            text_print(&ad->out, "%spayload\n", fields.bytes);
            add_visible(&ad->out, &payload);
        } else {
            fputs(fields.bytes, stderr);
            text_add(&ad->out, payload.bytes, payload.len);
        }
    }
    text_done(&fields);
    text_done(&payload);
    return st;
}

enum status admin_dead_letter_show(struct admin *ad, struct fault *fault)
{
    const char *params[] = {ad->argc == 1 ? ad->argv[0] : ""};
    PGresult *rows = NULL;
    enum status st;

    if (ad->argc != 1)
        return fault_set(fault, ST_REJECT, "dead-letter show ID");
    if ((st = check_id(ad->argv[0], fault)) != ST_OK)
        return st;
    st = pg_run(ad->pg,
                "SELECT id, site, vin, kind, stream, seq, reason, detail, " RECEIVED_AT
                ", " REPLAYED_AT ", " ASKED_AT ", encode(payload, 'hex') AS payload "
                "FROM dead_letter WHERE id = $1::uuid",
                1, params, &rows, fault);
    if (st != ST_OK)
        return st;
    st = PQntuples(rows) == 1
             ? show(ad, rows, fault)
             : fault_set(fault, ST_FATAL, "there is no dead letter %s", ad->argv[0]);
    PQclear(rows);
    return st;
}

/* ---- once more */

/* The ids of the command line as one parameter, "{...}". */
static enum status list_ids(struct admin *ad, struct text *ids, struct fault *fault)
{
    enum status st;

    text_print(ids, "{");
    for (int i = 0; i < ad->argc; i++) {
        if ((st = check_id(ad->argv[i], fault)) != ST_OK)
            return st;
        text_print(ids, "%s%s", i ? "," : "", ad->argv[i]);
    }
    text_print(ids, "}");
    return ids->failed ? fault_set(fault, ST_FATAL, "out of memory") : ST_OK;
}

/* Ask for them; the ids of those that were asked for replace `ids`. */
static enum status ask(struct admin *ad, struct chosen *which, struct text *ids,
                       struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    which->params[3] = ids->bytes;
    st = pg_run(ad->pg,
                "WITH chosen AS (SELECT id FROM dead_letter d WHERE replayed_at IS NULL "
                "AND ($1 = '' OR vin = $1) AND ($2 = '' OR reason = $2) "
                "AND ($4 = '{}' OR id = ANY ($4::uuid[])) "
                "AND EXISTS (SELECT FROM vehicle v WHERE v.vin = d.vin) "
                "ORDER BY received_at LIMIT $3::bigint FOR UPDATE OF d), "
                "asked AS (UPDATE dead_letter d SET asked_at = now(), taken_at = NULL, tries = 0 "
                "FROM chosen c WHERE d.id = c.id RETURNING d.id) "
                "SELECT coalesce(array_agg(id), '{}')::text, pg_notify('dead_letter', '') "
                "FROM asked",
                4, which->params, &rows, fault);
    if (st != ST_OK)
        return st;
    text_clear(ids);
    text_print(ids, "%s", PQgetvalue(rows, 0, 0));
    PQclear(rows);
    if (strcmp(ids->bytes, "{}") == 0)
        return fault_set(fault, ST_FATAL,
                         "there is no such dead letter, of a vehicle that is still there and not "
                         "replayed before");
    return ST_OK;
}

static enum status wait_for(struct admin *ad, const struct text *ids, struct fault *fault)
{
    const char *params[] = {ids->bytes};
    int64_t until_ms = clock_boot_ms() + ad->set->wait_ms;
    PGresult *rows = NULL;
    enum status st;
    bool waiting;

    do {
        st = pg_run(ad->pg,
                    "SELECT FROM dead_letter WHERE id = ANY ($1::uuid[]) AND asked_at IS NOT NULL "
                    "LIMIT 1",
                    1, params, &rows, fault);
        if (st != ST_OK)
            return st;
        waiting = PQntuples(rows) > 0;
        PQclear(rows);
    } while (waiting && clock_boot_ms() < until_ms && stop_pause(LOOK_MS));
    return ST_OK;
}

/* The last line, and the exit status: a letter that is not stored is work left over. */
static enum status count(struct admin *ad, const PGresult *rows, struct fault *fault)
{
    int outcome = PQfnumber(rows, "outcome"), asked = PQntuples(rows), refused = 0, waiting = 0;
    char said[80];

    for (int i = 0; i < asked; i++) {
        refused += !strcmp(PQgetvalue(rows, i, outcome), "refused");
        waiting += !strcmp(PQgetvalue(rows, i, outcome), "waiting");
    }
    (void)snprintf(said, sizeof said, "%d asked for: %d stored, %d refused, %d waiting", asked,
                   asked - refused - waiting, refused, waiting);
    if (!ad->set->json)
        text_print(&ad->out, "%s\n", said);
    ad->told = true;
    return refused + waiting ? fault_set(fault, ST_FATAL, "%s", said) : ST_OK;
}

static enum status tell(struct admin *ad, const struct text *ids, struct fault *fault)
{
    const char *params[] = {ids->bytes};
    PGresult *rows = NULL;
    enum status st = pg_run(
        ad->pg,
        "SELECT id, vin, kind, seq, CASE WHEN replayed_at IS NOT NULL THEN 'stored' WHEN asked_at "
        "IS NOT NULL THEN 'waiting' ELSE 'refused' END AS outcome, CASE WHEN replayed_at IS NULL "
        "AND asked_at IS NULL THEN reason END AS reason, CASE WHEN replayed_at IS NULL AND "
        "asked_at IS NULL THEN detail END AS detail FROM dead_letter WHERE id = ANY ($1::uuid[]) "
        "ORDER BY received_at",
        1, params, &rows, fault);

    if (st == ST_OK) {
        admin_print_rows(ad, rows);
        st = count(ad, rows, fault);
    }
    PQclear(rows);
    return st;
}

enum status admin_dead_letter_replay(struct admin *ad, struct fault *fault)
{
    struct chosen which;
    struct text ids;
    enum status st;

    if (ad->argc == 0 && !ad->set->vin[0] && !ad->set->reason[0])
        return fault_set(fault, ST_REJECT,
                         "dead-letter replay ID... | --vin VIN | --reason WORD [--limit N]");
    text_init(&ids);
    if ((st = choose(ad, &which, fault)) == ST_OK && (st = list_ids(ad, &ids, fault)) == ST_OK &&
        (st = ask(ad, &which, &ids, fault)) == ST_OK && (st = wait_for(ad, &ids, fault)) == ST_OK)
        st = tell(ad, &ids, fault);
    text_done(&ids);
    return st;
}
