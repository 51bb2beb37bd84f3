/* lib/store/influx.c - v1 /write and /query; two connections, so that a long query never holds up a
 * write's deadline. */
#include "lib/store/influx.h"

#include <stdlib.h>
#include <string.h>

#include "lib/http.h"

#define WRITE_TIMEOUT_MS 5000
#define QUERY_TIMEOUT_MS 15000
#define QUERY_MAX_ANSWER (32 * 1024 * 1024)
/* The contract keeps raw samples for 60 days; the database's own clock cuts a day later. */
#define RETENTION "DURATION 61d REPLICATION 1 SHARD DURATION 1d"
#define MINUTES "minutes"
#define MINUTES_RETENTION "DURATION 730d REPLICATION 1 SHARD DURATION 7d"

struct influx {
    struct http *writer, *asker;
    char *database;
    struct text base, write_url, minutes_url, query_url, answer, body;
};

static bool name_is_plain(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return n > 0 && n <= 64 && name[n] == '\0';
}

/* http[s]://[user[:password]@]host[:port][/path], as far as it can be wrong without anybody saying
 * so: whom it names. */
static bool names_a_host(const char *url)
{
    const char *from = strstr(url, "://"), *end, *host, *port;
    size_t digits;

    if (!from || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))
        return false;
    from += 3;
    end = from + strcspn(from, "/?#");
    host = from;
    for (const char *c = from; c < end; c++)
        if (*c == '@')
            host = c + 1;
    for (port = end; port > host && port[-1] != ':' && port[-1] != ']'; port--)
        continue;
    if (port == host || port[-1] == ']')
        return end > host;
    digits = strspn(port, "0123456789");
    return port - 1 > host && port + digits == end && digits >= 1 && digits <= 5 &&
           atoi(port) >= 1 && atoi(port) <= 65535;
}

static bool build_urls(struct influx *db, const char *url)
{
    size_t len = strlen(url);

    while (len > 0 && url[len - 1] == '/')
        len--;
    text_add(&db->base, url, len);
    text_add(&db->write_url, url, len);
    text_print(&db->write_url, "/write?precision=ms&db=%s", db->database);
    text_add(&db->minutes_url, db->write_url.bytes, db->write_url.len);
    text_print(&db->minutes_url, "&rp=" MINUTES);
    text_add(&db->query_url, url, len);
    text_print(&db->query_url, "/query?epoch=ms&db=%s", db->database);
    return !db->base.failed && !db->write_url.failed && !db->minutes_url.failed &&
           !db->query_url.failed;
}

enum status influx_open(struct influx **out, const char *url, const char *database,
                        struct fault *fault)
{
    const struct http_options quick = {.timeout_ms = WRITE_TIMEOUT_MS};
    const struct http_options patient = {.timeout_ms = QUERY_TIMEOUT_MS,
                                         .max_answer_bytes = QUERY_MAX_ANSWER};
    struct influx *db;
    enum status st;

    if (!names_a_host(url)) /* it is not repeated: it may hold a password */
        return fault_set(fault, ST_REJECT,
                         "InfluxDB address: not an http:// or https:// URL with a host, and a port "
                         "of 1 .. 65535 or none");
    if (!name_is_plain(database))
        return fault_set(fault, ST_REJECT, "InfluxDB database: letters, digits, _ and - only");
    db = calloc(1, sizeof *db);
    if (!db)
        return fault_set(fault, ST_FATAL, "InfluxDB client: out of memory");
    text_init(&db->base);
    text_init(&db->write_url);
    text_init(&db->minutes_url);
    text_init(&db->query_url);
    text_init(&db->answer);
    text_init(&db->body);
    db->database = strdup(database);
    if (!db->database || !build_urls(db, url)) {
        influx_close(db);
        return fault_set(fault, ST_FATAL, "InfluxDB client: out of memory");
    }
    if ((st = http_open(&db->writer, &quick, fault)) != ST_OK ||
        (st = http_open(&db->asker, &patient, fault)) != ST_OK) {
        influx_close(db);
        return st;
    }
    *out = db;
    return ST_OK;
}

void influx_close(struct influx *db)
{
    if (!db)
        return;
    http_close(db->writer);
    http_close(db->asker);
    text_done(&db->base);
    text_done(&db->write_url);
    text_done(&db->minutes_url);
    text_done(&db->query_url);
    text_done(&db->answer);
    text_done(&db->body);
    free(db->database);
    free(db);
}

/* Is the batch at fault?  InfluxDB says in JSON why; what says 400 in other words stands before it.
 * Too large is a batch for either. */
static bool is_refusal(int code, const char *why)
{
    return code == 413 || (code == 400 && why);
}

/* How much of what another than InfluxDB says can be passed on. */
static int plain_prefix(const struct text *said)
{
    int n = 0;

    while (n < 80 && (size_t)n < said->len && said->bytes[n] >= ' ' && said->bytes[n] <= '~')
        n++;
    return n;
}

/* What an answer other than success asks the caller to do; the server's own words go into the
 * fault. */
static enum status explain(const struct influx *db, int code, struct fault *fault)
{
    json_t *said = json_loadb(db->answer.bytes ? db->answer.bytes : "", db->answer.len, 0, NULL);
    const char *why = json_string_value(json_object_get(said, "error"));
    enum status st = ST_FATAL; /* 401, 403, 404 and what no InfluxDB answers */
    int plain = why ? 0 : plain_prefix(&db->answer);

    if (is_refusal(code, why))
        st = ST_REJECT;
    else if (code == 400 || code == 408 || code == 429 || code >= 500)
        st = ST_RETRY;
    if (why)
        fault_set(fault, st, "InfluxDB answers %d: %s", code, why);
    else
        fault_set(fault, st, "InfluxDB answers %d%s%.*s", code, plain > 0 ? ": " : "", plain,
                  db->answer.bytes);
    json_decref(said);
    return st;
}

/* A server that cannot be reached or understood is never the batch's fault. */
static enum status unreachable(enum status st)
{
    return st == ST_REJECT ? ST_FATAL : st;
}

static enum status send_lines(struct influx *db, struct http_request *request, struct fault *fault)
{
    enum status st;
    int code;

    request->method = "POST";
    request->content_type = "text/plain; charset=utf-8";
    st = http_call(db->writer, request, &code, &db->answer, fault);
    if (st != ST_OK)
        return unreachable(st);
    return code == 204 ? ST_OK : explain(db, code, fault);
}

static enum status write_to(struct influx *db, const char *url, const char *lines, size_t len,
                            struct fault *fault)
{
    struct http_request request = {.url = url, .body = lines, .len = len};

    return len ? send_lines(db, &request, fault) : ST_OK;
}

enum status influx_pour(struct influx *db, const struct http_body *lines, struct fault *fault)
{
    struct http_request request = {.url = db->write_url.bytes, .made = lines};

    return send_lines(db, &request, fault);
}

enum status influx_write(struct influx *db, const char *lines, size_t len, struct fault *fault)
{
    return write_to(db, db->write_url.bytes, lines, len, fault);
}

enum status influx_try(struct influx *db, struct fault *fault)
{
    static const char comment[] = "#\n";

    return influx_write(db, comment, sizeof comment - 1, fault);
}

bool influx_forgets(const struct fault *fault)
{
    return strstr(fault->text, "beyond retention policy");
}

enum status influx_write_minutes(struct influx *db, const char *lines, size_t len,
                                 struct fault *fault)
{
    return write_to(db, db->minutes_url.bytes, lines, len, fault);
}

/* The first error within a 200 answer: {"error":…} or {"results":[{"error":…}]}. */
static const char *error_inside(const json_t *answer)
{
    const char *why = json_string_value(json_object_get(answer, "error"));
    const json_t *results = json_object_get(answer, "results");

    for (size_t i = 0; !why && i < json_array_size(results); i++)
        why = json_string_value(json_object_get(json_array_get(results, i), "error"));
    return why;
}

static enum status make_query(struct influx *db, const char *statement, const json_t *params,
                              struct fault *fault)
{
    char *bound;

    text_clear(&db->body);
    text_print(&db->body, "q=");
    http_escape(&db->body, statement);
    if (params) {
        bound = json_dumps(params, JSON_COMPACT);
        if (!bound)
            return fault_set(fault, ST_REJECT, "query parameters: not a JSON object");
        text_print(&db->body, "&params=");
        http_escape(&db->body, bound);
        free(bound);
    }
    if (db->body.failed)
        return fault_set(fault, ST_FATAL, "InfluxDB client: out of memory");
    return ST_OK;
}

static enum status query(struct influx *db, struct http *through, const char *statement,
                         const json_t *params, json_t **result, struct fault *fault)
{
    struct http_request request = {.method = "POST",
                                   .url = db->query_url.bytes,
                                   .content_type = "application/x-www-form-urlencoded"};
    enum status st = make_query(db, statement, params, fault);
    const char *why;
    json_t *answer;
    int code;

    if (st != ST_OK)
        return st;
    request.body = db->body.bytes;
    request.len = db->body.len;
    st = http_call(through, &request, &code, &db->answer, fault);
    if (st != ST_OK)
        return st; /* ST_REJECT here: an answer too long, so a question too wide */
    if (code != 200)
        return explain(db, code, fault);
    answer = json_loadb(db->answer.bytes, db->answer.len, 0, NULL);
    if (!answer)
        return fault_set(fault, ST_RETRY, "InfluxDB's answer is not JSON");
    why = error_inside(answer);
    if (why) {
        st = fault_set(fault, ST_REJECT, "InfluxDB: %s", why);
        json_decref(answer);
        return st;
    }
    *result = answer;
    return ST_OK;
}

enum status influx_query(struct influx *db, const char *statement, const json_t *params,
                         json_t **result, struct fault *fault)
{
    return query(db, db->asker, statement, params, result, fault);
}

/* The value of column `column` in row `row` of the only series; NULL when there is none. */
static const json_t *cell(const json_t *answer, size_t row, const char *column)
{
    const json_t *first = json_array_get(json_object_get(answer, "results"), 0);
    const json_t *series = json_array_get(json_object_get(first, "series"), 0);
    const json_t *columns = json_object_get(series, "columns");
    const json_t *values = json_array_get(json_object_get(series, "values"), row);

    for (size_t i = 0; i < json_array_size(columns); i++) {
        const char *name = json_string_value(json_array_get(columns, i));

        if (name && strcmp(name, column) == 0)
            return json_array_get(values, i);
    }
    return NULL;
}

/* A statement of our own, '?' in it standing for the quoted database.  Its answer is short and
 * quick, so it has a write's deadline. */
static enum status run(struct influx *db, const char *pattern, json_t **result, struct fault *fault)
{
    struct text statement;
    json_t *answer = NULL;
    enum status st;

    text_init(&statement);
    for (const char *c = pattern; *c; c++)
        if (*c == '?')
            text_print(&statement, "\"%s\"", db->database);
        else
            text_add(&statement, c, 1);
    if (statement.failed)
        st = fault_set(fault, ST_FATAL, "InfluxDB client: out of memory");
    else
        st = query(db, db->writer, statement.bytes, NULL, &answer, fault);
    text_done(&statement);
    if (st == ST_OK && result)
        *result = answer;
    else
        json_decref(answer);
    return st == ST_REJECT ? ST_FATAL : st; /* our own statement was refused */
}

static enum status database_exists(struct influx *db, bool *exists, struct fault *fault)
{
    json_t *answer = NULL;
    enum status st = run(db, "SHOW DATABASES", &answer, fault);
    const json_t *name;

    if (st != ST_OK)
        return st;
    *exists = false;
    for (size_t i = 0; (name = cell(answer, i, "name")) != NULL; i++)
        if (json_is_string(name) && strcmp(json_string_value(name), db->database) == 0)
            *exists = true;
    json_decref(answer);
    return ST_OK;
}

/* Does the policy that writes go to let go of old samples? */
static enum status default_forgets(struct influx *db, bool *forgets, struct fault *fault)
{
    json_t *answer = NULL;
    enum status st = run(db, "SHOW RETENTION POLICIES ON ?", &answer, fault);
    const json_t *is_default, *lasts;

    if (st != ST_OK)
        return st;
    *forgets = false;
    for (size_t i = 0; (is_default = cell(answer, i, "default")) != NULL; i++) {
        lasts = cell(answer, i, "duration");
        if (json_is_true(is_default) && json_is_string(lasts) &&
            strcmp(json_string_value(lasts), "0s") != 0)
            *forgets = true;
    }
    json_decref(answer);
    return ST_OK;
}

enum status influx_prepare(struct influx *db, struct fault *fault)
{
    bool exists = false, forgets = false;
    enum status st = database_exists(db, &exists, fault);

    if (st != ST_OK)
        return st;
    if (!exists)
        return run(db, "CREATE DATABASE ? WITH " RETENTION " NAME \"raw\"", NULL, fault);
    st = default_forgets(db, &forgets, fault);
    if (st != ST_OK || forgets)
        return st;
    /* made by hand without a limit: what is in it stays where it is, new samples get ours */
    return run(db, "CREATE RETENTION POLICY \"raw\" ON ? " RETENTION " DEFAULT", NULL, fault);
}

/* The same policy again is no error; one that was made otherwise stays as it is. */
enum status influx_prepare_minutes(struct influx *db, struct fault *fault)
{
    enum status st = influx_prepare(db, fault);

    if (st != ST_OK)
        return st;
    st = run(db, "CREATE RETENTION POLICY \"" MINUTES "\" ON ? " MINUTES_RETENTION, NULL, fault);
    return st == ST_FATAL && strstr(fault->text, "already exists") ? ST_OK : st;
}

enum status influx_ping(struct influx *db, struct fault *fault)
{
    struct http_request request = {.method = "GET"};
    enum status st;
    int code;

    text_clear(&db->body);
    text_print(&db->body, "%s/ping", db->base.bytes);
    if (db->body.failed)
        return fault_set(fault, ST_FATAL, "InfluxDB client: out of memory");
    request.url = db->body.bytes;
    st = http_call(db->writer, &request, &code, &db->answer, fault);
    if (st != ST_OK)
        return unreachable(st);
    return code == 204 || code == 200 ? ST_OK : explain(db, code, fault);
}
