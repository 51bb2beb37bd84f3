/* services/notify/settings.c - the table, and what it cannot say. */
#include "settings.h"

#include <string.h>

#include "lib/address.h"
#include "lib/log.h"
#include "lib/store/postgres.h"

#define AT(member) SETTING_AT(struct notify_settings, member)

const struct program notify_program = {
    "vigie-notify",
    "WebSocket feed of live vehicles: snapshot, then the newest of each at most four times a "
    "second.",
    NULL,
};

const struct setting notify_table[] = {
    {"listen", SET_TEXT, "127.0.0.1:8081", AT(listen),
     "address of the WebSocket listener, path /live"},
    {"origins", SET_TEXT, "http://localhost:8080", AT(origins),
     "pages that may connect, comma-separated"},
    {"trusted-proxies", SET_TEXT, "", AT(trusted_proxies),
     "addresses or blocks (10.0.0.0/8) of the proxies whose X-Forwarded-For is believed"},
    {"mqtt", SET_TEXT, "mqtts://127.0.0.1:8884", AT(mqtt), "broker to read live/1 from"},
    {"ca", SET_TEXT, NULL, AT(ca), "file: what the broker's certificate is verified with"},
    {"cert", SET_TEXT, NULL, AT(cert), "file: our certificate, CN svc-notify"},
    {"key", SET_TEXT, NULL, AT(key), "file: its key"},
    {"pg", SET_SECRET, NULL, AT(pg), "PostgreSQL connection string: tickets and snapshots"},
    {"instance", SET_TEXT, "0", AT(instance), "name of this instance within its site"},
    {"tick", SET_MILLIS, "250", AT(tick_ms),
     "ms between two live frames to one client, 10 .. 1000"},
    {"clients-per-address", SET_COUNT, "32", AT(clients_per_address),
     "connections from one address at most; 0: no limit"},
    SETTINGS_COMMON(struct notify_settings, common, "127.0.0.1:9103"),
    {0},
};

enum status settings_check(const struct notify_settings *set, struct fault *fault)
{
    enum log_level level;
    struct address listen;
    struct pg *pg = NULL;
    enum status st;

    if (set->tick_ms < 10 || set->tick_ms > 1000) /* the loop looks for signals once a tick */
        return fault_set(fault, ST_REJECT, "--tick %lld is not within 10 .. 1000 ms",
                         (long long)set->tick_ms);
    if ((st = address_read(&listen, set->listen, fault)) == ST_OK &&
        (st = origin_list_check(set->origins, fault)) == ST_OK &&
        (strcmp(set->common.admin, "none") == 0 ||
         (st = address_read(&listen, set->common.admin, fault)) == ST_OK) &&
        (st = address_list_check(set->trusted_proxies, fault)) == ST_OK &&
        (st = log_parse_level(set->common.log_level, &level, fault)) == ST_OK)
        st = pg_open(&pg, set->pg, "vigie-notify", fault); /* sends nothing */
    pg_close(pg);
    return st;
}
