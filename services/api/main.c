/* services/api/main.c - vigie-api: the REST API and the dashboard it serves; and the operator's
 * commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin.h"
#include "assets.h"
#include "dispatch.h"
#include "lib/health.h"
#include "lib/log.h"
#include "lib/stop.h"
#include "lib/store/postgres.h"
#include "meters.h"
#include "server.h"
#include "shared.h"

#define WATCH_MS 3000 /* an answer to SELECT 1 that takes longer is none */

/* Is PostgreSQL there?  Without it nothing can be answered but files. */
static void watch(struct pg *pg, struct health *health)
{
    static bool was_ready = true;
    struct fault why = {""};
    bool ready =
        pg_ready(pg, &why) == ST_OK && pg_run(pg, "SELECT 1", 0, NULL, NULL, &why) == ST_OK;

    health_set(health, "postgres", ready);
    if (ready != was_ready)
        log_line(ready ? LEVEL_INFO : LEVEL_WARN, ready ? "postgres.back" : "postgres.away",
                 "reason=\"%s\"", why.text);
    was_ready = ready;
}

static enum status serve(const struct api_settings *set, struct fault *fault)
{
    struct health *health = NULL;
    struct assets *assets = NULL;
    struct dispatch *dispatch = NULL;
    struct server *server = NULL;
    struct shared shared = {0};
    struct pg *pg = NULL;
    struct fault why = {""};
    enum status st;

    meters_open();
    if ((st = stop_open(fault)) != ST_OK || (st = shared_open(&shared, set, fault)) != ST_OK ||
        (st = pg_open(&pg, set->pg, "vigie-api watch", fault)) != ST_OK ||
        (st = health_open(&health, set->common.admin, fault)) != ST_OK)
        goto out;
    pg_set_patience(pg, WATCH_MS);
    health_set(health, "postgres", false);
    st = assets_open(&assets, set->assets, &why);
    if (st == ST_NONE)
        log_warn("dashboard.missing", "reason=\"%s\" cure=\"make dashboard\"", why.text);
    else if (st != ST_OK) {
        *fault = why;
        goto out;
    }
    if ((st = dispatch_start(&dispatch, &shared, fault)) != ST_OK ||
        (st = server_start(&server, &shared, assets, fault)) != ST_OK)
        goto out;
    log_info("started", "site=%s listen=%s vehicles=%s files=%zu", set->common.site, set->listen,
             set->listen_vehicles, assets_count(assets));
    do {
        watch(pg, health);
        if (stop_take_reload()) {
            log_reload(set->common.log_level);
            server_reload(server);
            dispatch_reload(dispatch);
        }
    } while (!stop_wait(1000));
    health_drain(health);
    log_info("stopping", "reason=signal");
    alarm(
        9); /* a database that neither answers nor hangs up would hold a worker, and us, for ever */
out:
    server_join(server);
    dispatch_join(dispatch);
    assets_close(assets);
    pg_close(pg);
    health_close(health);
    shared_close(&shared);
    return st;
}

static enum status run(const struct api_settings *set, int count, char **words, struct fault *fault)
{
    bool serving = !count || (count == 1 && !strcmp(words[0], "serve"));
    enum status st = serving ? settings_check(set, fault) : ST_OK;

    if (st != ST_OK || set->common.check)
        return st;
    return serving ? serve(set, fault) : admin_run(set, count, words, fault);
}

int main(int argc, char **argv)
{
    static struct api_settings set;
    struct fault fault = {""};
    enum log_level level = LEVEL_INFO;
    char **words = calloc((size_t)argc + 1, sizeof *words);
    int count = 0;
    enum status st;

    log_open("api", LEVEL_INFO);
    if (!words)
        return EXIT_FAILURE;
    st = settings_load(&set, api_table, &api_program, argc, argv, words, &count, &fault);
    if (st == ST_NONE) { /* --help, --version */
        free(words);
        return EXIT_SUCCESS;
    }
    if (st == ST_OK && (st = log_parse_level(set.common.log_level, &level, &fault)) == ST_OK) {
        log_set_level(level);
        st = run(&set, count, words, &fault);
    }
    explicit_bzero(set.pg, sizeof set.pg);
    explicit_bzero(set.password, sizeof set.password);
    free(words);
    if (st == ST_OK)
        return EXIT_SUCCESS;
    log_error("failed", "reason=\"%s\"", fault.text);
    return st == ST_REJECT || st == ST_NONE ? 2 : EXIT_FAILURE;
}
